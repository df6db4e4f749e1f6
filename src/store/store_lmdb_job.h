/* store_lmdb_job: a job of the embedded store as bytes, and its keys. */
#ifndef STORE_STORE_LMDB_JOB_H
#define STORE_STORE_LMDB_JOB_H

#include "store/store_lmdb.h"

struct job_head {
	int64_t due_ms;
	int64_t ended_ms;
	uint64_t id;
	uint32_t attempts;
	uint32_t file_id_size;
	uint32_t outcome_size;
	uint32_t unused;
};

struct stored {
	struct job_head head;
	struct text file_id, outcome, body; /* borrowed */
};

/* (when, id): for ready, history and dead. */
struct pair_key {
	struct store_key when, id;
};

struct pair_key pair_key(int64_t when_ms, uint64_t id);
struct text pair_text(const struct pair_key *key);
uint64_t pair_id(struct text key);

MUST_CHECK int stored_decode(const struct store_lmdb *store, struct text value, struct stored *out,
			     struct error *err);
MUST_CHECK int stored_put(struct store_lmdb *store, MDB_txn *txn, MDB_dbi dbi, struct text key,
			  struct stored *job, unsigned flags, struct error *err);
/* For job_clear(). */
void stored_to_job(const struct stored *stored, enum job_state state, struct job *out);
/* One that waits or is taken. 1: found; 0: not. */
MUST_CHECK int stored_read(struct store_lmdb *store, MDB_txn *txn, uint64_t id, struct stored *out,
			   struct error *err);

/* Puts it among the jobs that wait; it is its turn at once if its file has no other. */
MUST_CHECK int lmdb_job_enqueue(struct store_lmdb *store, MDB_txn *txn, struct stored *job,
				unsigned flags, struct error *err);

/* Whether somebody took it, and his lease was not made due again since. */
bool lmdb_is_taken(struct store_lmdb *store, uint64_t id);
int lmdb_not_taken(uint64_t id, struct error *err); /* -1, saying so */

#endif
