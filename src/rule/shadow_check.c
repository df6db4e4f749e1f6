/*
 * shadow_check: rules that are never reached, because one that is asked before them is true for all
 * that they could match, and says stop; and rules that do the same as another one.
 */
#include "rule/accept.h"
#include "rule/fold.h"
#include "rule/foothold.h"
#include "rule/refute.h"
#include "rule/rule_check.h"
#include "rule/words.h"

#define WORK_OF_PAIR 2000
#define WORK_OF_ALL 50000000

struct check {
	const struct rule_set *set;
	const bool *is_never;
	struct problems *problems;
	struct footholds footholds;
	struct refuter refuter;
	uint32_t *seen; /* by rule: 1 + the stopping rule last compared with */
	bool *is_told;  /* by rule */
	size_t work;
	const struct set_rule *stopping;
};

static void warn_shadowed(const struct check *check, const struct set_rule *rule)
{
	const struct set_rule *stopping = check->stopping;
	struct accept_scope scope = { check->set, rule };
	AUTO(free) char *where = words_place(stopping->rule.place, rule->rule.place);

	accept_begin(&scope, check->problems);
	problems_warn(check->problems, rule->rule.place, rule_warning_names[WARN_SHADOWED],
		      "rule '%s' is never asked: rule '%s' (%s), which is asked before it, is true "
		      "for all that it could match, and says stop",
		      rule->rule.name, stopping->rule.name, where);
	problems_note(check->problems, stopping->rule.place, "'%s' stops here",
		      stopping->rule.name);
	accept_end(check->problems);
}

static void compare_rule(void *ctx, const struct foothold *foothold)
{
	struct check *check = ctx;
	const struct set_rule *stopping = check->stopping;
	const struct set_rule *rule = check->set->rules[foothold->rule];
	/* It may also stop where it is not known yet: then nobody knows. */
	const struct claim claims[] = { { rule->when }, { stopping->when, true, true } };

	if (check->seen[foothold->rule] == stopping->rule.index + 1 ||
	    rule->rule.index <= stopping->rule.index || check->is_told[foothold->rule] ||
	    check->is_never[foothold->rule] || check->work > WORK_OF_ALL)
		return;
	check->seen[foothold->rule] = stopping->rule.index + 1;
	check->work++;
	/* Echoes pass by a rule that does not want them. */
	if (rule->rule.on_own && !stopping->rule.on_own)
		return;
	check->is_told[foothold->rule] = refute(&check->refuter, claims, ARRAY_SIZE(claims));
	check->work += check->refuter.work;
	if (check->is_told[foothold->rule])
		warn_shadowed(check, rule);
}

static void follow(struct check *check, const struct set_rule *stopping)
{
	struct region_list regions = { 0 };
	struct fold fold = { 0 };

	check->stopping = stopping;
	region_list_of(&regions, stopping->when);
	for (size_t i = 0; i < regions.count; i++)
		footholds_visit(&check->footholds, regions.items[i].kinds,
				fold_text(&fold, regions.items[i].directory), compare_rule, check);
	region_list_clear(&regions);
	fold_clear(&fold);
}

void rule_check_shadows(const struct rule_set *set, const bool *is_never, struct problems *problems)
{
	struct check check = { .set = set, .is_never = is_never, .problems = problems };
	size_t stopping = 0;

	for (size_t i = 0; i < set->count; i++)
		stopping += set->rules[i]->rule.stop && set->rules[i]->rule.mode != RULE_OFF;
	if (!stopping)
		return;
	check.seen = mem_array(set->count, sizeof(*check.seen));
	check.is_told = mem_array(set->count, sizeof(*check.is_told));
	footholds_init(&check.footholds, set);
	refuter_init(&check.refuter, WORK_OF_PAIR);
	for (size_t i = 0; i < set->count; i++)
		if (set->rules[i]->rule.stop && set->rules[i]->rule.mode != RULE_OFF &&
		    !is_never[i])
			follow(&check, set->rules[i]);
	refuter_clear(&check.refuter);
	footholds_clear(&check.footholds);
	free(check.is_told);
	free(check.seen);
}

/* ---- Duplicates ---- */

/* A rule as a text: two that are the same do the same for the same events. */
struct likeness {
	const struct set_rule *rule;
	char *text;
};

static int compare_texts(const void *left, const void *right)
{
	return strcmp(*(char *const *)left, *(char *const *)right);
}

