#include "app/repair_part.h"

#include "base/clock.h"
#include "base/log.h"

#define BEHIND_MOST 2000 /* records that may wait for the filter */
#define RUNNING_MOST                                                                             \
	64             /* tasks; the walk sends no more of their questions than its ceiling says \
			*/
#define TODO_MOST 2000 /* in memory; the rest is in the store only */
#define FLUSH_TASKS 64 /* so many become durable together, or what there is after: */
#define FLUSH_MS 200
#define RETRY_MS 1000
#define MESSAGE_EVENTS 500
#define MESSAGE_BYTES (256u << 10)
#define DRAIN_MS 10000
#define SCAN_BACK 20000 /* records before the gap in which a scan looks for what was told */

struct message {
	struct list link;
	struct buf *events;
};

static void turn(uv_timer_t *timer);

/* Not at once: who tells us something is not done yet. */
static void turn_in(struct work *work, int64_t ms)
{
	if (!uv_is_active((uv_handle_t *)work->timer) ||
	    (int64_t)uv_timer_get_due_in(work->timer) > ms)
		uv_timer_start(work->timer, turn, (uint64_t)ms, 0);
}

/* ---- For look ---- */

void work_asks(struct repair_task *task)
{
	task->asking++;
}

void work_answered(struct repair_task *task)
{
	struct work *work = task->work;

	if (--task->asking)
		return;
	list_remove(&task->link);
	list_append(&work->finished, &task->link);
	work->running_count--;
	work->finished_count++;
	turn_in(work, 0);
}

void work_found(struct repair_task *task, struct change *change)
{
	list_append(&task->changes, &change->link);
}

void work_add_task(struct repair_task *task, struct repair_task *child)
{
	list_append(&task->children, &child->link);
}

void work_fail(struct work *work, enum work_end end, const char *why)
{
	if (work->is_over)
		return;
	work->is_over = true;
	work->end = end;
	work->why = str_copy(why);
	turn_in(work, 0);
}

/* ---- Into the log ---- */

static void message_free(struct message *message)
{
	list_remove(&message->link);
	buf_free(message->events);
	free(message);
}

static struct message *message_begin(struct work *work)
{
	struct message *message = NEW(struct message);

	message->events = buf_new(SIZE_MAX / 2);
	list_append(&work->messages, &message->link);
	return message;
}

struct printing {
	struct work *work;
	struct message *message;
	size_t count; /* of events in it */
};

static void print_change(struct printing *printing, struct change *change)
{
	struct work *work = printing->work;
	bool is_news = change_is_news(change, work->heard, &work->times);

	if (is_news) {
		if (!printing->message || printing->count >= MESSAGE_EVENTS ||
		    printing->message->events->size >= MESSAGE_BYTES) {
			printing->message = message_begin(work);
			printing->count = 0;
		}
		printing->count +=
			change_print(change, work->setup.watch->path, printing->message->events);
	}
	work->setup.state->counts.differences += is_news;
	work->setup.state->counts.known += !is_news;
	change_free(change);
}

/* What finished tasks found and the stream has not told; what went before what took its place. */
static void print_news(struct work *work)
{
	struct printing printing = { work };
	struct repair_task *task;
	struct change *change;

	list_for_each (task, &work->flushing, link)
		list_for_each (change, &task->changes, link)
			if (change->what == CHANGE_WENT || change->what == CHANGE_LEFT)
				print_change(&printing, change);
	list_for_each (task, &work->flushing, link)
		list_for_each (change, &task->changes, link)
			print_change(&printing, change);
}

static enum origin origin_of(enum repair_method method)
{
	return method == REPAIR_EXPAND  ? ORIGIN_EXPANDED
	       : method == REPAIR_ASKED ? ORIGIN_SCAN
					: ORIGIN_REPAIR;
}

