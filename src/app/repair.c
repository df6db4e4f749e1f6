#include "app/repair_inside.h"

#include <inttypes.h>
#include <stdio.h>
#include <sys/random.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"

#define TICK_MS 100
#define SETTLE_MS 500 /* gaps so close together are repaired together */
#define PAUSE_FIRST_MS 1000
#define PAUSE_MOST_MS 60000
#define STORM_MS 60000 /* repairs closer together than this come at growing intervals */
#define PROGRESS_MS 10000
#define LOOK_MS 30000
#define INSIDE_MS 1000 /* between two looks for directories that were moved in */

/* ---- A repair ---- */

static void ended(void *ctx, enum work_end end, const char *why);

static void work(struct repair *repair)
{
	const struct work_setup setup = { .loop = repair->loop,
					  .store = repair->store,
					  .cluster = repair->cluster,
					  .watch = repair->watch,
					  .keys = repair->watch->name,
					  .who = repair->who,
					  .state = &repair->state,
					  .ended = ended,
					  .ctx = repair };

	repair->work = work_new(&setup);
	repair->told_ms = clock_monotonic_ms();
}

/* state says which; its first task and what is shown of the gaps are stored
 * with it. */
static void begin(struct repair *repair, bool is_changed)
{
	struct repair_state before = repair->state;
	struct repair_state *state = &repair->state;
	struct repair_task *task;
	AUTO_ERROR err = { 0 };
	uint64_t first, last;
	struct list tasks;
	bool is_begun;

	list_init(&tasks);
	state->from_ms = repair->gaps.from_ms;
	state->until_ms = repair->gaps.until_ms;
	state->last_gap = repair->gaps.last;
	state->begun_ms = clock_now_ms();
	state->counts = (struct repair_counts){ 0 };
	repair->measured = state->counts;
	work_first_tasks(&tasks, state, repair->watch);
	list_for_each (task, &tasks, link)
		task->is_changed = is_changed;
	is_begun = store_log_range(repair->store, &first, &last, &err) == 0;
	state->begun_seq = is_begun ? last : 0;
	is_begun = is_begun &&
		   repair_close_begin(repair->store, repair->watch->name, state, &tasks, &err) == 0;
	list_for_each (task, &tasks, link)
		repair_task_free(task);
	if (is_begun) {
		error_clear(&repair->trouble);
		log_info(repair->who, "repairing %zu gap%s of %.1f s by %s%s%s", repair->gaps.count,
			 repair->gaps.count == 1 ? "" : "s",
			 (double)(state->until_ms - state->from_ms) / 1000,
			 repair_method_name(state->method), *state->why ? ": " : "", state->why);
		return work(repair);
	}
	*state = before;
	repair->is_tidy = false; /* the snapshot that was taken for it */
	repair_set_trouble(repair, "a repair cannot begin: %s", error_text(&err));
	repair_back_off(repair, 0);
}

static void give_up(struct repair *repair, const char *why)
{
	AUTO_ERROR err = { 0 };

	log_error(repair->who, "%zu gap%s of %.1f s cannot be repaired: %s", repair->gaps.count,
		  repair->gaps.count == 1 ? "" : "s",
		  (double)(repair->gaps.until_ms - repair->gaps.from_ms) / 1000, why);
	repair->state.last_gap = repair->gaps.last;
	if (repair_close_unrepaired(repair->store, repair->watch->name, &repair->state, why, &err) <
	    0)
		return repair_set_trouble(repair, "%s", error_text(&err));
	repair->gaps_seen = UINT64_MAX;
}

static void begin_scan(struct repair *repair, const struct walk_entry *directory)
{
	int64_t since_ns = repair_scan_since_ns(repair->gaps.from_ms);

	repair->state.method = REPAIR_SCAN;
	repair->state.older.id = repair->state.newer.id = -1;
	repair->state.newer.answered_ms = 0;
	begin(repair, directory->modified_ns >= since_ns);
}

/* There is no difference to be had. */
static void scan_instead(struct repair *repair, const char *format, ...) PRINTF_LIKE(2, 3);
static void scan_instead(struct repair *repair, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	AUTO(free) char *why = str_vformat(format, args);
	va_end(args);
	if (repair->watch->gap_repair == GAP_REPAIR_SNAPSHOT)
		return give_up(repair, why);
	snprintf(repair->state.why, sizeof(repair->state.why), "%s", why);
	repair_look_then(repair, begin_scan);
}

