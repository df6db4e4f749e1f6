/* store: picks the implementation, wakes the roles, and what is the same for every implementation.
 */
#include "store/store.h"

#include <assert.h>
#include <stdatomic.h>

#include "base/clock.h"
#include "store/chain.h"
#include "store/store_type.h"

static const struct store_type *const store_types[] = {
	&store_lmdb,
	&store_redis,
	&store_rediss,
	&store_redis_unix,
};

static void (*_Atomic point_listener)(const char *point);

void store_on_point(void (*reached)(const char *point))
{
	atomic_store(&point_listener, reached);
}

void store_point(const char *point)
{
	void (*reached)(const char *) = atomic_load(&point_listener);

	if (reached)
		reached(point);
}

struct store_key store_key(uint64_t number)
{
	struct store_key key;

	for (int i = 0; i < 8; i++)
		key.bytes[i] = (char)(number >> (56 - 8 * i));
	return key;
}

uint64_t store_key_number(struct text key)
{
	uint64_t number = 0;

	if (key.size < 8)
		return 0;
	for (int i = 0; i < 8; i++)
		number = number << 8 | (unsigned char)key.data[i];
	return number;
}

static struct text key_text(const struct store_key *key)
{
	return (struct text){ key->bytes, sizeof(key->bytes) };
}

int store_open(struct store **out, const struct store_settings *settings, struct error *err)
{
	struct text place = text_of(settings->url);
	struct text scheme = text_cut(&place, ':');
	struct store *store;

	for (size_t i = 0; i < ARRAY_SIZE(store_types); i++) {
		if (!text_is(scheme, store_types[i]->scheme))
			continue;
		if (!place.size)
			break;
		if (store_types[i]->open(&store, settings, place.data, err) < 0)
			return -1;
		store->type = store_types[i];
		*out = store;
		return 0;
	}
	return error_set(err,
			 "store: expected a URL like embedded:/var/lib/cn_monitor, and found "
			 "the kind '%.*s'",
			 TEXT_ARGS(scheme));
}

void store_close(struct store *store)
{
	if (!store)
		return;
	store->type->close(store);
}

void store_init(struct store *store, const struct store_settings *settings)
{
	store->member = settings->member ? str_copy(settings->member) : NULL;
	store->reads_only = settings->reads_only;
	pthread_mutex_init(&store->wake_lock, NULL);
}

static int refuse_to_write(const struct store *store, struct error *err)
{
	return store->reads_only ? error_set(err, "the store was opened for reading only") : 0;
}

void store_clear(struct store *store)
{
	pthread_mutex_destroy(&store->wake_lock);
	free(store->member);
}

void store_on_wake(struct store *store, enum store_role role, void (*wake)(void *ctx), void *ctx)
{
	pthread_mutex_lock(&store->wake_lock);
	store->wakes[role].wake = wake;
	store->wakes[role].ctx = ctx;
	pthread_mutex_unlock(&store->wake_lock);
}

void store_wake(struct store *store, enum store_role role)
{
	/* Called under the lock: once store_on_wake took a listener out, it is not called again. */
	pthread_mutex_lock(&store->wake_lock);
	if (store->wakes[role].wake)
		store->wakes[role].wake(store->wakes[role].ctx);
	pthread_mutex_unlock(&store->wake_lock);
}

void store_on_message(struct store *store, void (*heard)(void *ctx, struct text message), void *ctx)
{
	pthread_mutex_lock(&store->wake_lock);
	store->heard = heard;
	store->heard_ctx = ctx;
	pthread_mutex_unlock(&store->wake_lock);
}

void store_hear(struct store *store, struct text message)
{
	pthread_mutex_lock(&store->wake_lock);
	if (store->heard)
		store->heard(store->heard_ctx, message);
	pthread_mutex_unlock(&store->wake_lock);
}

int store_log_append(struct store *store, const struct record *record, uint64_t *out_seq,
		     struct error *err)
{
	if (refuse_to_write(store, err) < 0)
		return -1;
	return store->type->log_append(store, record, out_seq, err);
}

int store_log_commit(struct store *store, struct error *err)
{
	if (refuse_to_write(store, err) < 0)
		return -1;
	return store->type->log_commit(store, err);
}

int store_log_drain(struct store *store, int64_t wait_ms, struct error *err)
{
	return store->type->log_drain(store, wait_ms, err);
}

int store_limit(struct store *store, int64_t max_bytes, int64_t retention_ms, struct error *err)
{
	return store->type->limit(store, max_bytes, retention_ms, err);
}

