/* store_redis_scan: pages of a space, with a transaction's own changes in between. */
#include "store/store_redis.h"

#define PAGE_FIRST 16 /* entries of a scan that are asked for at once; then doubled */
#define PAGE_MAX 1024
#define WHOLE_MAX 3000 /* entries of a space that are kept for the transaction */

struct scan {
	struct redis_txn *txn; /* or NULL */
	enum store_space space;
	bool (*visit)(void *ctx, struct text key, struct text value);
	void *ctx;
	struct cell **own; /* in order */
	size_t own_count, own_at;
	bool is_over;
};

static int compare_cells(const void *a, const void *b)
{
	const struct cell *const *left = a, *const *right = b;

	return text_compare(cell_key(*left), cell_key(*right));
}

static void collect_own(struct scan *scan, struct text from)
{
	if (!scan->txn)
		return;
	for (struct cell *cell = scan->txn->cells; cell; cell = cell->hh.next) {
		if (!cell->is_written || (unsigned char)cell->key[0] != scan->space ||
		    text_compare(cell_key(cell), from) < 0)
			continue;
		scan->own = mem_grow(scan->own, scan->own_count + 1, sizeof(*scan->own));
		scan->own[scan->own_count++] = cell;
	}
	if (scan->own)
		qsort(scan->own, scan->own_count, sizeof(*scan->own), compare_cells);
}

/* Visits own values before key, or all of the rest if that is NULL. True: key itself is ours. */
static bool visit_own(struct scan *scan, const struct text *key)
{
	while (scan->own_at < scan->own_count && !scan->is_over) {
		struct cell *cell = scan->own[scan->own_at];
		int order = key ? text_compare(cell_key(cell), *key) : -1;

		if (order > 0)
			return false;
		scan->own_at++;
		if (cell->is_there)
			scan->is_over = !scan->visit(scan->ctx, cell_key(cell), cell_value(cell));
		if (order == 0)
			return true;
	}
	return false;
}

static void visit_stored(struct scan *scan, struct text key, struct text value)
{
	if (visit_own(scan, &key) || scan->is_over)
		return;
	if (scan->txn)
		redis_note_read(scan->txn, scan->space, key, true, value);
	scan->is_over = !scan->visit(scan->ctx, key, value);
}

static redisReply *fetch_page(struct store_redis *store, enum store_space space, struct text from,
			      int64_t count, struct error *err)
{
	redisReply *reply = NULL;
	AUTO_WORDS words = { 0 };

	words_add(&words, TEXT("scan"));
	words_add(&words, text_of(redis_space_names[space]));
	words_add(&words, from);
	words_add_number(&words, count);
	return redis_step(store, &words, NULL, &reply, err) < 0 ? NULL : reply;
}

/* A bound of a range: '[' with the key, '(' behind the key. */
static void set_bound(struct buf *bound, char kind, struct text key)
{
	buf_reset(bound);
	if (!buf_append(bound, &kind, 1) || (key.size && !buf_append(bound, key.data, key.size)))
		abort(); /* the limit is beyond memory */
}

/* ---- A space that is small is read once in a transaction ---- */

/* The first entry with a key >= from. */
static size_t lower_bound(const redisReply *whole, struct text from)
{
	size_t low = 0, high = whole->elements / 2;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (text_compare(redis_text(whole->element[2 * middle]), from) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

/* What was read of the ledger is as old as the log was then. */
static void forget_old(struct redis_txn *txn)
{
	unsigned now = txn->base.store->log_reads;

	if (txn->whole_at == now)
		return;
	txn->whole_at = now;
	for (int space = 0; space < SPACE_COUNT; space++) {
		freeReplyObject(txn->whole[space]);
		txn->whole[space] = NULL;
		txn->is_large[space] = false;
	}
}

bool redis_find_whole(struct redis_txn *txn, enum store_space space, struct text key,
		      bool *out_there, struct text *out)
{
	const redisReply *whole;
	size_t i;

	forget_old(txn);
	whole = txn->whole[space];
	if (!whole)
		return false;
	i = lower_bound(whole, key);
	*out_there = 2 * i < whole->elements && text_equal(redis_text(whole->element[2 * i]), key);
	*out = *out_there ? redis_text(whole->element[2 * i + 1]) : TEXT("");
	return true;
}

/* Each event is looked up in the ledger, and each look would be a round trip. */
static int read_whole(struct store_redis *store, struct redis_txn *txn, enum store_space space,
		      struct error *err)
{
	AUTO(freeReplyObject) redisReply *page = NULL;

	if (txn->is_large[space] || txn->whole[space])
		return 0;
	page = fetch_page(store, space, TEXT("-"), WHOLE_MAX, err);
	if (!page)
		return -1;
	if (page->elements < 2 * WHOLE_MAX)
		txn->whole[space] = TAKE(page);
	else
		txn->is_large[space] = true;
	return 0;
}

static void scan_whole(struct scan *scan, const redisReply *whole, struct text from)
{
	for (size_t i = lower_bound(whole, from); 2 * i < whole->elements && !scan->is_over; i++)
		visit_stored(scan, redis_text(whole->element[2 * i]),
			     redis_text(whole->element[2 * i + 1]));
	visit_own(scan, NULL);
}

static int scan_pages(struct store_redis *store, struct scan *scan, struct text from,
		      struct error *err)
{
	AUTO(buf_free) struct buf *bound = buf_new(SIZE_MAX / 2);
	int64_t count = PAGE_FIRST;

	set_bound(bound, from.size ? '[' : '-', from);
	while (!scan->is_over) {
		AUTO(freeReplyObject)
		redisReply *page = fetch_page(store, scan->space, buf_text(bound), count, err);

		if (!page)
			return -1;
		for (size_t i = 0; i + 1 < page->elements && !scan->is_over; i += 2)
			visit_stored(scan, redis_text(page->element[i]),
				     redis_text(page->element[i + 1]));
		if (page->elements < 2 * (size_t)count)
			break;
		set_bound(bound, '(', redis_text(page->element[page->elements - 2]));
		count = MIN(2 * count, PAGE_MAX);
	}
	visit_own(scan, NULL);
	return 0;
}

static int scan_all(struct store_redis *store, struct scan *scan, struct text from,
		    struct error *err)
{
	int rc;

	if (scan->txn)
		forget_old(scan->txn);
	/* Only a filter begins with a look whether there is anything at all. */
	if (scan->txn && scan->space == SPACE_EXPECT && !from.size &&
	    read_whole(store, scan->txn, scan->space, err) < 0)
		return -1;
	collect_own(scan, from);
	rc = 0;
	if (scan->txn && scan->txn->whole[scan->space])
		scan_whole(scan, scan->txn->whole[scan->space], from);
	else
		rc = scan_pages(store, scan, from, err);
	free(scan->own);
	return rc;
}

int redis_scan(struct store_txn *base, enum store_space space, struct text from,
	       bool (*visit)(void *ctx, struct text key, struct text value), void *ctx,
	       struct error *err)
{
	struct scan scan = { redis_txn_of(base), space, visit, ctx, NULL, 0, 0, false };

	return scan_all(redis_of(base->store), &scan, from, err);
}

int redis_peek_scan(struct store *base, enum store_space space, struct text from,
		    bool (*visit)(void *ctx, struct text key, struct text value), void *ctx,
		    struct error *err)
{
	struct scan scan = { NULL, space, visit, ctx, NULL, 0, 0, false };

	return scan_all(redis_of(base), &scan, from, err);
}
