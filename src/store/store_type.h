/*
 * store_type: the seam between store.c and the implementations. A new one is a struct store_type
 * and a line in store.c's table; the URL's scheme picks it. Meanings: store.h.
 */
#ifndef STORE_STORE_TYPE_H
#define STORE_STORE_TYPE_H

#include <pthread.h>
#include <stdatomic.h>

#include "store/store.h"

struct store_type {
	const char *scheme; /* "embedded" */
	int (*open)(struct store **out, const struct store_settings *settings, const char *place,
		    struct error *err);
	void (*close)(struct store *store);
	int (*limit)(struct store *store, int64_t max_bytes, int64_t retention_ms,
		     struct error *err);

	int (*log_append)(struct store *store, const struct record *record, uint64_t *out_seq,
			  struct error *err);
	int (*log_commit)(struct store *store, struct error *err);
	int (*log_drain)(struct store *store, int64_t wait_ms, struct error *err);
	int64_t (*log_read)(struct store *store, uint64_t after, size_t max_records,
			    size_t max_bytes, bool (*visit)(void *ctx, const struct record *record),
			    void *ctx, struct error *err);
	int (*log_range)(struct store *store, uint64_t *out_first, uint64_t *out_last,
			 struct error *err);
	int (*log_trim)(struct store *store, int64_t now_ms, struct error *err);
	int (*gap_put)(struct store *store, struct gap *gap, struct error *err);
	int (*gap_visit)(struct store *store, void (*visit)(void *ctx, const struct gap *gap),
			 void *ctx, struct error *err);
	int (*note_put)(struct store *store, const char *name, struct text value,
			struct error *err);
	int (*note_get)(struct store *store, const char *name, char **out, struct error *err);

	int (*lease_take)(struct store *store, enum store_role role, int64_t ttl_ms,
			  struct store_lease *out, struct error *err);
	int (*lease_drop)(struct store *store, enum store_role role, struct error *err);
	int (*lease_look)(struct store *store, enum store_role role, struct store_lease *out,
			  struct error *err);
	int (*fence)(struct store_txn *txn, enum store_role role, struct error *err);
	int (*member_put)(struct store *store, struct text status_json, int64_t ttl_ms,
			  struct error *err);
	int (*member_visit)(struct store *store,
			    void (*visit)(void *ctx, const char *name, struct text status_json,
					  int64_t age_ms),
			    void *ctx, struct error *err);
	int (*tell)(struct store *store, struct text message, struct error *err);
	void (*advice)(struct store *store, void (*visit)(void *ctx, const char *sentence),
		       void *ctx); /* NULL: there is never any */

	int (*begin)(struct store *store, struct store_txn **out, struct error *err);
	int (*commit)(struct store_txn *txn, struct error *err); /* frees txn either way */
	void (*abort)(struct store_txn *txn);
	/* NULL, both: the cursor is a value like others. */
	int (*cursor_check)(struct store_txn *txn, uint64_t seq, struct error *err);
	int (*cursor_put)(struct store_txn *txn, uint64_t seq, struct error *err);
	int (*put)(struct store_txn *txn, enum store_space space, struct text key,
		   struct text value, struct error *err);
	int (*remove)(struct store_txn *txn, enum store_space space, struct text key,
		      struct error *err);
	int (*get)(struct store_txn *txn, enum store_space space, struct text key, char **out,
		   size_t *out_size, struct error *err);
	int (*scan)(struct store_txn *txn, enum store_space space, struct text from,
		    bool (*visit)(void *ctx, struct text key, struct text value), void *ctx,
		    struct error *err);
	int (*peek)(struct store *store, enum store_space space, struct text key, char **out,
		    size_t *out_size, struct error *err);
	int (*peek_scan)(struct store *store, enum store_space space, struct text from,
			 bool (*visit)(void *ctx, struct text key, struct text value), void *ctx,
			 struct error *err);
	int (*state_trim)(struct store *store, int64_t now_ms, struct error *err);

	int (*job_put)(struct store_txn *txn, const struct job *job, uint64_t *out_id,
		       struct error *err);
	int64_t (*job_take)(struct store *store, int64_t now_ms, int64_t lease_ms, struct job *out,
			    size_t most, struct error *err);
	int (*job_next_due)(struct store *store, int64_t *out_ms, struct error *err);
	int (*job_save)(struct store_txn *txn, const struct job *job, int64_t lease_until_ms,
			struct error *err);
	/* Only the lease; without a transaction, because it is so frequent. */
	int (*job_prolong)(struct store *store, uint64_t id, int64_t lease_until_ms,
			   struct error *err);
	int (*job_retry)(struct store_txn *txn, const struct job *job, struct error *err);
	int (*job_end)(struct store_txn *txn, const struct job *job, enum job_state state,
		       int64_t now_ms, struct error *err);
	int (*job_release_all)(struct store *store, struct error *err);
	int (*job_is_ours)(struct store *store, uint64_t id, struct error *err);
	int (*job_visit)(struct store *store, enum job_state state, size_t max,
			 bool (*visit)(void *ctx, const struct job *job), void *ctx,
			 struct error *err);
	int (*dead_get)(struct store *store, uint64_t id, struct job *out, struct error *err);
	int (*dead_retry)(struct store_txn *txn, const struct job *job, struct error *err);
	int (*dead_drop)(struct store_txn *txn, const struct job *job, int64_t now_ms,
			 struct error *err);
	int (*count)(struct store *store, struct store_counts *out, struct error *err);
};

/* The first member of an implementation's own struct: its open calls store_init first, its close
 * store_clear last; the type is set by store_open. */
struct store {
	const struct store_type *type;
	pthread_mutex_t wake_lock;
	struct {
		void (*wake)(void *ctx);
		void *ctx;
	} wakes[STORE_ROLE_COUNT];
	void (*heard)(void *ctx, struct text message);
	void *heard_ctx;
	char *member; /* NULL: nobody */
	bool reads_only;
	/*
	 * Counts up with each piece of the log that is read, where others may write while a
	 * transaction is open: a record that was read later may be the echo of something that was
	 * expected later than the transaction looked.
	 */
	atomic_uint log_reads;
};

struct store_txn {
	struct store *store;
	bool wakes[STORE_ROLE_COUNT]; /* whom store_commit wakes */
};

/* The number of the last record that was appended to an embedded store, whether it is still there
 * or not. */
uint64_t lmdb_log_end(struct store *store);

extern const struct store_type store_lmdb, store_redis, store_rediss, store_redis_unix;

void store_init(struct store *store, const struct store_settings *settings);
void store_clear(struct store *store);
void store_wake(struct store *store, enum store_role role);
/* Hands a message to the listener. */
void store_hear(struct store *store, struct text message);
/* Tells store_on_point's listener. */
void store_point(const char *point);

#endif