int64_t store_log_read(struct store *store, uint64_t after, size_t max_records, size_t max_bytes,
		       bool (*visit)(void *ctx, const struct record *record), void *ctx,
		       struct error *err)
{
	return store->type->log_read(store, after, max_records, max_bytes, visit, ctx, err);
}

int store_log_range(struct store *store, uint64_t *out_first, uint64_t *out_last, struct error *err)
{
	return store->type->log_range(store, out_first, out_last, err);
}

int store_log_trim(struct store *store, int64_t now_ms, struct error *err)
{
	if (refuse_to_write(store, err) < 0)
		return -1;
	return store->type->log_trim(store, now_ms, err);
}

int store_gap_put(struct store *store, struct gap *gap, struct error *err)
{
	if (refuse_to_write(store, err) < 0)
		return -1;
	return store->type->gap_put(store, gap, err);
}

int store_gap_visit(struct store *store, void (*visit)(void *ctx, const struct gap *gap), void *ctx,
		    struct error *err)
{
	return store->type->gap_visit(store, visit, ctx, err);
}

int store_note_put(struct store *store, const char *name, struct text value, struct error *err)
{
	if (refuse_to_write(store, err) < 0)
		return -1;
	return store->type->note_put(store, name, value, err);
}

int store_note_get(struct store *store, const char *name, char **out, struct error *err)
{
	return store->type->note_get(store, name, out, err);
}

/* ---- Leases, members, messages ---- */

int store_lease_take(struct store *store, enum store_role role, int64_t ttl_ms,
		     struct store_lease *out, struct error *err)
{
	assert(store->member); /* nobody can hold nothing */
	if (refuse_to_write(store, err) < 0)
		return -1;
	return store->type->lease_take(store, role, ttl_ms, out, err);
}

int store_lease_drop(struct store *store, enum store_role role, struct error *err)
{
	if (refuse_to_write(store, err) < 0)
		return -1;
	return store->type->lease_drop(store, role, err);
}

int store_lease_look(struct store *store, enum store_role role, struct store_lease *out,
		     struct error *err)
{
	return store->type->lease_look(store, role, out, err);
}

int store_fence(struct store_txn *txn, enum store_role role, struct error *err)
{
	return txn->store->type->fence(txn, role, err);
}

int store_member_put(struct store *store, struct text status_json, int64_t ttl_ms,
		     struct error *err)
{
	assert(store->member);
	if (refuse_to_write(store, err) < 0)
		return -1;
	return store->type->member_put(store, status_json, ttl_ms, err);
}

int store_member_visit(struct store *store,
		       void (*visit)(void *ctx, const char *name, struct text status_json,
				     int64_t age_ms),
		       void *ctx, struct error *err)
{
	return store->type->member_visit(store, visit, ctx, err);
}

int store_tell(struct store *store, struct text message, struct error *err)
{
	if (message.size > STORE_MESSAGE_MAX)
		return error_set(err, "a message of %zu bytes: expected at most %d", message.size,
				 STORE_MESSAGE_MAX);
	if (refuse_to_write(store, err) < 0)
		return -1;
	return store->type->tell(store, message, err);
}

void store_advice(struct store *store, void (*visit)(void *ctx, const char *sentence), void *ctx)
{
	if (store->type->advice)
		store->type->advice(store, visit, ctx);
}

/* ---- The state ---- */

int store_begin(struct store *store, struct store_txn **out, struct error *err)
{
	struct store_txn *txn;

	if (refuse_to_write(store, err) < 0 || store->type->begin(store, &txn, err) < 0)
		return -1;
	txn->store = store;
	*out = txn;
	return 0;
}

int store_commit(struct store_txn *txn, struct error *err)
{
	struct store *store = txn->store;
	bool wakes[STORE_ROLE_COUNT];
	int rc;

	memcpy(wakes, txn->wakes, sizeof(wakes));
	rc = store->type->commit(txn, err);
	if (rc < 0)
		return rc;
	for (int role = 0; role < STORE_ROLE_COUNT; role++)
		if (wakes[role])
			store_wake(store, role);
	return 0;
}

void store_abort(struct store_txn *txn)
{
	if (txn)
		txn->store->type->abort(txn);
}

static int check_key(struct text key, struct error *err)
{
	if (key.size < 1 || key.size > STORE_KEY_MAX)
		return error_set(err, "a key of %zu bytes: expected 1 to %d", key.size,
				 STORE_KEY_MAX);
	return 0;
}

int store_put(struct store_txn *txn, enum store_space space, struct text key, struct text value,
	      struct error *err)
{
	if (check_key(key, err) < 0)
		return -1;
	if (txn->store->type->put(txn, space, key, value, err) < 0)
		return -1;
	if (space == SPACE_INBOX)
		txn->wakes[STORE_FILTER] = true;
	return 0;
}

