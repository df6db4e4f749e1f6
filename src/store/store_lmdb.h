/*
 * store_lmdb: the embedded store: two LMDB environments below one directory, DIR/log (written by
 * the watch role) and DIR/state (written by filter and act), so that appending never waits for
 * jobs.
 *
 * The size of the map is fixed when the environment is opened: LMDB can change it only while no
 * transaction is open in the process, and readers in other threads come and go at any time. The
 * map is only address space (the file and the memory grow with what is stored), so it is several
 * times as large as the store may get now (store_limit), plus slack: what removes things must find
 * room to write even when it is full.
 */
#ifndef STORE_STORE_LMDB_H
#define STORE_STORE_LMDB_H

#include <lmdb.h>
#include <uthash.h>

#include "base/buf.h"
#include "store/store_type.h"

struct lmdb_env {
	MDB_env *env;
	char *path;
	int64_t map_bytes;
	_Atomic int64_t max_bytes; /* more than that is refused; removing goes on */
};

/* A job that is taken. In memory only: nobody but this process can have taken it, and after a crash
 * all of them are due again. That saves two waits for the disk per job. */
struct taken {
	uint64_t id;
	int64_t lease_ms;
	UT_hash_handle hh;
};

struct store_lmdb {
	struct store base;
	char *path;
	int lock_fd;
	_Atomic int64_t retention_ms;

	struct lmdb_env log;
	MDB_dbi records; /* seq -> record */
	MDB_dbi gaps;    /* id -> gap */
	MDB_dbi notes;
	pthread_mutex_t append_lock; /* of the two below */
	struct buf *pending;         /* appended, not committed */
	uint64_t next_seq;

	struct lmdb_env state;
	MDB_dbi spaces[SPACE_COUNT];
	MDB_dbi jobs;     /* id -> job, waiting or taken */
	MDB_dbi ready;    /* (due, id) of the first job of each file, and of jobs without a file */
	MDB_dbi files;    /* (file id, id) of every job with a file */
	MDB_dbi history;  /* (ended, id) -> job */
	MDB_dbi dead;     /* (ended, id) -> job */
	MDB_dbi counters; /* name -> number */
	pthread_mutex_t taken_lock;
	struct taken *taken;

	pthread_mutex_t member_lock; /* of all below */
	char *status;                /* of the only process there is; NULL: none yet */
	size_t status_size;
	int64_t status_ms, status_until_ms;
};

/* What a transaction changes about the taken jobs, once it is committed. */
struct taken_change {
	uint64_t id;
	int64_t lease_ms; /* 0: not taken any more */
};

struct lmdb_txn {
	struct store_txn base;
	MDB_txn *txn;
	bool is_full;
	struct taken_change *changes;
	size_t change_count;
};

static inline UNUSED struct store_lmdb *lmdb_of(struct store *store)
{
	return CONTAINER_OF(store, struct store_lmdb, base);
}

static inline UNUSED struct lmdb_txn *lmdb_txn_of(struct store_txn *txn)
{
	return CONTAINER_OF(txn, struct lmdb_txn, base);
}

AUTO_DEFINE(MDB_txn *, mdb_txn_abort)
AUTO_DEFINE(MDB_cursor *, mdb_cursor_close)

/* -1, with a sentence about an LMDB or system error code. */
int lmdb_fail(const struct lmdb_env *env, int code, struct error *err);
MUST_CHECK int lmdb_begin(const struct lmdb_env *env, bool writes, MDB_txn **out,
			  struct error *err);
/* mdb_get, mdb_put, mdb_del with our types and errors. get: 1 found, 0 not. */
MUST_CHECK int lmdb_get(const struct lmdb_env *env, MDB_txn *txn, MDB_dbi dbi, struct text key,
			struct text *out, struct error *err);
MUST_CHECK int lmdb_put(const struct lmdb_env *env, MDB_txn *txn, MDB_dbi dbi, struct text key,
			struct text value, unsigned flags, struct error *err);
MUST_CHECK int lmdb_delete(const struct lmdb_env *env, MDB_txn *txn, MDB_dbi dbi, struct text key,
			   struct error *err);
/* 1: cursor stands on an entry, which is in key and value (may be NULL); 0: there is none. */
MUST_CHECK int lmdb_seek(const struct lmdb_env *env, MDB_cursor *cursor, struct text from,
			 MDB_cursor_op op, struct text *key, struct text *value, struct error *err);
MUST_CHECK int lmdb_cursor(const struct lmdb_env *env, MDB_txn *txn, MDB_dbi dbi, MDB_cursor **out,
			   struct error *err);
/* Everything, or what is left is for close; store_lmdb_open.c, as the two below. */
MUST_CHECK int lmdb_open_all(struct store_lmdb *store, const struct store_settings *settings,
			     struct error *err);
MUST_CHECK int lmdb_limit(struct store *base, int64_t max_bytes, int64_t retention_ms,
			  struct error *err);
/* Locks a store's directory for this process; close *out_fd to let go. -1: another has it. */
MUST_CHECK int lmdb_lock(const char *folder, int *out_fd, struct error *err);
const char *lmdb_space_name(enum store_space space);
/* Whether it may be a record's value, and when it came. */
bool lmdb_record_time(struct text value, int64_t *out_ms);
/* Whoever looks on (reads_only) and is killed leaves the pages that it saw in use, for ever. */
void lmdb_forget_dead_readers(const struct lmdb_env *env);
/* Bytes in the pages of these databases. */
int64_t lmdb_bytes(MDB_txn *txn, const MDB_dbi *dbis, size_t count);
uint64_t lmdb_entries(MDB_txn *txn, MDB_dbi dbi);

