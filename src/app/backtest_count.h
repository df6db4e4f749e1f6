/* backtest_count: what a trial's rules come to, counted. For the files of backtest only. */
#ifndef APP_BACKTEST_COUNT_H
#define APP_BACKTEST_COUNT_H

#include "app/backtest.h"
#include "app/trial.h"

/* With the wish's sets of that side, of the watches that are wanted; each is shared. */
void backtest_side_init(struct backtest *backtest, enum backtest_which which,
			const struct backtest_wish *wish);
void backtest_side_clear(struct backtest_side *side);

struct backtest_rule *backtest_rule_of(struct backtest_side *side, const struct rule_set *set,
				       const struct rule *rule);
/* Whether its actions change files on the cluster. */
bool backtest_changes_files(struct backtest_rule *rule);
/* A job, or what would be one. file: a hash of the file. */
void backtest_count_job(struct backtest *backtest, struct backtest_side *side,
			struct backtest_rule *rule, enum backtest_bound bound,
			const struct event *event, uint64_t file, int64_t time_ms,
			enum trial_end end, size_t examples);

#endif
