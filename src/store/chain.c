#include "store/chain.h"

#include <openssl/evp.h>

#include "base/parse.h"
#include "store/chain_part.h"

#define FORGOTTEN_AT_ONCE 2000

/* ---- How it is written down ---- */

struct chain_key chain_key(char letter, const uint64_t *numbers, size_t count)
{
	struct chain_key key = { .size = 1 + 8 * count };

	key.bytes[0] = letter;
	for (size_t i = 0; i < count; i++) {
		struct store_key number = store_key(numbers[i]);

		memcpy(key.bytes + 1 + 8 * i, number.bytes, 8);
	}
	return key;
}

struct text chain_key_text(const struct chain_key *key)
{
	return (struct text){ key->bytes, key->size };
}

uint64_t chain_number(const struct store_key *key)
{
	return store_key_number((struct text){ key->bytes, sizeof(key->bytes) });
}

struct chain_key chain_mark_key(const struct mark *mark)
{
	const uint64_t numbers[] = { chain_number(&mark->job), chain_number(&mark->time_ms) };
	struct chain_key key = chain_key('u', numbers, 2);

	key.bytes[key.size++] = (char)mark->kind;
	return key;
}

static void sha256(const void *data, size_t size, uint8_t out[CHAIN_LINK_SIZE])
{
	if (!EVP_Digest(data, size, out, NULL, EVP_sha256(), NULL))
		abort(); /* it needs nothing that could be missing */
}

void chain_digest(struct mark *mark, const char *outcome)
{
	uint8_t parts[1 + 8 + 8 + 2 * CHAIN_LINK_SIZE];

	parts[0] = mark->kind;
	memcpy(parts + 1, mark->job.bytes, 8);
	memcpy(parts + 9, mark->time_ms.bytes, 8);
	memcpy(parts + 17, mark->body, CHAIN_LINK_SIZE);
	sha256(outcome ? outcome : "", outcome ? strlen(outcome) : 0, parts + 17 + CHAIN_LINK_SIZE);
	sha256(parts, sizeof(parts), mark->digest);
}

void chain_mark_init(struct mark *out, enum chain_kind kind, const struct job *job)
{
	*out = (struct mark){
		.kind = kind,
		.job = store_key(job->id),
		.time_ms = store_key((uint64_t)job->ended_ms),
	};
	if (job->body)
		sha256(job->body, strlen(job->body), out->body);
	chain_digest(out, job->outcome);
}

void chain_link(const uint8_t before[CHAIN_LINK_SIZE], const struct mark *mark,
		uint8_t out[CHAIN_LINK_SIZE])
{
	uint8_t parts[2 * CHAIN_LINK_SIZE];

	memcpy(parts, before, CHAIN_LINK_SIZE);
	memcpy(parts + CHAIN_LINK_SIZE, mark->digest, CHAIN_LINK_SIZE);
	sha256(parts, sizeof(parts), out);
}

void chain_hex(const uint8_t link[CHAIN_LINK_SIZE], char out[CHAIN_HEX_SIZE])
{
	for (size_t i = 0; i < CHAIN_LINK_SIZE; i++) {
		out[2 * i] = "0123456789abcdef"[link[i] >> 4];
		out[2 * i + 1] = "0123456789abcdef"[link[i] & 15];
	}
	out[2 * CHAIN_LINK_SIZE] = '\0';
}

bool chain_parse_head(const char *text, struct chain_head *out)
{
	const char *colon = strchr(text, ':');
	int64_t number;

	if (!colon || strlen(colon + 1) != CHAIN_HEX_SIZE - 1 ||
	    strspn(colon + 1, "0123456789abcdef") != CHAIN_HEX_SIZE - 1 ||
	    parse_number((struct text){ text, (size_t)(colon - text) }, 1, INT64_MAX, &number,
			 NULL) < 0)
		return false;
	out->number = (uint64_t)number;
	memcpy(out->hex, colon + 1, CHAIN_HEX_SIZE);
	return true;
}

