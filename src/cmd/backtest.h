/* backtest: how the outcome of a backtest is shown. For the files of backtest only. */
#ifndef CMD_BACKTEST_H
#define CMD_BACKTEST_H

#include "app/backtest.h"
#include "app/backtest_compare.h"
#include "cmd/command.h"

struct shown {
	const struct arguments *arguments;
	const struct settings *settings;
	struct backtest *outcome;
	const char *items[SIDE_COUNT]; /* names of the rule files, with commas between them */
	const struct backtest_rule **rules[SIDE_COUNT]; /* in the order of their files */
	size_t rule_count[SIDE_COUNT];
	size_t examples;
	size_t changes;   /* of the rules at work, in that time */
	bool is_other;    /* the rules that judged then are not those that are compared with */
	int64_t since_ms; /* what was asked for; 0: all there is */
};

void backtest_print_text(const struct shown *shown);
void backtest_print_json(const struct shown *shown);

/* Of the bound that is known best: MOST where the two are told apart. */
static inline enum backtest_bound shown_bound(const struct backtest_side *side)
{
	return side->has_bounds ? MOST : SURE;
}

/* How a rule of both sides differs; NULL: it is not in the other. */
const struct backtest_rule *shown_find(const struct shown *shown, enum backtest_which which,
				       const char *name);
/* Jobs, and what would be jobs if it were no dry run. */
uint64_t shown_jobs(const struct backtest_rule *rule, enum backtest_bound bound);

#endif
