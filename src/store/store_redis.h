/*
 * store_redis: log and state in Redis, shared by any number of processes; a process that watches
 * has a log of its own before it.
 *
 * Redis may be away, and may answer into a broken connection. A step that would do harm if it were
 * done twice carries a number (store_redis.lua), so that it can be sent again until its answer
 * arrives. A call gives up after the timeout; whether a commit that was given up happened is
 * settled before anything else is asked.
 *
 * A transaction reads at once and writes at its commit, in one script, which refuses if something
 * that the transaction both read and changes was changed meanwhile by another process.
 *
 * Two threads of the store's own, each with its connection: one forwards the local log, one hears
 * what other processes did. docs/redis.md has the keys.
 */
#ifndef STORE_STORE_REDIS_H
#define STORE_STORE_REDIS_H

#include <stdatomic.h>
#include <uthash.h>

#include "base/buf.h"
#include "store/redis_advice.h"
#include "store/store_type.h"

/* The words of a request. Begins as { 0 }. */
struct words {
	struct buf *bytes;
	size_t *ends;
	size_t count;
};

/* A connection, and who may use it now. */
struct redis_link {
	struct store_redis *store;
	pthread_mutex_t lock;
	struct redis_connection *connection;
	bool is_away;    /* nobody answered the last try */
	int64_t away_ms; /* when that was; redis_now_ms() */
	char *away_why;
	bool tries_once; /* its user tries again itself */
};

struct redis_taken {
	uint64_t id;
	UT_hash_handle hh;
};

/* What this process knows of a role's lease. */
struct redis_lease {
	uint64_t token; /* that we were last given; 0: none */
	bool is_held;   /* as far as we know */
	/* Somebody else's lease, as long as it is not renewed. */
	char seen[24];     /* its end, on the server's clock; "": none */
	int64_t seen_ms;   /* since when, on ours */
	int64_t looked_ms; /* when we looked last */
	char holder[128];
};

/* Changes of the echo ledger in a commit that the server may forget. */
struct redis_promise {
	uint64_t number; /* of the commit */
	int64_t at_ms;
	struct words changes;
	struct redis_promise *next;
};

struct store_redis {
	struct store base;
	struct redis_address address;
	char *prefix; /* "{cn:main}:" */
	char client[33];
	char digest[41]; /* of the script */
	_Atomic int64_t retention_ms, max_bytes;
	atomic_bool is_over;
	int over_fd; /* can be read once it is over */

	struct redis_forward *forward; /* NULL: this process does not watch */
	struct store *log;             /* likewise */
	char *source;                  /* who we are as a watching process; survives a restart */

	pthread_mutex_t rest_lock; /* of a page of the log that was read in part */
	redisReply *rest;
	uint64_t rest_after; /* up to here */
	int64_t rest_ms;     /* since when it is here */

	/* Of the watches' lease that we have, or had last; 0: never. What is appended asks for it,
	 * and must not wait for who asks the server. */
	_Atomic uint64_t watch_token;
	pthread_mutex_t lease_lock; /* of what follows; held while the server is asked */
	struct redis_lease leases[STORE_ROLE_COUNT];

	pthread_mutex_t seen_lock; /* of what follows */
	uint64_t seen;             /* the highest seq that this process knows of */

	struct redis_link calls;    /* its lock is that of all below, too: one request at a time */
	struct redis_advice advice; /* about the server that the calls go to */
	uint64_t unsettled;         /* number of a commit that may have happened; 0: none */
	uint64_t *unsettled_ids;
	size_t unsettled_count;
	uint64_t *late_ids; /* jobs that left in commits of which nobody was told */
	size_t late_count;

	struct redis_link listens;
	pthread_t listener;
	bool is_listening;
	char woken[48], told[48]; /* the last entries read; of the listener's thread */

	pthread_mutex_t txn_lock; /* held by the transaction; of all below, too */
	uint64_t commit_number;
	uint64_t done_number; /* the last commit that was answered */
	struct redis_promise *promises, **promises_end;

