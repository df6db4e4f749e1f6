#include "rule/effect_graph.h"

#include "rule/fold.h"
#include "rule/foothold.h"

#define VISITS_MAX 250000000
#define TESTS_MAX 500000 /* evaluations; a check must end in seconds, whatever the rules are */
#define MOVED_HERE (EVENT_KIND(CHILD_FILE_MOVED_TO) | EVENT_RENAMED)

/* The edges under construction. */
struct search {
	const struct rule_set *set;
	const struct rule_modules *modules;
	const struct rule_scope *scope;
	struct effect_graph *graph;
	struct footholds footholds;
	uint32_t *seen; /* by rule: the last round */
	uint32_t round;
	bool *changes; /* by rule: an action of it changes files */
	size_t tests, visits;
};

void step_effects_ask(struct step_effects *out, const struct rule_modules *modules,
		      const struct rule_step *step)
{
	out->count = modules->effects(modules->ctx, step->module, step->options, out->items,
				      EFFECTS_MAX);
}

void step_effects_clear(struct step_effects *effects)
{
	for (size_t i = 0; i < effects->count; i++) {
		free(effects->items[i].path);
		free(effects->items[i].name);
		free(effects->items[i].tag_key);
		free(effects->items[i].tag_value);
	}
	effects->count = 0;
}

/* The event that a step causes. */
struct cause {
	struct search *search;
	const struct set_rule *rule;
	uint32_t step, number; /* of the effect */
	const struct event_effect *effect;
	event_kinds kinds;        /* asked about */
	const struct region *old; /* and where the file was then, should it be a rename */
	struct effect_edges *edges;
	struct region before; /* where the file was that the rule matched */
	struct region after;  /* where the event is */
};

static void add_edge(struct effect_edges *edges, struct effect_edge edge)
{
	if (edges->count == edges->room) {
		edges->room = edges->room ? edges->room * 2 : 64;
		edges->items = mem_grow(edges->items, edges->room, sizeof(*edges->items));
	}
	edges->items[edges->count++] = edge;
}

static bool is_tired(const struct search *search)
{
	return search->tests >= TESTS_MAX || search->visits >= VISITS_MAX;
}

/* By their ends, at once: many rules look at endings, and most of them at others. */
static bool names_differ(const struct pattern *a, const struct pattern *b)
{
	size_t size;

	if (!a || !b || a->is_folded != b->is_folded || a->is_literal || b->is_literal)
		return false;
	size = MIN(a->tail.size, b->tail.size);
	return size && memcmp(a->tail.data + a->tail.size - size,
			      b->tail.data + b->tail.size - size, size) != 0;
}

static void test_rule(void *ctx, const struct foothold *foothold)
{
	const struct cause *cause = ctx;
	struct search *search = cause->search;
	struct subject subject = { .kinds = cause->kinds,
				   .is_partial = true,
				   .path.region = &cause->after };

	struct file_tags tags = { 0 };
	struct file_tag tag;
	struct file_facts file = { .tags = &tags, .only_tag = cause->effect->tag_key };

	if (cause->effect->tag_value) {
		tag = (struct file_tag){ cause->effect->tag_key, cause->effect->tag_value,
					 strlen(cause->effect->tag_value) };
		tags = (struct file_tags){ &tag, 1, NULL };
	}
	if (cause->effect->changes_tags && cause->effect->tag_key)
		subject.file = &file;
	search->visits++;
	if (search->seen[foothold->rule] == search->round || is_tired(search) ||
	    names_differ(cause->after.name, foothold->name))
		return;
	search->seen[foothold->rule] = search->round;
	search->tests++;
	if (cause->kinds & EVENT_RENAMED)
		subject.old_path.region = cause->old;
	if (condition_test(search->set->rules[foothold->rule]->when, &subject) != TRUTH_FALSE)
		add_edge(cause->edges, (struct effect_edge){
					       .from = cause->rule->rule.index,
					       .to = foothold->rule,
					       .step = cause->step,
					       .effect = cause->number,
					       .kinds = cause->kinds & foothold->kinds,
				       });
}

static void test_rules(struct search *search, struct cause *cause)
{
	struct fold fold = { 0 };

	if (is_tired(search))
		return;
	search->round++;
	footholds_visit(&search->footholds, cause->kinds, fold_text(&fold, cause->after.directory),
			test_rule, cause);
	fold_clear(&fold);
}

