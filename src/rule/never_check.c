/* never_check: rules that no event can make true, with the conditions that exclude each other. */
#include "rule/accept.h"
#include "rule/refute.h"
#include "rule/rule_check.h"
#include "rule/words.h"

#define WORK_OF_RULE 20000
#define WORK_OF_ALL 50000000

static bool is_same(const struct literal *a, const struct literal *b)
{
	return a->leaf == b->leaf && a->is_negated == b->is_negated;
}

/* "'event created' (line 4) and 'old_name *.tmp' (line 5) exclude each other" */
static char *clash_text(const struct clash *clash, struct place here)
{
	AUTO(free) char *a = literal_text(&clash->a);
	AUTO(free) char *b = literal_text(&clash->b);
	AUTO(free) char *a_place = words_place(clash->a.leaf->source->place, here);
	AUTO(free) char *b_place = words_place(clash->b.leaf->source->place, here);

	if (clash->is_outside)
		return str_format("'%s' (%s) lies outside of what is watched", a, a_place);
	if (is_same(&clash->a, &clash->b))
		return str_format("'%s' (%s) never is", a, a_place);
	if (clash->a.leaf->is_old != clash->b.leaf->is_old)
		return str_format("'%s' (%s) and '%s' (%s) exclude each other: only what was "
				  "renamed has an old path",
				  a, a_place, b, b_place);
	return str_format("'%s' (%s) and '%s' (%s) exclude each other", a, a_place, b, b_place);
}

/* Not where the problem is told, and not twice. */
static void note_literal(const struct refuter *refuter, size_t clash, const struct literal *literal,
			 struct place here, struct problems *problems)
{
	AUTO(free) char *text = literal_text(literal);

	for (size_t i = 0; i < clash; i++)
		if (refuter->clashes[i].a.leaf == literal->leaf ||
		    refuter->clashes[i].b.leaf == literal->leaf)
			return;
	if (literal->leaf->source->place.line != here.line ||
	    strcmp(literal->leaf->source->place.file, here.file) != 0)
		problems_note(problems, literal->leaf->source->place, "'%s'", text);
}

static void warn(const struct rule_set *set, const struct set_rule *rule,
		 const struct refuter *refuter, struct problems *problems)
{
	struct accept_scope scope = { set, rule };
	AUTO(buf_free) struct buf *why = buf_new(SIZE_MAX);

	for (size_t i = 0; i < refuter->clash_count; i++) {
		AUTO(free) char *text = clash_text(&refuter->clashes[i], rule->when_place);

		(void)!buf_print(why, "%s%s", i ? "; " : "", text);
	}
	accept_begin(&scope, problems);
	problems_warn(problems, rule->when_place, rule_warning_names[WARN_NEVER],
		      "rule '%s' can never be true: %s", rule->rule.name, why->data);
	for (size_t i = 0; i < refuter->clash_count; i++) {
		const struct clash *clash = &refuter->clashes[i];

		note_literal(refuter, i, &clash->a, rule->when_place, problems);
		if (!is_same(&clash->a, &clash->b))
			note_literal(refuter, i, &clash->b, rule->when_place, problems);
	}
	accept_end(problems);
}

void rule_check_never(const struct rule_set *set, const struct rule_scope *scope, bool *is_never,
		      struct problems *problems)
{
	struct refuter refuter;
	size_t work = 0;

	refuter_init(&refuter, WORK_OF_RULE);
	if (scope) {
		refuter.directories = scope->directories;
		refuter.directory_count = scope->count;
	}
	for (size_t i = 0; i < set->count && work < WORK_OF_ALL; i++) {
		struct claim claim = { set->rules[i]->when };

		if (set->rules[i]->rule.mode == RULE_OFF)
			continue;
		is_never[i] = refute(&refuter, &claim, 1);
		work += refuter.work;
		if (is_never[i])
			warn(set, set->rules[i], &refuter, problems);
	}
	refuter_clear(&refuter);
}
