/*
 * store: where records, jobs and everything that must survive a restart are safe.
 *
 * Two halves with an owner each: the log (written by the watch role only) and the state (written by
 * filter and act). Every implementation passes the same contract tests. Calls block for as long as
 * the store takes; -1 means that the store cannot be used now and nothing of the call happened: the
 * role keeps what it has and tries again. One struct store may be used from several threads.
 */
#ifndef STORE_STORE_H
#define STORE_STORE_H

#include "event/event.h"

struct store;

struct store_settings {
	const char *url; /* "embedded:/var/lib/cn_monitor"; store/redis_address.h has the others */
	int64_t max_bytes;    /* MAX_SIZE: of the log; the state may take as much again */
	int64_t retention_ms; /* RETENTION: how long read records and history are kept */
	bool sync;            /* false: COMMIT = os */

	/* Who we are among the processes that share a store: "host-1/watch/4711". NULL: nobody, who
	 * can hold no lease. */
	const char *member;
	bool watches; /* this process appends to the log */
	/* Looks only, also while others have the store open, and leaves no trace: nothing is
	 * created, and whatever would write answers -1. */
	bool reads_only;

	/* Of a store over a network; NULL or 0: the default. */
	const char *prefix;        /* "main" */
	const char *password_file; /* instead of a password in the URL */
	const char *sentinels;     /* "host:port, host:port"; then the URL's host is a name */
	const char *ca_file, *cert_file, *key_file, *server_name;
	const char *database; /* where the URL has no place for it */
	const char *log;      /* directory of the local log of a process that watches */
	int64_t timeout_ms;   /* how long one call tries; 5 s */
};

/*
 * Creates what is missing (directory 0700). A format of another version is refused, and so is a
 * store that another process has open: the message names that process.
 */
MUST_CHECK int store_open(struct store **out, const struct store_settings *settings,
			  struct error *err);
void store_close(struct store *store);
AUTO_DEFINE(struct store *, store_close)

/*
 * Other limits from now on, from any thread. What is stored stays: a store that has more than
 * max_bytes now is full until enough of it is removed. -1: so much room cannot be had without
 * opening the store anew; nothing was changed.
 */
MUST_CHECK int store_limit(struct store *store, int64_t max_bytes, int64_t retention_ms,
			   struct error *err);

/*
 * Roles wake each other through the store: called (in the caller's thread, or one of the store's
 * own for what another process did) after a commit that gives the named role something to do; now
 * and then for nothing. The app makes it a uv_async_send. One per role.
 */
enum store_role { STORE_WATCH, STORE_FILTER, STORE_ACT, STORE_ROLE_COUNT };
void store_on_wake(struct store *store, enum store_role role, void (*wake)(void *ctx), void *ctx);

/* ---- The log: one writer, any number of readers ---- */

struct record {
	uint64_t seq; /* grows, from 1 */
	int64_t time_ms;
	enum origin origin;
	struct text watch;
	struct text bytes; /* a message as it came */
	uint32_t token;    /* the store's own: the lease under which it was heard */
};

/* Buffers; seq is given here and answered. -1: full (err says which limit), nothing was buffered.
 */
MUST_CHECK int store_log_append(struct store *store, const struct record *record, uint64_t *out_seq,
				struct error *err);
/*
 * Everything appended so far is durable when it answers 0; wakes the filter. -1: all of it stays
 * buffered; calling again tries again. Before it gives up for want of room it trims.
 */
MUST_CHECK int store_log_commit(struct store *store, struct error *err);
/*
 * A store over a network makes a record durable on this machine first and brings it to the readers
 * behind the caller's back. Waits until all that was committed is there: 1; 0: not within wait_ms.
 * A record keeps its place, but the seq that the readers see is the store's, not that of
 * store_log_append.
 */
MUST_CHECK int store_log_drain(struct store *store, int64_t wait_ms, struct error *err);
/*
 * Visits durable records with seq > after, in order, until visit answers false, max_records or
 * max_bytes were visited (the first record always is). Answers how many; the texts are borrowed.
 */
MUST_CHECK int64_t store_log_read(struct store *store, uint64_t after, size_t max_records,
				  size_t max_bytes,
				  bool (*visit)(void *ctx, const struct record *record), void *ctx,
				  struct error *err);
MUST_CHECK int store_log_range(struct store *store, uint64_t *out_first, uint64_t *out_last,
			       struct error *err); /* 0, 0 when empty */
/*
 * Drops records that the filter is done with (store_cursor_put) and that are older than the
 * retention or past max_bytes, maybe not all of a piece that they are stored in; then the oldest
 * closed gaps beyond the last thousand. 1: it stopped after some milliseconds and there is more;
 * call again soon.
 */
