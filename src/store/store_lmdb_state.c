/* store_lmdb_state: transactions on the state and its spaces. */
#include "base/clock.h"
#include "store/store_lmdb.h"

#define TRIM_ENTRIES 20000 /* in one transaction, and not longer than: */
#define TRIM_MS 20

int64_t lmdb_state_bytes(const struct store_lmdb *store, MDB_txn *txn)
{
	const MDB_dbi dbis[] = { store->jobs,    store->ready, store->files,
				 store->history, store->dead,  store->counters };

	return lmdb_bytes(txn, dbis, ARRAY_SIZE(dbis)) +
	       lmdb_bytes(txn, store->spaces, SPACE_COUNT);
}

int lmdb_state_full(const struct store_lmdb *store, struct error *err)
{
	return error_set(
		err,
		"store %s is full: %lld bytes of jobs that wait, dead letters and history; "
		"see what keeps the actions, clear the dead letters, or raise [STORE] "
		"MAX_SIZE",
		store->state.path, (long long)store->state.max_bytes);
}

int lmdb_state_begin(struct store *base, struct store_txn **out, struct error *err)
{
	struct store_lmdb *store = lmdb_of(base);
	struct lmdb_txn *txn = NEW(struct lmdb_txn);

	if (lmdb_begin(&store->state, true, &txn->txn, err) < 0) {
		free(txn);
		return -1;
	}
	txn->is_full = lmdb_state_bytes(store, txn->txn) > store->state.max_bytes;
	*out = &txn->base;
	return 0;
}

static void free_txn(struct lmdb_txn *txn)
{
	free(txn->changes);
	free(txn);
}

int lmdb_state_commit(struct store_txn *base, struct error *err)
{
	struct lmdb_txn *txn = lmdb_txn_of(base);
	struct store_lmdb *store = lmdb_of(base->store);
	int rc;

	store_point("state.commit.before");
	if ((rc = mdb_txn_commit(txn->txn))) {
		free_txn(txn);
		return lmdb_fail(&store->state, rc, err);
	}
	store_point("state.commit.after");
	lmdb_taken_apply(store, txn->changes, txn->change_count);
	free_txn(txn);
	return 0;
}

void lmdb_state_abort(struct store_txn *base)
{
	struct lmdb_txn *txn = lmdb_txn_of(base);

	mdb_txn_abort(txn->txn);
	free_txn(txn);
}

int lmdb_state_put(struct store_txn *base, enum store_space space, struct text key,
		   struct text value, struct error *err)
{
	struct lmdb_txn *txn = lmdb_txn_of(base);
	struct store_lmdb *store = lmdb_of(base->store);

	/* What grows with the events is refused; cursors and expectations are needed to get out of
	 * it again. */
	if (txn->is_full && space == SPACE_LABELS)
		return lmdb_state_full(store, err);
	return lmdb_put(&store->state, txn->txn, store->spaces[space], key, value, 0, err);
}

int lmdb_state_remove(struct store_txn *base, enum store_space space, struct text key,
		      struct error *err)
{
	struct store_lmdb *store = lmdb_of(base->store);

	return lmdb_delete(&store->state, lmdb_txn_of(base)->txn, store->spaces[space], key, err);
}

static int get(struct store_lmdb *store, MDB_txn *txn, enum store_space space, struct text key,
	       char **out, size_t *out_size, struct error *err)
{
	struct text value;
	int there = lmdb_get(&store->state, txn, store->spaces[space], key, &value, err);

	if (there < 0)
		return -1;
	*out = there ? text_copy(value) : NULL;
	if (out_size)
		*out_size = there ? value.size : 0;
	return 0;
}

int lmdb_state_get(struct store_txn *base, enum store_space space, struct text key, char **out,
		   size_t *out_size, struct error *err)
{
	return get(lmdb_of(base->store), lmdb_txn_of(base)->txn, space, key, out, out_size, err);
}

int lmdb_state_peek(struct store *base, enum store_space space, struct text key, char **out,
		    size_t *out_size, struct error *err)
{
	struct store_lmdb *store = lmdb_of(base);
	AUTO(mdb_txn_abort) MDB_txn *txn = NULL;

	if (lmdb_begin(&store->state, false, &txn, err) < 0)
		return -1;
	return get(store, txn, space, key, out, out_size, err);
}

static int scan(struct store_lmdb *store, MDB_txn *txn, enum store_space space, struct text from,
		bool (*visit)(void *ctx, struct text key, struct text value), void *ctx,
		struct error *err)
{
	AUTO(mdb_cursor_close) MDB_cursor *cursor = NULL;
	MDB_cursor_op op = MDB_SET_RANGE;
	struct text key, value;
	int there;

