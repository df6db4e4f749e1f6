/*
 * scan_item: what the store knows of scans that somebody asked for: those that wait, the one under
 * way, and how the last ones ended. An item is JSON:
 *
 *	{"number": 3, "watch": "main", "path": "/home", "state": "waiting" | "under way" |
 *	 "stopping" | "done" | "failed" | "stopped", "why": "..",
 *	 "asked_ms": .., "begun_ms": .., "ended_ms": .., "found": .., "unreadable": ..,
 *	 "directories": .., "requests": .., "tasks_waiting": ..}
 */
#ifndef APP_SCAN_ITEM_H
#define APP_SCAN_ITEM_H

#include <jansson.h>

#include "store/store.h"

#define SCANS_WAITING_MOST 100
#define SCANS_KEPT 20 /* that have ended */

/* All of a watch (NULL: of all watches), the oldest first; new reference, NULL with an error. */
json_t *scan_items(struct store *store, const char *watch, struct error *err);
/* Puts one that waits, with the next number. *out: a new reference. */
MUST_CHECK int scan_item_new(struct store *store, const char *watch, const char *path,
			     int64_t now_ms, json_t **out, struct error *err);
/* Takes over that somebody has it stopped meanwhile. */
MUST_CHECK int scan_item_heed(struct store_txn *txn, json_t *item, struct error *err);
MUST_CHECK int scan_item_put(struct store_txn *txn, const json_t *item, struct error *err);
/* Drops the oldest that have ended, so that SCANS_KEPT of the watch are left. */
MUST_CHECK int scan_items_trim(struct store *store, struct store_txn *txn, const char *watch,
			       struct error *err);

bool scan_item_is(const json_t *item, const char *state);
/* It waits, or is under way. */
bool scan_item_is_open(const json_t *item);

#endif