static int append_messages(struct work *work, struct error *err)
{
	struct message *message;
	uint64_t seq;

	list_for_each (message, &work->messages, link) {
		AUTO(free) char *bytes = str_format("[%s]", message->events->data);
		const struct record record = { .time_ms = clock_now_ms(),
					       .origin = origin_of(work->setup.state->method),
					       .watch = text_of(work->setup.watch->name),
					       .bytes = text_of(bytes) };

		if (store_log_append(work->setup.store, &record, &seq, err) < 0)
			return -1;
		message_free(message);
		work->is_appended = true;
	}
	return 0;
}

/* Whoever goes on after us finds it where records are read. */
static int drain(struct work *work, struct error *err)
{
	int there = store_log_drain(work->setup.store, DRAIN_MS, err);

	if (there == 0)
		error_set(err, "the store does not have what was heard yet");
	return there == 1 ? 0 : -1;
}

static int write_news(struct work *work, struct error *err)
{
	if (!work->is_printed) {
		bool is_told_anyway = work->setup.state->method == REPAIR_ASKED;

		if (drain(work, err) < 0 || (!is_told_anyway && heard_read(work->heard, err) < 0))
			return -1;
		print_news(work);
		work->is_printed = true;
	}
	if (append_messages(work, err) < 0)
		return -1;
	if (!work->is_appended)
		return 0;
	if (store_log_commit(work->setup.store, err) < 0 || drain(work, err) < 0)
		return -1;
	work->is_appended = false;
	return 0;
}

/* ---- Tasks ---- */

/* One transaction: what is finished goes, what it led to comes. */
static int store_tasks(struct work *work, struct error *err)
{
	AUTO(store_abort) struct store_txn *txn = NULL;
	struct repair_state *state = work->setup.state;
	const char *watch = work->setup.keys;
	struct repair_task *task, *child;

	if (store_begin(work->setup.store, &txn, err) < 0 || store_fence(txn, STORE_WATCH, err) < 0)
		return -1;
	list_for_each (task, &work->flushing, link) {
		if (repair_task_delete(task->number, txn, watch, err) < 0)
			return -1;
		list_for_each (child, &task->children, link) {
			if (!child->number)
				child->number = state->next_task--;
			if (repair_task_put(child, txn, watch, err) < 0)
				return -1;
		}
	}
	if (repair_state_put(state, txn, watch, err) < 0)
		return -1;
	return store_commit(TAKE(txn), err) < 0 ? -1 : 0;
}

/* In front, so that what a page led to is done before the next page. */
static void take_children(struct work *work, struct repair_task *task)
{
	struct repair_task *child;

	list_for_each (child, &task->children, link) {
		if (work->todo_count >= TODO_MOST) {
			work->has_more = true;
			repair_task_free(child);
			continue;
		}
		list_remove(&child->link);
		list_append(work->todo.next, &child->link);
		work->todo_count++;
	}
}

static void take_finished(struct work *work)
{
	struct repair_counts *counts = &work->setup.state->counts;
	uint64_t requests = walk_requests(work->walk);

	list_take_all(&work->flushing, &work->finished);
	counts->tasks += work->finished_count;
	counts->requests += requests - work->requests;
	work->requests = requests;
	work->finished_count = 0;
	work->is_printed = false;
}

static int flush(struct work *work, struct error *err)
{
	struct repair_task *task;

	if (list_is_empty(&work->flushing))
		take_finished(work);
	if (write_news(work, err) < 0 || store_tasks(work, err) < 0)
		return -1;
	list_for_each (task, &work->flushing, link) {
		take_children(work, task);
		repair_task_free(task);
	}
	work->flushed_ms = clock_monotonic_ms();
	return 0;
}

static int load_more(struct work *work, struct error *err)
{
	int64_t count = repair_tasks_load(&work->todo, work->setup.store, work->setup.keys, 0,
					  TODO_MOST, err);

	if (count < 0)
		return -1;
	work->todo_count = (size_t)count;
	work->has_more = count == TODO_MOST;
	return 0;
}

static void set_trouble(struct work *work, const char *trouble)
{
	if (*trouble && strcmp(trouble, work->trouble) != 0)
		log_warn(work->setup.who, "the repair of a gap waits: %s", trouble);
	free(work->trouble);
	work->trouble = str_copy(trouble);
}

