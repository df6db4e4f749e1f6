/* store_redis_jobs: jobs in Redis. Any number of processes may take them. */
#include "store/store_redis.h"

#define PAGE 100
#define TAKE_MOST 100

int redis_not_taken(uint64_t id, struct error *err)
{
	return error_set(err, "job %llu is not taken", (unsigned long long)id);
}

/* id, file, due, attempts, body, outcome, ended. */
int redis_read_job(struct store_redis *store, const redisReply *row, enum job_state state,
		   struct job *out, struct error *err)
{
	bool has_ended = state == JOB_DONE || state == JOB_DEAD;

	if (row->type != REDIS_REPLY_ARRAY || row->elements != 7 ||
	    row->element[4]->type != REDIS_REPLY_STRING)
		return redis_damaged(store, err);
	*out = (struct job){
		.id = strtoull(row->element[0]->str, NULL, 10),
		.file_id = text_copy(redis_text(row->element[1])),
		.due_ms = redis_number(row->element[2]),
		.attempts = (unsigned)redis_number(row->element[3]),
		.state = state,
		.body = text_copy(redis_text(row->element[4])),
		.outcome = has_ended ? text_copy(redis_text(row->element[5])) : NULL,
		.ended_ms = redis_number(row->element[6]),
	};
	return 0;
}

/* ---- In a transaction ---- */

int redis_job_put(struct store_txn *base, const struct job *job, uint64_t *out_id,
		  struct error *err)
{
	struct redis_txn *txn = redis_txn_of(base);

	if (redis_counters(txn, err) < 0)
		return -1;
	if (txn->is_full)
		return redis_full(redis_of(base->store), err);
	*out_id = txn->next_id++;
	words_add(&txn->jobs, TEXT("J"));
	words_add_id(&txn->jobs, *out_id);
	words_add(&txn->jobs, text_of(job->file_id));
	words_add_number(&txn->jobs, MAX(job->due_ms, 0));
	words_add_number(&txn->jobs, job->attempts);
	words_add(&txn->jobs, text_of(job->body));
	return 0;
}

static bool has_left(const struct redis_txn *txn, uint64_t id)
{
	for (size_t i = 0; i < txn->left_count; i++)
		if (txn->left[i] == id)
			return true;
	return false;
}

static void leave(struct redis_txn *txn, uint64_t id)
{
	txn->left = mem_grow(txn->left, txn->left_count + 1, sizeof(*txn->left));
	txn->left[txn->left_count++] = id;
}

static bool is_taken(struct store_redis *store, uint64_t id)
{
	struct redis_taken *taken;

	pthread_mutex_lock(&store->taken_lock);
	HASH_FIND(hh, store->taken, &id, sizeof(id), taken);
	pthread_mutex_unlock(&store->taken_lock);
	return taken;
}

/* 1: it is, as far as we know; 0: it has left, although the caller heard otherwise. The commit
 * looks again. */
static int check_taken(struct redis_txn *txn, uint64_t id, struct error *err)
{
	struct store_redis *store = redis_of(txn->base.store);

	if (has_left(txn, id))
		return redis_not_taken(id, err);
	if (redis_settle(store, err) < 0)
		return -1;
	if (redis_left_late(store, id)) {
		redis_jobs_left(store, &id, 1);
		return 0;
	}
	return is_taken(store, id) ? 1 : redis_not_taken(id, err);
}

static void add_change(struct redis_txn *txn, const char *kind, const struct job *job)
{
	words_add(&txn->jobs, text_of(kind));
	words_add_id(&txn->jobs, job->id);
	words_add_number(&txn->jobs, job->attempts);
	words_add(&txn->jobs, job->body ? TEXT("1") : TEXT("0"));
	words_add(&txn->jobs, text_of(job->body));
}

int redis_job_save(struct store_txn *base, const struct job *job, int64_t lease_until_ms,
		   struct error *err)
{
	struct redis_txn *txn = redis_txn_of(base);
	int is_taken = check_taken(txn, job->id, err);

	if (is_taken <= 0)
		return is_taken < 0 ? -1 : redis_not_taken(job->id, err);
	add_change(txn, "S", job);
	words_add_number(&txn->jobs, lease_until_ms);
	return 0;
}

