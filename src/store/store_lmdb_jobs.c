/*
 * store_lmdb_jobs: jobs of the embedded store.
 *
 * `ready` holds only what may be taken as far as order is concerned: of each file the one job whose
 * turn it is (its first, unless a dead letter with a lower id came back meanwhile) and the jobs
 * without a file. So taking never walks over jobs that wait for others, and what it walks
 * over are the few that are taken now.
 */
#include "store/store_lmdb_job.h"

#define FILE_KEY_MAX 256 /* a longer file id is shortened to this much, and a digest */

/* (file id, id). Two long ids with the same digest would share an order, which harms nobody. */
struct file_key {
	char bytes[FILE_KEY_MAX + 16 + 1 + 8];
	size_t prefix_size; /* all but the id */
};

static void file_key_init(struct file_key *key, struct text file_id, uint64_t id)
{
	struct store_key number = store_key(id);
	size_t size = MIN(file_id.size, FILE_KEY_MAX);

	memcpy(key->bytes, file_id.data, size);
	if (file_id.size > FILE_KEY_MAX) {
		uint64_t digest = 14695981039346656037ull; /* FNV-1a */
		struct store_key digest_key;

		for (size_t i = 0; i < file_id.size; i++)
			digest = (digest ^ (unsigned char)file_id.data[i]) * 1099511628211ull;
		digest_key = store_key(digest);
		memcpy(key->bytes + size, &digest_key, sizeof(digest_key));
		size += sizeof(digest_key);
	}
	key->bytes[size++] = 0;
	key->prefix_size = size;
	memcpy(key->bytes + size, &number, sizeof(number));
}

static struct text file_key_text(const struct file_key *key)
{
	return (struct text){ key->bytes, key->prefix_size + 8 };
}

/* ---- Putting ---- */

static int next_id(struct store_lmdb *store, MDB_txn *txn, uint64_t *out, struct error *err)
{
	struct text value;
	struct store_key number;
	int there = lmdb_get(&store->state, txn, store->counters, TEXT("job"), &value, err);

	if (there < 0)
		return -1;
	*out = there ? store_key_number(value) + 1 : 1;
	number = store_key(*out);
	return lmdb_put(&store->state, txn, store->counters, TEXT("job"), lmdb_key(&number), 0,
			err);
}

/* The id of the file's first job in *out; 0: it has none. */
static int first_of_file(struct store_lmdb *store, MDB_txn *txn, struct text file_id, uint64_t *out,
			 struct error *err)
{
	AUTO(mdb_cursor_close) MDB_cursor *cursor = NULL;
	struct file_key from;
	struct text key;
	int there;

	*out = 0;
	file_key_init(&from, file_id, 0);
	if (lmdb_cursor(&store->state, txn, store->files, &cursor, err) < 0)
		return -1;
	there = lmdb_seek(&store->state, cursor, file_key_text(&from), MDB_SET_RANGE, &key, NULL,
			  err);
	if (there > 0 && key.size == from.prefix_size + 8 &&
	    memcmp(key.data, from.bytes, from.prefix_size) == 0)
		*out = store_key_number((struct text){ key.data + from.prefix_size, 8 });
	return there < 0 ? -1 : 0;
}

static int put_ready(struct store_lmdb *store, MDB_txn *txn, int64_t due_ms, uint64_t id,
		     struct error *err)
{
	struct pair_key key = pair_key(due_ms, id);

	return lmdb_put(&store->state, txn, store->ready, pair_text(&key), TEXT(""), 0, err);
}

static int remove_ready(struct store_lmdb *store, MDB_txn *txn, int64_t due_ms, uint64_t id,
			struct error *err)
{
	struct pair_key key = pair_key(due_ms, id);

	return lmdb_delete(&store->state, txn, store->ready, pair_text(&key), err);
}

int lmdb_job_enqueue(struct store_lmdb *store, MDB_txn *txn, struct stored *job, unsigned flags,
		     struct error *err)
{
	struct store_key key = store_key(job->head.id);
	uint64_t first = 0;

