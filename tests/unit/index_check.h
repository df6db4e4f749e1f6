/* index_check: whether rules answer through the index what they answer one after the other. */
#ifndef TESTS_INDEX_CHECK_H
#define TESTS_INDEX_CHECK_H

#include "random_rules.h"
#include "rule/rule_set.h"

/* How much there was to find, over many events. */
struct index_counts {
	size_t events, asked, candidates;    /* rules in a plain loop; through the index */
	size_t matching, undecided, stopped; /* events with a rule that is true, unknown, stops */
};

/* NULL: the answers are the same, in the same order, with and without heed to `stop`. Otherwise
 * both of them in words, for free(). */
char *index_difference(const struct rule_set *set, struct rule_matcher *matcher,
		       const struct random_event *event, struct index_counts *counts);
/* The set of these rules, without those that are left out. Aborts if they are no rules. */
struct rule_set *index_check_set(const struct random_rules *rules, const bool *is_left_out);
/* NULL, or what is wrong about the order in which the set has the rules; for free(). */
char *index_disorder(const struct random_rules *rules, const struct rule_set *set);
/* The event, and as few of the rules as still show a difference for it, in words, for free(). */
char *index_culprits(const struct random_rules *rules, const struct random_event *event);

#endif