/* What happens where nothing is watched is nobody's event. */
static bool is_heard(const struct rule_scope *scope, const struct region *place)
{
	for (size_t i = 0; scope && i < scope->count; i++)
		if (region_is_below(place, text_of(scope->directories[i]), false) != TRUTH_FALSE)
			return true;
	return !scope;
}

/* The event itself, and what may come to the file where it is now. */
static void test_effect(struct search *search, struct cause *cause)
{
	static const struct region anywhere = { .kinds = EVENT_ANY, .word = SCAN_NONE };

	if (!is_heard(search->scope, &cause->after))
		return;
	cause->kinds = cause->effect->kinds;
	cause->old = &cause->before;
	cause->edges = &search->graph->caused;
	test_rules(search, cause);
	if (!(cause->kinds & MOVED_HERE) || !cause->effect->path || !cause->after.directory.size)
		return;
	cause->kinds = EVENT_ANY;
	cause->old = &anywhere;
	cause->edges = &search->graph->kept;
	test_rules(search, cause);
}

/* Memory of one cause's region: what its texts and patterns were made from. */
struct cause_memory {
	struct fold path;
	struct pattern_list name;
};

/*
 * Names are never empty, so a star in front stands for something: most templates begin with the
 * file's own name or stem. It decides whether "*.done" may be a name without an extension.
 */
static const struct pattern *name_of_effect(const char *name, bool fold,
					    struct cause_memory *memory)
{
	AUTO(free) char *glob = str_format("%s%s", name[0] == '*' ? "?" : "", name);
	AUTO_ERROR err = { 0 };
	size_t at;

	if (pattern_parse(&memory->name, text_of(glob), PATTERN_OF_NAME, fold, &at, &err) < 0 ||
	    memory->name.count != 1)
		return NULL;
	return memory->name.items[0];
}

/*
 * An effect's path is a directory that files go into. That it may be made itself, once, is no
 * loop; if it counted, "not: {directory: ..}" could not rule a loop out.
 */
static void locate(struct cause *cause, struct cause_memory *memory)
{
	const struct event_effect *effect = cause->effect;
	bool follows = effect->same_file || effect->same_directory || effect->keeps_name;
	struct region *after = &cause->after;

	*after = (struct region){ .kinds = effect->kinds, .word = SCAN_NONE };
	after->is_folded = follows && cause->before.is_folded;
	if (effect->same_file || effect->same_directory) {
		after->directory = cause->before.directory;
		after->is_direct = cause->before.is_direct;
	} else if (effect->path && effect->path[0] == '/' && effect->path[1]) {
		after->directory = text_of(effect->path);
		if (after->is_folded)
			after->directory = fold_text(&memory->path, after->directory);
	}
	if (effect->same_file || effect->keeps_name)
		after->name = cause->before.name;
	else if (effect->name)
		after->name = name_of_effect(effect->name, after->is_folded, memory);
}

/* A step's effects, and where the file is for the next one. */
static void follow_step(struct search *search, struct cause *cause, struct cause_memory *memory,
			const struct event_effect *effects, size_t count)
{
	struct region next = cause->before;

	for (size_t i = 0; i < count; i++) {
		cause->number = i;
		cause->effect = &effects[i];
		locate(cause, &memory[i]);
		test_effect(search, cause);
		if (effects[i].kinds & MOVED_HERE)
			next = cause->after;
	}
	cause->before = next;
}

static void follow_region(struct search *search, const struct set_rule *rule,
			  const struct region *region, const struct step_effects *steps)
{
	size_t count = rule->rule.step_count * EFFECTS_MAX;
	struct cause_memory *memory = mem_array(count, sizeof(*memory));
	struct cause cause = { .search = search, .rule = rule, .before = *region };

	for (size_t step = 0; step < rule->rule.step_count; step++) {
		cause.step = step;
		follow_step(search, &cause, memory + step * EFFECTS_MAX, steps[step].items,
			    steps[step].count);
	}
	for (size_t i = 0; i < count; i++) {
		fold_clear(&memory[i].path);
		pattern_list_clear(&memory[i].name);
	}
	free(memory);
}