static inline UNUSED struct text lmdb_key(const struct store_key *key)
{
	return (struct text){ key->bytes, sizeof(key->bytes) };
}

/* store_lmdb_log.c */
MUST_CHECK int lmdb_log_start(struct store_lmdb *store, struct error *err);
int lmdb_log_append(struct store *store, const struct record *record, uint64_t *out_seq,
		    struct error *err);
int lmdb_log_commit(struct store *store, struct error *err);
int64_t lmdb_log_read(struct store *store, uint64_t after, size_t max_records, size_t max_bytes,
		      bool (*visit)(void *ctx, const struct record *record), void *ctx,
		      struct error *err);
int lmdb_log_range(struct store *store, uint64_t *out_first, uint64_t *out_last, struct error *err);
int lmdb_log_trim(struct store *store, int64_t now_ms, struct error *err);
int lmdb_log_count(struct store_lmdb *store, struct store_counts *out, struct error *err);

int lmdb_log_drain(struct store *store, int64_t wait_ms, struct error *err);

/* store_lmdb_member.c */
int lmdb_lease_take(struct store *store, enum store_role role, int64_t ttl_ms,
		    struct store_lease *out, struct error *err);
int lmdb_lease_drop(struct store *store, enum store_role role, struct error *err);
int lmdb_lease_look(struct store *store, enum store_role role, struct store_lease *out,
		    struct error *err);
int lmdb_fence(struct store_txn *txn, enum store_role role, struct error *err);
int lmdb_member_put(struct store *store, struct text status_json, int64_t ttl_ms,
		    struct error *err);
int lmdb_member_visit(struct store *store,
		      void (*visit)(void *ctx, const char *name, struct text status_json,
				    int64_t age_ms),
		      void *ctx, struct error *err);
int lmdb_tell(struct store *store, struct text message, struct error *err);
void lmdb_member_clear(struct store_lmdb *store);

/* store_lmdb_gaps.c */
int lmdb_gap_put(struct store *store, struct gap *gap, struct error *err);
int lmdb_gap_visit(struct store *store, void (*visit)(void *ctx, const struct gap *gap), void *ctx,
		   struct error *err);
int lmdb_note_put(struct store *store, const char *name, struct text value, struct error *err);
int lmdb_note_get(struct store *store, const char *name, char **out, struct error *err);
/* Within a write transaction of the log's trim. */
MUST_CHECK int lmdb_gaps_trim(struct store_lmdb *store, MDB_txn *txn, struct error *err);

/* store_lmdb_state.c */
int lmdb_state_begin(struct store *store, struct store_txn **out, struct error *err);
int lmdb_state_commit(struct store_txn *txn, struct error *err);
void lmdb_state_abort(struct store_txn *txn);
int lmdb_state_put(struct store_txn *txn, enum store_space space, struct text key,
		   struct text value, struct error *err);
int lmdb_state_remove(struct store_txn *txn, enum store_space space, struct text key,
		      struct error *err);
int lmdb_state_get(struct store_txn *txn, enum store_space space, struct text key, char **out,
		   size_t *out_size, struct error *err);
int lmdb_state_scan(struct store_txn *txn, enum store_space space, struct text from,
		    bool (*visit)(void *ctx, struct text key, struct text value), void *ctx,
		    struct error *err);
int lmdb_state_peek(struct store *store, enum store_space space, struct text key, char **out,
		    size_t *out_size, struct error *err);
int lmdb_state_peek_scan(struct store *store, enum store_space space, struct text from,
			 bool (*visit)(void *ctx, struct text key, struct text value), void *ctx,
			 struct error *err);
int lmdb_state_trim(struct store *store, int64_t now_ms, struct error *err);
int lmdb_state_full(const struct store_lmdb *store, struct error *err); /* -1, saying so */
int64_t lmdb_state_bytes(const struct store_lmdb *store, MDB_txn *txn);

/* store_lmdb_jobs.c */
int lmdb_job_put(struct store_txn *txn, const struct job *job, uint64_t *out_id, struct error *err);
int64_t lmdb_job_take(struct store *store, int64_t now_ms, int64_t lease_ms, struct job *out,
		      size_t most, struct error *err);
int lmdb_job_next_due(struct store *store, int64_t *out_ms, struct error *err);
int lmdb_job_save(struct store_txn *txn, const struct job *job, int64_t lease_until_ms,
		  struct error *err);
int lmdb_job_prolong(struct store *store, uint64_t id, int64_t lease_until_ms, struct error *err);
int lmdb_job_retry(struct store_txn *txn, const struct job *job, struct error *err);
int lmdb_job_end(struct store_txn *txn, const struct job *job, enum job_state state, int64_t now_ms,
		 struct error *err);
int lmdb_job_is_ours(struct store *store, uint64_t id, struct error *err);
int lmdb_job_release_all(struct store *store, struct error *err);
int lmdb_job_visit(struct store *store, enum job_state state, size_t max,
		   bool (*visit)(void *ctx, const struct job *job), void *ctx, struct error *err);
int lmdb_job_count(struct store_lmdb *store, struct store_counts *out, struct error *err);

/* store_lmdb_dead.c */
int lmdb_dead_get(struct store *store, uint64_t id, struct job *out, struct error *err);
int lmdb_dead_retry(struct store_txn *txn, const struct job *job, struct error *err);
int lmdb_dead_drop(struct store_txn *txn, const struct job *job, int64_t now_ms, struct error *err);

/* store_lmdb_leases.c, after a commit */
void lmdb_taken_apply(struct store_lmdb *store, const struct taken_change *changes, size_t count);
void lmdb_taken_clear(struct store_lmdb *store);

#endif