MUST_CHECK int store_log_trim(struct store *store, int64_t now_ms, struct error *err);

/* A gap: a stretch of time in which the stream of a watch was not heard, or may not have been. */
struct gap {
	uint64_t id; /* 0: give a new one */
	char watch[64];
	int64_t from_ms;  /* the last moment that is known to be complete */
	int64_t until_ms; /* the stream was up again; 0: still open */
	char *reason;     /* for free() by the reader */
	/* The last record before it: to be put, a seq of store_log_append's; GAP_AFTER_ALL: the
	 * last one there is. */
	uint64_t after_seq;
};
#define GAP_AFTER_ALL UINT64_MAX
MUST_CHECK int store_gap_put(struct store *store, struct gap *gap, struct error *err);
MUST_CHECK int store_gap_visit(struct store *store, void (*visit)(void *ctx, const struct gap *gap),
			       void *ctx, struct error *err);
/* The watch role's own notes (last time known to be complete, baselines), by name. */
MUST_CHECK int store_note_put(struct store *store, const char *name, struct text value,
			      struct error *err);
/* *out for free(); NULL if there is none. */
MUST_CHECK int store_note_get(struct store *store, const char *name, char **out, struct error *err);

/* ---- Who may: roles of which one process at a time is active ---- */

struct store_lease {
	uint64_t token;      /* grows whenever the role goes to somebody else; ours if we hold it */
	char holder[128];    /* who holds it: the settings' member, maybe cut */
	bool is_unconfirmed; /* the store cannot be asked, but we held it last: go on, and ask again
			      */
};
/*
 * Takes the role's lease, or renews it: to be called several times in each ttl_ms. 1: we hold it;
 * 0: out->holder does; -1: that cannot be known now (and who holds it stops at the end of the
 * ttl_ms that was last granted). Somebody else's lease is taken only after this store has itself
 * seen, over a working connection, that it was not renewed for a whole ttl_ms; so after an outage
 * its holder goes on. From here on what we append counts as heard under this lease. In a store
 * that only one process can have open it is always ours.
 */
MUST_CHECK int store_lease_take(struct store *store, enum store_role role, int64_t ttl_ms,
				struct store_lease *out, struct error *err);
/* Others need not wait for its end. Fine if it is not ours. */
MUST_CHECK int store_lease_drop(struct store *store, enum store_role role, struct error *err);
/* Who holds it, without taking it: 1, or 0 if nobody does. */
MUST_CHECK int store_lease_look(struct store *store, enum store_role role, struct store_lease *out,
				struct error *err);

/* ---- Processes that share the store ---- */

/* Shows this process's status to all of them, for ttl_ms; again under the same name replaces it. */
MUST_CHECK int store_member_put(struct store *store, struct text status_json, int64_t ttl_ms,
				struct error *err);
/* By name; age_ms: since it was put. */
MUST_CHECK int store_member_visit(struct store *store,
				  void (*visit)(void *ctx, const char *name,
						struct text status_json, int64_t age_ms),
				  void *ctx, struct error *err);
/*
 * A message to every process that has the store open, this one included, once each. Who is cut off
 * for longer than some hundreds of messages last misses them.
 */
#define STORE_MESSAGE_MAX (64 * 1024)
MUST_CHECK int store_tell(struct store *store, struct text message, struct error *err);
/* One listener; called in any thread, so it only passes the message on. NULL: none. */
void store_on_message(struct store *store, void (*heard)(void *ctx, struct text message),
		      void *ctx);

/* What somebody should set otherwise, or should know that it was lost: a sentence each, for as long
 * as it is so. */
void store_advice(struct store *store, void (*visit)(void *ctx, const char *sentence), void *ctx);

/* ---- The state: transactions of the filter ---- */

/*
 * Named spaces of keys and values inside the state, ordered by key as bytes. What a space holds is
 * its user's affair; the store knows none of the values.
 */
#define STORE_KEY_MAX 511 /* bytes in a key, at least 1 */

enum store_space {
	SPACE_META,   /* cursors, versions of the rules by seq */
	SPACE_HALVES, /* halves of renames waiting for the other */
	SPACE_SETTLE, /* settle timers */
	SPACE_EXPECT, /* the echo ledger (store/echo.h) */
	SPACE_LABELS, /* what the filter found out about an event; keys begin with store_key(seq) */
	SPACE_INBOX,  /* events that act hands to the filter to be judged (app/inbox.h) */
	SPACE_TALLY,  /* what rules count over time (app/tally.h) */
	SPACE_PENDING, /* events whose files the cluster is asked about (app/pending.h) */
	SPACE_REPAIR,  /* gaps that are repaired, and how they were (app/repair_state.h) */
	SPACE_ALARMS,  /* troubles of the monitor that alarms know of (app/alarms.h) */
	SPACE_DIGEST,  /* events that are told together (app/digest.h) */
	SPACE_CHAIN,   /* marks and links of the history (store/chain.h) */
	SPACE_COUNT
};

