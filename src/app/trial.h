/*
 * trial: what stands in for jobs, ledger and labels while events are judged only to see what would
 * have happened. Everything else is judge's own, so that a trial cannot judge otherwise.
 */
#ifndef APP_TRIAL_H
#define APP_TRIAL_H

#include "app/rename.h"
#include "rule/rule.h"

/* What a rule that is true comes to. */
enum trial_end {
	TRIAL_JOB,
	TRIAL_DRY_RUN, /* a job that only says what it would do, for that is the rule's mode */
	TRIAL_LIMITED, /* the same because of the rule's limit */
	TRIAL_COUNTED, /* its threshold is not reached */
	TRIAL_THROTTLED,
};

struct trial {
	void *ctx;
	/* What depends on what the cluster knows of a file: taken as true, or as false. */
	bool unknown_is_true;
	/* Whether the event was an echo when it was judged. */
	int (*find_echo)(void *ctx, const struct event *event, struct echo *out, struct error *err);
	/* The rule is true for the event; is_sure: whatever the cluster would have said. */
	void (*matched)(void *ctx, const struct rule_set *set, const struct rule *rule,
			bool is_sure);
	void (*ended)(void *ctx, const struct rule_set *set, const struct rule *rule,
		      const struct event *event, int64_t time_ms, enum trial_end end);
};

#endif
