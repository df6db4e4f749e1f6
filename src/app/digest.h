/*
 * digest: events that are told together, some time after the first of them.
 *
 * The first event of a group after a quiet time is told at once, by itself; those that come within
 * the window after it are kept, and a job of their own tells them when it ends. A group that goes
 *on is told once a window.
 *
 * SPACE_DIGEST holds, by the first byte of the key:
 *
 *	h (group)                 {"until", "number", "busy", "window"}: the window that is open
 *	g (group, number)         what a window has gathered, but for the entries
 *	e (group, number, index)  one entry
 */
#ifndef APP_DIGEST_H
#define APP_DIGEST_H

#include <jansson.h>

#include "store/store.h"

#define DIGEST_ENTRIES_MOST 1000 /* that are kept in a window; the others are counted */
#define DIGEST_BYTES_MOST ((size_t)256 * 1024)

struct digest {
	const char *group; /* who is told together; any text */
	int64_t window_ms;
	const json_t *entry; /* {"event", ..} */
};

/* The body of the job that tells what was gathered under this key. For free(). */
typedef char *digest_job(void *ctx, const char *key);

/*
 * Keeps an event for later, or says that it is to be told at once. *out_due_ms: when it is told; 0:
 * at once. job is asked for a body when the first one is kept.
 */
MUST_CHECK int digest_keep_in(struct store_txn *txn, const struct digest *digest, int64_t now_ms,
			      digest_job *job, void *ctx, int64_t *out_due_ms, struct error *err);
/*
 * Takes what was gathered out of the store: {"since_ms", "until_ms", "count", "kinds": {name:
 * count}, "rules": {name: count}, "entries": [..]}. A new reference; NULL: there is nothing (any
 * more).
 */
MUST_CHECK int digest_take_in(struct store_txn *txn, const char *key, json_t **out,
			      struct error *err);

#endif