/* Values and children in order: theirs in the file makes no difference. */
static void put_sorted(struct buf *out, char **texts, size_t count)
{
	qsort(texts, count, sizeof(*texts), compare_texts);
	for (size_t i = 0; i < count; i++) {
		(void)!buf_print(out, "%zu:%s", strlen(texts[i]), texts[i]);
		free(texts[i]);
	}
}

static char *condition_text(const struct condition *condition)
{
	AUTO(buf_free) struct buf *out = buf_new(SIZE_MAX);
	AUTO(free)
	char *memory =
		mem_array(condition_child_count(condition) + condition->source->values_size + 1,
			  sizeof(char *));
	char **texts = (char **)(void *)memory;
	size_t count = 0;

	(void)!buf_print(out, "%d%s%d%d(", condition->kind, condition->source->key,
			 condition->is_old, condition->ignores_case);
	for (size_t i = 0; i < condition_child_count(condition); i++)
		texts[count++] = condition_text(condition->children[i]);
	for (size_t i = 0; i < condition->source->values_size;
	     i += strlen(condition->source->values + i) + 1)
		texts[count++] = str_copy(condition->source->values + i);
	put_sorted(out, texts, count);
	(void)!buf_print(out, ")");
	return buf_take(out);
}

static void put_window(struct buf *out, const struct rule_window *window)
{
	(void)!buf_print(out, " %lld %lld %d %d", (long long)window->count,
			 (long long)window->within_ms, window->per, window->distinct);
}

static void put_step(struct buf *out, const struct rule_step *step)
{
	(void)!buf_print(out, "\n%s %s %d %lld %lld %lld %lld %d %zu", step->module, step->options,
			 step->dry_run, (long long)step->attempts, (long long)step->back_off_ms,
			 (long long)step->concurrency, (long long)step->approve_ms, step->on_error,
			 step->after);
}

static char *rule_text(const struct set_rule *rule)
{
	const struct rule *options = &rule->rule;
	AUTO(buf_free) struct buf *out = buf_new(SIZE_MAX);
	AUTO(free) char *when = condition_text(rule->when);

	(void)!buf_print(out, "%s %d %lld %lld %u %lld %d", when, options->mode,
			 (long long)options->settle_ms, (long long)options->settle_max_ms,
			 options->absent, (long long)options->absent_ms, options->on_own);
	put_window(out, &options->threshold);
	put_window(out, &options->throttle);
	put_window(out, &options->limit);
	for (size_t i = 0; i < options->step_count; i++)
		put_step(out, &options->steps[i]);
	return buf_take(out);
}

static int compare_likenesses(const void *left, const void *right)
{
	const struct likeness *a = left, *b = right;
	int order = strcmp(a->text, b->text);

	return order ? order
		     : (a->rule->rule.index > b->rule->rule.index) -
			       (a->rule->rule.index < b->rule->rule.index);
}

static void warn_duplicate(const struct rule_set *set, const struct set_rule *first,
			   const struct set_rule *rule, struct problems *problems)
{
	struct accept_scope scope = { set, rule };
	AUTO(free) char *where = words_place(first->rule.place, rule->rule.place);

	accept_begin(&scope, problems);
	problems_warn(problems, rule->rule.place, rule_warning_names[WARN_DUPLICATE],
		      "rule '%s' does the same as rule '%s' (%s): its conditions and its actions "
		      "are the same",
		      rule->rule.name, first->rule.name, where);
	accept_end(problems);
}

void rule_check_duplicates(const struct rule_set *set, const bool *is_never,
			   struct problems *problems)
{
	struct likeness *items = mem_array(set->count + 1, sizeof(*items));
	size_t count = 0, first = 0;

	for (size_t i = 0; i < set->count; i++)
		if (set->rules[i]->rule.mode != RULE_OFF && !is_never[i])
			items[count++] =
				(struct likeness){ set->rules[i], rule_text(set->rules[i]) };
	qsort(items, count, sizeof(*items), compare_likenesses);
	for (size_t i = 1; i < count; i++) {
		if (strcmp(items[first].text, items[i].text) != 0)
			first = i;
		else
			warn_duplicate(set, items[first].rule, items[i].rule, problems);
	}
	for (size_t i = 0; i < count; i++)
		free(items[i].text);
	free(items);
}
