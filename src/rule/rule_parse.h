/* rule_parse: from the trees of the rule files to rules. For the files of rule/ only. */
#ifndef RULE_RULE_PARSE_H
#define RULE_RULE_PARSE_H

#include "rule/reference.h"
#include "rule/rule_files.h"
#include "rule/rule_set.h"

/* What may stand at the top of a file, and in a rule; ended by a name of NULL. */
extern const struct reference_row rule_file_keys[], rule_keys[];

/* Adds every rule of the files to set; what is wrong goes to problems. */
void rule_parse(struct rule_set *set, const struct rule_files *files,
		const struct rule_modules *modules, struct problems *problems);

#endif
