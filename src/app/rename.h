/*
 * rename: finds the two halves of a rename among events.
 *
 * A rename is a moved_from and a moved_to of one file id, in either order, with other events
 * between, perhaps in different messages; or one of them alone, when a file left the watched tree
 * or came into it. A half waits for the other for the rename window, across restarts too. Each half
 * is judged once: a moved_from that has its moved_to as it is, the moved_to as EVENT_RENAMED with
 * its old path, right behind it; one that stayed alone as EVENT_MOVED_OUT or EVENT_MOVED_IN. While
 * a half waits, later events of its file may be judged before it. Without a file id only a moved_to
 * right behind its moved_from in the same message is its other half.
 *
 * Streams of a file that are renamed are no renames of the file: they are not halves.
 */
#ifndef APP_RENAME_H
#define APP_RENAME_H

#include "store/store.h"

/* Whose echo an event is. */
struct echo {
	bool is_echo;
	uint64_t job;
	unsigned step;
};

struct renames;

typedef int rename_judge(void *ctx, const struct event *event, const struct echo *echo,
			 struct error *err);

/* judge is called in the transaction under way, for each half once. */
struct renames *renames_new(rename_judge *judge, void *ctx);
void renames_free(struct renames *renames);
AUTO_DEFINE(struct renames *, renames_free)

/* Forgets everything and reads what the store has: at the start and after a transaction failed. */
MUST_CHECK int renames_load(struct renames *renames, struct store *store, struct error *err);

bool event_is_half(const struct event *event);
/* Judges the event with its other half, or lets it wait for window_ms from its receipt. */
MUST_CHECK int renames_take(struct renames *renames, struct store_txn *txn,
			    const struct event *event, const struct echo *echo, int64_t window_ms,
			    struct error *err);
/* Judges those alone whose window has passed at now_ms, at most max; answers how many. */
MUST_CHECK int64_t renames_expire(struct renames *renames, struct store_txn *txn, int64_t now_ms,
				  size_t max, struct error *err);
/* Before the commit: writes down those that wait now and did not before. */
MUST_CHECK int renames_save(struct renames *renames, struct store_txn *txn, struct error *err);
/* When the next window passes; INT64_MAX if none waits. */
int64_t renames_next_due(const struct renames *renames);

#endif
