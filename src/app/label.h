/*
 * label: what the filter found out about one event of the log, kept beside it in SPACE_LABELS so
 * that tail can show it. An event about which there is nothing to say has none.
 *
 * The value is JSON, any of:
 *	{"rules": ["quarantine-media"], "jobs": [17]}    these rules were true, these jobs put
 *	{"rules": ["ingest"], "settling": true}          waits until its file is quiet
 *	{"echo_of": 17, "step": 0}                       caused by our own job
 *	{"old_path": "/a/b"}                             of a paired rename
 *	{"trouble": "..."}                               not understood
 */
#ifndef APP_LABEL_H
#define APP_LABEL_H

#include <jansson.h>

#include "store/store.h"

AUTO_DEFINE(json_t *, json_decref)

#define LABEL_KEY_SIZE 12

/* Sorts as (seq, index) do. */
void label_key(char key[LABEL_KEY_SIZE], uint64_t seq, uint32_t index);
bool label_key_read(struct text key, uint64_t *out_seq, uint32_t *out_index);

/* Writes or replaces a label; an event of no record (seq 0) has none. */
MUST_CHECK int label_put(struct store_txn *txn, uint64_t seq, uint32_t index, const json_t *label,
			 struct error *err);
/* *out for json_decref(); NULL if there is none. Sees the txn's own writes. */
MUST_CHECK int label_get(struct store_txn *txn, uint64_t seq, uint32_t index, json_t **out,
			 struct error *err);

/* Adds item, taken over, to the list that the label (NULL: to none) has under key. */
void label_append(json_t *label, const char *key, json_t *item);

#endif
