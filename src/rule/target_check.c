/*
 * target_check: actions that move files into a directory where rules that change files may match
 * them again: what is done with them there, by people who look at or restore them, is acted on.
 */
#include "rule/accept.h"
#include "rule/rule_check.h"
#include "rule/words.h"

#define RULES_SHOWN 3
#define WARNINGS_MAX 40

/* How many edges from the first on are of the same step. */
static size_t count_same(const struct effect_edges *edges, size_t first)
{
	const struct effect_edge *edge = &edges->items[first];
	size_t count = 1;

	while (first + count < edges->count && edge[count].from == edge->from &&
	       edge[count].step == edge->step)
		count++;
	return count;
}

/* A loop tells what is to be told of the rule itself. */
static bool is_told(const struct effect_graph *graph, const struct effect_edge *edge)
{
	return edge->from == edge->to && effect_edge_find(&graph->caused, edge->from, edge->to);
}

static const char *name_of(const struct effect_graph *graph, uint32_t index)
{
	return graph->set->rules[index]->rule.name;
}

static void warn(const struct effect_graph *graph, const struct effect_edge *edges, size_t count,
		 struct problems *problems)
{
	const struct set_rule *rule = graph->set->rules[edges->from];
	const struct rule_step *step = &rule->rule.steps[edges->step];
	struct accept_scope scope = { graph->set, rule };
	const struct effect_edge *covering[RULES_SHOWN];
	AUTO(free) char *who = NULL;
	struct step_effects effects;
	size_t covered = 0;

	for (size_t i = 0; i < count; i++) {
		if (is_told(graph, &edges[i]))
			continue;
		if (covered < RULES_SHOWN)
			covering[covered] = &edges[i];
		covered++;
	}
	if (!covered)
		return;
	who = covered == 1 ? str_format("rule '%s'", name_of(graph, covering[0]->to))
			   : str_format("%zu rules", covered);
	step_effects_ask(&effects, graph->modules, step);
	accept_begin(&scope, problems);
	problems_warn(problems, step->place, rule_warning_names[WARN_TARGET],
		      "rule '%s' puts files in %s, where %s may match and change them again, when "
		      "somebody works on them; not: {directory: %s} in %s conditions would rule it "
		      "out",
		      rule->rule.name, effects.items[edges->effect].path, who,
		      effects.items[edges->effect].path, covered == 1 ? "its" : "their");
	for (size_t i = 0; i < MIN(covered, (size_t)RULES_SHOWN); i++)
		problems_note(problems, graph->set->rules[covering[i]->to]->when_place,
			      "these conditions of '%s' do not exclude %s",
			      name_of(graph, covering[i]->to), effects.items[edges->effect].path);
	accept_end(problems);
	step_effects_clear(&effects);
}

void rule_check_targets(const struct effect_graph *graph, struct problems *problems)
{
	const struct effect_edges *edges = &graph->kept;
	size_t before = problems_warning_count(problems);

	for (size_t i = 0, count; i < edges->count; i += count) {
		count = count_same(edges, i);
		if (problems_warning_count(problems) - before < WARNINGS_MAX)
			warn(graph, &edges->items[i], count, problems);
	}
}
