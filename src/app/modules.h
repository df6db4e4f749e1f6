/* modules: the action layer as the rule layer asks for it; the two do not know each other. */
#ifndef APP_MODULES_H
#define APP_MODULES_H

#include "rule/rule.h"

extern const struct rule_modules app_modules;

#endif
