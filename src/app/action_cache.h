/*
 * action_cache: open actions, shared by the jobs that have the same module and options. Those that
 * nobody uses stay open for the next job, up to a number; the one that rested longest goes first.
 */
#ifndef APP_ACTION_CACHE_H
#define APP_ACTION_CACHE_H

#include "action/action.h"

struct action_cache;

struct action_cache *action_cache_new(const struct action_host *host, size_t most_idle);
void action_cache_free(struct action_cache *cache); /* nothing may be in use */
AUTO_DEFINE(struct action_cache *, action_cache_free)
/* Where modules are looked up, instead of action_type_find. For tests. */
void action_cache_find_with(struct action_cache *cache,
			    const struct action_type *(*find)(const char *name));

/* Opens it or takes the open one; each get needs its put. */
MUST_CHECK int action_cache_get(struct action_cache *cache, const char *module,
				const char *options_json, struct action **out, struct error *err);
void action_cache_put(struct action_cache *cache, struct action *action); /* NULL is fine */

#endif
