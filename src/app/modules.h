/* modules: the action layer as the rule layer asks for it; the two do not know each other. */
#ifndef APP_MODULES_H
#define APP_MODULES_H

#include "rule/rule.h"

extern const struct rule_modules app_modules;

struct settings;
/* rule_set_check() for a rule file as the watches of the settings use it (NULL: who knows). */
void modules_check_rules(const struct rule_set *set, const char *items,
			 const struct settings *settings, struct problems *problems);

#endif