int store_delete(struct store_txn *txn, enum store_space space, struct text key, struct error *err)
{
	if (check_key(key, err) < 0)
		return -1;
	return txn->store->type->remove(txn, space, key, err);
}

int store_get(struct store_txn *txn, enum store_space space, struct text key, char **out,
	      size_t *out_size, struct error *err)
{
	if (check_key(key, err) < 0)
		return -1;
	return txn->store->type->get(txn, space, key, out, out_size, err);
}

int store_scan(struct store_txn *txn, enum store_space space, struct text from,
	       bool (*visit)(void *ctx, struct text key, struct text value), void *ctx,
	       struct error *err)
{
	return txn->store->type->scan(txn, space, from, visit, ctx, err);
}

static const struct text cursor_key = { "cursor", 6 };

static uint64_t cursor_number(const char *value, size_t size)
{
	return value ? store_key_number((struct text){ value, size }) : 0;
}

int store_cursor_put(struct store_txn *txn, uint64_t seq, struct error *err)
{
	AUTO(free) char *value = NULL;
	struct store_key key = store_key(seq);
	size_t size = 0;

	if (txn->store->type->cursor_put)
		return txn->store->type->cursor_put(txn, seq, err);
	if (store_get(txn, SPACE_META, cursor_key, &value, &size, err) < 0)
		return -1;
	if (seq <= cursor_number(value, size))
		return 0;
	return store_put(txn, SPACE_META, cursor_key, key_text(&key), err);
}

int store_cursor_get(struct store *store, uint64_t *out_seq, struct error *err)
{
	AUTO(free) char *value = NULL;
	size_t size = 0;

	if (store->type->peek(store, SPACE_META, cursor_key, &value, &size, err) < 0)
		return -1;
	*out_seq = cursor_number(value, size);
	return 0;
}

int store_cursor_moved(uint64_t expected, uint64_t found, struct error *err)
{
	if (found < expected)
		return error_set(err,
				 "the store has forgotten its last moments: it is at record %llu "
				 "again, after %llu; what follows is judged once more",
				 (unsigned long long)found, (unsigned long long)expected);
	return error_set(err, "another process has judged up to record %llu; this one was at %llu",
			 (unsigned long long)found, (unsigned long long)expected);
}

int store_cursor_check(struct store_txn *txn, uint64_t seq, struct error *err)
{
	AUTO(free) char *value = NULL;
	size_t size = 0;

	if (txn->store->type->cursor_check)
		return txn->store->type->cursor_check(txn, seq, err);
	if (store_get(txn, SPACE_META, cursor_key, &value, &size, err) < 0)
		return -1;
	if (cursor_number(value, size) != seq)
		return store_cursor_moved(seq, cursor_number(value, size), err);
	return 0;
}

int store_peek(struct store *store, enum store_space space, struct text key, char **out,
	       struct error *err)
{
	if (check_key(key, err) < 0)
		return -1;
	return store->type->peek(store, space, key, out, NULL, err);
}

int store_peek_scan(struct store *store, enum store_space space, struct text from,
		    bool (*visit)(void *ctx, struct text key, struct text value), void *ctx,
		    struct error *err)
{
	return store->type->peek_scan(store, space, from, visit, ctx, err);
}

int store_state_trim(struct store *store, int64_t now_ms, struct error *err)
{
	if (refuse_to_write(store, err) < 0)
		return -1;
	return store->type->state_trim(store, now_ms, err);
}

/* ---- Jobs ---- */

void job_clear(struct job *job)
{
	free(job->file_id);
	free(job->body);
	free(job->outcome);
	*job = (struct job){ 0 };
}

int store_job_put(struct store_txn *txn, const struct job *job, uint64_t *out_id, struct error *err)
{
	if (txn->store->type->job_put(txn, job, out_id, err) < 0)
		return -1;
	txn->wakes[STORE_ACT] = true;
	return 0;
}

int store_job_take(struct store *store, int64_t now_ms, int64_t lease_ms, struct job *out,
		   struct error *err)
{
	if (refuse_to_write(store, err) < 0)
		return -1;
	return (int)store->type->job_take(store, now_ms, lease_ms, out, 1, err);
}

int64_t store_job_take_many(struct store *store, int64_t now_ms, int64_t lease_ms, struct job *out,
			    size_t most, struct error *err)
{
	if (refuse_to_write(store, err) < 0)
		return -1;
	return store->type->job_take(store, now_ms, lease_ms, out, most, err);
}

int store_job_next_due(struct store *store, int64_t *out_ms, struct error *err)
{
	return store->type->job_next_due(store, out_ms, err);
}

