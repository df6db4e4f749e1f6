/*
 * repair_work: a repair under way: its tasks, the questions that they ask, and
 * what they find on its way into the log. Begins, and goes on after an
 * interruption, with the tasks that the store has.
 */
#ifndef APP_REPAIR_WORK_H
#define APP_REPAIR_WORK_H

#include "app/repair_state.h"
#include "app/settings.h"
#include "qumulo/client.h"

struct work;

enum work_end {
	WORK_DONE,
	WORK_DENIED, /* the difference may not be read */
	WORK_LOST,   /* a snapshot is gone, or the cluster refuses the difference */
};

struct work_setup {
	uv_loop_t *loop;
	struct store *store;
	struct qumulo *cluster;
	const struct watch_settings *watch;
	const char *keys;            /* under which state and tasks are in the store */
	const char *who;             /* in log lines */
	struct repair_state *state;  /* counts are kept there; saved together with tasks */
	int64_t requests_per_second; /* 0: as many as the cluster answers */
	/* Once; why: a sentence. From a timer, so that the work may be freed in it.
	 */
	void (*ended)(void *ctx, enum work_end end, const char *why);
	void *ctx;
};

/* Changes that the cluster told of late may still arrive so long. */
#define REPAIR_LATE_MS 1000
/* From which of the cluster's times on a scan takes something for changed since from_ms: the two
 * clocks may be apart, and more so where ours was stepped. */
int64_t repair_scan_since_ns(int64_t from_ms);

struct work *work_new(const struct work_setup *setup);
void work_free(struct work *work); /* in its loop; what is under way is repeated
				      by the next one */
AUTO_DEFINE(struct work *, work_free)

/* From time to time: nothing more is asked while the filter has much to do. */
void work_keep_pace(struct work *work);
/* Tasks that are known to wait; why nothing goes on ("": it does). */
uint64_t work_waiting(const struct work *work);
const char *work_trouble(const struct work *work);
/* That the index of what was told is full: some may be judged twice. */
bool work_may_repeat(const struct work *work);

/* The first tasks, to be put before work_new, are appended to list. */
void work_first_tasks(struct list *list, struct repair_state *state,
		      const struct watch_settings *watch);

/* The same of a directory that was moved in. */
struct repair_task *work_task_asked(struct repair_state *state, const char *path);
struct repair_task *work_task_inside(struct repair_state *state, const char *id, const char *path);

#endif