int redis_job_retry(struct store_txn *base, const struct job *job, struct error *err)
{
	struct redis_txn *txn = redis_txn_of(base);
	int is_taken = check_taken(txn, job->id, err);

	if (is_taken <= 0)
		return is_taken;
	add_change(txn, "R", job);
	words_add_number(&txn->jobs, MAX(job->due_ms, 0));
	leave(txn, job->id);
	return 0;
}

int redis_job_end(struct store_txn *base, const struct job *job, enum job_state state,
		  int64_t now_ms, struct error *err)
{
	struct redis_txn *txn = redis_txn_of(base);
	int is_taken = check_taken(txn, job->id, err);

	if (is_taken <= 0)
		return is_taken;
	add_change(txn, "E", job);
	words_add(&txn->jobs, state == JOB_DONE ? TEXT("done") : TEXT("dead"));
	words_add_number(&txn->jobs, now_ms);
	words_add(&txn->jobs, text_of(job->outcome));
	leave(txn, job->id);
	return 0;
}

/* ---- Outside of one ---- */

static void note_taken(struct store_redis *store, uint64_t id)
{
	struct redis_taken *taken;

	pthread_mutex_lock(&store->taken_lock);
	HASH_FIND(hh, store->taken, &id, sizeof(id), taken);
	if (!taken) {
		taken = NEW(struct redis_taken);
		taken->id = id;
		HASH_ADD(hh, store->taken, id, sizeof(id), taken);
	}
	pthread_mutex_unlock(&store->taken_lock);
	redis_forget_late(store, id);
}

void redis_jobs_left(struct store_redis *store, const uint64_t *ids, size_t count)
{
	struct redis_taken *taken;

	pthread_mutex_lock(&store->taken_lock);
	for (size_t i = 0; i < count; i++) {
		HASH_FIND(hh, store->taken, &ids[i], sizeof(ids[i]), taken);
		if (!taken)
			continue;
		HASH_DEL(store->taken, taken);
		free(taken);
	}
	pthread_mutex_unlock(&store->taken_lock);
}

void redis_jobs_clear(struct store_redis *store)
{
	struct redis_taken *taken, *next;

	pthread_mutex_lock(&store->taken_lock);
	HASH_ITER(hh, store->taken, taken, next)
	{
		HASH_DEL(store->taken, taken);
		free(taken);
	}
	pthread_mutex_unlock(&store->taken_lock);
}

int redis_job_is_ours(struct store *base, uint64_t id, struct error *err)
{
	struct store_redis *store = redis_of(base);

	/* One whose end was stored although we heard otherwise: to say it again does no harm. */
	return is_taken(store, id) || redis_left_late(store, id);
}

static int64_t take(struct store_redis *store, int64_t now_ms, int64_t lease_ms, struct job *out,
		    size_t most, struct error *err)
{
	AUTO(freeReplyObject) redisReply *reply = NULL;
	AUTO_WORDS words = { 0 };
	size_t count = 0;

	words_add(&words, TEXT("take"));
	words_add(&words, text_of(store->client));
	words_add_number(&words, (int64_t)store->take_number);
	words_add_number(&words, now_ms);
	words_add_number(&words, now_ms + lease_ms);
	words_add_number(&words, (int64_t)MIN(most, TAKE_MOST));
	if (redis_step(store, &words, NULL, &reply, err) < 0)
		return -1;
	/* Answered: only the next call is another one. Until then jobs whose names got lost on the
	 * way are handed out to whoever asks next. */
	store->take_number++;
	for (; count < reply->elements && count < most; count++) {
		if (redis_read_job(store, reply->element[count], JOB_TAKEN, &out[count], err) < 0) {
			while (count)
				job_clear(&out[--count]);
			return -1;
		}
		note_taken(store, out[count].id);
	}
	return (int64_t)count;
}

int64_t redis_job_take(struct store *base, int64_t now_ms, int64_t lease_ms, struct job *out,
		       size_t most, struct error *err)
{
	struct store_redis *store = redis_of(base);
	int64_t count;

	pthread_mutex_lock(&store->take_lock);
	count = take(store, now_ms, lease_ms, out, most, err);
	pthread_mutex_unlock(&store->take_lock);
	return count;
}