/* ---- Marks ---- */

int chain_mark(struct store_txn *txn, enum chain_kind kind, const struct job *job,
	       struct error *err)
{
	struct mark mark;
	struct chain_key key;

	chain_mark_init(&mark, kind, job);
	key = chain_mark_key(&mark);
	return store_put(txn, SPACE_CHAIN, chain_key_text(&key),
			 (struct text){ (const char *)&mark, sizeof(mark) }, err);
}

struct marks {
	struct mark *items;
	size_t count, most;
};

static bool collect_mark(void *ctx, struct text key, struct text value)
{
	struct marks *marks = ctx;

	if (!key.size || key.data[0] != 'u' || marks->count == marks->most)
		return false;
	if (value.size == sizeof(struct mark))
		memcpy(&marks->items[marks->count++], value.data, value.size);
	return true;
}

/* ---- Links ---- */

static int get_anchor(struct store_txn *txn, const char *name, struct anchor *out,
		      struct error *err)
{
	AUTO(free) char *value = NULL;
	size_t size = 0;

	*out = (struct anchor){ 0 };
	if (store_get(txn, SPACE_CHAIN, text_of(name), &value, &size, err) < 0)
		return -1;
	if (value && size == sizeof(*out))
		memcpy(out, value, size);
	return 0;
}

static int put_anchor(struct store_txn *txn, const char *name, const struct anchor *anchor,
		      struct error *err)
{
	return store_put(txn, SPACE_CHAIN, text_of(name),
			 (struct text){ (const char *)anchor, sizeof(*anchor) }, err);
}

static int put_link(struct store_txn *txn, const struct mark *mark, struct anchor *head,
		    struct error *err)
{
	const uint64_t number = chain_number(&head->number) + 1;
	const uint64_t job = chain_number(&mark->job);
	struct chain_key key = chain_key('l', &number, 1), by_job = chain_key('j', &job, 1);
	struct chain_key old = chain_mark_key(mark);
	struct link link = { .mark = *mark };

	chain_link(head->link, mark, link.link);
	memcpy(head->link, link.link, sizeof(link.link));
	head->number = store_key(number);
	if (store_put(txn, SPACE_CHAIN, chain_key_text(&key),
		      (struct text){ (const char *)&link, sizeof(link) }, err) < 0 ||
	    store_put(txn, SPACE_CHAIN, chain_key_text(&by_job),
		      (struct text){ head->number.bytes, 8 }, err) < 0)
		return -1;
	return store_delete(txn, SPACE_CHAIN, chain_key_text(&old), err);
}

static int seal_marks(struct store_txn *txn, const struct marks *marks, struct error *err)
{
	struct anchor head, anchor;

	if (!marks->count)
		return 0;
	if (get_anchor(txn, "h", &head, err) < 0 || get_anchor(txn, "a", &anchor, err) < 0)
		return -1;
	if (!chain_number(&anchor.since_ms)) {
		/* The first of all: what ended before stands in no chain. */
		anchor.since_ms = marks->items[0].time_ms;
		for (size_t i = 1; i < marks->count; i++)
			if (chain_number(&marks->items[i].time_ms) < chain_number(&anchor.since_ms))
				anchor.since_ms = marks->items[i].time_ms;
		if (put_anchor(txn, "a", &anchor, err) < 0)
			return -1;
	}
	for (size_t i = 0; i < marks->count; i++)
		if (put_link(txn, &marks->items[i], &head, err) < 0)
			return -1;
	return put_anchor(txn, "h", &head, err);
}

/* ---- Forgetting ---- */

struct old_links {
	struct link items[FORGOTTEN_AT_ONCE];
	uint64_t numbers[FORGOTTEN_AT_ONCE];
	size_t count;
	int64_t before_ms;
};

