#include "app/modules.h"

#include "action/action.h"
#include "app/settings.h"

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

static bool needs_file(void *ctx, const char *module)
{
	return action_type_find(module)->needs_file;
}

static char *follow(void *ctx, const char *module, const char *options_json, size_t n,
		    const char **out_module)
{
	return action_follow(action_type_find(module), options_json, n, out_module);
}

static const char *names[MODULES_MOST + 1];

/* The names are read off the type table before main() starts, so that every thread finds them. */
__attribute__((constructor)) static void list_names(void)
{
	for (size_t i = 0; action_types[i] && i < MODULES_MOST; i++)
		names[i] = action_types[i]->name;
}

void modules_check_rules(const struct rule_set *set, const char *items,
			 const struct settings *settings, struct problems *problems)
{
	size_t count = settings ? settings->watch_count : 0;
	AUTO(free) char *memory = mem_array(count + 1, sizeof(char *));
	const char **directories = (const char **)(void *)memory;
	struct rule_scope scope = { directories, 0 };

	for (size_t i = 0; i < count; i++)
		if (strcmp(settings->watches[i].items, items) == 0)
			directories[scope.count++] = settings->watches[i].path;
	rule_set_check(set, &app_modules, settings ? &scope : NULL, problems);
}

const struct rule_modules app_modules = {
	.names = names,
	.check = check,
	.effects = effects,
	.needs_file = needs_file,
	.follow = follow,
};