int store_job_save_in(struct store_txn *txn, const struct job *job, int64_t now_ms,
		      int64_t lease_ms, struct error *err)
{
	return txn->store->type->job_save(txn, job, now_ms + lease_ms, err);
}

int store_job_retry_in(struct store_txn *txn, const struct job *job, struct error *err)
{
	if (txn->store->type->job_retry(txn, job, err) < 0)
		return -1;
	txn->wakes[STORE_ACT] = true;
	return 0;
}

int store_job_end_in(struct store_txn *txn, const struct job *job, enum job_state state,
		     int64_t now_ms, struct error *err)
{
	assert(state == JOB_DONE || state == JOB_DEAD);
	struct job ended = {
		.id = job->id, .ended_ms = now_ms, .body = job->body, .outcome = job->outcome
	};

	if (txn->store->type->job_end(txn, job, state, now_ms, err) < 0 ||
	    chain_mark(txn, state == JOB_DONE ? CHAIN_DONE : CHAIN_DEAD, &ended, err) < 0)
		return -1;
	txn->wakes[STORE_ACT] = true; /* the file's next job is free */
	return 0;
}

int store_job_save(struct store *store, const struct job *job, int64_t now_ms, int64_t lease_ms,
		   struct error *err)
{
	AUTO(store_abort) struct store_txn *txn = NULL;

	if (refuse_to_write(store, err) < 0)
		return -1;
	if (!job->body)
		return store->type->job_prolong(store, job->id, now_ms + lease_ms, err);
	store_point("job.save.before");
	if (store_begin(store, &txn, err) < 0 ||
	    store_job_save_in(txn, job, now_ms, lease_ms, err) < 0 ||
	    store_commit(TAKE(txn), err) < 0)
		return -1;
	store_point("job.save.after");
	return 0;
}

int store_job_retry(struct store *store, const struct job *job, struct error *err)
{
	AUTO(store_abort) struct store_txn *txn = NULL;

	store_point("job.retry.before");
	if (store_begin(store, &txn, err) < 0 || store_job_retry_in(txn, job, err) < 0 ||
	    store_commit(TAKE(txn), err) < 0)
		return -1;
	store_point("job.retry.after");
	return 0;
}

int store_job_end(struct store *store, const struct job *job, enum job_state state, int64_t now_ms,
		  struct error *err)
{
	AUTO(store_abort) struct store_txn *txn = NULL;

	store_point("job.end.before");
	if (store_begin(store, &txn, err) < 0 ||
	    store_job_end_in(txn, job, state, now_ms, err) < 0 || store_commit(TAKE(txn), err) < 0)
		return -1;
	store_point("job.end.after");
	return 0;
}

int store_job_release_all(struct store *store, struct error *err)
{
	if (refuse_to_write(store, err) < 0 || store->type->job_release_all(store, err) < 0)
		return -1;
	store_wake(store, STORE_ACT);
	return 0;
}

int store_job_is_ours(struct store *store, uint64_t id, struct error *err)
{
	return store->type->job_is_ours(store, id, err);
}

int store_job_visit(struct store *store, enum job_state state, size_t max,
		    bool (*visit)(void *ctx, const struct job *job), void *ctx, struct error *err)
{
	return store->type->job_visit(store, state, max, visit, ctx, err);
}

int store_dead_get(struct store *store, uint64_t id, struct job *out, struct error *err)
{
	return store->type->dead_get(store, id, out, err);
}

int store_dead_retry(struct store_txn *txn, const struct job *job, struct error *err)
{
	struct job retried = { .id = job->id, .ended_ms = clock_now_ms() };
	int rc = txn->store->type->dead_retry(txn, job, err);

	if (rc > 0 && chain_mark(txn, CHAIN_RETRIED, &retried, err) < 0)
		return -1;
	txn->wakes[STORE_ACT] |= rc > 0;
	return rc;
}

int store_dead_drop(struct store_txn *txn, const struct job *job, int64_t now_ms, struct error *err)
{
	struct job dropped = { 0 };
	int rc = store_dead_get(txn->store, job->id, &dropped, err);

	if (rc > 0)
		rc = txn->store->type->dead_drop(txn, job, now_ms, err);
	if (rc > 0) {
		free(dropped.outcome);
		dropped.outcome = job->outcome ? str_copy(job->outcome) : NULL;
		dropped.ended_ms = now_ms;
		rc = chain_mark(txn, CHAIN_DROPPED, &dropped, err) < 0 ? -1 : 1;
	}
	job_clear(&dropped);
	return rc;
}

int store_count(struct store *store, struct store_counts *out, struct error *err)
{
	return store->type->count(store, out, err);
}