static void start_task(struct work *work, struct repair_task *task)
{
	list_remove(&task->link);
	list_append(&work->running, &task->link);
	work->todo_count--;
	work->running_count++;
	task->work = work;
	look_start(work, task);
}

/* The last one waits for all others. */
static bool may_start(struct work *work, struct repair_task *task)
{
	if (task->kind != TASK_RECHECK)
		return true;
	if (work->has_more) { /* it is in the store, behind them */
		work->todo_count--;
		repair_task_free(task);
		return false;
	}
	return !work->running_count && !work->finished_count && list_is_empty(&work->flushing);
}

static void start_tasks(struct work *work)
{
	while (work->running_count < RUNNING_MOST && work->todo_count) {
		struct repair_task *task = list_entry(work->todo.next, struct repair_task, link);

		if (!may_start(work, task))
			return;
		start_task(work, task);
	}
}

static bool is_flush_due(const struct work *work)
{
	return !list_is_empty(&work->flushing) ||
	       (work->finished_count && (work->finished_count >= FLUSH_TASKS ||
					 (!work->running_count && !work->todo_count) ||
					 clock_monotonic_ms() - work->flushed_ms >= FLUSH_MS));
}

/* What is wrong with the store is waited for, with nothing new asked meanwhile.
 */
static bool make_durable(struct work *work)
{
	int64_t early_ms = work->setup.state->newer.answered_ms + REPAIR_LATE_MS - clock_now_ms();
	AUTO_ERROR err = { 0 };

	if (early_ms > 0 && early_ms <= REPAIR_LATE_MS) {
		turn_in(work, early_ms);
		return false;
	}
	if ((is_flush_due(work) && flush(work, &err) < 0) ||
	    (!work->todo_count && !work->running_count && !work->finished_count && work->has_more &&
	     load_more(work, &err) < 0)) {
		set_trouble(work, error_text(&err));
		turn_in(work, RETRY_MS);
		return false;
	}
	set_trouble(work, "");
	return true;
}

static void turn(uv_timer_t *timer)
{
	struct work *work = timer->data;

	if (!work->is_over && make_durable(work)) {
		start_tasks(work);
		if (work->finished_count)
			turn_in(work, FLUSH_MS);
		else if (!work->running_count && !work->todo_count && !work->has_more)
			work->is_over = true; /* end WORK_DONE */
	}
	if (work->is_over)
		work->setup.ended(work->setup.ctx, work->end, work->why ? work->why : "");
}

/* ---- Life ---- */

static void first_task(struct list *list, struct repair_state *state, enum task_kind kind,
		       const char *path)
{
	struct repair_task *task = repair_task_new(kind, "", path);

	task->number = state->next_task--;
	list_append(list, &task->link);
}

void work_first_tasks(struct list *list, struct repair_state *state,
		      const struct watch_settings *watch)
{
	state->next_task = INT64_MAX; /* as JSON has it */
	if (state->method == REPAIR_SNAPSHOT)
		first_task(list, state, TASK_RECHECK, watch->path);
	first_task(list, state, state->method == REPAIR_SCAN ? TASK_SCAN : TASK_DIFFERENCE,
		   watch->path);
}

struct repair_task *work_task_asked(struct repair_state *state, const char *path)
{
	struct repair_task *task = repair_task_new(TASK_ASKED, "", path);

	state->next_task = INT64_MAX;
	task->number = state->next_task--;
	return task;
}

struct repair_task *work_task_inside(struct repair_state *state, const char *id, const char *path)
{
	struct repair_task *task = repair_task_new(TASK_ASKED, id, path);

	state->next_task = INT64_MAX;
	task->number = state->next_task--;
	return task;
}