	if (stored_put(store, txn, store->jobs, lmdb_key(&key), job, flags, err) < 0)
		return -1;
	if (job->file_id.size) {
		struct file_key file;

		if (first_of_file(store, txn, job->file_id, &first, err) < 0)
			return -1;
		file_key_init(&file, job->file_id, job->head.id);
		if (lmdb_put(&store->state, txn, store->files, file_key_text(&file), TEXT(""), 0,
			     err) < 0)
			return -1;
	}
	return first ? 0 : put_ready(store, txn, job->head.due_ms, job->head.id, err);
}

int lmdb_job_put(struct store_txn *base, const struct job *job, uint64_t *out_id, struct error *err)
{
	struct lmdb_txn *txn = lmdb_txn_of(base);
	struct store_lmdb *store = lmdb_of(base->store);
	struct stored stored = {
		.head = { .due_ms = job->due_ms, .attempts = job->attempts },
		.file_id = text_of(job->file_id),
		.body = text_of(job->body),
	};

	if (txn->is_full)
		return lmdb_state_full(store, err);
	if (next_id(store, txn->txn, &stored.head.id, err) < 0 ||
	    lmdb_job_enqueue(store, txn->txn, &stored, MDB_APPEND, err) < 0)
		return -1;
	*out_id = stored.head.id;
	return 0;
}

/* ---- The ways on ---- */

static void remember_change(struct lmdb_txn *txn, uint64_t id, int64_t lease_ms)
{
	txn->changes = mem_grow(txn->changes, txn->change_count + 1, sizeof(*txn->changes));
	txn->changes[txn->change_count++] = (struct taken_change){ id, lease_ms };
}

/* Reads a taken job for writing; value (for free()) is a copy that stays valid. */
static int read_taken(struct lmdb_txn *txn, const struct job *job, char **value, struct stored *out,
		      struct error *err)
{
	struct store_lmdb *store = lmdb_of(txn->base.store);
	struct store_key key = store_key(job->id);
	struct text found;
	int there = lmdb_get(&store->state, txn->txn, store->jobs, lmdb_key(&key), &found, err);
	if (there < 0)
		return -1;
	if (!there || !lmdb_is_taken(store, job->id))
		return lmdb_not_taken(job->id, err);
	*value = text_copy(found);
	if (stored_decode(store, (struct text){ *value, found.size }, out, err) < 0)
		return -1;
	out->head.attempts = job->attempts;
	if (job->body)
		out->body = text_of(job->body);
	return 0;
}

int lmdb_job_save(struct store_txn *base, const struct job *job, int64_t lease_until_ms,
		  struct error *err)
{
	struct lmdb_txn *txn = lmdb_txn_of(base);
	struct store_lmdb *store = lmdb_of(base->store);
	struct store_key key = store_key(job->id);
	AUTO(free) char *value = NULL;
	struct stored stored;

	if (read_taken(txn, job, &value, &stored, err) < 0 ||
	    stored_put(store, txn->txn, store->jobs, lmdb_key(&key), &stored, 0, err) < 0)
		return -1;
	remember_change(txn, job->id, MAX(lease_until_ms, 1));
	return 0;
}

int lmdb_job_retry(struct store_txn *base, const struct job *job, struct error *err)
{
	struct lmdb_txn *txn = lmdb_txn_of(base);
	struct store_lmdb *store = lmdb_of(base->store);
	struct store_key key = store_key(job->id);
	AUTO(free) char *value = NULL;
	struct stored stored;

	if (read_taken(txn, job, &value, &stored, err) < 0 ||
	    remove_ready(store, txn->txn, stored.head.due_ms, job->id, err) < 0)
		return -1;
	stored.head.due_ms = job->due_ms;
	if (stored_put(store, txn->txn, store->jobs, lmdb_key(&key), &stored, 0, err) < 0 ||
	    put_ready(store, txn->txn, job->due_ms, job->id, err) < 0)
		return -1;
	remember_change(txn, job->id, 0);
	return 0;
}

/* Takes a job out of its file's order and lets the next one come. */
static int leave_file(struct store_lmdb *store, MDB_txn *txn, const struct stored *job,
		      struct error *err)
{
	struct file_key file;
	struct stored next;
	uint64_t id;
	int there;

