#include "store/store_lmdb_job.h"

struct pair_key pair_key(int64_t when_ms, uint64_t id)
{
	return (struct pair_key){ store_key((uint64_t)MAX(when_ms, 0)), store_key(id) };
}

struct text pair_text(const struct pair_key *key)
{
	return (struct text){ (const char *)key, sizeof(*key) };
}

uint64_t pair_id(struct text key)
{
	return key.size < 16 ? 0 : store_key_number((struct text){ key.data + 8, 8 });
}

int stored_decode(const struct store_lmdb *store, struct text value, struct stored *out,
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

int stored_put(struct store_lmdb *store, MDB_txn *txn, MDB_dbi dbi, struct text key,
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

void stored_to_job(const struct stored *stored, enum job_state state, struct job *out)
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

int stored_read(struct store_lmdb *store, MDB_txn *txn, uint64_t id, struct stored *out,
		struct error *err)
{
	struct store_key key = store_key(id);
	struct text value;
	int there = lmdb_get(&store->state, txn, store->jobs, lmdb_key(&key), &value, err);

	if (there <= 0)
		return there;
	return stored_decode(store, value, out, err) < 0 ? -1 : 1;
}
