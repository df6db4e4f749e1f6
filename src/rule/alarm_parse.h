/* alarm_parse: from YAML to alarms. For the files of rule/ only. */
#ifndef RULE_ALARM_PARSE_H
#define RULE_ALARM_PARSE_H

#include "rule/step_parse.h"

/* Adds what the `alarms:` of a file says to the set. */
void alarms_read(struct rule_set *set, struct step_parser *steps, const struct node *node);
void alarms_clear(struct rule_set *set);

#endif