/* Waiting may help. */
static bool is_for_later(const struct qumulo_answer *answer)
{
	return answer->result == FILE_LATER || answer->result == FILE_AMBIGUOUS ||
	       answer->result == FILE_BUSY;
}

static void try_later(struct repair *repair, const struct qumulo_answer *answer)
{
	repair_set_trouble(repair, "the repair of a gap waits: %s", answer->why);
	repair->is_tidy &= answer->result != FILE_AMBIGUOUS;
	repair_back_off(repair, answer->retry_after_ms);
}

static void newer_taken(void *ctx, const struct qumulo_answer *answer,
			const struct snapshot *snapshots, size_t count)
{
	struct repair *repair = ctx;

	repair->call = NULL;
	if (answer->result == FILE_OK) {
		repair_taken(repair, &snapshots[0]);
		repair->state.method = REPAIR_SNAPSHOT;
		repair->state.older = repair->state.baseline;
		repair->state.newer = repair->taking;
		repair->state.why[0] = '\0';
		return begin(repair, false);
	}
	if (is_for_later(answer))
		return try_later(repair, answer);
	scan_instead(repair, "no snapshot can be taken: %s", answer->why);
}

static void take_newer(struct repair *repair, const struct walk_entry *directory)
{
	if (strcmp(directory->id, repair->state.baseline.source) == 0) {
		(void)repair_take(repair, directory->id, newer_taken);
		return;
	}
	repair->state.baseline.id = -1;
	repair->is_tidy = false;
	scan_instead(repair, "%s is another directory than before the gap", repair->watch->path);
}

static void baseline_prolonged(void *ctx, const struct qumulo_answer *answer,
			       const struct snapshot *snapshots, size_t count)
{
	struct repair *repair = ctx;

	repair->call = NULL;
	if (answer->result == FILE_OK)
		return repair_look_then(repair, take_newer);
	if (is_for_later(answer))
		return try_later(repair, answer);
	if (answer->result == FILE_GONE)
		repair->state.baseline.id = -1;
	scan_instead(repair, "the snapshot from before the gap %s: %s",
		     answer->result == FILE_GONE ? "has expired or was deleted" : "cannot be used",
		     answer->why);
}

static void begin_repair(struct repair *repair)
{
	const struct repair_snapshot *baseline = &repair->state.baseline;
	int64_t now_ms = clock_monotonic_ms();
	bool is_storm = repair->begun_ms && now_ms - repair->begun_ms < STORM_MS;

	repair->begun_ms = now_ms;
	repair->pause_ms =
		is_storm ? MIN(MAX(repair->pause_ms * 2, PAUSE_FIRST_MS), PAUSE_MOST_MS) : 0;
	repair->repair_at_ms = now_ms + repair->pause_ms;
	if (repair->watch->gap_repair == GAP_REPAIR_SCAN) {
		repair->state.why[0] = '\0';
		return repair_look_then(repair, begin_scan);
	}
	if (baseline->id < 0)
		return scan_instead(repair, "there is no snapshot from before the gap%s%s",
				    repair->trouble.text ? ": " : "",
				    repair->trouble.text ? repair->trouble.text : "");
	if (baseline->covers_ms > repair->gaps.from_ms)
		return scan_instead(repair,
				    "the gap was found when the snapshot from before it had been "
				    "replaced");
	repair->call = snapshots_prolong(repair->cluster, baseline->id,
					 clock_now_ms() + repair->watch->baseline_expiry_ms,
					 baseline_prolonged, repair);
}

/* ---- Directories that were moved in ---- */

