#include "app/scan.h"

#include "app/repair_close.h"
#include "app/repair_work.h"
#include "app/scan_item.h"
#include "base/clock.h"
#include "base/log.h"

#define TICK_MS 200
#define LOOK_MS 1000 /* between two looks into the store */
#define ITEM(name) json_integer_value(json_object_get(scan->item, name))

struct scan_role {
	uv_loop_t *loop;
	struct qumulo *cluster;
	const struct watch_settings *watch;
	struct store *store;
	char *who;
	char *keys;        /* of state and tasks in the store */
	uv_timer_t *timer; /* freed when it is closed */
	struct repair_state state;
	bool is_loaded;
	json_t *item;      /* the one under way */
	struct work *work; /* NULL: none is */
	int64_t looked_ms; /* monotonic */
	struct error trouble;
};

static void set_trouble(struct scan_role *scan, struct error *err)
{
	const char *old = scan->trouble.text ? scan->trouble.text : "";
	const char *now = err->text ? err->text : "";

	if (strcmp(old, now) == 0)
		return;
	if (*now)
		log_warn(scan->who, "a scan waits: %s", now);
	error_clear(&scan->trouble);
	if (*now)
		error_set(&scan->trouble, "%s", now);
}

static void set_number(struct scan_role *scan, const char *name, uint64_t number)
{
	json_object_set_new(scan->item, name, json_integer((json_int_t)number));
}

static void note_counts(struct scan_role *scan)
{
	const struct repair_counts *counts = &scan->state.counts;

	set_number(scan, "found", counts->differences);
	set_number(scan, "unreadable", counts->unreadable);
	set_number(scan, "directories", counts->tasks ? counts->tasks - 1 : 0);
	set_number(scan, "requests", counts->requests);
	set_number(scan, "tasks_waiting", scan->work ? work_waiting(scan->work) : 0);
}

/* The item as it is now, the state, and (if given) a first task. */
static int save(struct scan_role *scan, const struct repair_task *first, struct error *err)
{
	AUTO(store_abort) struct store_txn *txn = NULL;

	if (store_begin(scan->store, &txn, err) < 0 || store_fence(txn, STORE_WATCH, err) < 0 ||
	    scan_item_heed(txn, scan->item, err) < 0 || scan_item_put(txn, scan->item, err) < 0 ||
	    repair_state_put(&scan->state, txn, scan->keys, err) < 0 ||
	    (first && repair_task_put(first, txn, scan->keys, err) < 0) ||
	    scan_items_trim(scan->store, txn, scan->watch->name, err) < 0)
		return -1;
	return store_commit(TAKE(txn), err) < 0 ? -1 : 0;
}

static const char *path_of(const struct scan_role *scan)
{
	const char *path = json_string_value(json_object_get(scan->item, "path"));

	return path ? path : "";
}

static void forget(struct scan_role *scan)
{
	work_free(TAKE(scan->work));
	json_decref(TAKE(scan->item));
}

/* done, failed, stopped. What is left of its tasks goes first: who dies in between ends it again.
 */
static void end(struct scan_role *scan, const char *state, const char *why)
{
	AUTO_ERROR err = { 0 };

	work_free(TAKE(scan->work));
	note_counts(scan);
	json_object_set_new(scan->item, "state", json_string(state));
	json_object_set_new(scan->item, "ended_ms", json_integer(clock_now_ms()));
	if (*why)
		json_object_set_new(scan->item, "why", json_string(why));
	if (repair_close_clear(scan->store, scan->keys, &scan->state, &err) == 0) {
		scan->state.method = REPAIR_NONE;
		if (save(scan, NULL, &err) == 0)
			log_info(scan->who, "scan %lld of %s: %s%s%s: %lld told, %lld requests",
				 (long long)ITEM("number"), path_of(scan), state, *why ? ": " : "",
				 why, (long long)ITEM("found"), (long long)ITEM("requests"));
	}
	set_trouble(scan, &err);
	forget(scan);
	scan->is_loaded = false; /* as the store has it, whatever that is by now */
}

static void ended(void *ctx, enum work_end how, const char *why)
{
	AUTO(free) char *reason = str_copy(why); /* the work's, which is freed */

	end(ctx, how == WORK_DONE ? "done" : "failed", reason);
}

static void work(struct scan_role *scan)
{
	const struct work_setup setup = { .loop = scan->loop,
					  .store = scan->store,
					  .cluster = scan->cluster,
					  .watch = scan->watch,
					  .keys = scan->keys,
					  .who = scan->who,
					  .state = &scan->state,
					  .requests_per_second = scan->watch->scan_rate,
					  .ended = ended,
					  .ctx = scan };

	scan->work = work_new(&setup);
}

