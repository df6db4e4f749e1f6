/*
 * fire: a rule is true for an event: what the rule counts decides whether that becomes a job, and
 * whether the job may do what it says.
 */
#ifndef APP_FIRE_H
#define APP_FIRE_H

#include "app/tally.h"
#include "app/trial.h"

struct firing {
	struct store_txn *txn;
	struct tally *tally;
	const struct rule_set *set;   /* of the rule */
	int64_t now_ms;               /* when the job is due */
	int64_t time_ms;              /* of what is judged */
	const struct trial *trial;    /* NULL: the job is put */
	uint64_t cause;               /* the job whose echo is judged; 0: it is none */
	int64_t depth_most;           /* 0: whatever */
	struct rule_window runs_most; /* per file; count 0: whatever */
};

/* 1: there is a job, and the label (NULL: none) has it; 0: there is none, and the label says why.
 */
MUST_CHECK int fire_rule(const struct firing *firing, const struct rule *rule,
			 const struct event *event, json_t *label, struct error *err);

#endif
