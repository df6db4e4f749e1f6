/*
 * store_lmdb_dead: dead letters of the embedded store, once somebody decided about them.
 */
#include "store/store_lmdb_job.h"

/* Keys alone are looked through, from the newest: there are few, and a person asks. 1: found. */
static int find_by_id(struct store_lmdb *store, MDB_cursor *cursor, uint64_t id, struct text *value,
		      struct error *err)
{
	struct text key;
	int there;

	while ((there = lmdb_seek(&store->state, cursor, TEXT_NONE, MDB_PREV, &key, value, err)) >
	       0)
		if (pair_id(key) == id)
			return 1;
	return there;
}

int lmdb_dead_get(struct store *base, uint64_t id, struct job *out, struct error *err)
{
	struct store_lmdb *store = lmdb_of(base);
	AUTO(mdb_txn_abort) MDB_txn *txn = NULL;
	AUTO(mdb_cursor_close) MDB_cursor *cursor = NULL;
	struct stored stored;
	struct text value;
	int there;

	if (lmdb_begin(&store->state, false, &txn, err) < 0 ||
	    lmdb_cursor(&store->state, txn, store->dead, &cursor, err) < 0 ||
	    (there = find_by_id(store, cursor, id, &value, err)) < 0)
		return -1;
	if (!there)
		return 0;
	if (stored_decode(store, value, &stored, err) < 0)
		return -1;
	stored_to_job(&stored, JOB_DEAD, out);
	return 1;
}

/* Takes it out; copy (for free()) is what stored points into. 1: it was there. */
static int remove_dead(struct store_lmdb *store, MDB_txn *txn, const struct job *job, char **copy,
		       struct stored *stored, struct error *err)
{
	struct pair_key key = pair_key(job->ended_ms, job->id);
	struct text value;
	int there = lmdb_get(&store->state, txn, store->dead, pair_text(&key), &value, err);

	if (there <= 0)
		return there;
	*copy = text_copy(value);
	if (stored_decode(store, (struct text){ *copy, value.size }, stored, err) < 0 ||
	    lmdb_delete(&store->state, txn, store->dead, pair_text(&key), err) < 0)
		return -1;
	return 1;
}

int lmdb_dead_retry(struct store_txn *base, const struct job *job, struct error *err)
{
	struct store_lmdb *store = lmdb_of(base->store);
	MDB_txn *txn = lmdb_txn_of(base)->txn;
	AUTO(free) char *copy = NULL;
	struct stored stored;
	int there = remove_dead(store, txn, job, &copy, &stored, err);

	if (there <= 0)
		return there;
	stored.head.due_ms = job->due_ms;
	stored.head.ended_ms = 0;
	stored.head.attempts = 0;
	stored.outcome = TEXT_NONE;
	return lmdb_job_enqueue(store, txn, &stored, 0, err) < 0 ? -1 : 1;
}

int lmdb_dead_drop(struct store_txn *base, const struct job *job, int64_t now_ms, struct error *err)
{
	struct store_lmdb *store = lmdb_of(base->store);
	MDB_txn *txn = lmdb_txn_of(base)->txn;
	struct pair_key ended = pair_key(now_ms, job->id);
	AUTO(free) char *copy = NULL;
	struct stored stored;
	int there = remove_dead(store, txn, job, &copy, &stored, err);

	if (there <= 0)
		return there;
	stored.head.ended_ms = now_ms;
	stored.outcome = text_of(job->outcome);
	return stored_put(store, txn, store->history, pair_text(&ended), &stored, 0, err) < 0 ? -1
											      : 1;
}