	if (lmdb_cursor(&store->state, txn, store->spaces[space], &cursor, err) < 0)
		return -1;
	while ((there = lmdb_seek(&store->state, cursor, from, op, &key, &value, err)) > 0 &&
	       visit(ctx, key, value))
		op = MDB_NEXT;
	return there < 0 ? -1 : 0;
}

int lmdb_state_scan(struct store_txn *base, enum store_space space, struct text from,
		    bool (*visit)(void *ctx, struct text key, struct text value), void *ctx,
		    struct error *err)
{
	return scan(lmdb_of(base->store), lmdb_txn_of(base)->txn, space, from, visit, ctx, err);
}

int lmdb_state_peek_scan(struct store *base, enum store_space space, struct text from,
			 bool (*visit)(void *ctx, struct text key, struct text value), void *ctx,
			 struct error *err)
{
	struct store_lmdb *store = lmdb_of(base);
	AUTO(mdb_txn_abort) MDB_txn *txn = NULL;

	if (lmdb_begin(&store->state, false, &txn, err) < 0)
		return -1;
	return scan(store, txn, space, from, visit, ctx, err);
}

/* ---- Trimming: both databases have keys that begin with a number, and the low ones go ---- */

struct front {
	MDB_dbi dbi;
	uint64_t before;
};

static int is_front_due(struct store_lmdb *store, MDB_txn *txn, const struct front *front,
			struct error *err)
{
	AUTO(mdb_cursor_close) MDB_cursor *cursor = NULL;
	struct text key;
	int there;

	if (lmdb_cursor(&store->state, txn, front->dbi, &cursor, err) < 0)
		return -1;
	there = lmdb_seek(&store->state, cursor, TEXT_NONE, MDB_FIRST, &key, NULL, err);
	return there <= 0 ? there : store_key_number(key) < front->before;
}

/* 1: stopped before the end. */
static int drop_front(struct store_lmdb *store, MDB_txn *txn, const struct front *front,
		      size_t *count, int64_t until_ms, struct error *err)
{
	AUTO(mdb_cursor_close) MDB_cursor *cursor = NULL;
	struct text key;
	int there, rc;

	if (lmdb_cursor(&store->state, txn, front->dbi, &cursor, err) < 0)
		return -1;
	while ((there = lmdb_seek(&store->state, cursor, TEXT_NONE, MDB_FIRST, &key, NULL, err)) >
		       0 &&
	       store_key_number(key) < front->before) {
		if (*count == TRIM_ENTRIES || (*count && clock_monotonic_ms() > until_ms))
			return 1;
		if ((rc = mdb_cursor_del(cursor, 0)))
			return lmdb_fail(&store->state, rc, err);
		++*count;
	}
	return there < 0 ? -1 : 0;
}

static int any_front_due(struct store_lmdb *store, const struct front *fronts, size_t count,
			 struct error *err)
{
	AUTO(mdb_txn_abort) MDB_txn *txn = NULL;
	int due = 0;

	if (lmdb_begin(&store->state, false, &txn, err) < 0)
		return -1;
	for (size_t i = 0; i < count && !due; i++)
		due = is_front_due(store, txn, &fronts[i], err);
	return due;
}

/* Labels of records up to this one can go. */
static int first_label(struct store *base, uint64_t *out, struct error *err)
{
	uint64_t first, last, cursor;

	if (lmdb_log_range(base, &first, &last, err) < 0 ||
	    store_cursor_get(base, &cursor, err) < 0)
		return -1;
	*out = first ? first : cursor + 1;
	return 0;
}

int lmdb_state_trim(struct store *base, int64_t now_ms, struct error *err)
{
	struct store_lmdb *store = lmdb_of(base);
	AUTO(mdb_txn_abort) MDB_txn *txn = NULL;
	int64_t until_ms = clock_monotonic_ms() + TRIM_MS;
	struct front fronts[] = {
		{ store->history, (uint64_t)MAX(now_ms - store->retention_ms, 0) },
		{ store->spaces[SPACE_LABELS], 0 },
	};
	size_t count = 0;
	int rc, more = 0;

	lmdb_forget_dead_readers(&store->state);
	if (first_label(base, &fronts[1].before, err) < 0)
		return -1;
	if ((rc = any_front_due(store, fronts, ARRAY_SIZE(fronts), err)) <= 0)
		return rc;
	if (lmdb_begin(&store->state, true, &txn, err) < 0)
		return -1;
	for (size_t i = 0; i < ARRAY_SIZE(fronts); i++) {
		if ((rc = drop_front(store, txn, &fronts[i], &count, until_ms, err)) < 0)
			return -1;
		more |= rc;
	}
	rc = mdb_txn_commit(TAKE(txn));
	return rc ? lmdb_fail(&store->state, rc, err) : more;
}
