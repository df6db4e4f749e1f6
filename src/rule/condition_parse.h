/* condition_parse: from YAML to the tree of conditions. For the files of rule/ only. */
#ifndef RULE_CONDITION_PARSE_H
#define RULE_CONDITION_PARSE_H

#include "rule/rule_set.h"

/* An entry of `conditions:`, built once for rules that ignore case and once for the others. */
struct named_condition {
	const struct node *node;
	const struct condition *built[2];
	bool is_done[2];
	bool is_under_way;
	unsigned levels; /* of names, one inside of the other */
	bool is_used;
	UT_hash_handle hh;
};

struct condition_parser {
	struct rule_set *set;
	struct problems *problems; /* NULL: what is wrong was told before */
	struct named_condition *named;
	unsigned building; /* named conditions under way */
	unsigned levels;   /* of names in what was read last */
};

void condition_parser_init(struct condition_parser *parser, struct rule_set *set,
			   struct problems *problems);
/* Takes the `conditions:` of a file; node may be NULL. */
void condition_parser_add(struct condition_parser *parser, const struct node *conditions);
/* Tells what is wrong in each of them. */
void condition_parser_build(struct condition_parser *parser);
void condition_parser_clear(struct condition_parser *parser);
/* NULL: something was wrong, and is told. */
const struct condition *condition_parse(struct condition_parser *parser, const struct node *node,
					bool ignore_case);
/* Warns of named conditions that no rule uses. */
void condition_parser_finish(struct condition_parser *parser);

#endif
