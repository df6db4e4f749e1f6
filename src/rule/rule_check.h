/* rule_check: what can be said about rules without an event. For the files of rule/ only. */
#ifndef RULE_RULE_CHECK_H
#define RULE_RULE_CHECK_H

#include "rule/effect_graph.h"

/* Rules whose built-in actions cause events that rules match. */
void rule_check_loops(const struct effect_graph *graph, struct problems *problems);
/* Actions that put files where rules change them again. */
void rule_check_targets(const struct effect_graph *graph, struct problems *problems);

/* Fields of templates that nothing fills. */
void rule_check_fields(const struct rule_set *set, const struct rule_modules *modules,
		       struct problems *problems);
/* Rules that no event from these directories (NULL: from anywhere) can make true; is_never, by
 * rule, says which. */
void rule_check_never(const struct rule_set *set, const struct rule_scope *scope, bool *is_never,
		      struct problems *problems);
/* Rules that are never reached, and rules that are there twice. */
void rule_check_shadows(const struct rule_set *set, const bool *is_never,
			struct problems *problems);
void rule_check_duplicates(const struct rule_set *set, const bool *is_never,
			   struct problems *problems);

#endif
