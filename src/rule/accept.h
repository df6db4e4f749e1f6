/*
 * accept: the warnings that a rule file can get, by name, and those that whoever wrote it has seen
 * and means: `accept: [loop]` in a rule, or at the top of a file for all that is in it. For the
 * files of rule/ only.
 */
#ifndef RULE_ACCEPT_H
#define RULE_ACCEPT_H

#include "rule/rule_set.h"

enum rule_warning {
	WARN_LOOP,
	WARN_NEVER,
	WARN_SHADOWED,
	WARN_DUPLICATE,
	WARN_TARGET,
	WARN_FIELD,
	WARN_UNUSED,
	WARN_WILDCARD,
	WARN_EMPTY,
	WARN_ACTION,
	RULE_WARNING_COUNT
};

extern const char *const rule_warning_names[]; /* by enum rule_warning, ended by NULL */

/* What an `accept:` says. */
struct accept {
	unsigned bits; /* bit n for enum rule_warning n */
	unsigned used; /* those that came */
	struct place places[RULE_WARNING_COUNT];
};

/* Reads an `accept:`; what is wrong goes to problems. For free(). */
struct accept *accept_read(struct rule_set *set, const struct node *node,
			   struct problems *problems);

/* Warnings that come to problems from now on are about this rule (NULL: about none), and are
 * accepted where the rule or the place's file says so. */
struct accept_scope {
	const struct rule_set *set;
	const struct set_rule *rule;
};
void accept_begin(struct accept_scope *scope, struct problems *problems);
void accept_end(struct problems *problems);

/* The same for a warning about several rules, of which the caller knows the answer. */
void accept_given(struct problems *problems, bool is_accepted);

/* Whether the rule or its file accepts such a warning. */
bool accept_takes(const struct rule_set *set, const struct set_rule *rule,
		  enum rule_warning warning);
/* The same, and the warning has come. */
bool accept_has(const struct rule_set *set, const struct set_rule *rule, enum rule_warning warning);
/* Warns of what is accepted and did not come, these ones excepted. */
void accept_tell_unused(const struct rule_set *set, unsigned except, struct problems *problems);

#endif
