/*
 * backtest: what rules would have done about the events that are in the log.
 *
 * The filter's own judge is asked, over a scratch store and with a trial (app/trial.h) in the place
 * of jobs and ledger: the times are those at which the events were heard, and echoes are those that
 * the filter recognised. Nothing is executed, and the log's store is only read.
 *
 * What the cluster would have said about a file is not known any more. So rules that depend on it
 * are judged twice: SURE takes it as false, MOST as true, and what is right lies between.
 */
#ifndef APP_BACKTEST_H
#define APP_BACKTEST_H

#include "app/settings.h"
#include "base/distinct.h"
#include "rule/rule.h"
#include "store/store.h"

enum backtest_bound { SURE, MOST, BOUND_COUNT };
/* The rules that are tried, and those that they are compared with. */
enum backtest_which { TRIED, RUNNING, SIDE_COUNT };

struct backtest_counts {
	uint64_t matches;  /* the rule was true */
	uint64_t jobs;     /* that act */
	uint64_t dry_runs; /* that would only be written down: the rule's mode */
	uint64_t limited;  /* the same because of the rule's limit */
	uint64_t counted;  /* events before a threshold was reached */
	uint64_t throttled;
	uint64_t waiting;   /* files whose settle or absent was not over at the end */
	int64_t limited_ms; /* when the limit was reached first; 0: never */
};

/* The minute with the most jobs. */
struct backtest_peak {
	int64_t minute; /* since 1970 */
	uint64_t jobs;
	int64_t now;
	uint64_t jobs_now;
};

struct backtest_rule {
	const struct rule *rule;
	struct backtest_counts counts[BOUND_COUNT];
	struct distinct *files[BOUND_COUNT]; /* with a job of any kind; NULL: none */
	struct backtest_peak peak;           /* of MOST */
	char **examples[BOUND_COUNT];        /* paths, each once */
	size_t example_count[BOUND_COUNT];
	signed char changes; /* 1: its actions change files on the cluster; -1: not known yet */
};

struct backtest_set {
	struct rule_set *set;
	struct backtest_rule *rules; /* as in the set */
};

struct backtest_action {
	const char *module;
	uint64_t jobs[BOUND_COUNT];
};

struct backtest_side {
	struct backtest_set *sets; /* different ones */
	size_t set_count;
	bool has_bounds; /* SURE and MOST are not the same */
	struct backtest_action *actions;
	size_t action_count;
	uint64_t jobs[BOUND_COUNT], written[BOUND_COUNT]; /* that act; that are only written down */
	struct distinct *files[BOUND_COUNT];              /* that jobs act on */
	struct distinct *changed[BOUND_COUNT]; /* of those, by actions that change files */
	struct backtest_peak peak;
};

struct backtest {
	struct backtest_side sides[SIDE_COUNT];
	bool compares;
	bool is_complete;          /* false: stopped before the end */
	int64_t log_from_ms;       /* the first record that the log still has */
	int64_t log_until_ms;      /* the last one that was judged */
	int64_t from_ms, until_ms; /* of what was judged */
	uint64_t first_seq;        /* of the records that were asked for */
	uint64_t records, events, echoes;
	uint64_t unjudged;         /* records at the end that no filter has judged yet: left out */
	uint64_t strange;          /* records of watches that the settings do not have: left out */
	uint64_t overtaken;        /* records that were trimmed before they were read */
	struct compared *compared; /* NULL: nothing was compared */
	size_t room;               /* for what is counted exactly */
};

struct backtest_progress {
	double done; /* 0 to 1 */
	uint64_t events;
	int64_t time_ms; /* up to where */
};

struct backtest_wish {
	const struct settings *settings;
	struct rule_set *const *sets[SIDE_COUNT]; /* one per watch; RUNNING may be NULL */
	const char *watch;                        /* only what it heard; NULL: all */
	int64_t since_ms, until_ms;
	size_t examples; /* of each rule */
	/* Asked often; false: stop. NULL: go on. */
	bool (*go_on)(void *ctx, const struct backtest_progress *progress);
	void *ctx;
};

/* store: with reads_only. -1 also if the log is empty. */
MUST_CHECK int backtest_run(struct backtest **out, struct store *store,
			    const struct backtest_wish *wish, struct error *err);
void backtest_free(struct backtest *backtest);
AUTO_DEFINE(struct backtest *, backtest_free)

#endif
