/* rule_compile: the words and the index of a set whose rules are parsed. */
#ifndef RULE_RULE_COMPILE_H
#define RULE_RULE_COMPILE_H

#include "rule/condition_parse.h"

/* Expressions that vectorscan does not take after all go to parser->problems. */
void rule_compile(struct condition_parser *parser);

#endif
