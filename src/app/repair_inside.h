/* repair_inside: what repair.c (gaps and their repairs) and repair_baseline.c (snapshots) know of
 * each other. */
#ifndef APP_REPAIR_INSIDE_H
#define APP_REPAIR_INSIDE_H

#include <pthread.h>

#include "app/repair.h"
#include "app/repair_close.h"
#include "app/repair_work.h"
#include "base/metric.h"
#include "qumulo/snapshots.h"
#include "qumulo/walk.h"

#define REPAIR_RETRY_MOST_MS (10 * 60 * 1000)

struct pause {
	int64_t until_ms; /* monotonic */
	int64_t length_ms;
};

struct repair {
	uv_loop_t *loop;
	struct qumulo *cluster;
	const struct watch_settings *watch;
	struct watcher *watcher;
	struct store *store;
	char *who;
	uv_timer_t *timer; /* freed when it is closed */
	struct walk *walk; /* for the directory itself */
	struct repair_state state;
	bool is_loaded;
	bool is_tidy; /* no snapshot of ours is there that nobody needs */

	/* One thing at a time: */
	struct qumulo_call *call;
	bool is_looking;
	struct work *work;
	void (*then)(struct repair *repair, const struct walk_entry *directory);
	struct repair_snapshot taking;
	int64_t stray; /* the snapshot that is being deleted */

	uint64_t taken_reconnects; /* of the stream, when the candidate was ordered */
	bool is_ours;              /* this run has ordered it */

	struct repair_gaps gaps; /* that wait */
	uint64_t gaps_seen;      /* as the watcher counts them */
	int64_t inside_ms;       /* monotonic: the last look for directories that were moved in */
	int64_t gaps_seen_ms;    /* monotonic */
	struct pause snapshots;  /* between attempts at a baseline, or at tidying up */
	struct pause attempts;   /* at a repair */
	int64_t repair_at_ms,
		pause_ms;     /* monotonic: no repair begins before; it grows in a storm */
	int64_t begun_ms;     /* monotonic: the last repair */
	int64_t told_ms;      /* monotonic: of its progress */
	struct error trouble; /* of the store, or of snapshots; text NULL: none */

	pthread_mutex_t lock; /* for status */
	struct repair_status status;
	struct metric *differences, *requests, *waiting, *gaps_waiting, *baseline_time;
	struct repair_counts measured; /* of these counts the metrics know */
};

bool repair_may_take_snapshots(const struct repair *repair);
/* Shown, and told of in the log once. */
void repair_set_trouble(struct repair *repair, const char *format, ...) PRINTF_LIKE(2, 3);
/* The next attempt comes later, and later each time. */
void repair_back_off(struct repair *repair, int64_t at_least_ms);
/* Looks at the watched directory, then goes on. */
void repair_look_then(struct repair *repair,
		      void (*then)(struct repair *repair, const struct walk_entry *directory));
/* Takes a snapshot of the directory with that id; repair_taken when it is there. False: not now. */
bool repair_take(struct repair *repair, const char *source, snapshots_done *done);
void repair_taken(struct repair *repair, const struct snapshot *snapshot);
void repair_delete_snapshot(struct repair *repair, int64_t id);
/* Deletes what is left over of ours. */
void repair_tidy(struct repair *repair);
/* Takes a new baseline when it is time, and makes it the one when it has proved good. */
void repair_keep_baseline(struct repair *repair, const struct watcher_status *heard);

#endif
