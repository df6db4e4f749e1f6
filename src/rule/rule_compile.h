/* rule_compile: the words and the index of a set whose rules are parsed. */
#ifndef RULE_RULE_COMPILE_H
#define RULE_RULE_COMPILE_H

#include "rule/condition_parse.h"

/* Fills the digest of a rule that is parsed: rule_digest.c. */
void rule_digest(struct set_rule *rule);
/* Expressions that vectorscan does not take after all go to parser->problems. */
void rule_compile(struct condition_parser *parser);

#endif
