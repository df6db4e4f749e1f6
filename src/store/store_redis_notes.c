/*
 * store_redis_notes: notes and gaps of who watches. They are kept in the local store first, and
 * forwarded; what is there only is what counts, as long as nobody else took the watches over.
 *
 * In the local store, by the first byte of the key: `n` and the name of a note, whose value is
 * "TOKEN VALUE"; `g` and the number of a gap: "TOKEN FROM UNTIL AFTER WATCH", a newline, the
 * reason.
 */
#include <inttypes.h>
#include <stdio.h>

#include "base/parse.h"
#include "store/store_redis_forward.h"

#define GAPS_OF_TOKEN 1000000 /* a gap's number: so many times the token, and a count */
#define GAPS_KEPT 1000

/* ---- As they are kept ---- */

static int64_t cut_number(struct text *rest)
{
	int64_t number = 0;

	/* What is damaged reads as 0. */
	return parse_number(text_cut(rest, ' '), 0, INT64_MAX, &number, NULL) < 0 ? 0 : number;
}

/* "FROM UNTIL AFTER WATCH", a newline, the reason. */
static void read_gap(struct text rest, struct gap *out, struct text *watch, struct text *reason)
{
	out->from_ms = cut_number(&rest);
	out->until_ms = cut_number(&rest);
	out->after_seq = (uint64_t)cut_number(&rest);
	*watch = text_cut(&rest, '\n');
	*reason = rest;
	snprintf(out->watch, sizeof(out->watch), "%.*s", TEXT_ARGS(*watch));
}

struct redis_item redis_item_read(struct text key, struct text value)
{
	struct redis_item item = { .is_gap = key.data[0] == 'g' };

	item.token = (uint64_t)cut_number(&value);
	if (item.is_gap) {
		item.gap.id = store_key_number((struct text){ key.data + 1, key.size - 1 });
		read_gap(value, &item.gap, &item.name, &item.value);
	} else {
		item.name = (struct text){ key.data + 1, key.size - 1 };
		item.value = value;
	}
	return item;
}

static int put_item(struct store_redis *store, struct text key, const char *value,
		    struct error *err)
{
	AUTO(store_abort) struct store_txn *txn = NULL;

	if (store_begin(store->log, &txn, err) < 0 ||
	    store_put(txn, REDIS_ITEMS, key, text_of(value), err) < 0 ||
	    store_commit(TAKE(txn), err) < 0)
		return -1;
	redis_forward_item(store->forward, key);
	return 0;
}

int redis_no_watch(struct store_redis *store, struct error *err)
{
	return error_set(err, "store %s: this process does not watch", store->address.shown);
}

/* ---- Notes ---- */

static char *note_key(const char *name)
{
	return str_format("n%s", name);
}

int redis_note_put(struct store *base, const char *name, struct text value, struct error *err)
{
	struct store_redis *store = redis_of(base);
	AUTO(free) char *key = note_key(name);
	AUTO(free) char *kept = NULL;

	if (!store->log)
		return redis_no_watch(store, err);
	kept = str_format("%" PRIu64 " %.*s", store->watch_token, TEXT_ARGS(value));
	return put_item(store, text_of(key), kept, err);
}

/* 1: this note is ours, and maybe nobody else's yet. */
static int get_ours(struct store_redis *store, const char *name, char **out, bool *is_forwarded,
		    struct error *err)
{
	AUTO(free) char *key = note_key(name);
	AUTO(free) char *kept = NULL;
	struct redis_item item;

	if (!store->log)
		return 0;
	/* In this order: it may be forwarded in between. */
	*is_forwarded = !redis_forward_has_item(store->forward, text_of(key));
	if (store_peek(store->log, REDIS_ITEMS, text_of(key), &kept, err) < 0)
		return -1;
	if (!kept)
		return 0;
	item = redis_item_read(text_of(key), text_of(kept));
	if (item.token != store->watch_token)
		return 0;
	*out = text_copy(item.value);
	return 1;
}

int redis_note_get(struct store *base, const char *name, char **out, struct error *err)
{
	struct store_redis *store = redis_of(base);
	AUTO(freeReplyObject) redisReply *reply = NULL;
	AUTO(free) char *ours = NULL;
	AUTO_WORDS words = { 0 };
	bool is_forwarded = false;
	int has_ours = get_ours(store, name, &ours, &is_forwarded, err);

	if (has_ours < 0)
		return -1;
	if (has_ours && !is_forwarded) {
		*out = TAKE(ours);
		return 0;
	}
	words_add(&words, TEXT("get_note"));
	words_add(&words, text_of(name));
	if (redis_step(store, &words, NULL, &reply, err) < 0) {
		if (!has_ours)
			return -1;
		error_clear(err);
		*out = TAKE(ours);
		return 0;
	}
	*out = reply->type == REDIS_REPLY_STRING ? text_copy(redis_text(reply)) : NULL;
	return 0;
}

/* ---- Gaps ---- */

struct gap_list {
	struct store_redis *store;
	struct gap *gaps; /* their reasons are ours */
	size_t count;
	uint64_t token;
	uint64_t last; /* the highest number under the token */
};

static void gap_list_clear(struct gap_list *list)
{
	for (size_t i = 0; i < list->count; i++)
		free(list->gaps[i].reason);
	free(list->gaps);
}

static void set_gap(struct gap_list *list, const struct gap *gap, struct text reason)
{
	struct gap *place = NULL;

	for (size_t i = 0; i < list->count; i++)
		if (list->gaps[i].id == gap->id)
			place = &list->gaps[i];
	if (!place) {
		list->gaps = mem_grow(list->gaps, list->count + 1, sizeof(*list->gaps));
		place = &list->gaps[list->count++];
		*place = (struct gap){ 0 };
	}
	free(place->reason);
	*place = *gap;
	place->reason = text_copy(reason);
}

