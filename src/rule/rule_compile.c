#include "rule/rule_compile.h"

#include <strings.h>

#include "rule/condition_file.h"

static void compile(struct condition_parser *parser, struct scan *scan)
{
	AUTO_ERROR err = { 0 };

	if (scan_compile(scan, &err) < 0)
		problems_error(parser->problems, (struct place){ parser->set->files[0], 0, 0 },
			       "the patterns are too much together: %s", error_text(&err));
}

static void add_names(struct rule_set *set, const struct condition *condition, size_t *room)
{
	for (size_t at = 0; at < condition->source->values_size;
	     at += strlen(condition->source->values + at) + 1) {
		if (!condition_is_name(condition->source->values + at))
			continue;
		if (set->name_count == *room) {
			*room = MAX(16, *room * 2);
			set->names = mem_grow(set->names, *room, sizeof(*set->names));
		}
		set->names[set->name_count++] = condition->source->values + at;
	}
}

static int compare_names(const void *left, const void *right)
{
	return strcasecmp(*(const char *const *)left, *(const char *const *)right);
}

/* Here and not when a filter takes the set: it has no time then. */
static void gather_names(struct rule_set *set)
{
	size_t room = 0, kept = 0;

	for (const struct condition *condition = set->pool.last; condition;
	     condition = condition->source->made_before)
		if (condition->kind == CONDITION_OWNER || condition->kind == CONDITION_GROUP)
			add_names(set, condition, &room);
	if (set->name_count)
		qsort(set->names, set->name_count, sizeof(*set->names), compare_names);
	for (size_t i = 0; i < set->name_count; i++)
		if (!kept || strcasecmp(set->names[kept - 1], set->names[i]) != 0)
			set->names[kept++] = set->names[i];
	set->name_count = kept;
}

static bool asks_tags(const struct condition *condition)
{
	for (size_t i = 0; i < condition_child_count(condition); i++)
		if (asks_tags(condition->children[i]))
			return true;
	return condition->kind == CONDITION_TAG;
}

/* From here on the rules' conditions lie where they stay. */
static void pack_conditions(struct rule_set *set)
{
	set->whens = mem_array(set->count, sizeof(*set->whens));
	for (size_t i = 0; i < set->count; i++)
		set->whens[i] = set->rules[i]->when;
	condition_pool_pack(&set->pool, set->whens, set->count);
	for (size_t i = 0; i < set->count; i++)
		set->rules[i]->when = set->whens[i];
}

void rule_compile(struct condition_parser *parser)
{
	struct rule_set *set = parser->set;

	pack_conditions(set);
	for (size_t i = 0; i < set->count; i++) {
		struct set_rule *rule = set->rules[i];

		rule_digest(rule);
		rule->rule.asks_tags = asks_tags(rule->when);
		set->needs_folding |= rule->ignores_case;
		if (rule->rule.mode != RULE_OFF)
			rule_index_add(set->index, i, rule->when);
	}
	compile(parser, set->scans[0]);
	compile(parser, set->scans[1]);
	rule_index_finish(set->index, set->whens);
	gather_names(set);
}
