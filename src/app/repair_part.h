/* repair_part: what repair_work.c (tasks, storing) and repair_look.c
 * (questions) know of each other. */
#ifndef APP_REPAIR_PART_H
#define APP_REPAIR_PART_H

#include "app/repair_change.h"
#include "app/repair_work.h"
#include "qumulo/walk.h"

struct work {
	struct work_setup setup;
	struct walk *walk;
	struct heard *heard;
	struct change_times times;
	struct list todo, running, finished;
	struct list flushing; /* what was finished when it began to be made durable */
	struct list messages; /* of what those found: not in the log yet */
	struct list steps;    /* of look: what waits for an answer */
	size_t todo_count, running_count, finished_count;
	bool has_more; /* in the store, behind those in memory */
	bool is_over;
	enum work_end end;
	char *why;
	uv_timer_t *timer;  /* freed when it is closed */
	bool is_printed;    /* what `flushing` found is in messages, or further */
	bool is_appended;   /* some of it is in the log, not durable perhaps */
	int64_t flushed_ms; /* monotonic */
	uint64_t requests;  /* of the walk, as far as they are in the counts */
	bool is_held;       /* the filter has much to do */
	char *trouble;
};

/* Asks what the task is about; ends with work_task_done. */
void look_start(struct work *work, struct repair_task *task);
void look_forget(struct work *work); /* nobody is asked any more */

/* For look: a question is asked, was answered; at the last one's end the task
 * is done. */
void work_asks(struct repair_task *task);
void work_answered(struct repair_task *task);
void work_found(struct repair_task *task, struct change *change);        /* takes it */
void work_add_task(struct repair_task *task, struct repair_task *child); /* takes it */
/* The repair cannot go on. */
void work_fail(struct work *work, enum work_end end, const char *why);

#endif