/* A number as a key or its beginning: 8 bytes that sort as numbers do. */
struct store_key {
	char bytes[8];
};
struct store_key store_key(uint64_t number);
uint64_t store_key_number(struct text key); /* of a key's first 8 bytes; 0 if it is shorter */

struct store_txn;

/* A write transaction on the state; others wait meanwhile, so keep it short. */
MUST_CHECK int store_begin(struct store *store, struct store_txn **out, struct error *err);
/*
 * All or nothing; the txn is gone either way. In the thread that began it. Wakes act if jobs were
 * put or freed, the filter if something was put into its inbox.
 *
 * -1 of a store over a network may also mean that the answer got lost and could not be had again:
 * who repeats a transaction that moved the cursor reads the cursor first. Ending a job, or giving
 * it back, can be repeated as it is.
 */
MUST_CHECK int store_commit(struct store_txn *txn, struct error *err);
/* What store_commit answers instead of -1 if all that is wrong is that another process has changed
 * something that this transaction read and changes: the whole of it can be done again at once. */
#define STORE_CONFLICT (-2)
void store_abort(struct store_txn *txn); /* NULL is fine */
AUTO_DEFINE(struct store_txn *, store_abort)

MUST_CHECK int store_put(struct store_txn *txn, enum store_space space, struct text key,
			 struct text value, struct error *err);
MUST_CHECK int store_delete(struct store_txn *txn, enum store_space space, struct text key,
			    struct error *err); /* missing is fine */
/* *out for free() (NUL-terminated), NULL if missing; out_size may be NULL. Sees the txn's own
 * writes. */
MUST_CHECK int store_get(struct store_txn *txn, enum store_space space, struct text key, char **out,
			 size_t *out_size, struct error *err);
/* Keys >= from in order until visit answers false. visit must not write into the txn. */
MUST_CHECK int store_scan(struct store_txn *txn, enum store_space space, struct text from,
			  bool (*visit)(void *ctx, struct text key, struct text value), void *ctx,
			  struct error *err);
/* The transaction is committed only if this process still holds the role's lease by then. */
MUST_CHECK int store_fence(struct store_txn *txn, enum store_role role, struct error *err);
/* The filter is done with the log's records up to seq: they may be trimmed. Never goes back. */
MUST_CHECK int store_cursor_put(struct store_txn *txn, uint64_t seq, struct error *err);
MUST_CHECK int store_cursor_get(struct store *store, uint64_t *out_seq, struct error *err);
/* -1 also if the cursor is not at seq: somebody else moved it, or the store lost its last moments.
 */
MUST_CHECK int store_cursor_check(struct store_txn *txn, uint64_t seq, struct error *err);
/* Always -1: says so. */
int store_cursor_moved(uint64_t expected, uint64_t found, struct error *err);
/* Outside of a transaction: one committed value, and a scan of what is committed. */
MUST_CHECK int store_peek(struct store *store, enum store_space space, struct text key, char **out,
			  struct error *err);
MUST_CHECK int store_peek_scan(struct store *store, enum store_space space, struct text from,
			       bool (*visit)(void *ctx, struct text key, struct text value),
			       void *ctx, struct error *err);
/* Drops history that is older than the retention, and labels of records that the log no longer
 * has. 1: there is more; call again soon. */
MUST_CHECK int store_state_trim(struct store *store, int64_t now_ms, struct error *err);

/* ---- Jobs ---- */

enum job_state {
	JOB_WAITING, /* due at due_ms */
	JOB_TAKEN,   /* somebody works on it until lease_ms */
	JOB_DONE,    /* in the history */
	JOB_DEAD,    /* gave up: in the dead letters, kept until somebody decides */
};

struct job {
	uint64_t id;   /* grows */
	char *file_id; /* jobs of one file run in order of their ids; "" (or NULL) is nobody's */
	int64_t due_ms;
	unsigned attempts; /* of the step under way */
	enum job_state state;
	char *body;    /* JSON: rule, event, steps, results; app/job.h knows its members */
	char *outcome; /* done and dead: one sentence */
	int64_t ended_ms;
};
void job_clear(struct job *job);

