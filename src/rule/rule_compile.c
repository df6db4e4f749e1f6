#include "rule/rule_compile.h"

#define TRIES_MAX 100

/* Names the places of an expression of the file; what the index asked for has none. */
static void tell_bad(struct condition_parser *parser, uint32_t id, const char *why)
{
	for (size_t i = 0; i < parser->expression_count; i++) {
		if (parser->expressions[i].id == id)
			problems_error(parser->problems, parser->expressions[i].place, "regex: %s",
				       why);
	}
}

/* Whatever is too much for one database is left out, one by one; what is of the file is told. */
static void compile(struct condition_parser *parser, struct scan *scan)
{
	for (unsigned tries = 0; tries < TRIES_MAX; tries++) {
		AUTO_ERROR err = { 0 };
		uint32_t bad = SCAN_NONE;

		if (scan_compile(scan, &bad, &err) == 0)
			return;
		if (bad == SCAN_NONE) {
			problems_error(parser->problems,
				       (struct place){ parser->set->files[0], 0, 0 },
				       "the patterns are too much together: %s", error_text(&err));
			return;
		}
		if (scan == parser->set->scans[0])
			tell_bad(parser, bad, error_text(&err));
		scan_drop(scan, bad);
	}
	problems_error(parser->problems, (struct place){ parser->set->files[0], 0, 0 },
		       "more than %d patterns that cannot be compiled", TRIES_MAX);
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
