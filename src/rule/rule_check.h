/* rule_check: what can be said about rules without an event. For the files of rule/ only. */
#ifndef RULE_RULE_CHECK_H
#define RULE_RULE_CHECK_H

#include "rule/effect_graph.h"

/* Rules whose built-in actions cause events that rules match. */
void rule_check_loops(const struct effect_graph *graph, struct problems *problems);
/* Actions that put files where rules change them again. */
void rule_check_targets(const struct effect_graph *graph, struct problems *problems);

#endif
