/*
 * scan_trial: which rules a scan would make true, told without a monitor, a store or anything being
 * done: the cluster is only asked for lists of entries.
 */
#ifndef APP_SCAN_TRIAL_H
#define APP_SCAN_TRIAL_H

#include "app/settings.h"
#include "rule/rule.h"

#define SCAN_TRIAL_EXAMPLES 3

struct scan_trial_rule {
	const struct rule *rule;
	uint64_t sure,
		perhaps; /* files; perhaps: it depends on what only a job's file would tell */
	char *examples[SCAN_TRIAL_EXAMPLES];
	size_t example_count;
};

struct scan_trial_result {
	struct scan_trial_rule *rules; /* by the set's order */
	size_t rule_count;
	uint64_t entries, requests, unreadable;
};
void scan_trial_clear(struct scan_trial_result *result);

/*
 * progress: each second; trouble: why nothing is asked at the moment, or "". Blocks. -1: the path
 * is not there, or the cluster did not answer for a minute.
 */
MUST_CHECK int scan_trial_run(const struct watch_settings *watch, const struct rule_set *set,
			      const char *path,
			      void (*progress)(void *ctx, const struct scan_trial_result *so_far,
					       const char *trouble),
			      void *ctx, struct scan_trial_result *out, struct error *err);

#endif