	if (!job->file_id.size)
		return 0;
	file_key_init(&file, job->file_id, job->head.id);
	if (lmdb_delete(&store->state, txn, store->files, file_key_text(&file), err) < 0 ||
	    first_of_file(store, txn, job->file_id, &id, err) < 0)
		return -1;
	if (!id)
		return 0;
	if ((there = stored_read(store, txn, id, &next, err)) < 0)
		return -1;
	if (!there)
		return lmdb_fail(&store->state, MDB_CORRUPTED, err);
	return put_ready(store, txn, next.head.due_ms, id, err);
}

int lmdb_job_end(struct store_txn *base, const struct job *job, enum job_state state,
		 int64_t now_ms, struct error *err)
{
	struct lmdb_txn *txn = lmdb_txn_of(base);
	struct store_lmdb *store = lmdb_of(base->store);
	struct store_key key = store_key(job->id);
	struct pair_key ended = pair_key(now_ms, job->id);
	AUTO(free) char *value = NULL;
	struct stored stored;

	if (read_taken(txn, job, &value, &stored, err) < 0 ||
	    remove_ready(store, txn->txn, stored.head.due_ms, job->id, err) < 0 ||
	    lmdb_delete(&store->state, txn->txn, store->jobs, lmdb_key(&key), err) < 0 ||
	    leave_file(store, txn->txn, &stored, err) < 0)
		return -1;
	stored.head.ended_ms = now_ms;
	stored.outcome = text_of(job->outcome);
	if (stored_put(store, txn->txn, state == JOB_DONE ? store->history : store->dead,
		       pair_text(&ended), &stored, 0, err) < 0)
		return -1;
	remember_change(txn, job->id, 0);
	return 0;
}

/* ---- Looking ---- */

/* The lease matters only to who takes: until somebody does, a job is shown as taken. */
static bool is_shown(struct store_lmdb *store, uint64_t id, enum job_state state)
{
	if (state == JOB_DONE || state == JOB_DEAD)
		return true;
	return lmdb_is_taken(store, id) == (state == JOB_TAKEN);
}

int lmdb_job_visit(struct store *base, enum job_state state, size_t max,
		   bool (*visit)(void *ctx, const struct job *job), void *ctx, struct error *err)
{
	struct store_lmdb *store = lmdb_of(base);
	AUTO(mdb_txn_abort) MDB_txn *txn = NULL;
	AUTO(mdb_cursor_close) MDB_cursor *cursor = NULL;
	MDB_dbi dbi = state == JOB_DONE   ? store->history
		      : state == JOB_DEAD ? store->dead
					  : store->jobs;
	struct text key, value;
	int there = 0;

	if (lmdb_begin(&store->state, false, &txn, err) < 0 ||
	    lmdb_cursor(&store->state, txn, dbi, &cursor, err) < 0)
		return -1;
	while (max > 0 && (there = lmdb_seek(&store->state, cursor, TEXT_NONE, MDB_PREV, &key,
					     &value, err)) > 0) {
		struct stored stored;
		struct job job;
		bool go_on;

		if (stored_decode(store, value, &stored, err) < 0)
			return -1;
		if (!is_shown(store, stored.head.id, state))
			continue;
		stored_to_job(&stored, state, &job);
		go_on = visit(ctx, &job);
		job_clear(&job);
		if (!go_on)
			return 0;
		max--;
	}
	return there < 0 ? -1 : 0;
}

int lmdb_job_count(struct store_lmdb *store, struct store_counts *out, struct error *err)
{
	AUTO(mdb_txn_abort) MDB_txn *txn = NULL;
	uint64_t jobs;

	pthread_mutex_lock(&store->taken_lock);
	out->jobs_taken = HASH_COUNT(store->taken);
	if (lmdb_begin(&store->state, false, &txn, err) < 0) {
		pthread_mutex_unlock(&store->taken_lock);
		return -1;
	}
	pthread_mutex_unlock(&store->taken_lock);
	jobs = lmdb_entries(txn, store->jobs);
	out->jobs_taken = MIN(out->jobs_taken, jobs);
	out->jobs_waiting = jobs - out->jobs_taken;
	out->jobs_done = lmdb_entries(txn, store->history);
	out->jobs_dead = lmdb_entries(txn, store->dead);
	out->state_bytes = lmdb_state_bytes(store, txn);
	return 0;
}