int redis_job_next_due(struct store *base, int64_t *out_ms, struct error *err)
{
	struct store_redis *store = redis_of(base);
	AUTO(freeReplyObject) redisReply *reply = NULL;
	int64_t due_ms = INT64_MAX;
	AUTO_WORDS words = { 0 };

	words_add(&words, TEXT("next_due"));
	if (redis_step(store, &words, NULL, &reply, err) < 0)
		return -1;
	for (size_t i = 0; i < reply->elements; i++)
		if (reply->element[i]->type != REDIS_REPLY_NIL)
			due_ms = MIN(due_ms, redis_number(reply->element[i]));
	*out_ms = due_ms == INT64_MAX ? 0 : MAX(due_ms, 1); /* 0 has a meaning of its own */
	return 0;
}

int redis_job_prolong(struct store *base, uint64_t id, int64_t lease_until_ms, struct error *err)
{
	struct store_redis *store = redis_of(base);
	AUTO(freeReplyObject) redisReply *reply = NULL;
	AUTO_WORDS words = { 0 };

	words_add(&words, TEXT("prolong"));
	words_add(&words, text_of(store->client));
	words_add_id(&words, id);
	words_add_number(&words, lease_until_ms);
	if (redis_step(store, &words, NULL, &reply, err) < 0)
		return -1;
	if (text_is(redis_text(reply), "done"))
		return 0;
	redis_jobs_left(store, &id, 1);
	return redis_not_taken(id, err);
}

int redis_job_release(struct store_redis *store, bool leaves, struct error *err)
{
	AUTO(freeReplyObject) redisReply *reply = NULL;
	AUTO_WORDS words = { 0 };

	words_add(&words, leaves ? TEXT("leave") : TEXT("release"));
	words_add(&words, text_of(store->client));
	if (redis_step(store, &words, NULL, &reply, err) < 0)
		return -1;
	redis_jobs_clear(store);
	return 0;
}

/* Only what this process took: others are at work. What a process that was killed had comes back
 * after its lease. */
int redis_job_release_all(struct store *base, struct error *err)
{
	return redis_job_release(redis_of(base), false, err);
}

static const char *const state_names[] = {
	[JOB_WAITING] = "waiting",
	[JOB_TAKEN] = "taken",
	[JOB_DONE] = "done",
	[JOB_DEAD] = "dead",
};

/* For freeReplyObject: the last id of the page, then the jobs. */
static redisReply *fetch_page(struct store_redis *store, enum job_state state, struct text behind,
			      struct error *err)
{
	redisReply *reply = NULL;
	AUTO_WORDS words = { 0 };

	words_add(&words, TEXT("visit"));
	words_add(&words, text_of(state_names[state]));
	words_add(&words, behind);
	words_add_number(&words, PAGE);
	if (redis_step(store, &words, NULL, &reply, err) < 0)
		return NULL;
	if (reply->elements && reply->element[0]->type == REDIS_REPLY_STRING)
		return reply;
	freeReplyObject(reply);
	redis_damaged(store, err);
	return NULL;
}

int redis_job_visit(struct store *base, enum job_state state, size_t max,
		    bool (*visit)(void *ctx, const struct job *job), void *ctx, struct error *err)
{
	struct store_redis *store = redis_of(base);
	AUTO(freeReplyObject) redisReply *page = fetch_page(store, state, TEXT(""), err);

	while (page) {
		redisReply *next;

		for (size_t i = 1; i < page->elements; i++) {
			struct job job;
			bool go_on;

			if (!max--)
				return 0;
			if (redis_read_job(store, page->element[i], state, &job, err) < 0)
				return -1;
			go_on = visit(ctx, &job);
			job_clear(&job);
			if (!go_on)
				return 0;
		}
		if (!page->element[0]->len)
			return 0;
		next = fetch_page(store, state, redis_text(page->element[0]), err);
		freeReplyObject(page);
		page = next;
	}
	return -1;
}
