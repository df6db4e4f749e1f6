/*
 * loop_check: rules whose actions cause what they match themselves, and rings of rules that keep
 * each other going: of each rule in a ring, the shortest that it is in is told.
 */
#include "rule/accept.h"
#include "rule/effect_words.h"
#include "rule/rule_check.h"
#include "rule/words.h"

#define WARNINGS_MAX 40
#define NAMES_SHOWN 8 /* of a ring's rules */

struct check {
	const struct effect_graph *graph;
	struct problems *problems;
	size_t count;     /* rules */
	uint32_t *first;  /* by rule: its first edge; one more than there are rules */
	uint32_t *part;   /* by rule: the strongly connected part that it is in */
	bool *is_named;   /* by rule: a loop with it was told */
	uint32_t *before; /* by rule: the edge that a search came by */
	uint32_t *queue;
	unsigned told;
};

static const struct set_rule *rule_of(const struct check *check, uint32_t index)
{
	return check->graph->set->rules[index];
}

/* ---- Words ---- */

/* The step of an edge in words. */
struct told {
	const struct set_rule *rule;
	const struct rule_step *step;
	char *kinds, *place, *except;
	bool by_program;
};

static void tell_edge(const struct check *check, const struct effect_edge *edge, struct told *out)
{
	struct step_effects effects;

	out->rule = rule_of(check, edge->from);
	out->step = &out->rule->rule.steps[edge->step];
	step_effects_ask(&effects, check->graph->modules, out->step);
	out->kinds = effect_kinds_text(edge->kinds);
	out->place = effect_place_text(&effects.items[edge->effect]);
	out->except = effect_except_text(&effects.items[edge->effect]);
	out->by_program = effects.items[edge->effect].by_program;
	step_effects_clear(&effects);
}

static void told_clear(struct told *told)
{
	free(told->kinds);
	free(told->place);
	free(told->except);
}

static void warn_self(struct check *check, const struct effect_edge *edge)
{
	AUTO(free) char *where = NULL;
	struct told told;

	tell_edge(check, edge, &told);
	where = words_place(told.rule->when_place, told.step->place);
	problems_warn(check->problems, told.step->place, rule_warning_names[WARN_LOOP],
		      "rule '%s' may trigger itself: its action %s causes %s events%s that its own "
		      "conditions (%s) may match; %s, but %s would rule it out",
		      told.rule->rule.name, told.step->module, told.kinds, told.place, where,
		      told.by_program ? "what a program changes counts as somebody else's"
		      : told.rule->rule.on_own
			      ? "on_own lets it see them, up to [ACT] MAX_DEPTH in a row"
			      : "cn_monitor recognises such echoes and ignores them",
		      told.except);
	told_clear(&told);
}

/* "a -> b -> a"; of a long ring the first names. */
static char *ring_text(const struct check *check, const struct effect_edge *const *ring,
		       size_t count)
{
	AUTO(buf_free) struct buf *text = buf_new(SIZE_MAX);

	for (size_t i = 0; i < MIN(count, (size_t)NAMES_SHOWN); i++)
		(void)!buf_print(text, "%s -> ", rule_of(check, ring[i]->from)->rule.name);
	if (count > NAMES_SHOWN)
		(void)!buf_print(text, "(%zu more) -> ", count - NAMES_SHOWN);
	(void)!buf_print(text, "%s", rule_of(check, ring[0]->from)->rule.name);
	return buf_take(text);
}

/* What it causes is no echo for the rule that it leads to. */
static bool is_seen(const struct check *check, const struct effect_edge *edge)
{
	const struct rule_step *step = &rule_of(check, edge->from)->rule.steps[edge->step];
	struct step_effects effects;
	bool by_program;

	step_effects_ask(&effects, check->graph->modules, step);
	by_program = effects.items[edge->effect].by_program;
	step_effects_clear(&effects);
	return by_program || rule_of(check, edge->to)->rule.on_own;
}

static void warn_ring(struct check *check, const struct effect_edge *const *ring, size_t count)
{
	AUTO(free) char *names = ring_text(check, ring, count);
	bool is_live = true;

	for (size_t i = 0; i < count; i++)
		is_live &= is_seen(check, ring[i]);
	for (size_t i = 0; i < count; i++) {
		AUTO(free) char *where = NULL;
		struct told told;

		tell_edge(check, ring[i], &told);
		where = words_place(rule_of(check, ring[i]->to)->when_place, told.step->place);
		if (i == 0)
			problems_warn(check->problems, told.step->place,
				      rule_warning_names[WARN_LOOP],
				      "rules may trigger each other: %s; %s", names,
				      is_live ? "each sees what the one before it causes (on_own, "
						"or a program), until [ACT] bounds it"
					      : "cn_monitor recognises such echoes and ignores "
						"them where a rule does not say on_own");
		problems_note(check->problems, told.step->place,
			      "'%s': its action %s causes %s events%s that '%s' (%s) may match",
			      told.rule->rule.name, told.step->module, told.kinds, told.place,
			      rule_of(check, ring[i]->to)->rule.name, where);
		told_clear(&told);
	}
}