static void follow_rule(struct search *search, const struct set_rule *rule)
{
	struct step_effects *steps = mem_array(rule->rule.step_count, sizeof(*steps));
	struct region_list regions = { 0 };
	size_t count = 0;

	for (size_t i = 0; i < rule->rule.step_count; i++) {
		step_effects_ask(&steps[i], search->modules, &rule->rule.steps[i]);
		count += steps[i].count;
	}
	search->changes[rule->rule.index] = count > 0;
	if (count)
		region_list_of(&regions, rule->when);
	for (size_t i = 0; i < regions.count; i++)
		follow_region(search, rule, &regions.items[i], steps);
	region_list_clear(&regions);
	for (size_t i = 0; i < rule->rule.step_count; i++)
		step_effects_clear(&steps[i]);
	free(steps);
}

static int compare(const void *left, const void *right)
{
	const struct effect_edge *a = left, *b = right;

	if (a->from != b->from)
		return a->from < b->from ? -1 : 1;
	return (a->to > b->to) - (a->to < b->to);
}

static int compare_all(const void *left, const void *right)
{
	const struct effect_edge *a = left, *b = right;
	int order = compare(a, b);

	if (order)
		return order;
	if (a->step != b->step)
		return a->step < b->step ? -1 : 1;
	return (a->effect > b->effect) - (a->effect < b->effect);
}

static int compare_steps(const void *left, const void *right)
{
	const struct effect_edge *a = left, *b = right;

	if (a->from != b->from)
		return a->from < b->from ? -1 : 1;
	if (a->step != b->step)
		return a->step < b->step ? -1 : 1;
	return compare(a, b);
}

/* In order, one for each two rules and step. */
static void sort_kept(struct effect_edges *edges)
{
	size_t kept = 0;

	if (edges->count)
		qsort(edges->items, edges->count, sizeof(*edges->items), compare_steps);
	for (size_t i = 0; i < edges->count; i++)
		if (!kept || compare_steps(&edges->items[kept - 1], &edges->items[i]) != 0)
			edges->items[kept++] = edges->items[i];
	edges->count = kept;
}

/* In order, the first step and effect of each two rules. */
static void sort(struct effect_edges *edges)
{
	size_t kept = 0;

	if (edges->count)
		qsort(edges->items, edges->count, sizeof(*edges->items), compare_all);
	for (size_t i = 0; i < edges->count; i++)
		if (!kept || compare(&edges->items[kept - 1], &edges->items[i]) != 0)
			edges->items[kept++] = edges->items[i];
	edges->count = kept;
}

const struct effect_edge *effect_edge_find(const struct effect_edges *edges, uint32_t from,
					   uint32_t to)
{
	struct effect_edge wanted = { .from = from, .to = to };

	if (!edges->count)
		return NULL;
	return bsearch(&wanted, edges->items, edges->count, sizeof(wanted), compare);
}

static void drop_harmless(const struct search *search, struct effect_edges *edges)
{
	size_t kept = 0;

	for (size_t i = 0; i < edges->count; i++)
		if (search->changes[edges->items[i].to])
			edges->items[kept++] = edges->items[i];
	edges->count = kept;
}

void effect_graph_init(struct effect_graph *graph, const struct rule_set *set,
		       const struct rule_modules *modules, const struct rule_scope *scope)
{
	struct search search = { .set = set, .modules = modules, .scope = scope, .graph = graph };

	*graph = (struct effect_graph){ .set = set, .modules = modules };
	search.seen = mem_array(set->count, sizeof(*search.seen));
	search.changes = mem_array(set->count, sizeof(*search.changes));
	footholds_init(&search.footholds, set);
	for (size_t i = 0; i < set->count; i++)
		if (set->rules[i]->rule.mode != RULE_OFF)
			follow_rule(&search, set->rules[i]);
	graph->is_cut = is_tired(&search);
	sort(&graph->caused);
	drop_harmless(&search, &graph->kept);
	sort_kept(&graph->kept);
	footholds_clear(&search.footholds);
	free(search.changes);
	free(search.seen);
}

void effect_graph_clear(struct effect_graph *graph)
{
	free(graph->caused.items);
	free(graph->kept.items);
}
