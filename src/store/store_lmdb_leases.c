/*
 * store_lmdb_leases: which jobs of the embedded store are taken, and the taking.
 */
#include "store/store_lmdb_job.h"

static struct taken *find_taken(struct store_lmdb *store, uint64_t id)
{
	struct taken *found;

	HASH_FIND(hh, store->taken, &id, sizeof(id), found);
	return found;
}

static void set_taken(struct store_lmdb *store, uint64_t id, int64_t lease_ms)
{
	struct taken *entry = find_taken(store, id);

	if (!entry) {
		entry = NEW(struct taken);
		entry->id = id;
		HASH_ADD(hh, store->taken, id, sizeof(id), entry);
	}
	entry->lease_ms = lease_ms;
}

static void forget_taken(struct store_lmdb *store, struct taken *entry)
{
	HASH_DEL(store->taken, entry);
	free(entry);
}

void lmdb_taken_apply(struct store_lmdb *store, const struct taken_change *changes, size_t count)
{
	pthread_mutex_lock(&store->taken_lock);
	for (size_t i = 0; i < count; i++) {
		struct taken *entry = find_taken(store, changes[i].id);

		if (entry && !changes[i].lease_ms)
			forget_taken(store, entry);
		else if (entry)
			entry->lease_ms = changes[i].lease_ms;
	}
	pthread_mutex_unlock(&store->taken_lock);
}

void lmdb_taken_clear(struct store_lmdb *store)
{
	struct taken *entry, *next;

	pthread_mutex_lock(&store->taken_lock);
	HASH_ITER(hh, store->taken, entry, next)
	{
		forget_taken(store, entry);
	}
	pthread_mutex_unlock(&store->taken_lock);
}

/*
 * Under the lock, and with a snapshot that began under it: a job that ended is forgotten only after
 * its transaction was committed, so a snapshot from before that still finds it taken.
 */
static int64_t take(struct store_lmdb *store, int64_t now_ms, int64_t lease_ms, struct job *out,
		    size_t most, struct error *err)
{
	AUTO(mdb_txn_abort) MDB_txn *txn = NULL;
	AUTO(mdb_cursor_close) MDB_cursor *cursor = NULL;
	struct text key;
	size_t count = 0;
	int there = 0;

	if (lmdb_begin(&store->state, false, &txn, err) < 0 ||
	    lmdb_cursor(&store->state, txn, store->ready, &cursor, err) < 0)
		return -1;
	while (count < most &&
	       (there = lmdb_seek(&store->state, cursor, TEXT_NONE, MDB_NEXT, &key, NULL, err)) >
		       0 &&
	       (int64_t)store_key_number(key) <= now_ms) {
		uint64_t id = pair_id(key);
		struct taken *entry = find_taken(store, id);
		struct stored stored;

		if (entry && entry->lease_ms > now_ms)
			continue;
		if ((there = stored_read(store, txn, id, &stored, err)) <= 0) {
			if (there == 0)
				lmdb_fail(&store->state, MDB_CORRUPTED, err);
			there = -1;
			break;
		}
		set_taken(store, id, now_ms + lease_ms);
		stored_to_job(&stored, JOB_TAKEN, &out[count++]);
	}
	/* What was taken before the failure is handed out. */
	if (there < 0 && count)
		error_clear(err);
	return there < 0 && !count ? -1 : (int64_t)count;
}

int64_t lmdb_job_take(struct store *base, int64_t now_ms, int64_t lease_ms, struct job *out,
		      size_t most, struct error *err)
{
	struct store_lmdb *store = lmdb_of(base);
	int64_t count;

	pthread_mutex_lock(&store->taken_lock);
	count = take(store, now_ms, lease_ms, out, most, err);
	pthread_mutex_unlock(&store->taken_lock);
	return count;
}

static int next_due(struct store_lmdb *store, int64_t *out_ms, struct error *err)
{
	AUTO(mdb_txn_abort) MDB_txn *txn = NULL;
	AUTO(mdb_cursor_close) MDB_cursor *cursor = NULL;
	struct taken *entry, *next;
	struct text key;
	int64_t due_ms = INT64_MAX;
	int there;

	if (lmdb_begin(&store->state, false, &txn, err) < 0 ||
	    lmdb_cursor(&store->state, txn, store->ready, &cursor, err) < 0)
		return -1;
	while ((there = lmdb_seek(&store->state, cursor, TEXT_NONE, MDB_NEXT, &key, NULL, err)) >
	       0) {
		if (find_taken(store, pair_id(key)))
			continue;
		due_ms = (int64_t)store_key_number(key);
		break;
	}
	if (there < 0)
		return -1;
	HASH_ITER(hh, store->taken, entry, next)
	{
		due_ms = MIN(due_ms, entry->lease_ms);
	}
	*out_ms = due_ms == INT64_MAX ? 0 : MAX(due_ms, 1); /* 0 has a meaning of its own */
	return 0;
}

int lmdb_job_next_due(struct store *base, int64_t *out_ms, struct error *err)
{
	struct store_lmdb *store = lmdb_of(base);
	int rc;

	pthread_mutex_lock(&store->taken_lock);
	rc = next_due(store, out_ms, err);
	pthread_mutex_unlock(&store->taken_lock);
	return rc;
}

int lmdb_not_taken(uint64_t id, struct error *err)
{
	return error_set(err, "job %llu is not taken", (unsigned long long)id);
}

bool lmdb_is_taken(struct store_lmdb *store, uint64_t id)
{
	bool is_taken;

	pthread_mutex_lock(&store->taken_lock);
	is_taken = find_taken(store, id);
	pthread_mutex_unlock(&store->taken_lock);
	return is_taken;
}

int lmdb_job_is_ours(struct store *base, uint64_t id, struct error *err)
{
	return lmdb_is_taken(lmdb_of(base), id);
}

int lmdb_job_prolong(struct store *base, uint64_t id, int64_t lease_until_ms, struct error *err)
{
	struct store_lmdb *store = lmdb_of(base);
	struct taken *entry;

	pthread_mutex_lock(&store->taken_lock);
	entry = find_taken(store, id);
	if (entry)
		entry->lease_ms = lease_until_ms;
	pthread_mutex_unlock(&store->taken_lock);
	return entry ? 0 : lmdb_not_taken(id, err);
}

int lmdb_job_release_all(struct store *base, struct error *err)
{
	lmdb_taken_clear(lmdb_of(base));
	return 0;
}
