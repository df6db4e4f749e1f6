#include "app/modules.h"

#include "action/action.h"

#define MODULES_MOST 32

static void check(void *ctx, const char *module, const struct node *options, struct place place,
		  struct problems *problems)
{
	action_check(action_type_find(module), options, place, problems);
}

static size_t effects(void *ctx, const char *module, const char *options_json,
		      struct event_effect *effects_out, size_t max)
{
	return action_effects(action_type_find(module), options_json, effects_out, max);
}

static const char *names[MODULES_MOST + 1];

/* The names are read off the type table before main() starts, so that every thread finds them. */
__attribute__((constructor)) static void list_names(void)
{
	for (size_t i = 0; action_types[i] && i < MODULES_MOST; i++)
		names[i] = action_types[i]->name;
}

const struct rule_modules app_modules = {
	.names = names,
	.check = check,
	.effects = effects,
};