/* Of both snapshots, what each says of how the clocks differ. */
static void set_times(struct work *work)
{
	const struct repair_state *state = work->setup.state;
	const struct repair_snapshot *both[] = { &state->older, &state->newer };

	if (state->method != REPAIR_SNAPSHOT)
		return;
	work->times =
		(struct change_times){ state->from_ms - REPAIR_LATE_MS, INT64_MIN, INT64_MAX };
	for (size_t i = 0; i < ARRAY_SIZE(both); i++) {
		int64_t taken_ms = both[i]->taken_ns / 1000000;

		work->times.least_ms = MAX(work->times.least_ms, both[i]->sent_ms - taken_ms - 1);
		work->times.most_ms = MIN(work->times.most_ms, both[i]->answered_ms - taken_ms);
	}
	/* A clock was set meanwhile: the newer one tells how it is now. */
	if (work->times.least_ms > work->times.most_ms) {
		int64_t taken_ms = state->newer.taken_ns / 1000000;

		work->times.least_ms = state->newer.sent_ms - taken_ms - 1;
		work->times.most_ms = state->newer.answered_ms - taken_ms;
		work->times.quiet_until_ms = 0;
	}
}

static struct heard *heard_for(const struct work_setup *setup)
{
	const struct repair_state *state = setup->state;
	bool is_scan = state->method == REPAIR_SCAN;
	uint64_t after =
		is_scan ? state->begun_seq - MIN(state->begun_seq, SCAN_BACK) : state->older.seq;

	return heard_new(setup->store, setup->watch->name, setup->watch->path, after,
			 state->begun_seq, is_scan ? state->begun_ms : state->newer.answered_ms,
			 (struct heard_gap){ state->from_ms, state->until_ms });
}

struct work *work_new(const struct work_setup *setup)
{
	struct work *work = NEW(struct work);

	work->setup = *setup;
	work->walk = walk_new(setup->cluster, (size_t)setup->watch->repair_requests);
	walk_pace(work->walk, setup->requests_per_second);
	work->heard = heard_for(setup);
	work->trouble = str_copy("");
	work->has_more = true;
	list_init(&work->todo);
	list_init(&work->running);
	list_init(&work->finished);
	list_init(&work->flushing);
	list_init(&work->messages);
	list_init(&work->steps);
	set_times(work);
	work->timer = NEW(uv_timer_t);
	uv_timer_init(setup->loop, work->timer);
	work->timer->data = work;
	work_keep_pace(work);
	turn_in(work, 0);
	return work;
}

static void free_tasks(struct list *tasks)
{
	struct repair_task *task, *child;
	struct change *change;

	list_for_each (task, tasks, link) {
		list_for_each (change, &task->changes, link)
			change_free(change);
		list_for_each (child, &task->children, link)
			repair_task_free(child);
		repair_task_free(task);
	}
}

static void free_timer(uv_handle_t *timer)
{
	free(timer);
}

void work_free(struct work *work)
{
	struct message *message;

	if (!work)
		return;
	look_forget(work);
	walk_free(work->walk);
	heard_free(work->heard);
	free_tasks(&work->todo);
	free_tasks(&work->running);
	free_tasks(&work->finished);
	free_tasks(&work->flushing);
	list_for_each (message, &work->messages, link)
		message_free(message);
	uv_close((uv_handle_t *)work->timer, free_timer);
	free(work->trouble);
	free(work->why);
	free(work);
}

void work_keep_pace(struct work *work)
{
	AUTO_ERROR err = { 0 };
	uint64_t first, last, cursor;

	work->is_held = store_log_range(work->setup.store, &first, &last, &err) == 0 &&
			store_cursor_get(work->setup.store, &cursor, &err) == 0 && last > cursor &&
			last - cursor > BEHIND_MOST;
	walk_hold(work->walk, work->is_held);
}

uint64_t work_waiting(const struct work *work)
{
	return work->todo_count + work->running_count;
}

const char *work_trouble(const struct work *work)
{
	if (*work->trouble || !work->is_held)
		return *work->trouble ? work->trouble : walk_trouble(work->walk);
	return "it waits until the filter has caught up";
}

bool work_may_repeat(const struct work *work)
{
	return heard_is_full(work->heard);
}
