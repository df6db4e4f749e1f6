/*
 * echo: the ledger of events that our own actions will cause, so that they trigger nothing.
 *
 * An expectation is stored, durably, before the request that causes the event goes out. The filter
 * looks up each arriving event; one that fits consumes the expectation and is labelled an echo.
 */
#ifndef STORE_ECHO_H
#define STORE_ECHO_H

#include "store/store.h"

struct expectation {
	uint64_t job;
	unsigned step;
	enum event_type type;
	const char
		*file_id; /* "" if not known yet (something that is being created): path decides */
	const char *path; /* absolute; NULL: any path of this file id */
	bool is_lasting;  /* any number of them, until it ends: of a file that we write in pieces */
};

/* In one durable transaction with the job's body (may be NULL): progress and expectations together.
 * They stay open until echo_close gives them an end, or 10 minutes. One that an earlier call for
 * this step left open is renewed, not doubled: an attempt after a crash expects the same again.
 * Records that were in the log before this call are no echoes of it, and are not taken for any. */
MUST_CHECK int echo_expect(struct store *store, const struct expectation *expectations,
			   size_t count, const struct job *progress, int64_t now_ms,
			   int64_t lease_ms, struct error *err);
/* The same as part of a larger transaction, without progress. after_seq: the log's last record,
 * read before the transaction began. */
MUST_CHECK int echo_expect_in(struct store_txn *txn, const struct expectation *expectations,
			      size_t count, uint64_t after_seq, int64_t now_ms, struct error *err);
/* How many expectations of this step are still open. */
MUST_CHECK int64_t echo_count_open(struct store *store, uint64_t job, unsigned step, int64_t now_ms,
				   struct error *err);
/* How many expectations there are at all, expired ones that were not dropped yet included. */
MUST_CHECK int64_t echo_count(struct store *store, struct error *err);
/* The action ended (or gave up): what is still open expires at expires_ms. */
MUST_CHECK int echo_close(struct store *store, uint64_t job, unsigned step, int64_t expires_ms,
			  struct error *err);
/* The same as part of a larger transaction. */
MUST_CHECK int echo_close_in(struct store_txn *txn, uint64_t job, unsigned step, int64_t expires_ms,
			     struct error *err);
/* The request was refused and certainly changed nothing: its open expectations are taken back. */
MUST_CHECK int echo_withdraw(struct store *store, uint64_t job, unsigned step, struct error *err);
/*
 * 1: event fits an open expectation, which is consumed in txn, unless it is a lasting one; *out_job
 * is whose echo it is.
 * 0: foreign.
 */
MUST_CHECK int echo_match(struct store_txn *txn, const struct event *event, int64_t now_ms,
			  uint64_t *out_job, unsigned *out_step, struct error *err);
/* Drops what has expired; answers how many. */
MUST_CHECK int64_t echo_expire(struct store_txn *txn, int64_t now_ms, struct error *err);

/* For echo_digests: what an expectation is looked up by, the key of the first, that of a key
 * (false: it is of something else). */
uint64_t echo_digest(struct text file_id, struct text path);
struct text echo_first_digest_key(void);
bool echo_key_digest(struct text key, uint64_t *out);

#endif
