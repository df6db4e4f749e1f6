/* rule_needs: the types of events without which a set would judge otherwise. */
#include "rule/effect_graph.h"

#define ALL_TYPES (EVENT_TYPES | EVENT_KIND(EVENT_TYPE_UNKNOWN))
/* Whatever happens to a file means that it is not quiet yet, except that it is read. */
#define NOT_QUIET (EVENT_TYPES & ~EVENT_KIND(CHILD_ATIME_CHANGED))

/* Where files are: renames are paired by them, and what waits for a file follows it. */
#define PLACES                                                                 \
	(EVENT_KIND(CHILD_FILE_ADDED) | EVENT_KIND(CHILD_DIR_ADDED) |          \
	 EVENT_KIND(CHILD_FILE_REMOVED) | EVENT_KIND(CHILD_DIR_REMOVED) |      \
	 EVENT_KIND(CHILD_FILE_MOVED_FROM) | EVENT_KIND(CHILD_FILE_MOVED_TO) | \
	 EVENT_KIND(CHILD_DIR_MOVED_FROM) | EVENT_KIND(CHILD_DIR_MOVED_TO) |   \
	 EVENT_KIND(SELF_REMOVED))

/* Types of which an event, wherever it is, may make the rule true. */
static event_kinds matched_types(const struct set_rule *rule, event_kinds among)
{
	static const struct region anywhere = { .kinds = EVENT_ANY, .word = SCAN_NONE };
	event_kinds types = 0;

	for (unsigned type = 0; type <= EVENT_TYPE_COUNT; type++) {
		const struct subject subject = { .kinds = EVENT_KIND(type),
						 .is_partial = true,
						 .path.region = &anywhere };

		if (among & EVENT_KIND(type) && condition_test(rule->when, &subject) != TRUTH_FALSE)
			types |= EVENT_KIND(type);
	}
	return types;
}

/* What its actions change must be heard, to be known for what it is; programs' never is. */
static event_kinds caused_types(const struct rule *rule, const struct rule_modules *modules)
{
	event_kinds types = 0;

	for (size_t i = 0; i < rule->step_count; i++) {
		struct step_effects effects;

		step_effects_ask(&effects, modules, &rule->steps[i]);
		for (size_t j = 0; j < effects.count; j++)
			types |= effects.items[j].by_program ? 0 : effects.items[j].kinds;
		step_effects_clear(&effects);
	}
	return types;
}

event_kinds rule_set_needs(const struct rule_set *set, const struct rule_modules *modules)
{
	event_kinds types = PLACES;

	for (size_t i = 0; i < set->count && (types & ALL_TYPES) != ALL_TYPES; i++) {
		const struct rule *rule = &set->rules[i]->rule;

		if (rule->mode == RULE_OFF)
			continue;
		types |= matched_types(set->rules[i], ALL_TYPES & ~types);
		types |= rule->absent | caused_types(rule, modules);
		if (rule->settle_ms || rule->unless_open)
			types |= NOT_QUIET;
	}
	return types & EVENT_KIND(EVENT_TYPE_UNKNOWN) ? EVENT_ANY : types & ALL_TYPES;
}
