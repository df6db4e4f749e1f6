#include "rule/rule_check.h"

#include "rule/accept.h"

void rule_set_check(const struct rule_set *set, const struct rule_modules *modules,
		    struct problems *problems)
{
	struct effect_graph graph;

	effect_graph_init(&graph, set, modules);
	rule_check_loops(&graph, problems);
	rule_check_targets(&graph, problems);
	effect_graph_clear(&graph);
	/* Whether a program is there is another question on each machine. */
	accept_tell_unused(set, 1u << WARN_ACTION, problems);
}
