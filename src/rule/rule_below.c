/* rule_below: whether anything below a directory could concern a rule, before it is looked through.
 */
#include "rule/rule_set.h"

bool rule_set_may_match_below(const struct rule_set *set, struct text directory, event_kinds kinds)
{
	const struct region below = { .kinds = kinds, .directory = directory, .word = SCAN_NONE };
	const struct region anywhere = { .kinds = kinds, .word = SCAN_NONE };

	for (size_t i = 0; i < set->count; i++) {
		const struct set_rule *rule = set->rules[i];
		/* Of a path in any case nothing is said here. */
		struct subject subject = { .kinds = kinds,
					   .is_partial = true,
					   .path.region = rule->ignores_case ? &anywhere : &below };

		if (rule->rule.mode != RULE_OFF &&
		    condition_test(rule->when, &subject) != TRUTH_FALSE)
			return true;
	}
	return false;
}
