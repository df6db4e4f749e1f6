/*
 * explain: why a rule is true for an event or is not: the tree of its conditions with the truth at
 * each node and the value that was seen, and what the index made of the rule.
 *
 * Pure: no I/O, and every truth comes from the one evaluator, condition_test().
 */
#ifndef RULE_EXPLAIN_H
#define RULE_EXPLAIN_H

#include "rule/rule.h"

struct explain_node {
	const char *key; /* as in the file: "all", "extension"; static */
	enum truth truth;
	struct place place;
	char *finding; /* "extension .jpg is not one of .zip .mp4"; NULL where there are children */
	struct explain_node *children;
	size_t child_count;
};

struct explanation {
	const struct rule *rule; /* of the set, which must outlive this */
	enum truth truth;
	char *where; /* "line 3", with its file if that is an included one */
	/* Why the rule was not among those that the index found worth evaluating, or that it is
	 * off; NULL if it was. */
	char *skipped;
	struct explain_node tree;
};

void explain_rule(struct explanation *out, struct rule_matcher *matcher, const struct rule *rule,
		  const struct event *event);
void explanation_clear(struct explanation *explanation);

const char *truth_name(enum truth truth);
/* Lines for people, nothing of foreign names left raw; colour for a terminal. For free(). */
char *explanation_format(const struct explanation *explanation, bool colour);

#endif
