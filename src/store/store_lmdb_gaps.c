/* store_lmdb_gaps: gaps and the watch role's notes, beside the records. */
#include <stdio.h>

#include "store/store_lmdb.h"

#define GAPS_KEPT 1000

struct gap_head {
	int64_t from_ms;
	int64_t until_ms;
	uint64_t after_seq;
	char watch[64];
};

static int last_id(struct store_lmdb *store, MDB_txn *txn, uint64_t *out, struct error *err)
{
	AUTO(mdb_cursor_close) MDB_cursor *cursor = NULL;
	struct text key;
	int there;

	if (lmdb_cursor(&store->log, txn, store->gaps, &cursor, err) < 0)
		return -1;
	there = lmdb_seek(&store->log, cursor, TEXT_NONE, MDB_LAST, &key, NULL, err);
	*out = there > 0 ? store_key_number(key) : 0;
	return there < 0 ? -1 : 0;
}

int lmdb_gap_put(struct store *base, struct gap *gap, struct error *err)
{
	struct store_lmdb *store = lmdb_of(base);
	AUTO(mdb_txn_abort) MDB_txn *txn = NULL;
	AUTO(buf_free) struct buf *value = buf_new(1024 * 1024);
	struct gap_head head = { gap->from_ms, gap->until_ms, gap->after_seq, "" };
	uint64_t id = gap->id;
	struct store_key key;
	int rc;

	snprintf(head.watch, sizeof(head.watch), "%s", gap->watch);
	if (head.after_seq == GAP_AFTER_ALL) {
		pthread_mutex_lock(&store->append_lock);
		head.after_seq = store->next_seq - 1;
		pthread_mutex_unlock(&store->append_lock);
	}
	if (!buf_append(value, &head, sizeof(head)) ||
	    !buf_append(value, gap->reason, gap->reason ? strlen(gap->reason) : 0))
		return error_set(err, "the reason of a gap is too long");
	if (lmdb_begin(&store->log, true, &txn, err) < 0)
		return -1;
	if (!id) {
		if (last_id(store, txn, &id, err) < 0)
			return -1;
		id++;
	}
	key = store_key(id);
	if (lmdb_put(&store->log, txn, store->gaps, lmdb_key(&key), buf_text(value), 0, err) < 0)
		return -1;
	if ((rc = mdb_txn_commit(TAKE(txn))))
		return lmdb_fail(&store->log, rc, err);
	gap->id = id;
	return 0;
}

int lmdb_gap_visit(struct store *base, void (*visit)(void *ctx, const struct gap *gap), void *ctx,
		   struct error *err)
{
	struct store_lmdb *store = lmdb_of(base);
	AUTO(mdb_txn_abort) MDB_txn *txn = NULL;
	AUTO(mdb_cursor_close) MDB_cursor *cursor = NULL;
	struct text key, value;
	int there;

	if (lmdb_begin(&store->log, false, &txn, err) < 0 ||
	    lmdb_cursor(&store->log, txn, store->gaps, &cursor, err) < 0)
		return -1;
	while ((there = lmdb_seek(&store->log, cursor, TEXT_NONE, MDB_NEXT, &key, &value, err)) >
	       0) {
		AUTO(free) char *reason = NULL;
		struct gap gap = { .id = store_key_number(key) };
		struct gap_head head;

		if (value.size < sizeof(head))
			return lmdb_fail(&store->log, MDB_CORRUPTED, err);
		memcpy(&head, value.data, sizeof(head));
		reason = str_copy_n(value.data + sizeof(head), value.size - sizeof(head));
		gap.from_ms = head.from_ms;
		gap.until_ms = head.until_ms;
		gap.after_seq = head.after_seq;
		snprintf(gap.watch, sizeof(gap.watch), "%.*s", (int)sizeof(head.watch), head.watch);
		gap.reason = reason;
		visit(ctx, &gap);
	}
	return there;
}

int lmdb_gaps_trim(struct store_lmdb *store, MDB_txn *txn, struct error *err)
{
	AUTO(mdb_cursor_close) MDB_cursor *cursor = NULL;
	struct text key, value;
	int there = 1, rc;

	if (lmdb_cursor(&store->log, txn, store->gaps, &cursor, err) < 0)
		return -1;
	while (lmdb_entries(txn, store->gaps) > GAPS_KEPT) {
		struct gap_head head = { 0 };

		there = lmdb_seek(&store->log, cursor, TEXT_NONE, MDB_FIRST, &key, &value, err);
		if (there <= 0)
			return there;
		memcpy(&head, value.data, MIN(value.size, sizeof(head)));
		if (!head.until_ms)
			break; /* still open */
		if ((rc = mdb_cursor_del(cursor, 0)))
			return lmdb_fail(&store->log, rc, err);
	}
	return 0;
}

/* Beside the names of our own in the same database. */
static char *note_key(const char *name)
{
	return str_format("note/%s", name);
}

int lmdb_note_put(struct store *base, const char *name, struct text value, struct error *err)
{
	struct store_lmdb *store = lmdb_of(base);
	AUTO(free) char *key = note_key(name);
	AUTO(mdb_txn_abort) MDB_txn *txn = NULL;
	int rc;

	if (lmdb_begin(&store->log, true, &txn, err) < 0 ||
	    lmdb_put(&store->log, txn, store->notes, text_of(key), value, 0, err) < 0)
		return -1;
	rc = mdb_txn_commit(TAKE(txn));
	return rc ? lmdb_fail(&store->log, rc, err) : 0;
}

int lmdb_note_get(struct store *base, const char *name, char **out, struct error *err)
{
	struct store_lmdb *store = lmdb_of(base);
	AUTO(free) char *key = note_key(name);
	AUTO(mdb_txn_abort) MDB_txn *txn = NULL;
	struct text value;
	int there;

	if (lmdb_begin(&store->log, false, &txn, err) < 0)
		return -1;
	there = lmdb_get(&store->log, txn, store->notes, text_of(key), &value, err);
	if (there < 0)
		return -1;
	*out = there ? text_copy(value) : NULL;
	return 0;
}