static bool add_ours(void *ctx, struct text key, struct text value)
{
	struct gap_list *list = ctx;
	struct redis_item item;

	if (key.data[0] != 'g')
		return false;
	item = redis_item_read(key, value);
	if (item.gap.id / GAPS_OF_TOKEN == list->token)
		list->last = MAX(list->last, item.gap.id);
	/* What was forwarded may have been changed by somebody else since. */
	if (item.token == list->token && redis_forward_has_item(list->store->forward, key))
		set_gap(list, &item.gap, item.value);
	return true;
}

static int collect_ours(struct gap_list *list, struct error *err)
{
	return store_peek_scan(list->store->log, REDIS_ITEMS, TEXT("g"), add_ours, list, err);
}

static int next_gap(struct store_redis *store, uint64_t token, uint64_t *out, struct error *err)
{
	struct gap_list list = { .store = store, .token = token };
	int rc = collect_ours(&list, err);

	*out = list.last ? list.last + 1 : token * GAPS_OF_TOKEN + 1;
	gap_list_clear(&list);
	return rc;
}

static struct text gap_key(char bytes[9], uint64_t id)
{
	struct store_key number = store_key(id);

	bytes[0] = 'g';
	memcpy(bytes + 1, number.bytes, sizeof(number.bytes));
	return (struct text){ bytes, 9 };
}

int redis_gap_put(struct store *base, struct gap *gap, struct error *err)
{
	struct store_redis *store = redis_of(base);
	uint64_t token, id = gap->id, after = gap->after_seq;
	AUTO(free) char *value = NULL;
	char key[9];

	if (!store->log)
		return redis_no_watch(store, err);
	token = store->watch_token;
	if (after == GAP_AFTER_ALL)
		after = redis_forward_end(store->forward);
	if (!id && next_gap(store, token, &id, err) < 0)
		return -1;
	value = str_format("%" PRIu64 " %lld %lld %" PRIu64 " %s\n%s", token,
			   (long long)gap->from_ms, (long long)gap->until_ms, after, gap->watch,
			   gap->reason ? gap->reason : "");
	if (put_item(store, gap_key(key, id), value, err) < 0)
		return -1;
	gap->id = id;
	return 0;
}

static int compare_gaps(const void *a, const void *b)
{
	const struct gap *left = a, *right = b;

	return left->id < right->id ? -1 : left->id > right->id;
}

static int fetch_gaps(struct gap_list *list, struct error *err)
{
	AUTO(freeReplyObject) redisReply *reply = NULL;
	AUTO_WORDS words = { 0 };

	words_add(&words, TEXT("get_gaps"));
	if (redis_step(list->store, &words, NULL, &reply, err) < 0)
		return -1;
	for (size_t i = 0; i + 1 < reply->elements; i += 2) {
		struct gap gap = { .id = (uint64_t)redis_number(reply->element[i]) };
		struct text watch, reason;

		read_gap(redis_text(reply->element[i + 1]), &gap, &watch, &reason);
		set_gap(list, &gap, reason);
	}
	return 0;
}

int redis_gap_visit(struct store *base, void (*visit)(void *ctx, const struct gap *gap), void *ctx,
		    struct error *err)
{
	struct store_redis *store = redis_of(base);
	struct gap_list list = { .store = store, .token = store->watch_token };
	int rc = fetch_gaps(&list, err);

	/* A watch goes on while the server is away. */
	if (rc < 0 && store->log && list.token) {
		error_clear(err);
		rc = 0;
	}
	if (rc == 0 && store->log)
		rc = collect_ours(&list, err);
	if (list.count)
		qsort(list.gaps, list.count, sizeof(*list.gaps), compare_gaps);
	for (size_t i = 0; rc == 0 && i < list.count; i++)
		visit(ctx, &list.gaps[i]);
	gap_list_clear(&list);
	return rc;
}

/* ---- Trimming ---- */

struct old_gaps {
	struct store_redis *store;
	char (*keys)[9];
	size_t count, closed;
};

static bool see_old(void *ctx, struct text key, struct text value)
{
	struct old_gaps *old = ctx;
	struct redis_item item;

	if (key.data[0] != 'g' || key.size != 9)
		return false;
	item = redis_item_read(key, value);
	if (!item.gap.until_ms || redis_forward_has_item(old->store->forward, key))
		return true;
	old->keys = mem_grow(old->keys, old->count + 1, sizeof(*old->keys));
	memcpy(old->keys[old->count++], key.data, 9);
	return true;
}

static int drop_old(struct old_gaps *old, struct error *err)
{
	AUTO(store_abort) struct store_txn *txn = NULL;

	if (old->count <= GAPS_KEPT)
		return 0;
	if (store_begin(old->store->log, &txn, err) < 0)
		return -1;
	for (size_t i = 0; i < old->count - GAPS_KEPT; i++)
		if (store_delete(txn, REDIS_ITEMS, (struct text){ old->keys[i], 9 }, err) < 0)
			return -1;
	return store_commit(TAKE(txn), err);
}

int redis_gaps_trim(struct store_redis *store, struct error *err)
{
	AUTO(freeReplyObject) redisReply *reply = NULL;
	struct old_gaps old = { .store = store };
	AUTO_WORDS words = { 0 };
	int rc = 0;

	if (store->log) {
		rc = store_peek_scan(store->log, REDIS_ITEMS, TEXT("g"), see_old, &old, err);
		if (rc == 0)
			rc = drop_old(&old, err);
		free(old.keys);
	}
	words_add(&words, TEXT("trim_gaps"));
	words_add_number(&words, GAPS_KEPT);
	return rc < 0 ? -1 : redis_step(store, &words, NULL, &reply, err);
}
