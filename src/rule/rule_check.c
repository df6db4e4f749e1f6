#include "rule/rule_check.h"

#include "rule/accept.h"

void rule_set_check(const struct rule_set *set, const struct rule_modules *modules,
		    const struct rule_scope *scope, struct problems *problems)
{
	AUTO(free) char *memory = mem_array(set->count + 1, sizeof(bool));
	bool *is_never = (bool *)memory;
	struct effect_graph graph;
	/* Whether a program is there is another question on each machine. */
	unsigned except = 1u << WARN_ACTION;

	rule_check_never(set, scope, is_never, problems);
	rule_check_shadows(set, is_never, problems);
	rule_check_duplicates(set, is_never, problems);
	rule_check_fields(set, modules, problems);
	effect_graph_init(&graph, set, modules, scope);
	rule_check_loops(&graph, problems);
	rule_check_targets(&graph, problems);
	effect_graph_clear(&graph);
	if (!scope)
		except |= 1u << WARN_NEVER; /* it may be what is watched that makes it so */
	accept_tell_unused(set, except, problems);
}
