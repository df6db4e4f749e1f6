#include "rule/foothold.h"

#include "rule/fold.h"

static int compare(const void *left, const void *right)
{
	const struct foothold *a = left, *b = right;
	int order = a->kinds == b->kinds  ? strcmp(a->directory, b->directory)
		    : a->kinds < b->kinds ? -1
					  : 1;

	return order ? order : (a->rule > b->rule) - (a->rule < b->rule);
}

static void add_rule(struct footholds *footholds, const struct set_rule *rule)
{
	struct region_list regions = { 0 };
	struct fold fold = { 0 };
	event_kinds kinds = 0;

	region_list_of(&regions, rule->when);
	for (size_t i = 0; i < regions.count; i++)
		kinds |= regions.items[i].kinds;
	footholds->items = mem_grow(footholds->items, footholds->count + regions.count,
				    sizeof(*footholds->items));
	for (size_t i = 0; i < regions.count; i++)
		footholds->items[footholds->count++] =
			(struct foothold){ kinds, rule->rule.index,
					   text_copy(fold_text(&fold, regions.items[i].directory)),
					   regions.items[i].name };
	fold_clear(&fold);
	region_list_clear(&regions);
}

void footholds_init(struct footholds *footholds, const struct rule_set *set)
{
	*footholds = (struct footholds){ 0 };
	for (size_t i = 0; i < set->count; i++)
		if (set->rules[i]->rule.mode != RULE_OFF)
			add_rule(footholds, set->rules[i]);
	if (footholds->count)
		qsort(footholds->items, footholds->count, sizeof(*footholds->items), compare);
}

void footholds_clear(struct footholds *footholds)
{
	for (size_t i = 0; i < footholds->count; i++)
		free(footholds->items[i].directory);
	free(footholds->items);
}

/* The first from first on that is not before this one. */
static size_t find(const struct footholds *footholds, size_t first, event_kinds kinds,
		   const char *directory)
{
	struct foothold wanted = { kinds, 0, (char *)directory };
	size_t low = first, high = footholds->count;

	while (low < high) {
		size_t middle = (low + high) / 2;

		if (compare(&footholds->items[middle], &wanted) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

struct visit {
	const struct footholds *footholds;
	size_t first, end; /* a run of the same kinds */
	event_kinds kinds;
	void (*call)(void *ctx, const struct foothold *foothold);
	void *ctx;
};

static void visit_from(const struct visit *visit, const char *from, struct text directory,
		       bool below)
{
	const struct foothold *items = visit->footholds->items;
	size_t i = find(visit->footholds, visit->first, visit->kinds, from);

	for (; i < visit->end; i++) {
		struct text here = text_of(items[i].directory);

		if (below ? !path_is_below(here, directory) : !text_equal(here, directory))
			return;
		visit->call(visit->ctx, &items[i]);
	}
}

static void visit_run(const struct visit *visit, struct text directory)
{
	AUTO(free) char *inside = str_format("%.*s/", TEXT_ARGS(directory));

	if (!directory.size) {
		for (size_t i = visit->first; i < visit->end; i++)
			visit->call(visit->ctx, &visit->footholds->items[i]);
		return;
	}
	visit_from(visit, inside, directory, true);
	for (struct text up = directory; up.size > 1; up = path_parent(up)) {
		AUTO(free) char *copy = text_copy(up);

		visit_from(visit, copy, up, false);
	}
	visit_from(visit, "", TEXT_NONE, false);
}

void footholds_visit(const struct footholds *footholds, event_kinds kinds, struct text directory,
		     void (*visit)(void *ctx, const struct foothold *foothold), void *ctx)
{
	struct visit run = { .footholds = footholds, .call = visit, .ctx = ctx };

	for (; run.first < footholds->count; run.first = run.end) {
		run.kinds = footholds->items[run.first].kinds;
		run.end = run.kinds == EVENT_ANY ? footholds->count
						 : find(footholds, run.first, run.kinds + 1, "");
		if (run.kinds & kinds)
			visit_run(&run, directory);
	}
}
