/*
 * repair: keeps a snapshot to begin from while a watch is heard, and repairs
 * its gaps. Part of the watch role, in a thread and loop of its own: the
 * stream's reader never waits for it.
 *
 * Why and how: docs/decisions/0012-gap-repair.md.
 */
#ifndef APP_REPAIR_H
#define APP_REPAIR_H

#include "app/repair_state.h"
#include "app/settings.h"
#include "app/watcher.h"
#include "qumulo/client.h"
#include "store/store.h"

struct repair;

struct repair_status {  /* a snapshot, safe to take from any thread */
	char state[24]; /* off, ready, no_baseline, waiting, repairing */
	char method[16];
	char why[512];       /* this method, or nothing goes on, or there is no baseline; ""
			      */
	int64_t baseline_id; /* -1: none */
	int64_t baseline_ms;
	int64_t from_ms, until_ms, begun_ms; /* of the repair under way */
	struct repair_counts counts;
	uint64_t tasks_waiting;
};

struct repair *repair_new(uv_loop_t *loop, struct qumulo *cluster,
			  const struct watch_settings *watch, struct watcher *watcher,
			  struct store *store);
void repair_free(struct repair *repair); /* in its loop; the next one goes on */
void repair_get_status(struct repair *repair, struct repair_status *out);

#endif
