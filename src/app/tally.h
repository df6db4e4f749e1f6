/*
 * tally: what rules count over time: thresholds, throttles and limits, each in a sliding window.
 *
 * One window per rule, watch and group, in SPACE_TALLY, so that it survives a restart; those of the
 * transaction under way are in memory and stored at its end. All times are those of the events.
 */
#ifndef APP_TALLY_H
#define APP_TALLY_H

#include <jansson.h>

#include "rule/rule.h"
#include "store/store.h"

struct tally;

struct tally *tally_new(void);
void tally_free(struct tally *tally);
AUTO_DEFINE(struct tally *, tally_free)

/* At the start and after a transaction failed. */
MUST_CHECK int tally_load(struct tally *tally, struct store *store, struct error *err);

/*
 * An event for which the rule is true. 1: the threshold is reached, *out_files (for json_decref)
 * says by which files: {"count": .., "files": "a path a line", "list": [{"path", "file_id"}]}; then
 * it counts anew. 0: not yet.
 */
MUST_CHECK int tally_threshold(struct tally *tally, struct store_txn *txn, const struct rule *rule,
			       const struct event *event, int64_t now_ms, json_t **out_files,
			       struct error *err);
/*
 * 1: a job may be put; *out_suppressed: how many were not since the one before. 0: suppressed, and
 * counted.
 */
MUST_CHECK int tally_throttle(struct tally *tally, struct store_txn *txn, const struct rule *rule,
			      const struct event *event, int64_t now_ms, uint64_t *out_suppressed,
			      struct error *err);
/*
 * 1: the job may do what it says; 0: the rule is tripped, by this one or before: it may only say
 * what it would do. The rule with another digest ends that.
 */
MUST_CHECK int tally_limit(struct tally *tally, struct store_txn *txn, const struct rule *rule,
			   const struct event *event, int64_t now_ms, struct error *err);

/* Whether what it does may come back to it: it asks for its own echoes, or runs a program. */
bool tally_may_loop(const struct rule *rule);
/*
 * It is true for an echo of job cause. 1: a job may be put, and tally_chain told of it. 0: it came
 * of its own echoes `most` times in a row; *out_why, for free().
 */
MUST_CHECK int tally_depth(struct tally *tally, struct store_txn *txn, const struct rule *rule,
			   const struct event *event, uint64_t cause, int64_t most, int64_t now_ms,
			   char **out_why, struct error *err);
MUST_CHECK int tally_chain(struct tally *tally, struct store_txn *txn, uint64_t cause, uint64_t job,
			   int64_t now_ms, struct error *err);
/*
 * most: per file. 1: a job may be put, and counts. 0: too often, until that is over; *out_why, for
 * free(): only the first time.
 */
MUST_CHECK int tally_runs(struct tally *tally, struct store_txn *txn, const struct rule *rule,
			  const struct event *event, const struct rule_window *most, int64_t now_ms,
			  char **out_why, struct error *err);

/* Stores what changed; last before the commit. */
MUST_CHECK int tally_save(struct tally *tally, struct store_txn *txn, struct error *err);
/* After a commit that went well: says what there is to say. */
void tally_committed(struct tally *tally);
/* Drops windows in which nothing counts any more, at most max; answers how many were looked at. */
MUST_CHECK int64_t tally_expire(struct tally *tally, struct store_txn *txn, int64_t now_ms,
				size_t max, struct error *err);
/* When the next window may be over, or sooner; INT64_MAX if there is none. */
int64_t tally_next_due(const struct tally *tally);
/* Every rule that a limit made a dry run, as long as it has this digest; since when. */
void tally_visit_tripped(const struct tally *tally,
			 void (*visit)(void *ctx, const char *rule, const char *digest,
				       int64_t since_ms),
			 void *ctx);

#endif