static bool collect_old(void *ctx, struct text key, struct text value)
{
	struct old_links *old = ctx;
	struct link *link = &old->items[old->count];

	if (key.size != 9 || key.data[0] != 'l' || value.size != sizeof(*link) ||
	    old->count == FORGOTTEN_AT_ONCE)
		return false;
	memcpy(link, value.data, value.size);
	old->numbers[old->count] = store_key_number((struct text){ key.data + 1, 8 });
	if ((int64_t)chain_number(&link->mark.time_ms) >= old->before_ms)
		return false;
	old->count++;
	return true;
}

static int forget_link(struct store_txn *txn, const struct link *link, uint64_t number,
		       struct error *err)
{
	const uint64_t job = chain_number(&link->mark.job);
	struct chain_key key = chain_key('l', &number, 1), by_job = chain_key('j', &job, 1);
	AUTO(free) char *newest = NULL;

	if (store_get(txn, SPACE_CHAIN, chain_key_text(&by_job), &newest, NULL, err) < 0)
		return -1;
	if (newest && store_key_number((struct text){ newest, 8 }) == number &&
	    store_delete(txn, SPACE_CHAIN, chain_key_text(&by_job), err) < 0)
		return -1;
	return store_delete(txn, SPACE_CHAIN, chain_key_text(&key), err);
}

/* The oldest links go as the history does; where the chain begins then is kept. Answers how many
 * went. */
static int forget(struct store_txn *txn, int64_t before_ms, struct error *err)
{
	struct old_links *old = NEW(struct old_links);
	const uint64_t none = 0;
	struct chain_key first = chain_key('l', &none, 1);
	struct anchor anchor;
	int rc;

	old->before_ms = before_ms;
	rc = store_scan(txn, SPACE_CHAIN, chain_key_text(&first), collect_old, old, err);
	for (size_t i = 0; i < old->count && rc >= 0; i++)
		rc = forget_link(txn, &old->items[i], old->numbers[i], err);
	if (rc >= 0 && old->count) {
		rc = (int)old->count;
		anchor = (struct anchor){
			.number = store_key(old->numbers[old->count - 1]),
			.since_ms = store_key((uint64_t)before_ms),
		};
		memcpy(anchor.link, old->items[old->count - 1].link, CHAIN_LINK_SIZE);
		if (put_anchor(txn, "a", &anchor, err) < 0)
			rc = -1;
	}
	free(old);
	return rc;
}

int chain_seal(struct store *store, int64_t now_ms, int64_t keep_ms, size_t most, struct error *err)
{
	AUTO(store_abort) struct store_txn *txn = NULL;
	struct marks marks = { .items = mem_array(most, sizeof(struct mark)), .most = most };
	int rc, forgotten = 0;

	rc = store_begin(store, &txn, err);
	if (rc == 0)
		rc = store_scan(txn, SPACE_CHAIN, TEXT("u"), collect_mark, &marks, err);
	if (rc >= 0)
		rc = seal_marks(txn, &marks, err);
	if (rc >= 0)
		rc = forgotten = forget(txn, now_ms - keep_ms, err);
	free(marks.items);
	if (rc > 0 || (rc == 0 && marks.count))
		rc = store_commit(TAKE(txn), err);
	return rc < 0 ? rc : marks.count == most || forgotten == FORGOTTEN_AT_ONCE;
}

static bool read_head(void *ctx, struct text key, struct text value)
{
	if (text_is(key, "h") && value.size == sizeof(struct anchor))
		memcpy(ctx, value.data, value.size);
	return false;
}

int chain_get_head(struct store *store, struct chain_head *out, struct error *err)
{
	struct anchor head = { 0 };

	if (store_peek_scan(store, SPACE_CHAIN, TEXT("h"), read_head, &head, err) < 0)
		return -1;
	out->number = chain_number(&head.number);
	chain_hex(head.link, out->hex);
	return 0;
}