	pthread_mutex_t take_lock;
	uint64_t take_number;
	pthread_mutex_t taken_lock;
	struct redis_taken *taken; /* the jobs that we took, as far as we know */
};

/* store_redis_call.c */

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
void redis_link_close(struct redis_link *link);
/*
 * One step of the script: words are its name and arguments. Tries again until it is answered or the
 * time is up, and not for long while nobody answers anyhow; an error of the server's is a failure.
 * commit: what it commits, or NULL.
 */
MUST_CHECK int redis_step(struct store_redis *store, const struct words *words,
			  const struct commit *commit, redisReply **out, struct error *err);
/* The same on another link, by its only user; nothing is settled. */
MUST_CHECK int redis_link_step(struct redis_link *link, const struct words *words, redisReply **out,
			       struct error *err);
/* Finds out about a commit that may have happened. */
MUST_CHECK int redis_settle(struct store_redis *store, struct error *err);
/* A command that may take the server wait_ms to answer; one try. */
MUST_CHECK int redis_link_command(struct redis_link *link, const struct words *words,
				  int64_t wait_ms, redisReply **out, struct error *err);
/* The last try found nobody who answers. */
bool redis_is_away(const struct redis_link *link);
/* false: it is over. */
bool redis_pause(struct store_redis *store, int64_t ms);
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
	redisReply *whole[SPACE_COUNT]; /* keys and values of a small space; NULL: not read */
	bool is_large[SPACE_COUNT];     /* it is not small */
	unsigned whole_at;              /* the store's log_reads by then */
	bool has_cursor;
	uint64_t cursor_before, cursor;        /* what it is moved from and to */
	const char *fence_role, *fence_holder; /* NULL: none */
	uint64_t fence_token;
	uint64_t *decided; /* dead letters that it tries again or drops */
	size_t decided_count;
};

static inline UNUSED struct text cell_key(const struct cell *cell)
{
	return (struct text){ cell->key + 1, cell->key_size - 1 };
}

static inline UNUSED struct text cell_value(const struct cell *cell)
{
	return (struct text){ cell->value, cell->value_size };
}

static inline UNUSED struct redis_txn *redis_txn_of(struct store_txn *txn)
{
	return CONTAINER_OF(txn, struct redis_txn, base);
}

void redis_add_change(struct words *words, const struct cell *cell); /* of a written one */
/* Reads the last job's id and how full the state is, once in a transaction. */
MUST_CHECK int redis_counters(struct redis_txn *txn, struct error *err);
int redis_full(const struct store_redis *store, struct error *err); /* -1, saying so */
bool redis_left_late(struct store_redis *store, uint64_t id);
void redis_forget_late(struct store_redis *store, uint64_t id);
/* store_redis.c */
#define REDIS_FORMAT "2" /* of the keys */
MUST_CHECK int redis_check_format(struct store_redis *store, const redisReply *reply,
				  struct error *err);
void redis_know_seq(struct store_redis *store, uint64_t seq);
uint64_t redis_seen_seq(struct store_redis *store);

/* store_redis_log.c */
int redis_log_append(struct store *store, const struct record *record, uint64_t *out_seq,
		     struct error *err);
int redis_log_commit(struct store *store, struct error *err);
int redis_log_drain(struct store *store, int64_t wait_ms, struct error *err);
int64_t redis_log_read(struct store *store, uint64_t after, size_t max_records, size_t max_bytes,
		       bool (*visit)(void *ctx, const struct record *record), void *ctx,
		       struct error *err);
int redis_log_range(struct store *store, uint64_t *out_first, uint64_t *out_last,
		    struct error *err);
int redis_log_trim(struct store *store, int64_t now_ms, struct error *err);
MUST_CHECK int redis_log_extent(struct store_redis *store, uint64_t *out_first, uint64_t *out_last,
				int64_t *out_bytes, struct error *err);

