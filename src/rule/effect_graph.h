/*
 * effect_graph: which rules may be true for what the actions of rules cause. Such an event is known
 * only partly, by the regions in which the rule can be true and by what the module says of its
 * effects; the evaluator answers for it in three values, and only a clear "false" is silence. For
 * the files of rule/ only.
 */
#ifndef RULE_EFFECT_GRAPH_H
#define RULE_EFFECT_GRAPH_H

#include "rule/rule_set.h"

#define EFFECTS_MAX 16 /* of one step */

/* A rule may match what a step of another (or its own) causes. */
struct effect_edge {
	uint32_t from, to;
	uint32_t step, effect; /* of from */
	event_kinds kinds;     /* that both know */
};

struct effect_edges {
	struct effect_edge *items;
	size_t count, room;
};

struct effect_graph {
	const struct rule_set *set;
	const struct rule_modules *modules;
	/* The rule may match the event itself. By from, then to; one for each two rules. */
	struct effect_edges caused;
	/* A step moves files into a directory that its options name, where a rule that changes
	 * files may match what happens to them afterwards. By from, step, then to. */
	struct effect_edges kept;
	bool is_cut; /* too many rules for one look: there may be more */
};

/* scope: where events are heard of; NULL: anywhere. */
void effect_graph_init(struct effect_graph *graph, const struct rule_set *set,
		       const struct rule_modules *modules, const struct rule_scope *scope);
void effect_graph_clear(struct effect_graph *graph);
/* Of those caused; or NULL. */
const struct effect_edge *effect_edge_find(const struct effect_edges *caused, uint32_t from,
					   uint32_t to);

/* What a step causes, as its module says. */
struct step_effects {
	struct event_effect items[EFFECTS_MAX];
	size_t count;
};
void step_effects_ask(struct step_effects *out, const struct rule_modules *modules,
		      const struct rule_step *step);
void step_effects_clear(struct step_effects *effects);

#endif