static void begin(struct scan_role *scan)
{
	AUTO(repair_task_free) struct repair_task *first = NULL;
	AUTO_ERROR err = { 0 };

	scan->state = (struct repair_state){ .method = REPAIR_ASKED,
					     .begun_ms = clock_now_ms(),
					     .last_gap = (uint64_t)ITEM("number") };
	scan->state.older.id = scan->state.newer.id = -1;
	scan->state.baseline.id = scan->state.candidate.id = -1;
	first = work_task_asked(&scan->state, path_of(scan));
	json_object_set_new(scan->item, "state", json_string("under way"));
	json_object_set_new(scan->item, "begun_ms", json_integer(scan->state.begun_ms));
	if (save(scan, first, &err) == 0) {
		log_info(scan->who, "scan %lld of %s begins", (long long)ITEM("number"),
			 path_of(scan));
		work(scan);
	} else {
		forget(scan);
		scan->is_loaded = false;
	}
	set_trouble(scan, &err);
}

/* Of those that are open the first. */
static void find_item(struct scan_role *scan)
{
	AUTO_ERROR err = { 0 };
	json_t *items = scan_items(scan->store, scan->watch->name, &err), *item;
	size_t i;

	json_array_foreach(items, i, item)
	{
		if (!scan_item_is_open(item))
			continue;
		scan->item = json_incref(item);
		break;
	}
	json_decref(items);
	set_trouble(scan, &err);
}

static void next(struct scan_role *scan)
{
	AUTO_ERROR err = { 0 };

	if (!scan->is_loaded && repair_state_load(&scan->state, scan->store, scan->keys, &err) < 0)
		return set_trouble(scan, &err);
	scan->is_loaded = true;
	find_item(scan);
	if (!scan->item)
		return;
	if (scan_item_is(scan->item, "stopping")) {
		end(scan, "stopped", "");
	} else if (scan_item_is(scan->item, "under way") && scan->state.method == REPAIR_ASKED &&
		   scan->state.last_gap == (uint64_t)ITEM("number")) {
		scan->state.counts.interruptions++;
		log_info(scan->who, "scan %lld of %s was interrupted and goes on",
			 (long long)ITEM("number"), path_of(scan));
		work(scan);
	} else {
		begin(scan);
	}
}

/* Somebody may have stopped it; whoever asks is told how far it is. */
static void look(struct scan_role *scan)
{
	AUTO_ERROR err = { 0 };
	json_t *before = scan->item;

	work_keep_pace(scan->work);
	scan->item = NULL;
	find_item(scan);
	if (!scan->item ||
	    json_integer_value(json_object_get(before, "number")) != ITEM("number")) {
		json_decref(scan->item);
		scan->item = before;
		return;
	}
	json_decref(before);
	if (scan_item_is(scan->item, "stopping"))
		return end(scan, "stopped", "");
	note_counts(scan);
	if (*work_trouble(scan->work))
		json_object_set_new(scan->item, "why", json_string(work_trouble(scan->work)));
	else
		json_object_del(scan->item, "why");
	(void)!save(scan, NULL, &err);
	set_trouble(scan, &err);
}

static void tick(uv_timer_t *timer)
{
	struct scan_role *scan = timer->data;

	if (clock_monotonic_ms() - scan->looked_ms < LOOK_MS)
		return;
	scan->looked_ms = clock_monotonic_ms();
	if (scan->work)
		look(scan);
	else
		next(scan);
}

struct scan_role *scan_role_new(uv_loop_t *loop, struct qumulo *cluster,
				const struct watch_settings *watch, struct store *store)
{
	struct scan_role *scan = NEW(struct scan_role);

	scan->loop = loop;
	scan->cluster = cluster;
	scan->watch = watch;
	scan->store = store;
	scan->who = str_format("scan/%s", watch->name);
	scan->keys = str_format("scan:%s", watch->name);
	scan->timer = NEW(uv_timer_t);
	uv_timer_init(loop, scan->timer);
	scan->timer->data = scan;
	uv_timer_start(scan->timer, tick, 0, TICK_MS);
	return scan;
}

static void free_timer(uv_handle_t *timer)
{
	free(timer);
}

void scan_role_free(struct scan_role *scan)
{
	if (!scan)
		return;
	forget(scan);
	uv_close((uv_handle_t *)scan->timer, free_timer);
	error_clear(&scan->trouble);
	free(scan->keys);
	free(scan->who);
	free(scan);
}
