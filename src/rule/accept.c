#include "rule/accept.h"

#include "base/parse.h"

const char *const rule_warning_names[] = {
	[WARN_LOOP] = "loop",           [WARN_NEVER] = "never",       [WARN_SHADOWED] = "shadowed",
	[WARN_DUPLICATE] = "duplicate", [WARN_TARGET] = "target",     [WARN_FIELD] = "field",
	[WARN_UNUSED] = "unused",       [WARN_WILDCARD] = "wildcard", [WARN_EMPTY] = "empty",
	[WARN_ACTION] = "action",       [RULE_WARNING_COUNT] = NULL,
};

static int find(const char *name)
{
	for (int i = 0; rule_warning_names[i]; i++)
		if (strcmp(name, rule_warning_names[i]) == 0)
			return i;
	return -1;
}

static void tell_unknown(const struct node *node, struct problems *problems)
{
	const char *nearest = parse_nearest(node->text, rule_warning_names);
	AUTO(buf_free) struct buf *names = NULL;

	if (nearest) {
		problems_error(problems, node->place,
			       "accept: there is no warning '%.*s'; did you mean '%s'?",
			       TEXT_ARGS(node->text), nearest);
		return;
	}
	names = buf_new(SIZE_MAX);
	for (int i = 0; rule_warning_names[i]; i++)
		(void)!buf_print(names, "%s%s", i ? ", " : "", rule_warning_names[i]);
	problems_error(problems, node->place,
		       "accept: there is no warning '%.*s'; expected one of %s",
		       TEXT_ARGS(node->text), names->data);
}

static void read_name(struct accept *accept, struct rule_set *set, const struct node *node,
		      struct problems *problems)
{
	int warning;

	if (node->kind != NODE_SCALAR || !node->text.size) {
		problems_error(problems, node->place,
			       "accept: expected names of warnings, like [loop], found %s",
			       node->kind == NODE_SCALAR ? "an empty text"
							 : node_kind_name(node->kind));
		return;
	}
	warning = find(node->text.data);
	if (warning < 0) {
		tell_unknown(node, problems);
		return;
	}
	accept->bits |= 1u << warning;
	accept->places[warning] = rule_set_place(set, node->place);
}

struct accept *accept_read(struct rule_set *set, const struct node *node, struct problems *problems)
{
	struct accept *accept = NEW(struct accept);

	if (node->kind == NODE_LIST) {
		node_for_each(child, node)
		{
			read_name(accept, set, child, problems);
		}
	} else {
		read_name(accept, set, node, problems);
	}
	return accept;
}

static bool takes(struct accept *accept, int warning)
{
	if (!accept || !(accept->bits >> warning & 1))
		return false;
	accept->used |= 1u << warning;
	return true;
}

static struct accept *of_file(const struct rule_set *set, const char *file)
{
	for (size_t i = 0; i < set->file_count && file; i++)
		if (set->accepts[i] && strcmp(set->files[i], file) == 0)
			return set->accepts[i];
	return NULL;
}

bool accept_takes(const struct rule_set *set, const struct set_rule *rule,
		  enum rule_warning warning)
{
	const struct accept *by_file = of_file(set, rule->rule.place.file);

	return ((rule->accept ? rule->accept->bits : 0) | (by_file ? by_file->bits : 0)) >>
		       warning &
	       1;
}

bool accept_has(const struct rule_set *set, const struct set_rule *rule, enum rule_warning warning)
{
	bool by_rule = takes(rule->accept, warning);

	return takes(of_file(set, rule->rule.place.file), warning) || by_rule;
}

static bool accepts(void *ctx, const char *name, struct place place)
{
	const struct accept_scope *scope = ctx;
	int warning = find(name);
	bool by_rule;

	if (warning < 0)
		return false;
	by_rule = scope->rule && takes(scope->rule->accept, warning);
	return takes(of_file(scope->set, place.file), warning) || by_rule;
}

void accept_begin(struct accept_scope *scope, struct problems *problems)
{
	struct problem_scope of_problems = { accepts, scope, rule_warning_names[WARN_ACTION] };

	problems_set_scope(problems, &of_problems);
}

static bool accepts_all(void *ctx, const char *name, struct place place)
{
	return true;
}

void accept_given(struct problems *problems, bool is_accepted)
{
	struct problem_scope scope = { is_accepted ? accepts_all : NULL, NULL, NULL };

	problems_set_scope(problems, &scope);
}

void accept_end(struct problems *problems)
{
	problems_set_scope(problems, NULL);
}

static void tell_unused(const struct accept *accept, unsigned except, struct problems *problems)
{
	unsigned left = accept ? accept->bits & ~accept->used & ~except : 0;

	for (int i = 0; rule_warning_names[i]; i++)
		if (left >> i & 1)
			problems_warning(problems, accept->places[i],
					 "accept: no warning '%s' comes from here any more: this "
					 "can go",
					 rule_warning_names[i]);
}

void accept_tell_unused(const struct rule_set *set, unsigned except, struct problems *problems)
{
	for (size_t i = 0; i < set->file_count; i++)
		tell_unused(set->accepts[i], except, problems);
	/* A rule that is off is not looked at as the others are. */
	for (size_t i = 0; i < set->count; i++)
		if (set->rules[i]->rule.mode != RULE_OFF)
			tell_unused(set->rules[i]->accept, except, problems);
}
