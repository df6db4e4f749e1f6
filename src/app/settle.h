/*
 * settle: timers that wait until a file is quiet, or until something that should have happened to
 * it has not.
 *
 * One per rule and file, in SPACE_SETTLE; what is in memory is only when the next one is due, so
 * any number may run, and they survive a restart. The event that started a timer is what its rule
 * will fire on, under the path that the file has by then.
 */
#ifndef APP_SETTLE_H
#define APP_SETTLE_H

#include "rule/rule.h"
#include "store/store.h"

struct settle;

struct settle *settle_new(void);
void settle_free(struct settle *settle);
AUTO_DEFINE(struct settle *, settle_free)

/* At the start and after a transaction failed. */
MUST_CHECK int settle_load(struct settle *settle, struct store *store, struct error *err);

/* The rule matched: its timer for this file starts, or starts anew. */
MUST_CHECK int settle_start(struct settle *settle, struct store_txn *txn, const struct rule *rule,
			    const struct event *event, struct error *err);
/*
 * Any event of a file, before rules see it: a change makes its timers start anew, a removal or a
 * move out of the tree drops them. moves tells only where the file is now (echoes do that too).
 */
MUST_CHECK int settle_hear(struct settle *settle, struct store_txn *txn, const struct event *event,
			   bool moves_only, struct error *err);

/*
 * 0: the timer is over. SETTLE_ASK, only where may_be_open: whether somebody has the file open is
 * asked, and settle_answer will be called with what was said.
 */
#define SETTLE_ASK 1
typedef int settle_fire(void *ctx, struct text rule, const struct event *event, bool may_be_open,
			struct error *err);

/* Fires timers that are due at now_ms in their order, at most max; answers how many were looked at.
 */
MUST_CHECK int64_t settle_expire(struct settle *settle, struct store_txn *txn, int64_t now_ms,
				 size_t max, settle_fire *fire, void *ctx, struct error *err);
/* Visits every timer that runs, as it is committed. */
MUST_CHECK int settle_visit(struct store *store,
			    void (*visit)(void *ctx, const char *watch, const char *rule),
			    void *ctx, struct error *err);
/*
 * What was said at sent_ms or later of a file: its timers that wait for that fire (is_closed), or
 * are looked at again later, with growing pauses up to five minutes.
 */
MUST_CHECK int settle_answer(struct settle *settle, struct store_txn *txn, struct text watch,
			     struct text file_id, int64_t sent_ms, bool is_closed, int64_t now_ms,
			     settle_fire *fire, void *ctx, struct error *err);
/* When the next timer is due, or sooner; INT64_MAX if none runs. */
int64_t settle_next_due(const struct settle *settle);

#endif