static void look_inside(struct repair *repair)
{
	struct repair_state before = repair->state;
	struct repair_state *state = &repair->state;
	struct repair_moved_in moved_in = { 0 };
	AUTO(repair_task_free) struct repair_task *task = NULL;
	AUTO_ERROR err = { 0 };
	uint64_t first;
	int found = repair_moved_in_next(&moved_in, repair->store, repair->watch->name, &err);

	repair->inside_ms = clock_monotonic_ms();
	if (found > 0) {
		state->method = REPAIR_EXPAND;
		state->older = state->newer = (struct repair_snapshot){ .id = -1 };
		state->older.seq = moved_in.seq - 1; /* its own record may hold more */
		state->begun_ms = state->newer.answered_ms = clock_now_ms();
		state->last_gap = state->done_gap;
		state->counts = repair->measured = (struct repair_counts){ 0 };
		snprintf(state->why, sizeof(state->why), "%s", moved_in.path);
		task = work_task_inside(state, moved_in.id, moved_in.path);
		if (store_log_range(repair->store, &first, &state->begun_seq, &err) < 0 ||
		    repair_close_begin_inside(repair->store, repair->watch->name, state, task,
					      moved_in.key, &err) < 0) {
			*state = before;
			found = -1;
		} else {
			work(repair);
		}
	}
	if (found < 0)
		repair_set_trouble(repair, "%s", error_text(&err));
	repair_moved_in_clear(&moved_in);
}

static void measure(struct repair *repair)
{
	const struct repair_counts *counts = &repair->state.counts;

	metric_add(repair->differences,
		   (int64_t)(counts->differences - repair->measured.differences));
	metric_add(repair->requests, (int64_t)(counts->requests - repair->measured.requests));
	repair->measured = *counts;
}

static void finish(struct repair *repair, bool may_repeat)
{
	struct repair_state *state = &repair->state;
	struct repair_state before = *state;
	int64_t old = -1;
	AUTO_ERROR err = { 0 };

	if (state->method == REPAIR_SNAPSHOT) {
		old = state->older.id;
		state->baseline = state->newer;
		state->baseline.covers_ms = state->older.covers_ms;
	}
	if (repair_close_repaired(repair->store, repair->watch->name, state, may_repeat, &err) <
	    0) {
		*state = before;
		repair_set_trouble(repair, "%s", error_text(&err));
		repair->repair_at_ms = clock_monotonic_ms() + PAUSE_FIRST_MS;
		return;
	}
	if (before.method == REPAIR_EXPAND)
		log_info(repair->who,
			 "%s was moved in: %llu of what is inside told, %llu more were told by the "
			 "stream; %llu requests",
			 before.why, (unsigned long long)before.counts.differences,
			 (unsigned long long)before.counts.known,
			 (unsigned long long)before.counts.requests);
	else
		log_info(repair->who,
			 "gap of %.1f s repaired by %s: %llu differences, %llu more were "
			 "told by the "
			 "stream; "
			 "%llu requests in %.1f s",
			 (double)(before.until_ms - before.from_ms) / 1000,
			 repair_method_name(before.method),
			 (unsigned long long)before.counts.differences,
			 (unsigned long long)before.counts.known,
			 (unsigned long long)before.counts.requests,
			 (double)(clock_now_ms() - before.begun_ms) / 1000);
	repair->gaps_seen = UINT64_MAX;
	if (old >= 0)
		repair_delete_snapshot(repair, old);
}

static void ended(void *ctx, enum work_end end, const char *why)
{
	struct repair *repair = ctx;
	bool may_repeat = work_may_repeat(repair->work);
	AUTO(free) char *reason = str_copy(why);
	AUTO_ERROR err = { 0 };

	work_free(TAKE(repair->work));
	measure(repair);
	if (end == WORK_DONE)
		return finish(repair, may_repeat);
	repair->gaps.from_ms = repair->state.from_ms;
	repair->gaps.until_ms = repair->state.until_ms;
	repair->gaps.last = repair->state.last_gap;
	if (end == WORK_LOST)
		repair->state.baseline = repair->state.newer;
	repair->state.method = REPAIR_NONE;
	repair->is_tidy = false;
	if (repair_close_clear(repair->store, repair->watch->name, &repair->state, &err) < 0)
		return repair_set_trouble(repair, "%s", error_text(&err));
	scan_instead(repair, "the difference of the snapshots cannot be read: %s%s", reason,
		     end == WORK_DENIED ? "; it needs PRIVILEGE_SNAPSHOT_DIFFERENCE_READ" : "");
}

/* ---- What is next ---- */

/* A name that only this store knows: who deletes by it deletes nobody else's.
 */
