#include "rule/rule_compile.h"

static void compile(struct condition_parser *parser, struct scan *scan)
{
	AUTO_ERROR err = { 0 };

	if (scan_compile(scan, &err) < 0)
		problems_error(parser->problems, (struct place){ parser->set->files[0], 0, 0 },
			       "the patterns are too much together: %s", error_text(&err));
}

void rule_compile(struct condition_parser *parser)
{
	struct rule_set *set = parser->set;

	for (size_t i = 0; i < set->count; i++) {
		const struct set_rule *rule = set->rules[i];

		set->needs_folding |= rule->ignores_case;
		if (rule->rule.mode != RULE_OFF)
			rule_index_add(set->index, i, rule->when);
	}
	compile(parser, set->scans[0]);
	compile(parser, set->scans[1]);
	rule_index_finish(set->index);
}
