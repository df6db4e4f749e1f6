#include "app/scan_item.h"

#include <inttypes.h>

#define KEYS "q/"

static char *key_of(const json_t *item)
{
	return str_format(KEYS "%016" PRIx64 "/%s",
			  (uint64_t)json_integer_value(json_object_get(item, "number")),
			  json_string_value(json_object_get(item, "watch")));
}

bool scan_item_is(const json_t *item, const char *state)
{
	const char *now = json_string_value(json_object_get(item, "state"));

	return now && strcmp(now, state) == 0;
}

bool scan_item_is_open(const json_t *item)
{
	return scan_item_is(item, "waiting") || scan_item_is(item, "under way") ||
	       scan_item_is(item, "stopping");
}

struct loading {
	const char *watch;
	json_t *items;
};

static bool load_item(void *ctx, struct text key, struct text value)
{
	struct loading *loading = ctx;
	json_t *item;
	const char *watch;

	if (!text_starts_with(key, TEXT(KEYS)))
		return false;
	item = json_loadb(value.data, value.size, 0, NULL);
	watch = json_string_value(json_object_get(item, "watch"));
	if (watch && (!loading->watch || strcmp(watch, loading->watch) == 0))
		json_array_append(loading->items, item);
	json_decref(item);
	return true;
}

json_t *scan_items(struct store *store, const char *watch, struct error *err)
{
	struct loading loading = { watch, json_array() };

	if (store_peek_scan(store, SPACE_REPAIR, TEXT(KEYS), load_item, &loading, err) == 0)
		return loading.items;
	json_decref(loading.items);
	return NULL;
}

int scan_item_put(struct store_txn *txn, const json_t *item, struct error *err)
{
	AUTO(free) char *key = key_of(item);
	AUTO(free) char *value = json_dumps(item, JSON_COMPACT);

	return store_put(txn, SPACE_REPAIR, text_of(key), text_of(value ? value : "{}"), err);
}

int scan_item_heed(struct store_txn *txn, json_t *item, struct error *err)
{
	AUTO(free) char *key = key_of(item);
	AUTO(free) char *value = NULL;
	size_t size = 0;
	json_t *there;

	if (store_get(txn, SPACE_REPAIR, text_of(key), &value, &size, err) < 0)
		return -1;
	there = value ? json_loadb(value, size, 0, NULL) : NULL;
	if (scan_item_is(there, "stopping") && scan_item_is(item, "under way"))
		json_object_set_new(item, "state", json_string("stopping"));
	json_decref(there);
	return 0;
}

int scan_item_new(struct store *store, const char *watch, const char *path, int64_t now_ms,
		  json_t **out, struct error *err)
{
	AUTO(store_abort) struct store_txn *txn = NULL;
	struct loading loading = { NULL, json_array() };
	json_int_t number = 0;
	size_t i, open = 0;
	json_t *item;
	int rc = 0;

	if (store_begin(store, &txn, err) < 0 ||
	    store_scan(txn, SPACE_REPAIR, TEXT(KEYS), load_item, &loading, err) < 0)
		rc = -1;
	json_array_foreach(loading.items, i, item)
	{
		number = json_integer_value(json_object_get(item, "number"));
		open += scan_item_is_open(item);
	}
	json_decref(loading.items);
	if (rc == 0 && open >= SCANS_WAITING_MOST)
		rc = error_set(err, "%zu scans wait already: expected fewer than %d", open,
			       SCANS_WAITING_MOST);
	item = json_pack("{s:I,s:s,s:s,s:s,s:I,s:i,s:i}", "number", number + 1, "watch", watch,
			 "path", path, "state", "waiting", "asked_ms", (json_int_t)now_ms, "found",
			 0, "requests", 0);
	if (rc == 0 && !item)
		rc = error_set(err, "the path is not UTF-8");
	if (rc == 0 && (scan_item_put(txn, item, err) < 0 || store_commit(TAKE(txn), err) < 0))
		rc = -1;
	if (rc == 0)
		*out = json_incref(item);
	json_decref(item);
	return rc;
}

int scan_items_trim(struct store *store, struct store_txn *txn, const char *watch,
		    struct error *err)
{
	json_t *items = scan_items(store, watch, err), *item;
	size_t i, ended = 0;
	int rc = items ? 0 : -1;

	json_array_foreach(items, i, item) ended += !scan_item_is_open(item);
	json_array_foreach(items, i, item)
	{
		AUTO(free) char *key = key_of(item);

		if (rc < 0 || ended <= SCANS_KEPT || scan_item_is_open(item))
			continue;
		rc = store_delete(txn, SPACE_REPAIR, text_of(key), err);
		ended--;
	}
	json_decref(items);
	return rc;
}
