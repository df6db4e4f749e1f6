#include "app/action_cache.h"

#include <uthash.h>

#include "base/list.h"

struct cached {
	char *key; /* module, line end, options */
	struct action *action;
	unsigned users;
	struct list idle; /* in cache->idle while nobody uses it */
	UT_hash_handle hh;
};

struct action_cache {
	const struct action_host *host;
	const struct action_type *(*find)(const char *name);
	struct cached *entries;
	struct list idle; /* the one that rested longest in front */
	size_t idle_count, most_idle;
};

struct action_cache *action_cache_new(const struct action_host *host, size_t most_idle)
{
	struct action_cache *cache = NEW(struct action_cache);

	cache->host = host;
	cache->find = action_type_find;
	cache->most_idle = most_idle;
	list_init(&cache->idle);
	return cache;
}

void action_cache_find_with(struct action_cache *cache,
			    const struct action_type *(*find)(const char *name))
{
	cache->find = find;
}

static void forget(struct action_cache *cache, struct cached *entry)
{
	HASH_DEL(cache->entries, entry);
	list_remove(&entry->idle);
	action_close(entry->action);
	free(entry->key);
	free(entry);
}

void action_cache_free(struct action_cache *cache)
{
	struct cached *entry, *next;

	if (!cache)
		return;
	HASH_ITER(hh, cache->entries, entry, next)
	{
		forget(cache, entry);
	}
	free(cache);
}

static int open_entry(struct action_cache *cache, const char *module, const char *options_json,
		      const char *key, struct cached **out, struct error *err)
{
	const struct action_type *type = cache->find(module);
	struct action *action;
	struct cached *entry;

	if (!type)
		return error_set(err, "there is no action '%s' in this version", module);
	if (action_open(&action, type, options_json, cache->host, err) < 0)
		return -1;
	entry = NEW(struct cached);
	entry->key = str_copy(key);
	entry->action = action;
	list_init(&entry->idle);
	HASH_ADD_KEYPTR(hh, cache->entries, entry->key, strlen(entry->key), entry);
	*out = entry;
	return 0;
}

int action_cache_get(struct action_cache *cache, const char *module, const char *options_json,
		     struct action **out, struct error *err)
{
	AUTO(free) char *key = str_format("%s\n%s", module, options_json);
	struct cached *entry;

	HASH_FIND(hh, cache->entries, key, strlen(key), entry);
	if (!entry && open_entry(cache, module, options_json, key, &entry, err) < 0)
		return -1;
	if (entry->idle.next != &entry->idle) {
		list_remove(&entry->idle);
		cache->idle_count--;
	}
	entry->users++;
	*out = entry->action;
	return 0;
}

void action_cache_put(struct action_cache *cache, struct action *action)
{
	struct cached *entry, *next;

	HASH_ITER(hh, cache->entries, entry, next)
	{
		if (entry->action == action)
			break;
	}
	if (!entry || --entry->users)
		return;
	list_append(&cache->idle, &entry->idle);
	if (++cache->idle_count > cache->most_idle) {
		forget(cache, list_entry(cache->idle.next, struct cached, idle));
		cache->idle_count--;
	}
}
