/*
 * repair_moves: how directories moved, with all that is in them, as far as the log tells or a
 * repair has found out. The last thousand moves are known.
 */
#ifndef APP_REPAIR_MOVES_H
#define APP_REPAIR_MOVES_H

#include "event/event.h"

#define OTHER_HALF_MS 250 /* how long the other half of a move is awaited */

struct moves;

/* From where the first gap began to where the last one ended, by our clock. */
struct heard_gap {
	int64_t from_ms, until_ms;
};

struct moves *moves_new(struct heard_gap gap);
void moves_free(struct moves *moves);

/* An event about a directory, told at that place in the log. The halves of a move may come in any
 * order; is_live: told by the stream. */
void moves_hear(struct moves *moves, const struct event *event, uint64_t at, int64_t time_ms,
		bool is_live);
/* It is known by other means. at: where in the log; UINT64_MAX: behind everything. */
void moves_add(struct moves *moves, const char *from, const char *to, uint64_t at);
bool moves_are_known(const struct moves *moves);

/* Where what was at path is by now, by moves told after `since` (0: all). passed (or NULL) is told
 * each path on the way, both ends too. For free(). */
char *moves_carry(const struct moves *moves, const char *path, uint64_t since,
		  void (*passed)(void *ctx, const char *path), void *ctx);
/* Whether what was told to be at path then left the watch with one of its directories. */
bool moves_took_out(const struct moves *moves, struct text path, uint64_t since);

#endif
