/* rule_parse: from the tree of watched_items.yml to rules. For the files of rule/ only. */
#ifndef RULE_RULE_PARSE_H
#define RULE_RULE_PARSE_H

#include "rule/condition_parse.h"
#include "rule/rule_set.h"

/* Adds every rule of the file to set; what is wrong goes to problems. */
void rule_parse(struct rule_set *set, const struct node *root, const struct rule_modules *modules,
		struct problems *problems);

#endif