static void make_suffix(struct repair *repair)
{
	char host[64] = "";
	uint32_t number = (uint32_t)clock_now_ms();

	gethostname(host, sizeof(host) - 1);
	(void)!getrandom(&number, sizeof(number), 0);
	snprintf(repair->state.suffix, sizeof(repair->state.suffix), "cn_monitor_%s_%s_%08x", host,
		 repair->watch->name, number);
	for (char *c = repair->state.suffix; *c; c++)
		if (!strchr("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-.",
			    *c))
			*c = '-';
}

static int load(struct repair *repair, struct error *err)
{
	struct repair_state *state = &repair->state;

	if (repair_state_load(state, repair->store, repair->watch->name, err) < 0)
		return -1;
	if (!*state->suffix) {
		make_suffix(repair);
		/* Gaps from before are past repairing. */
		if (repair_gaps_last(repair->store, repair->watch->name, &state->done_gap, err) < 0)
			return -1;
	}
	if (state->method != REPAIR_NONE) {
		state->counts.interruptions++;
		repair->pause_ms = MIN(PAUSE_FIRST_MS << MIN(state->counts.interruptions - 1, 6),
				       PAUSE_MOST_MS);
		repair->repair_at_ms = clock_monotonic_ms() +
				       (state->counts.interruptions > 1 ? repair->pause_ms : 0);
		repair->measured = state->counts;
		log_info(repair->who,
			 "a repair by %s was interrupted and goes on (%llu tasks of it are "
			 "done)",
			 repair_method_name(state->method),
			 (unsigned long long)state->counts.tasks);
	}
	return repair_state_save(state, repair->store, repair->watch->name, err);
}

static void find_gaps(struct repair *repair, const struct watcher_status *heard)
{
	AUTO_ERROR err = { 0 };

	/* Now and then anyway: one may have been stored late. */
	if (repair->gaps_seen == heard->gaps &&
	    clock_monotonic_ms() - repair->gaps_seen_ms < LOOK_MS)
		return;
	if (repair_gaps_find(&repair->gaps, repair->store, repair->watch->name,
			     repair->state.done_gap, &err) < 0)
		return repair_set_trouble(repair, "%s", error_text(&err));
	repair->gaps_seen = heard->gaps;
	repair->gaps_seen_ms = clock_monotonic_ms();
	metric_set(repair->gaps_waiting, (int64_t)repair->gaps.count);
}

static void tell_progress(struct repair *repair)
{
	const struct repair_counts *counts = &repair->state.counts;

	if (clock_monotonic_ms() - repair->told_ms < PROGRESS_MS)
		return;
	repair->told_ms = clock_monotonic_ms();
	log_info(repair->who,
		 "repairing by %s: %llu tasks done, %llu known to wait, %llu "
		 "differences, %llu "
		 "requests",
		 repair_method_name(repair->state.method), (unsigned long long)counts->tasks,
		 (unsigned long long)work_waiting(repair->work),
		 (unsigned long long)counts->differences, (unsigned long long)counts->requests);
}

static void step(struct repair *repair)
{
	struct watcher_status heard;
	int64_t now_ms = clock_monotonic_ms();
	AUTO_ERROR err = { 0 };

	if (repair->work) {
		work_keep_pace(repair->work);
		return tell_progress(repair);
	}
	if (repair->call || repair->is_looking)
		return;
	if (!repair->is_loaded) {
		repair->is_loaded = load(repair, &err) == 0;
		if (!repair->is_loaded)
			repair_set_trouble(repair, "%s", error_text(&err));
		return;
	}
	watcher_get_status(repair->watcher, &heard);
	find_gaps(repair, &heard);
	if (repair->state.method != REPAIR_NONE) {
		if (now_ms >= repair->repair_at_ms)
			work(repair);
	} else if (heard.state != WATCHER_LISTENING) {
		return;
	} else if (repair->gaps.count) {
		if (clock_now_ms() - heard.since_ms >= SETTLE_MS &&
		    now_ms >= repair->repair_at_ms && now_ms >= repair->attempts.until_ms)
			begin_repair(repair);
	} else if (!repair->is_tidy && repair_may_take_snapshots(repair) &&
		   now_ms >= repair->snapshots.until_ms) {
		repair_tidy(repair);
	} else if (now_ms - repair->inside_ms >= INSIDE_MS) {
		look_inside(repair);
	} else {
		repair_keep_baseline(repair, &heard);
	}
}

