/*
 * store_lmdb_jobs: jobs of the embedded store.
 *
 * `ready` holds only what may be taken as far as order is concerned: the first job of each file and
 * the jobs without a file. So taking never walks over jobs that wait for others, and what it walks
 * over are the few that are taken now.
 */
#include "store/store_lmdb.h"

#define FILE_KEY_MAX 256 /* a longer file id is shortened to this much, and a digest */

struct job_head {
	int64_t due_ms;
	int64_t ended_ms;
	uint64_t id;
	uint32_t attempts;
	uint32_t file_id_size;
	uint32_t outcome_size;
	uint32_t unused;
};

/* (when, id): for ready, history and dead. */
struct pair_key {
	struct store_key when, id;
};

static struct pair_key pair_key(int64_t when_ms, uint64_t id)
{
	return (struct pair_key){ store_key((uint64_t)MAX(when_ms, 0)), store_key(id) };
}

static struct text pair_text(const struct pair_key *key)
{
	return (struct text){ (const char *)key, sizeof(*key) };
}

static uint64_t pair_id(struct text key)
{
	return key.size < 16 ? 0 : store_key_number((struct text){ key.data + 8, 8 });
}

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

/* ---- A job as bytes ---- */

struct stored {
	struct job_head head;
	struct text file_id, outcome, body; /* borrowed */
};

static int decode(const struct store_lmdb *store, struct text value, struct stored *out,
		  struct error *err)
{
	const char *at = value.data + sizeof(out->head);
	size_t rest;

	if (value.size < sizeof(out->head))
		return lmdb_fail(&store->state, MDB_CORRUPTED, err);
	memcpy(&out->head, value.data, sizeof(out->head));
	rest = value.size - sizeof(out->head);
	if (out->head.file_id_size > rest || out->head.outcome_size > rest - out->head.file_id_size)
		return lmdb_fail(&store->state, MDB_CORRUPTED, err);
	out->file_id = (struct text){ at, out->head.file_id_size };
	at += out->head.file_id_size;
	out->outcome = (struct text){ at, out->head.outcome_size };
	at += out->head.outcome_size;
	out->body = (struct text){ at, value.size - (size_t)(at - value.data) };
	return 0;
}

static int put_stored(struct store_lmdb *store, MDB_txn *txn, MDB_dbi dbi, struct text key,
		      struct stored *job, unsigned flags, struct error *err)
{
	size_t size = sizeof(job->head) + job->file_id.size + job->outcome.size + job->body.size;
	AUTO(free) char *value = mem_new(size);
	char *at = value + sizeof(job->head);

	if (size > UINT32_MAX / 2)
		return error_set(err, "a job of %zu bytes is too large", size);
	job->head.file_id_size = (uint32_t)job->file_id.size;
	job->head.outcome_size = (uint32_t)job->outcome.size;
	memcpy(value, &job->head, sizeof(job->head));
	if (job->file_id.size)
		memcpy(at, job->file_id.data, job->file_id.size);
	at += job->file_id.size;
	if (job->outcome.size)
		memcpy(at, job->outcome.data, job->outcome.size);
	at += job->outcome.size;
	if (job->body.size)
		memcpy(at, job->body.data, job->body.size);
	return lmdb_put(&store->state, txn, dbi, key, (struct text){ value, size }, flags, err);
}

static void to_job(const struct stored *stored, enum job_state state, struct job *out)
{
	*out = (struct job){
		.id = stored->head.id,
		.file_id = text_copy(stored->file_id),
		.due_ms = stored->head.due_ms,
		.attempts = stored->head.attempts,
		.state = state,
		.body = text_copy(stored->body),
		.outcome =
			state == JOB_DONE || state == JOB_DEAD ? text_copy(stored->outcome) : NULL,
		.ended_ms = stored->head.ended_ms,
	};
}

static int read_job(struct store_lmdb *store, MDB_txn *txn, uint64_t id, struct stored *out,
		    struct error *err)
{
	struct store_key key = store_key(id);
	struct text value;
	int there = lmdb_get(&store->state, txn, store->jobs, lmdb_key(&key), &value, err);

