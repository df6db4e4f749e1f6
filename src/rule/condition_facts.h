/* condition_facts: conditions about what an event says besides its paths: depth, stream, watch,
 * origin, time; and about what the cluster knows of the file. */
#ifndef RULE_CONDITION_FACTS_H
#define RULE_CONDITION_FACTS_H

#include "rule/condition_values.h"

/* Whether the word is one of these. */
bool condition_is_fact(enum condition_word word);
/* NULL if something is wrong. */
const struct condition *condition_parse_facts(struct condition_parser *parser,
					      enum condition_word word, const struct node *node,
					      bool ignore_case);

#endif