/* store_redis_notes.c */
int redis_gap_put(struct store *store, struct gap *gap, struct error *err);
int redis_gap_visit(struct store *store, void (*visit)(void *ctx, const struct gap *gap), void *ctx,
		    struct error *err);
int redis_note_put(struct store *store, const char *name, struct text value, struct error *err);
int redis_note_get(struct store *store, const char *name, char **out, struct error *err);
MUST_CHECK int redis_gaps_trim(struct store_redis *store, struct error *err);
int redis_no_watch(struct store_redis *store, struct error *err); /* -1, saying so */

/* store_redis_lease.c */
int redis_lease_take(struct store *store, enum store_role role, int64_t ttl_ms,
		     struct store_lease *out, struct error *err);
int redis_lease_drop(struct store *store, enum store_role role, struct error *err);
int redis_lease_look(struct store *store, enum store_role role, struct store_lease *out,
		     struct error *err);
int redis_fence(struct store_txn *txn, enum store_role role, struct error *err);
MUST_CHECK int redis_lease_load(struct store_redis *store, struct error *err);

/* store_redis_members.c */
int redis_member_put(struct store *store, struct text status_json, int64_t ttl_ms,
		     struct error *err);
int redis_member_visit(struct store *store,
		       void (*visit)(void *ctx, const char *name, struct text status_json,
				     int64_t age_ms),
		       void *ctx, struct error *err);
int redis_tell(struct store *store, struct text message, struct error *err);
/* Others need not wait until we are forgotten. */
void redis_member_leave(struct store_redis *store);
/* The thread that hears the others. */
MUST_CHECK int redis_listen_start(struct store_redis *store, struct error *err);
void redis_listen_stop(struct store_redis *store);

/* store_redis_cursor.c: where the filter is, and what a server that forgot something must be told.
 */
int redis_cursor_check(struct store_txn *txn, uint64_t seq, struct error *err);
int redis_cursor_put(struct store_txn *txn, uint64_t seq, struct error *err);
/* A commit was done: what it promised is remembered for a while. */
void redis_promise(struct redis_txn *txn, uint64_t number);
/* The server has our commits up to this number: what it forgot is promised again. */
MUST_CHECK int redis_promise_again(struct store_redis *store, uint64_t number, struct error *err);
void redis_promises_clear(struct store_redis *store);

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

/* The first look at a value is what the commit holds against the store. */
void redis_note_read(struct redis_txn *txn, enum store_space space, struct text key, bool was_there,
		     struct text value);

/* store_redis_scan.c */
/* Whether the transaction has read the whole space; then what it holds under the key. */
bool redis_find_whole(struct redis_txn *txn, enum store_space space, struct text key,
		      bool *out_there, struct text *out);

/* store_redis_jobs.c */
int redis_job_put(struct store_txn *txn, const struct job *job, uint64_t *out_id,
		  struct error *err);
int64_t redis_job_take(struct store *store, int64_t now_ms, int64_t lease_ms, struct job *out,
		       size_t most, struct error *err);
int redis_job_is_ours(struct store *store, uint64_t id, struct error *err);
void redis_jobs_left(struct store_redis *store, const uint64_t *ids, size_t count);
void redis_jobs_clear(struct store_redis *store);
int redis_job_next_due(struct store *store, int64_t *out_ms, struct error *err);
int redis_job_save(struct store_txn *txn, const struct job *job, int64_t lease_until_ms,
		   struct error *err);
int redis_job_prolong(struct store *store, uint64_t id, int64_t lease_until_ms, struct error *err);
int redis_job_retry(struct store_txn *txn, const struct job *job, struct error *err);
int redis_job_end(struct store_txn *txn, const struct job *job, enum job_state state,
		  int64_t now_ms, struct error *err);
int redis_job_release_all(struct store *store, struct error *err);
int redis_job_visit(struct store *store, enum job_state state, size_t max,
		    bool (*visit)(void *ctx, const struct job *job), void *ctx, struct error *err);
/* leaves: and does not come back. */
MUST_CHECK int redis_job_release(struct store_redis *store, bool leaves, struct error *err);
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
