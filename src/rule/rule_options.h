/* rule_options: what a rule says beside its name, conditions and actions. For rule/ only. */
#ifndef RULE_RULE_OPTIONS_H
#define RULE_RULE_OPTIONS_H

#include "rule/rule_set.h"

#define RULE_OPTION_NAMES                                                                      \
	"settle", "absent", "threshold", "throttle", "limit", "mode", "on_own", "ignore_case", \
		"stop", "priority"

/* Reads the options that node, a rule or `defaults:`, has; the others stay as they are. */
void rule_options_read(struct set_rule *rule, const struct node *node, struct problems *problems);

#endif