/*
 * Puts a job (id, state ignored) in the same transaction as the cursor. Answers its id. -1 also
 * when the state is full: what ends jobs still works then.
 */
MUST_CHECK int store_job_put(struct store_txn *txn, const struct job *job, uint64_t *out_id,
			     struct error *err);
/*
 * Takes the next due job of which no earlier job of the same file is waiting or taken, for
 * lease_ms. 1: *out is filled (job_clear it); 0: none is due. A job whose lease ran out is due
 * again; where only one process can have the store open, leases end with that process.
 */
MUST_CHECK int store_job_take(struct store *store, int64_t now_ms, int64_t lease_ms,
			      struct job *out, struct error *err);
/* The same for up to `most` jobs at once, of as many files; answers how many, in order of their due
 * times. */
MUST_CHECK int64_t store_job_take_many(struct store *store, int64_t now_ms, int64_t lease_ms,
				       struct job *out, size_t most, struct error *err);
/* When the next job could be taken (a lease that runs out counts), or 0 if there is none. */
MUST_CHECK int store_job_next_due(struct store *store, int64_t *out_ms, struct error *err);
/*
 * The three ways on for a taken job; -1 also when it is not taken any more. Each has a form that is
 * part of a larger transaction, so that many jobs share one wait for the disk.
 */
/* Stores body and attempts of a taken job and prolongs its lease: progress within or between steps.
 * body NULL: only prolongs. */
MUST_CHECK int store_job_save(struct store *store, const struct job *job, int64_t now_ms,
			      int64_t lease_ms, struct error *err);
/* Gives a taken job back, due at job->due_ms, with its body and attempts. */
MUST_CHECK int store_job_retry(struct store *store, const struct job *job, struct error *err);
/* Ends a taken job: history (JOB_DONE) or dead letters (JOB_DEAD), with body and outcome. */
MUST_CHECK int store_job_end(struct store *store, const struct job *job, enum job_state state,
			     int64_t now_ms, struct error *err);
MUST_CHECK int store_job_save_in(struct store_txn *txn, const struct job *job, int64_t now_ms,
				 int64_t lease_ms, struct error *err);
MUST_CHECK int store_job_retry_in(struct store_txn *txn, const struct job *job, struct error *err);
MUST_CHECK int store_job_end_in(struct store_txn *txn, const struct job *job, enum job_state state,
				int64_t now_ms, struct error *err);
/* Every job that this process has taken is due again at once, and in a store that only one process
 * can have open, what the one before it had: when the act role starts. */
MUST_CHECK int store_job_release_all(struct store *store, struct error *err);
/* 1: taken by this process, and by nobody since; 0: not any more. */
MUST_CHECK int store_job_is_ours(struct store *store, uint64_t id, struct error *err);
MUST_CHECK int store_job_visit(struct store *store, enum job_state state, size_t max,
			       bool (*visit)(void *ctx, const struct job *job), void *ctx,
			       struct error *err); /* newest first */

/*
 * Dead letters, once somebody decided about them. All three answer 1, or 0 if the job is not a dead
 * letter (any more): then nothing was changed.
 */
MUST_CHECK int store_dead_get(struct store *store, uint64_t id, struct job *out, /* job_clear it */
			      struct error *err);
/*
 * Lets the job wait again under its old id, due at job->due_ms, with its body as it was and no
 * attempts; its outcome is forgotten. If other jobs of its file wait or are taken, it comes behind
 * the one whose turn it is, and before the rest. Reads of job: id, ended_ms (as get or visit showed
 * it), due_ms. Works when the state is full; wakes act.
 */
MUST_CHECK int store_dead_retry(struct store_txn *txn, const struct job *job, struct error *err);
/* Moves it to the history, ended at now_ms with job->outcome. Reads of job: id, ended_ms, outcome.
 */
MUST_CHECK int store_dead_drop(struct store_txn *txn, const struct job *job, int64_t now_ms,
			       struct error *err);

struct store_counts {
	uint64_t first_seq, last_seq;
	uint64_t jobs_waiting, jobs_taken, jobs_done, jobs_dead;
	uint64_t gaps;
	int64_t log_bytes, state_bytes;
	uint64_t log_behind; /* records on this machine that the readers do not have yet */
};
MUST_CHECK int store_count(struct store *store, struct store_counts *out, struct error *err);

/*
 * For tests of what a crash leaves: called at named points before, amid and after a durable step:
 * "log.commit.before", "log.commit.amid", "log.commit.after", and the same of "log.trim",
 * "state.commit", "job.save", "job.retry", "job.end" (no "amid" where a step has no middle).
 * NULL: off.
 */
void store_on_point(void (*reached)(const char *point));

#endif
