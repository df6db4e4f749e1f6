#include "app/inbox.h"

#include <jansson.h>

/* In SPACE_META: the number given last, so that numbers grow although items go. */
static const struct text number_key = { "inbox_number", 12 };

static void free_json(json_t **place)
{
	json_decref(*place);
}

static int next_number(struct store_txn *txn, uint64_t *out, struct error *err)
{
	AUTO(free) char *value = NULL;
	struct store_key key;
	size_t size;

	if (store_get(txn, SPACE_META, number_key, &value, &size, err) < 0)
		return -1;
	*out = value ? store_key_number((struct text){ value, size }) + 1 : 1;
	key = store_key(*out);
	return store_put(txn, SPACE_META, number_key, (struct text){ key.bytes, 8 }, err);
}

int inbox_put(struct store_txn *txn, const struct inbox_item *item, struct error *err)
{
	AUTO(free) char *event = event_to_json(item->event);
	AUTO(free)
	char *value = str_format("{\"after\":%llu,\"until\":%llu,\"event\":%s}",
				 (unsigned long long)item->after_seq,
				 (unsigned long long)item->until_seq, event);
	struct store_key key;
	uint64_t number;

	if (next_number(txn, &number, err) < 0)
		return -1;
	key = store_key(number);
	return store_put(txn, SPACE_INBOX, (struct text){ key.bytes, 8 }, text_of(value), err);
}

struct first {
	uint64_t number;
	char *value;
	size_t size;
};

static bool keep_first(void *ctx, struct text key, struct text value)
{
	struct first *first = ctx;

	first->number = store_key_number(key);
	first->value = text_copy(value);
	first->size = value.size;
	return false;
}

static int read_item(struct inbox_item *out, struct text value, struct error *err)
{
	__attribute__((cleanup(free_json))) json_t *object =
		json_loadb(value.data, value.size, 0, NULL);
	json_t *event = json_object_get(object, "event");
	AUTO(free) char *text = event ? json_dumps(event, JSON_COMPACT) : NULL;

	if (!text)
		return error_set(err, "not an item");
	out->after_seq = (uint64_t)json_integer_value(json_object_get(object, "after"));
	out->until_seq = (uint64_t)json_integer_value(json_object_get(object, "until"));
	return event_from_json(&out->event, text_of(text), err);
}

int inbox_next(struct store_txn *txn, uint64_t after, struct inbox_item *out, struct error *err)
{
	struct store_key from = store_key(after + 1);
	struct first first = { 0 };

	if (store_scan(txn, SPACE_INBOX, (struct text){ from.bytes, 8 }, keep_first, &first, err) <
	    0)
		return -1;
	if (!first.value)
		return 0;

	AUTO(free) char *value = first.value;

	out->number = first.number;
	if (read_item(out, (struct text){ value, first.size }, err) < 0)
		return error_prefix(err, "item %llu of the filter's inbox",
				    (unsigned long long)first.number);
	return 1;
}

int inbox_remove(struct store_txn *txn, uint64_t number, struct error *err)
{
	struct store_key key = store_key(number);

	return store_delete(txn, SPACE_INBOX, (struct text){ key.bytes, 8 }, err);
}

static bool note_any(void *ctx, struct text key, struct text value)
{
	*(bool *)ctx = true;
	return false;
}

int inbox_has_any(struct store *store, struct error *err)
{
	bool any = false;

	if (store_peek_scan(store, SPACE_INBOX, TEXT(""), note_any, &any, err) < 0)
		return -1;
	return any;
}