	if (there <= 0)
		return there;
	return decode(store, value, out, err) < 0 ? -1 : 1;
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

int lmdb_job_put(struct store_txn *base, const struct job *job, uint64_t *out_id, struct error *err)
{
	struct lmdb_txn *txn = lmdb_txn_of(base);
	struct store_lmdb *store = lmdb_of(base->store);
	struct stored stored = {
		.head = { .due_ms = job->due_ms, .attempts = job->attempts },
		.file_id = text_of(job->file_id),
		.body = text_of(job->body),
	};
	uint64_t id, first = 0;
	struct store_key key;

	if (txn->is_full)
		return lmdb_state_full(store, err);
	if (next_id(store, txn->txn, &id, err) < 0)
		return -1;
	stored.head.id = id;
	key = store_key(id);
	if (put_stored(store, txn->txn, store->jobs, lmdb_key(&key), &stored, MDB_APPEND, err) < 0)
		return -1;
	if (stored.file_id.size) {
		struct file_key file;

		if (first_of_file(store, txn->txn, stored.file_id, &first, err) < 0)
			return -1;
		file_key_init(&file, stored.file_id, id);
		if (lmdb_put(&store->state, txn->txn, store->files, file_key_text(&file), TEXT(""),
			     0, err) < 0)
			return -1;
	}
	if (!first && put_ready(store, txn->txn, job->due_ms, id, err) < 0)
		return -1;
	*out_id = id;
	return 0;
}

/* ---- Taking ---- */

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
static int take(struct store_lmdb *store, int64_t now_ms, int64_t lease_ms, struct job *out,
		struct error *err)
{
	AUTO(mdb_txn_abort) MDB_txn *txn = NULL;
	AUTO(mdb_cursor_close) MDB_cursor *cursor = NULL;
	struct text key;
	int there;

	if (lmdb_begin(&store->state, false, &txn, err) < 0 ||
	    lmdb_cursor(&store->state, txn, store->ready, &cursor, err) < 0)
		return -1;
	while ((there = lmdb_seek(&store->state, cursor, TEXT_NONE, MDB_NEXT, &key, NULL, err)) >
		       0 &&
	       (int64_t)store_key_number(key) <= now_ms) {
		uint64_t id = pair_id(key);
		struct taken *entry = find_taken(store, id);
		struct stored stored;

		if (entry && entry->lease_ms > now_ms)
			continue;
		if ((there = read_job(store, txn, id, &stored, err)) < 0)
			return -1;
		if (!there)
			return lmdb_fail(&store->state, MDB_CORRUPTED, err);
		set_taken(store, id, now_ms + lease_ms);
		to_job(&stored, JOB_TAKEN, out);
		return 1;
	}
	return there < 0 ? -1 : 0;
}

int lmdb_job_take(struct store *base, int64_t now_ms, int64_t lease_ms, struct job *out,
		  struct error *err)
{
	struct store_lmdb *store = lmdb_of(base);
	int rc;

	pthread_mutex_lock(&store->taken_lock);
	rc = take(store, now_ms, lease_ms, out, err);
	pthread_mutex_unlock(&store->taken_lock);
	return rc;
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

static int not_taken(uint64_t id, struct error *err)
{
	return error_set(err, "job %llu is not taken", (unsigned long long)id);
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
	return entry ? 0 : not_taken(id, err);
}

int lmdb_job_release_all(struct store *base, struct error *err)
{
	lmdb_taken_clear(lmdb_of(base));
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
	bool is_taken;
	int there;

	pthread_mutex_lock(&store->taken_lock);
	is_taken = find_taken(store, job->id);
	pthread_mutex_unlock(&store->taken_lock);
	there = lmdb_get(&store->state, txn->txn, store->jobs, lmdb_key(&key), &found, err);
	if (there < 0)
		return -1;
	if (!is_taken || !there)
		return not_taken(job->id, err);
	*value = text_copy(found);
	if (decode(store, (struct text){ *value, found.size }, out, err) < 0)
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
	    put_stored(store, txn->txn, store->jobs, lmdb_key(&key), &stored, 0, err) < 0)
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
	if (put_stored(store, txn->txn, store->jobs, lmdb_key(&key), &stored, 0, err) < 0 ||
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
	if ((there = read_job(store, txn, id, &next, err)) < 0)
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
	if (put_stored(store, txn->txn, state == JOB_DONE ? store->history : store->dead,
		       pair_text(&ended), &stored, 0, err) < 0)
		return -1;
	remember_change(txn, job->id, 0);
	return 0;
}

/* ---- Looking ---- */

/* The lease matters only to who takes: until somebody does, a job is shown as taken. */
static bool is_shown(struct store_lmdb *store, uint64_t id, enum job_state state)
{
	bool is_taken;

	if (state == JOB_DONE || state == JOB_DEAD)
		return true;
	pthread_mutex_lock(&store->taken_lock);
	is_taken = find_taken(store, id);
	pthread_mutex_unlock(&store->taken_lock);
	return is_taken == (state == JOB_TAKEN);
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

		if (decode(store, value, &stored, err) < 0)
			return -1;
		if (!is_shown(store, stored.head.id, state))
			continue;
		to_job(&stored, state, &job);
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
