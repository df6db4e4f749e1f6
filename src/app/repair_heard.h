/*
 * repair_heard: what the log tells of objects since a baseline: where each was
 * last seen, and when the stream last told of each kind of change. So a repair
 * leaves out what was judged already.
 *
 * Memory has a ceiling; of objects beyond it nothing is known, and what a
 * repair finds of them may be judged twice.
 */
#ifndef APP_REPAIR_HEARD_H
#define APP_REPAIR_HEARD_H

#include "app/repair_moves.h"
#include "store/store.h"

#define HEARD_MOST 500000 /* objects */

struct heard;

/* watch, path: its name, and the directory. after_seq: the last record that
 * does not count. Records of repairs up to own_seq tell where objects are, but
 * of no change; those after it tell of what was so at own_ms. Texts must outlive it. */
struct heard *heard_new(struct store *store, const char *watch, const char *path,
			uint64_t after_seq, uint64_t own_seq, int64_t own_ms, struct heard_gap gap);
void heard_free(struct heard *heard);
AUTO_DEFINE(struct heard *, heard_free)

/* Reads on to the end of the log. */
MUST_CHECK int heard_read(struct heard *heard, struct error *err);
bool heard_is_full(const struct heard *heard);

enum heard_place { HEARD_NOWHERE, HEARD_AT, HEARD_ELSEWHERE, HEARD_GONE, HEARD_AWAY };
/* What was told last of where the object is, compared with path. */
enum heard_place heard_place(const struct heard *heard, const char *id, const char *path);
/* The stream has told since the gap where it is: so no snapshot knows better. */
bool heard_is_sure(const struct heard *heard, const char *id);
/* It was told to leave this path, where it was at the baseline; or it was told to be elsewhere
 * before the gap, and that counts. */
bool heard_left(const struct heard *heard, const char *id, const char *path);
/*
 * Visits what the stream took up since the gap elsewhere than where it had told that it was, with
 * that place, carried along with its directories: it left from there in the gap, or is there, too.
 * The last thousand are known.
 */
void heard_departures(struct heard *heard,
		      void (*visit)(void *ctx, const char *id, const char *path, bool is_directory),
		      void *ctx);
/* The path under which its place was told, read from the log again, and where in the log; for
 * free(), NULL: not to be had. */
char *heard_path(struct heard *heard, const char *id, uint64_t *out_at);
/* A directory moved, with all that is in it: this repair has found that out. (Of those that the
 * stream told it knows.) */
void heard_note_move(struct heard *heard, const char *old_path, const char *path);
/* Where moves of directories that were told after that have brought what was at path; since: as
 * heard_path says, 0: all. For free(). The last thousand moves are known. */
char *heard_carry(const struct heard *heard, const char *path, uint64_t since);
/* The object is where the stream told last: that is known now. */
void heard_confirm(struct heard *heard, const char *id);
/*
 * Visits, in records after `after`, what the stream told until until_ms to be
 * somewhere, last of all that it told of the object, and nobody has confirmed,
 * and what did not leave the watch with its directory; each object once. Stops behind a record when
 * `most` were visited. *out_seq: where it stopped. 1: there may be more.
 */
MUST_CHECK int heard_visit(struct heard *heard, uint64_t after, int64_t until_ms, size_t most,
			   void (*visit)(void *ctx, const struct event *event), void *ctx,
			   uint64_t *out_seq, struct error *err);
/* Whether a change of such a kind was told at since_ms or later. */
bool heard_change(const struct heard *heard, const char *id, enum event_type type,
		  int64_t since_ms);

#endif
