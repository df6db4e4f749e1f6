/* store_redis_dead: dead letters in Redis, once somebody decided about them. */
#include "store/store_redis.h"

int redis_not_dead(uint64_t id, struct error *err)
{
	return error_set(err, "job %llu is not a dead letter any more", (unsigned long long)id);
}

int redis_dead_get(struct store *base, uint64_t id, struct job *out, struct error *err)
{
	struct store_redis *store = redis_of(base);
	AUTO(freeReplyObject) redisReply *reply = NULL;
	AUTO_WORDS words = { 0 };

	words_add(&words, TEXT("get_dead"));
	words_add_id(&words, id);
	if (redis_step(store, &words, NULL, &reply, err) < 0)
		return -1;
	if (!reply->elements)
		return 0;
	return redis_read_job(store, reply, JOB_DEAD, out, err) < 0 ? -1 : 1;
}

/* Whether it may be decided about; the commit looks again. 1 or 0. */
static int check_dead(struct redis_txn *txn, const struct job *job, struct error *err)
{
	AUTO(freeReplyObject) redisReply *reply = NULL;
	AUTO_WORDS words = { 0 };

	for (size_t i = 0; i < txn->decided_count; i++)
		if (txn->decided[i] == job->id)
			return 0;
	words_add(&words, TEXT("is_dead"));
	words_add_id(&words, job->id);
	words_add_number(&words, job->ended_ms);
	if (redis_step(redis_of(txn->base.store), &words, NULL, &reply, err) < 0)
		return -1;
	return redis_number(reply) ? 1 : 0;
}

static void decide(struct redis_txn *txn, const char *kind, const struct job *job)
{
	txn->decided = mem_grow(txn->decided, txn->decided_count + 1, sizeof(*txn->decided));
	txn->decided[txn->decided_count++] = job->id;
	words_add(&txn->jobs, text_of(kind));
	words_add_id(&txn->jobs, job->id);
	words_add_number(&txn->jobs, job->ended_ms);
}

int redis_dead_retry(struct store_txn *base, const struct job *job, struct error *err)
{
	struct redis_txn *txn = redis_txn_of(base);
	int is_dead = check_dead(txn, job, err);

	if (is_dead <= 0)
		return is_dead;
	decide(txn, "A", job);
	words_add_number(&txn->jobs, MAX(job->due_ms, 0));
	return 1;
}

int redis_dead_drop(struct store_txn *base, const struct job *job, int64_t now_ms,
		    struct error *err)
{
	struct redis_txn *txn = redis_txn_of(base);
	int is_dead = check_dead(txn, job, err);

	if (is_dead <= 0)
		return is_dead;
	decide(txn, "X", job);
	words_add_number(&txn->jobs, now_ms);
	words_add(&txn->jobs, text_of(job->outcome));
	return 1;
}
