/*
 * rule_index: which rules are worth evaluating for an event, at a cost that does not grow with
 * their number.
 *
 * Each rule is filed under access predicates, which are its condition's regions: a directory, a
 * name (whole, its beginning, or its ending from a dot on, whichever fewer rules share), or both
 * together, as one hash; else an
 * word in the path that a scan looks for; else the event's kinds alone. An event looks up the
 * hashes of its path's beginnings and its name's parts. False candidates do no harm, for every
 * candidate is evaluated: so hashes are not compared further.
 */
#ifndef RULE_RULE_INDEX_H
#define RULE_RULE_INDEX_H

#include "rule/region.h"

struct rule_index;

/* Words that it needs are added to the scans: over paths, and over folded paths. */
struct rule_index *rule_index_new(struct scan *plain, struct scan *folded);
void rule_index_free(struct rule_index *index);
AUTO_DEFINE(struct rule_index *, rule_index_free)

/* Rules by number, in order. The condition must live as long as the index. */
void rule_index_add(struct rule_index *index, uint32_t rule, const struct condition *condition);
/* After the scans are compiled; no rule_index_add comes after it. */
void rule_index_finish(struct rule_index *index, const struct condition *const *whens);

struct rule_query {
	event_kinds kinds;
	struct text path, folded_path;
	struct scanner *plain, *folded;
};

/* Numbers of rules, each once, in ascending order; memory is used again and again. */
struct rule_candidates {
	uint32_t *rules;
	size_t count;
	uint32_t *seen; /* by rule: the round that it was last found in */
	uint32_t round;
};
void rule_candidates_init(struct rule_candidates *candidates, size_t rule_count);
void rule_candidates_clear(struct rule_candidates *candidates);

void rule_index_find(const struct rule_index *index, const struct rule_query *query,
		     struct rule_candidates *candidates);
/* How many rules the index can find by their kinds only. */
size_t rule_index_unfiled(const struct rule_index *index);

#endif
