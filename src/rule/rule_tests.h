/* rule_tests: the `tests:` of a rule file, or of one rule: events and which rules they should be
 * true for. For the files of rule/ only; rule_set_test() runs them. */
#ifndef RULE_RULE_TESTS_H
#define RULE_RULE_TESTS_H

#include "rule/rule_set.h"

/* After all rules are there. rule: whose tests they are, and who is expected where a test does not
 * say; NULL: of the file. */
void rule_tests_read(struct rule_set *set, const struct node *node, const struct rule *rule,
		     struct problems *problems);
void rule_tests_clear(struct rule_set *set);

#endif
