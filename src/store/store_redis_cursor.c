/*
 * store_redis_cursor: where the filter is; and a server that came back without the last of what it
 * had (appendfsync everysec, or a replica that was behind).
 *
 * Expectations must be known before their events come. Those of the last commits are kept here, and
 * put again if the server forgot the commit.
 */
#include "store/store_redis.h"

#define PROMISE_MS 10000

/* ---- The cursor ---- */

/* Looked at in the commit, which saves a round trip. */
int redis_cursor_check(struct store_txn *base, uint64_t seq, struct error *err)
{
	struct redis_txn *txn = redis_txn_of(base);

	if (txn->has_cursor && txn->cursor_before != seq)
		return store_cursor_moved(seq, txn->cursor_before, err);
	if (!txn->has_cursor)
		txn->cursor_before = txn->cursor = seq;
	txn->has_cursor = true;
	return 0;
}

int redis_cursor_put(struct store_txn *base, uint64_t seq, struct error *err)
{
	struct redis_txn *txn = redis_txn_of(base);
	uint64_t before;

	if (!txn->has_cursor && (store_cursor_get(base->store, &before, err) < 0 ||
				 redis_cursor_check(base, before, err) < 0))
		return -1;
	txn->cursor = MAX(txn->cursor, seq);
	return 0;
}

/* ---- Promises ---- */

static void drop_first(struct store_redis *store)
{
	struct redis_promise *first = store->promises;

	store->promises = first->next;
	if (!store->promises)
		store->promises_end = &store->promises;
	words_clear(&first->changes);
	free(first);
}

void redis_promises_clear(struct store_redis *store)
{
	while (store->promises)
		drop_first(store);
}

void redis_promise(struct redis_txn *txn, uint64_t number)
{
	struct store_redis *store = redis_of(txn->base.store);
	int64_t now_ms = redis_now_ms();
	struct words changes = { 0 };

	while (store->promises && now_ms - store->promises->at_ms > PROMISE_MS)
		drop_first(store);
	for (const struct cell *cell = txn->cells; cell; cell = cell->hh.next)
		if (cell->is_written && (unsigned char)cell->key[0] == SPACE_EXPECT)
			redis_add_change(&changes, cell);
	if (!changes.count)
		return;

	struct redis_promise *promise = NEW(struct redis_promise);

	*promise = (struct redis_promise){ number, now_ms, changes, NULL };
	*store->promises_end = promise;
	store->promises_end = &promise->next;
}

int redis_promise_again(struct store_redis *store, uint64_t number, struct error *err)
{
	AUTO(freeReplyObject) redisReply *reply = NULL;
	struct redis_promise *first = NULL;
	AUTO_WORDS words = { 0 };
	int rc = 0;

	pthread_mutex_lock(&store->txn_lock);
	for (first = store->promises; first && first->number <= number;)
		first = first->next;
	if (first && store->done_number > number) {
		const struct commit about = { ++store->commit_number, NULL, 0 };

		words_add(&words, TEXT("commit"));
		words_add(&words, text_of(store->client));
		words_add_number(&words, (int64_t)about.number);
		for (; first; first = first->next)
			words_add_all(&words, &first->changes);
		rc = redis_step(store, &words, &about, &reply, err);
		if (rc == 0)
			store->done_number = about.number;
	}
	pthread_mutex_unlock(&store->txn_lock);
	return rc;
}