/* A loop is meant if each of its rules says so. */
static void warn(struct check *check, const struct effect_edge *const *ring, size_t count)
{
	bool is_meant = true;

	for (size_t i = 0; i < count; i++) {
		is_meant &= accept_has(check->graph->set, rule_of(check, ring[i]->from), WARN_LOOP);
		check->is_named[ring[i]->from] = true;
	}
	if (!is_meant && check->told++ >= WARNINGS_MAX)
		return;
	accept_given(check->problems, is_meant);
	if (count == 1)
		warn_self(check, ring[0]);
	else
		warn_ring(check, ring, count);
	accept_end(check->problems);
}

/* ---- Rings ---- */

/* What Tarjan's algorithm knows of a rule. */
struct mark {
	uint32_t order, low; /* order 0: not visited */
	uint32_t next;       /* edge to look at */
	bool is_open;
};

/* Rules that can reach each other get the same part. */
static void find_parts(struct check *check)
{
	struct mark *marks = mem_array(check->count, sizeof(*marks));
	uint32_t *open = mem_array(check->count, sizeof(*open));
	uint32_t *path = mem_array(check->count, sizeof(*path));
	uint32_t order = 0, parts = 0;
	size_t open_count = 0, depth = 0;

	for (size_t start = 0; start < check->count; start++) {
		if (!marks[start].order)
			path[depth++] = start;
		while (depth) {
			uint32_t rule = path[depth - 1], to;
			struct mark *mark = &marks[rule];

			if (!mark->order) {
				mark->order = mark->low = ++order;
				mark->next = check->first[rule];
				mark->is_open = true;
				open[open_count++] = rule;
			}
			if (mark->next < check->first[rule + 1]) {
				to = check->graph->caused.items[mark->next++].to;
				if (!marks[to].order)
					path[depth++] = to;
				else if (marks[to].is_open)
					mark->low = MIN(mark->low, marks[to].order);
				continue;
			}
			depth--;
			if (depth)
				marks[path[depth - 1]].low =
					MIN(marks[path[depth - 1]].low, mark->low);
			if (mark->low != mark->order)
				continue;
			parts++;
			do {
				to = open[--open_count];
				marks[to].is_open = false;
				check->part[to] = parts;
			} while (to != rule);
		}
	}
	free(marks);
	free(open);
	free(path);
}

/* The edge that closes the shortest way from a rule back to itself; UINT32_MAX: there is none. */
static uint32_t search(struct check *check, uint32_t start)
{
	const struct effect_edge *edges = check->graph->caused.items;
	size_t head = 0, count = 0;

	memset(check->before, 0xff, check->count * sizeof(*check->before));
	check->queue[count++] = start;
	while (head < count) {
		uint32_t rule = check->queue[head++];

		for (uint32_t i = check->first[rule]; i < check->first[rule + 1]; i++) {
			uint32_t to = edges[i].to;

			if (to == start)
				return i;
			if (check->part[to] != check->part[start] ||
			    check->before[to] != UINT32_MAX)
				continue;
			check->before[to] = i;
			check->queue[count++] = to;
		}
	}
	return UINT32_MAX;
}

static void find_ring(struct check *check, uint32_t start)
{
	const struct effect_edge *edges = check->graph->caused.items;
	uint32_t last = search(check, start);
	size_t count = 0, at;

	if (last == UINT32_MAX)
		return;
	for (uint32_t i = last; edges[i].from != start; i = check->before[edges[i].from])
		count++;
	at = ++count;

	AUTO(free) char *memory = mem_array(count, sizeof(struct effect_edge *));
	const struct effect_edge **ring = (const struct effect_edge **)(void *)memory;

	for (uint32_t i = last; at; i = check->before[edges[i].from])
		ring[--at] = &edges[i];
	warn(check, ring, count);
}

/* Those that trigger themselves are named, and need no ring; then those that do not accept one. */
static void find_loops(struct check *check)
{
	const struct rule_set *set = check->graph->set;

	for (size_t rule = 0; rule < check->count; rule++) {
		const struct effect_edge *self =
			effect_edge_find(&check->graph->caused, rule, rule);

		if (self)
			warn(check, &self, 1);
	}
	for (int meant = 0; meant <= 1; meant++)
		for (size_t rule = 0; rule < check->count && check->told <= WARNINGS_MAX; rule++)
			if (!check->is_named[rule] &&
			    accept_takes(set, set->rules[rule], WARN_LOOP) == meant)
				find_ring(check, rule);
}

void rule_check_loops(const struct effect_graph *graph, struct problems *problems)
{
	struct check check = { graph, problems, graph->set->count };
	struct place whole = { graph->set->files[0], 0, 0 };
	size_t edge = 0;

	check.first = mem_array(check.count + 1, sizeof(*check.first));
	check.part = mem_array(check.count, sizeof(*check.part));
	check.is_named = mem_array(check.count, sizeof(*check.is_named));
	check.before = mem_array(check.count, sizeof(*check.before));
	check.queue = mem_array(check.count, sizeof(*check.queue));
	for (size_t rule = 0; rule <= check.count; rule++) {
		while (edge < graph->caused.count && graph->caused.items[edge].from < rule)
			edge++;
		check.first[rule] = edge;
	}
	find_parts(&check);
	find_loops(&check);
	if (check.told > WARNINGS_MAX)
		problems_warning(problems, whole,
				 "more rules may trigger themselves or each other than are told "
				 "here");
	if (graph->is_cut)
		problems_warning(problems, whole,
				 "too many rules to look for every loop among them");
	free(check.first);
	free(check.part);
	free(check.is_named);
	free(check.before);
	free(check.queue);
}