static void show(struct repair *repair)
{
	const struct repair_state *state = &repair->state;
	bool is_repairing = state->method != REPAIR_NONE;
	struct repair_status status = {
		.baseline_id = repair->is_loaded ? state->baseline.id : -1,
		.baseline_ms = state->baseline.answered_ms,
		.from_ms = state->from_ms,
		.until_ms = state->until_ms,
		.begun_ms = state->begun_ms,
		.counts = state->counts,
		.tasks_waiting = repair->work ? work_waiting(repair->work) : 0,
	};
	const char *why = repair->trouble.text ? repair->trouble.text : "";

	if (repair->work && *work_trouble(repair->work))
		why = work_trouble(repair->work);
	else if (is_repairing && *state->why)
		why = state->why;
	snprintf(status.state, sizeof(status.state), "%s",
		 is_repairing                                                    ? "repairing"
		 : repair->gaps.count                                            ? "waiting"
		 : !repair_may_take_snapshots(repair) || status.baseline_id >= 0 ? "ready"
										 : "no_baseline");
	snprintf(status.method, sizeof(status.method), "%s", repair_method_name(state->method));
	snprintf(status.why, sizeof(status.why), "%s", why);
	pthread_mutex_lock(&repair->lock);
	repair->status = status;
	pthread_mutex_unlock(&repair->lock);
	measure(repair);
	metric_set(repair->waiting, (int64_t)status.tasks_waiting);
	metric_set(repair->baseline_time, status.baseline_id >= 0 ? status.baseline_ms : 0);
}

static void tick(uv_timer_t *timer)
{
	struct repair *repair = timer->data;

	step(repair);
	show(repair);
}

void repair_get_status(struct repair *repair, struct repair_status *out)
{
	pthread_mutex_lock(&repair->lock);
	*out = repair->status;
	pthread_mutex_unlock(&repair->lock);
}

/* ---- Life ---- */

static void add_metrics(struct repair *repair)
{
	const char *watch = repair->watch->name;

	repair->differences = metric_get_of("cn_repair_differences_total", "watch", watch,
					    METRIC_COUNTER, "Changes that repairs of gaps found");
	repair->requests = metric_get_of("cn_repair_requests_total", "watch", watch, METRIC_COUNTER,
					 "Requests of repairs");
	repair->waiting = metric_get_of("cn_repair_tasks_waiting", "watch", watch, METRIC_GAUGE,
					"Tasks of the repair under way that are known to wait");
	repair->gaps_waiting = metric_get_of("cn_gaps_waiting", "watch", watch, METRIC_GAUGE,
					     "Gaps that are not repaired yet");
	repair->baseline_time = metric_get_of(
		"cn_baseline_time_ms", "watch", watch, METRIC_GAUGE,
		"When the snapshot was taken that a repair would begin from; 0: none");
}

struct repair *repair_new(uv_loop_t *loop, struct qumulo *cluster,
			  const struct watch_settings *watch, struct watcher *watcher,
			  struct store *store)
{
	struct repair *repair = NEW(struct repair);

	repair->loop = loop;
	repair->cluster = cluster;
	repair->watch = watch;
	repair->watcher = watcher;
	repair->store = store;
	repair->who = str_format("repair/%s", watch->name);
	repair->walk = walk_new(cluster, 1);
	repair->gaps_seen = UINT64_MAX;
	repair->state.baseline.id = repair->state.candidate.id = -1;
	pthread_mutex_init(&repair->lock, NULL);
	add_metrics(repair);
	repair->timer = NEW(uv_timer_t);
	uv_timer_init(loop, repair->timer);
	repair->timer->data = repair;
	uv_timer_start(repair->timer, tick, 0, TICK_MS);
	show(repair);
	return repair;
}

static void free_timer(uv_handle_t *timer)
{
	free(timer);
}

void repair_free(struct repair *repair)
{
	if (!repair)
		return;
	work_free(repair->work);
	if (repair->call)
		qumulo_cancel(repair->call);
	walk_free(repair->walk);
	uv_close((uv_handle_t *)repair->timer, free_timer);
	pthread_mutex_destroy(&repair->lock);
	error_clear(&repair->trouble);
	free(repair->who);
	free(repair);
}
