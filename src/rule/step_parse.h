/* step_parse: from YAML to the steps of rules: named actions and modules. For rule/ only. */
#ifndef RULE_STEP_PARSE_H
#define RULE_STEP_PARSE_H

#include "rule/rule_set.h"

/* An entry of `actions:`. */
struct named_action {
	const struct node *key;
	const char *module;      /* NULL: it is wrong, and that is told */
	const struct node *step; /* the module with its options, and what stands beside it */
	const struct node *options;
	bool is_used;
	UT_hash_handle hh;
};

struct step_parser {
	const struct rule_modules *modules;
	struct problems *problems;
	struct named_action *actions;
};

void step_parser_init(struct step_parser *parser, const struct rule_modules *modules,
		      struct problems *problems);
/* Reads the `actions:` of a file; node may be NULL. */
void step_parser_add(struct step_parser *parser, const struct node *node);
void step_parser_clear(struct step_parser *parser);
/* Adds the steps of a rule's actions to it; what is wrong is told and left out. */
void step_parse(struct step_parser *parser, struct set_rule *rule, const struct node *node);
/* Warns of named actions that no rule uses. */
void step_parser_finish(struct step_parser *parser);

#endif
