/*
 * chain: what makes it visible that somebody changed the history.
 *
 * Whatever becomes of a job, its end, its death, that it is tried again or dropped, leaves a mark
 *in the transaction in which it happens. Soon after, one after the other, marks become links: link
 *n is SHA-256(link n-1, mark n), so that none can be changed, taken out or put in without all that
 * follow being others. Whoever can write the store can make all of them anew: that shows to who has
 * kept a link somewhere else.
 *
 * SPACE_CHAIN holds, by the first byte of the key:
 *
 *	u (job, time, kind)   a mark that is no link yet
 *	l (number)            a link and its mark
 *	j (job)               the number of its newest link
 *	h                     the newest link; a: the one before the oldest that is kept, and since
 *when
 *
 * A mark: kind, job, time, SHA-256 of the job's body (zeros: it is as it was), and SHA-256 of all
 * these and of the outcome. Numbers are 8 bytes, the highest first.
 */
#ifndef STORE_CHAIN_H
#define STORE_CHAIN_H

#include "store/store.h"

#define CHAIN_LINK_SIZE 32
#define CHAIN_HEX_SIZE (2 * CHAIN_LINK_SIZE + 1)

/* In the order in which they follow each other for one job in one moment. */
enum chain_kind { CHAIN_DEAD = 'D', CHAIN_RETRIED = 'R', CHAIN_DONE = 'S', CHAIN_DROPPED = 'X' };

/* job: id, ended_ms (or when it happened), body (NULL: as it was) and outcome. */
MUST_CHECK int chain_mark(struct store_txn *txn, enum chain_kind kind, const struct job *job,
			  struct error *err);
/* Makes links of at most `most` marks, and forgets links older than keep_ms; 1: there is more to be
 * done, 0: nothing. A STORE_CONFLICT: somebody else does it in this moment. */
MUST_CHECK int chain_seal(struct store *store, int64_t now_ms, int64_t keep_ms, size_t most,
			  struct error *err);

struct chain_head {
	uint64_t number; /* 0: there is none yet */
	char hex[CHAIN_HEX_SIZE];
};
MUST_CHECK int chain_get_head(struct store *store, struct chain_head *out, struct error *err);

/* What chain_verify found. */
struct chain_report {
	struct chain_head head, oldest; /* links that are there; oldest.number 0: none is */
	uint64_t links, entries;        /* that were looked at */
	uint64_t unsealed;              /* entries that have a mark and no link yet */
	uint64_t older;                 /* from before the oldest link */
	uint64_t wrong;
};
/*
 * Looks at every link, and at every job of the history and the dead letters. tell gets a sentence
 * for each thing that is wrong, `most` of them. keep_ms: as chain_seal has it. known: a link that
 * somebody kept (number 0: none), which must be in the chain. -1 if the store cannot be read.
 */
MUST_CHECK int chain_verify(struct store *store, int64_t keep_ms, const struct chain_head *known,
			    void (*tell)(void *ctx, const char *sentence), void *ctx, size_t most,
			    struct chain_report *out, struct error *err);

/* "17:9f86d0..."; false: it is not that. */
bool chain_parse_head(const char *text, struct chain_head *out);

#endif
