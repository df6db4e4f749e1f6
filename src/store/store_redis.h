/*
 * store_redis: the state in Redis, the log in an embedded store on this machine.
 *
 * Redis may be away, and may answer into a broken connection. A step that would do harm if it were
 * done twice carries a number (store_redis.lua), so that it can be sent again until its answer
 * arrives. A call gives up after the URL's timeout; whether a commit that was given up happened is
 * settled before anything else is asked.
 *
 * A transaction reads at once and writes at its commit, in one script, which refuses if something
 * that the transaction both read and changes was changed meanwhile by another process.
 * docs/redis.md has the keys.
 */
#ifndef STORE_STORE_REDIS_H
#define STORE_STORE_REDIS_H

#include <uthash.h>

#include "base/buf.h"
#include "store/redis_connection.h"
#include "store/store_type.h"

struct store_redis {
	struct store base;
	struct redis_address address;
	char *prefix; /* "{cn:main}:" */
	char client[33];
	char digest[41]; /* of the script */
	int64_t retention_ms, max_bytes;

	struct store *log;
	pthread_mutex_t cursor_lock;
	uint64_t cursor;   /* that this process knows of */
	uint64_t mirrored; /* told to the log's store, which trims up to there */

	pthread_mutex_t call_lock; /* of all below: one request at a time */
	struct redis_connection *connection;
	uint64_t unsettled; /* number of a commit that may have happened; 0: none */
	uint64_t *unsettled_ids;
	size_t unsettled_count;
	uint64_t *late_ids; /* jobs that left in commits of which nobody was told */
	size_t late_count;

	pthread_mutex_t txn_lock; /* held by the transaction */
	uint64_t commit_number;
	pthread_mutex_t take_lock;
	uint64_t take_number;
};

/* store_redis_call.c */

/* The words of a request. Begins as { 0 }. */
struct words {
	struct buf *bytes;
	size_t *ends;
	size_t count;
};

void words_clear(struct words *words);
void words_add(struct words *words, struct text word);
void words_add_number(struct words *words, int64_t number);
void words_add_id(struct words *words, uint64_t id); /* so that they sort as bytes */
void words_add_all(struct words *words, const struct words *more);
#define AUTO_WORDS __attribute__((cleanup(words_clear))) struct words

static inline UNUSED struct store_redis *redis_of(struct store *store)
{
	return CONTAINER_OF(store, struct store_redis, base);
}

struct commit {
	uint64_t number;
	const uint64_t *left; /* jobs that leave their taker with it */
	size_t count;
};
/*
 * One step of the script: words are its name and arguments. Tries again until it is answered or the
 * time is up; an error of the server's is a failure. commit: what it commits, or NULL.
 */
MUST_CHECK int redis_step(struct store_redis *store, const struct words *words,
			  const struct commit *commit, redisReply **out, struct error *err);
AUTO_DEFINE(redisReply *, freeReplyObject)
struct text redis_text(const redisReply *reply); /* "" for none */
int64_t redis_number(const redisReply *reply);   /* of a number, or a text that shows one */
int redis_damaged(struct store_redis *store, struct error *err); /* -1, saying so */
extern const char store_redis_script[];
extern const char *const redis_space_names[SPACE_COUNT];

/* A value of a space as this transaction knows it. */
struct cell {
	UT_hash_handle hh;
	bool was_read, was_there;
	char *read; /* what was read */
	size_t read_size;
	bool is_written, is_there;
	char *value; /* what was written, if it is_there */
	size_t value_size;
	size_t key_size;
	char key[]; /* the space's number, then the key */
};

struct redis_txn {
	struct store_txn base;
	struct cell *cells;
	struct words jobs; /* changes of jobs, as the script reads them */
	bool has_counters;
	char last_id[24]; /* as it was read, "" if there was none */
	uint64_t next_id;
	bool is_full;
	uint64_t *left; /* jobs that left their taker in this transaction */
	size_t left_count;
	uint64_t *decided; /* dead letters that it tries again or drops */
	size_t decided_count;
};

static inline UNUSED struct redis_txn *redis_txn_of(struct store_txn *txn)
{
	return CONTAINER_OF(txn, struct redis_txn, base);
}

/* Reads the last job's id and how full the state is, once in a transaction. */
MUST_CHECK int redis_counters(struct redis_txn *txn, struct error *err);
int redis_full(const struct store_redis *store, struct error *err); /* -1, saying so */
bool redis_left_late(struct store_redis *store, uint64_t id);
void redis_forget_late(struct store_redis *store, uint64_t id);
/* The filter is done up to here: what the log may be trimmed to. */
void redis_know_cursor(struct store_redis *store, uint64_t seq);

/* store_redis_state.c */
int redis_begin(struct store *store, struct store_txn **out, struct error *err);
int redis_commit(struct store_txn *txn, struct error *err);
void redis_abort(struct store_txn *txn);
int redis_put(struct store_txn *txn, enum store_space space, struct text key, struct text value,
	      struct error *err);
int redis_remove(struct store_txn *txn, enum store_space space, struct text key, struct error *err);
int redis_get(struct store_txn *txn, enum store_space space, struct text key, char **out,
	      size_t *out_size, struct error *err);
int redis_scan(struct store_txn *txn, enum store_space space, struct text from,
	       bool (*visit)(void *ctx, struct text key, struct text value), void *ctx,
	       struct error *err);
int redis_peek(struct store *store, enum store_space space, struct text key, char **out,
	       size_t *out_size, struct error *err);
int redis_peek_scan(struct store *store, enum store_space space, struct text from,
		    bool (*visit)(void *ctx, struct text key, struct text value), void *ctx,
		    struct error *err);
int redis_state_trim(struct store *store, int64_t now_ms, struct error *err);

/* store_redis_jobs.c */
int redis_job_put(struct store_txn *txn, const struct job *job, uint64_t *out_id,
		  struct error *err);
int redis_job_take(struct store *store, int64_t now_ms, int64_t lease_ms, struct job *out,
		   struct error *err);
int redis_job_next_due(struct store *store, int64_t *out_ms, struct error *err);
int redis_job_save(struct store_txn *txn, const struct job *job, int64_t lease_until_ms,
		   struct error *err);
int redis_job_prolong(struct store *store, uint64_t id, int64_t lease_until_ms, struct error *err);
int redis_job_retry(struct store_txn *txn, const struct job *job, struct error *err);
int redis_job_end(struct store_txn *txn, const struct job *job, enum job_state state,
		  int64_t now_ms, struct error *err);
int redis_job_is_ours(struct store *store, uint64_t id, struct error *err);
int redis_job_release_all(struct store *store, struct error *err);
int redis_job_visit(struct store *store, enum job_state state, size_t max,
		    bool (*visit)(void *ctx, const struct job *job), void *ctx, struct error *err);
MUST_CHECK int redis_job_release(struct store_redis *store, struct text client, struct error *err);
int redis_not_taken(uint64_t id, struct error *err);
MUST_CHECK int redis_read_job(struct store_redis *store, const redisReply *row,
			      enum job_state state, struct job *out, struct error *err);

/* store_redis_dead.c */
int redis_dead_get(struct store *store, uint64_t id, struct job *out, struct error *err);
int redis_dead_retry(struct store_txn *txn, const struct job *job, struct error *err);
int redis_dead_drop(struct store_txn *txn, const struct job *job, int64_t now_ms,
		    struct error *err);
int redis_not_dead(uint64_t id, struct error *err);

#endif
