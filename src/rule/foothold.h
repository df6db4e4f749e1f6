/*
 * foothold: which rules could be true somewhere below a directory, for questions about regions: the
 * index answers about paths that are known.
 */
#ifndef RULE_FOOTHOLD_H
#define RULE_FOOTHOLD_H

#include "rule/rule_set.h"

/* A directory outside of which a rule cannot be true, folded; empty: anywhere. */
struct foothold {
	event_kinds kinds; /* of all the rule's footholds */
	uint32_t rule;
	char *directory;
	const struct pattern *name; /* that its last component matches; NULL: any */
};

/* In order of kinds, so that one run of them is passed over at once, then of directory. */
struct footholds {
	struct foothold *items;
	size_t count;
};

/* Of all rules that are not off. */
void footholds_init(struct footholds *footholds, const struct rule_set *set);
void footholds_clear(struct footholds *footholds);
/*
 * Visits those that meet kinds and lie above, at or below directory (folded; empty: anywhere), a
 * rule perhaps several times.
 */
void footholds_visit(const struct footholds *footholds, event_kinds kinds, struct text directory,
		     void (*visit)(void *ctx, const struct foothold *foothold), void *ctx);

#endif
