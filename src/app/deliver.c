#include "app/deliver.h"

#include <pthread.h>
#include <stdio.h>

#include "action/stray.h"
#include "app/deliver_unstored.h"
#include "app/delivery.h"
#include "app/retire.h"
#include "base/clock.h"
#include "base/metric.h"
#include "store/chain.h"
#include "store/echo.h"

#define IDLE_ACTIONS 64     /* open without a user */
#define STORE_AGAIN_MS 1000 /* after the store could not be written */
#define DUE_MOST_MS 60000   /* the wall's clock may step: look again */
#define TAKE_MOST 16        /* jobs at once */
#define ENDING_MOST 256     /* jobs that share one wait for the disk when they end */
#define CONFLICTS_MOST 100  /* in a row, with the filter or another act; then after a pause */
#define TURN_MS 20          /* then the loop's other users have their turn */
#define SEAL_EVERY_MS 1000  /* the history, where something was added.. */
#define SEAL_IDLE_MS 60000  /* ..and if not by this process, then perhaps by another */
#define SEALED_AT_ONCE 2000
#define HEAD_EVERY_MS (60 * 60 * 1000)

/* ---- Status and rules: from any thread ---- */

void deliver_get_status(struct deliver *deliver, struct deliver_status *out)
{
	pthread_mutex_lock(&deliver->lock);
	*out = deliver->status;
	pthread_mutex_unlock(&deliver->lock);
}

static void set_trouble(struct deliver *deliver, const char *why)
{
	pthread_mutex_lock(&deliver->lock);
	snprintf(deliver->status.trouble, sizeof(deliver->status.trouble), "%s", why);
	pthread_mutex_unlock(&deliver->lock);
}

static void count_end(struct deliver *deliver, enum delivery_write write)
{
	pthread_mutex_lock(&deliver->lock);
	deliver->has_marks |= write != WRITE_RETRY && write != WRITE_PROGRESS;
	if (write == WRITE_DONE)
		deliver->status.done++;
	else if (write == WRITE_DEAD)
		deliver->status.dead++;
	else if (write == WRITE_RETRY)
		deliver->status.retried++;
	pthread_mutex_unlock(&deliver->lock);
	if (write == WRITE_DONE)
		metric_add(deliver->done, 1);
	else if (write == WRITE_DEAD)
		metric_add(deliver->dead, 1);
	else if (write == WRITE_RETRY)
		metric_add(deliver->retried, 1);
	else if (write == WRITE_HELD)
		metric_add(deliver->held, 1);
}

struct breakers *deliver_breakers(struct deliver *deliver)
{
	return deliver->breakers;
}

void deliver_offer(struct deliver *deliver, size_t watch, struct rule_set *set)
{
	struct rule_set *old;

	pthread_mutex_lock(&deliver->lock);
	old = deliver->rules[watch].offered;
	deliver->rules[watch].offered = set;
	pthread_mutex_unlock(&deliver->lock);
	rule_set_free(old);
}

const struct rule *deliver_find_rule(struct deliver *deliver, size_t watch, const char *name,
				     struct rule_matcher **out_matcher)
{
	struct deliver_rules *rules = &deliver->rules[watch];
	struct rule_set *fresh;

	pthread_mutex_lock(&deliver->lock);
	fresh = TAKE(rules->offered);
	pthread_mutex_unlock(&deliver->lock);
	if (fresh) {
		rule_matcher_free(rules->matcher);
		retire_set(deliver->loop, rules->set);
		rules->set = fresh;
		rules->matcher = rule_matcher_new(fresh);
	}
	*out_matcher = rules->matcher;
	return rules->set ? rule_set_find(rules->set, name) : NULL;
}

/* ---- For the others of this folder ---- */

static bool is_busy(void *self, const char *file_id)
{
	struct deliver *deliver = self;
	struct delivery *delivery;

	list_for_each (delivery, &deliver->running, link)
		if (delivery->job.file_id && strcmp(delivery->job.file_id, file_id) == 0)
			return true;
	return false;
}

int64_t deliver_back_off(struct deliver *deliver, int64_t first_ms, unsigned count)
{
	int64_t most = MAX(deliver->settings->act.back_off_max_ms, 1);
	int64_t pause = MAX(first_ms, 1);
	int64_t jitter;

	for (unsigned i = 1; i < count && pause < most; i++)
		pause *= 2;
	pause = MIN(pause, most);
	/* A quarter to both sides, so that a hundred jobs that failed together come apart. */
	deliver->random = deliver->random * 6364136223846793005ull + 1442695040888963407ull;
	jitter = pause / 2 ? (int64_t)((deliver->random >> 33) % (uint64_t)(pause / 2)) : 0;
	return pause - pause / 4 + jitter;
}

/* ---- Writing what came of the jobs and what they expect, many at a time ---- */

static int write_one(struct delivery *delivery, struct store_txn *txn, struct error *err)
{
	int64_t now_ms = clock_now_ms();
	const struct settings *settings = delivery->deliver->settings;

	if (delivery->closes_echo && echo_close_in(txn, delivery->job.id, delivery->echo_step,
						   now_ms + delivery->echo_keep_ms, err) < 0)
		return -1;
	switch (delivery->write) {
	case WRITE_PROGRESS:
		return store_job_save_in(txn, &delivery->job, now_ms, settings->act.lease_ms, err);
	case WRITE_RETRY:
		return store_job_retry_in(txn, &delivery->job, err);
	case WRITE_DONE:
		return store_job_end_in(txn, &delivery->job, JOB_DONE, now_ms, err);
	case WRITE_DEAD:
	case WRITE_HELD:
		return store_job_end_in(txn, &delivery->job, JOB_DEAD, now_ms, err);
	}
	return 0;
}

static int write_once(struct deliver *deliver, uint64_t *out_after_seq, struct error *err)
{
	AUTO(store_abort) struct store_txn *txn = NULL;
	struct delivery *delivery;
	uint64_t first;

	/* The end of the log is read before the requests go out: their echoes come behind it. */
	if (store_log_range(deliver->store, &first, out_after_seq, err) < 0 ||
	    store_begin(deliver->store, &txn, err) < 0 ||
	    deliver_write_expectations(deliver, *out_after_seq, txn, err) < 0)
		return -1;
	list_for_each (delivery, &deliver->writing, queue_link)
		if (write_one(delivery, txn, err) < 0)
			return -1;
	return store_commit(TAKE(txn), err);
}

/* The filter may consume an expectation in the same moment as its step is closed. */
static int write_all(struct deliver *deliver, uint64_t *out_after_seq, struct error *err)
{
	int rc, tries = 0;

	do {
		error_clear(err);
		rc = write_once(deliver, out_after_seq, err);
	} while (rc == STORE_CONFLICT && ++tries < CONFLICTS_MOST);
	return rc < 0 ? -1 : 0;
}

/* What the job has still to put back, as it is stored now. */
static void note_stray(struct delivery *delivery)
{
	bool goes_on = delivery->write == WRITE_PROGRESS || delivery->write == WRITE_RETRY;

	strays_note(delivery->deliver->strays, delivery->job.id,
		    goes_on ? stray_in(delivery->body.memory) : NULL);
}

void deliver_written(struct delivery *delivery)
{
	struct deliver *deliver = delivery->deliver;

	note_stray(delivery);
	list_remove(&delivery->queue_link);
	delivery->closes_echo = false;
	count_end(deliver, delivery->write);
	if (delivery->line) {
		AUTO(free)
		char *who = str_format("rule/%s", delivery->body.rule ? delivery->body.rule : "?");

		log_write(delivery->level, who, "%s", delivery->line);
		free(TAKE(delivery->line));
	}
	if (delivery->write == WRITE_PROGRESS && !deliver->is_closing)
		delivery_begin(delivery);
	else
		delivery_free(delivery);
}

/* 1: it is still ours; 0: it was not, and is dropped. */
static int keep_or_drop(struct delivery *delivery, struct error *err)
{
	int is_ours = delivery_is_unstored(delivery) ||
		      store_job_is_ours(delivery->deliver->store, delivery->job.id, err);

	if (is_ours)
		return is_ours;
	log_warn("act", "job %llu was not prolonged in time and is left to whoever takes it now",
		 (unsigned long long)delivery->job.id);
	strays_note(delivery->deliver->strays, delivery->job.id, NULL);
	delivery_free(delivery);
	return 0;
}

/*
 * A job whose lease ran out, because this process stood still or could not reach the store for too
 * long, is somebody else's now, who begins with what was stored last. Whether some were dropped.
 */
static bool drop_lost(struct deliver *deliver)
{
	struct delivery *delivery;
	bool is_any_lost = false;

	list_for_each (delivery, &deliver->running, link) {
		AUTO_ERROR err = { 0 };
		int is_kept = keep_or_drop(delivery, &err);

		if (is_kept < 0)
			return false;
		is_any_lost |= !is_kept;
	}
	return is_any_lost;
}

/* Whether the store took what there was; then only what has come up just now waits to be written.
 */
static bool flush(struct deliver *deliver)
{
	AUTO_ERROR err = { 0 };
	struct list done;
	struct delivery *delivery;
	uint64_t after_seq;

	deliver_end_unstored(deliver);
	if (list_is_empty(&deliver->writing) && list_is_empty(&deliver->expecting))
		return true;
	if (write_all(deliver, &after_seq, &err) < 0) {
		/* One that is not ours any more must not keep the others. */
		if (drop_lost(deliver))
			return flush(deliver);
		set_trouble(deliver, error_text(&err));
		/* What has ended is worth more than what only begins: it is stored alone, at once.
		 */
		if (!list_is_empty(&deliver->expecting)) {
			deliver_go_on_without(deliver, error_text(&err));
			return true;
		}
		log_error("act", "%s; what the jobs did is kept and stored as soon as possible",
			  error_text(&err));
		return false;
	}
	set_trouble(deliver, "");
	/* A step that begins now may end at once and wait to be written in its turn. */
	list_take_all(&done, &deliver->writing);
	deliver_go_on(deliver, after_seq);
	list_for_each (delivery, &done, queue_link)
		deliver_written(delivery);
	return true;
}

/* ---- A turn ---- */

static void conclude_all(struct deliver *deliver)
{
	while (!list_is_empty(&deliver->finished)) {
		struct delivery *delivery =
			list_entry(deliver->finished.next, struct delivery, queue_link);

		list_remove(&delivery->queue_link);
		delivery_conclude(delivery);
	}
}

/* How many more jobs may be under way. */
static size_t room(const struct deliver *deliver)
{
	size_t most = (size_t)MAX(deliver->settings->act.concurrency, 1);
	size_t running = deliver->running_count - deliver->ending_count;

	if (running >= most || deliver->ending_count >= ENDING_MOST)
		return 0;
	return MIN(most - running, ENDING_MOST - deliver->ending_count);
}

/* Several at once: a store over a network takes as long for one. */
static int64_t take_some(struct deliver *deliver)
{
	AUTO_ERROR err = { 0 };
	struct job jobs[TAKE_MOST] = { 0 };
	int64_t count =
		store_job_take_many(deliver->store, clock_now_ms(), deliver->settings->act.lease_ms,
				    jobs, MIN(room(deliver), TAKE_MOST), &err);

	if (count < 0) {
		set_trouble(deliver, error_text(&err));
		log_error("act", "%s; jobs are taken again as soon as possible", error_text(&err));
	}
	for (int64_t i = 0; i < count; i++)
		delivery_begin(delivery_new(deliver, &jobs[i]));
	return count;
}

/* A job that ends at once makes room for the next before it is written down. */
static int64_t take_all(struct deliver *deliver)
{
	int64_t count = 1;

	while (count > 0 && room(deliver)) {
		count = take_some(deliver);
		conclude_all(deliver);
	}
	return count;
}

static void arm(struct deliver *deliver, int64_t delay_ms)
{
	uv_timer_start(&deliver->due, deliver->due.timer_cb,
		       (uint64_t)MIN(MAX(delay_ms, 1), DUE_MOST_MS), 0);
}

/* While all places are taken, the next job is taken when one of them becomes free. */
static void arm_due(struct deliver *deliver, int64_t taken)
{
	AUTO_ERROR err = { 0 };
	int64_t due_ms;

	if (taken < 0)
		arm(deliver, STORE_AGAIN_MS);
	else if (!room(deliver))
		uv_timer_stop(&deliver->due);
	else if (store_job_next_due(deliver->store, &due_ms, &err) < 0)
		arm(deliver, STORE_AGAIN_MS);
	else if (due_ms)
		arm(deliver, due_ms - clock_now_ms());
	else
		uv_timer_stop(&deliver->due);
}

static void arm_unstored(struct deliver *deliver)
{
	int64_t due_ms = deliver_unstored_due(deliver);

	if (due_ms >= 0 && (!uv_is_active((uv_handle_t *)&deliver->due) ||
			    (int64_t)uv_timer_get_due_in(&deliver->due) > due_ms))
		arm(deliver, due_ms);
}

static void publish_running(struct deliver *deliver)
{
	metric_set(deliver->under_way, (int64_t)deliver->running_count);
	metric_set(deliver->breakers_open, (int64_t)breakers_visit(deliver->breakers, NULL, NULL));
	pthread_mutex_lock(&deliver->lock);
	deliver->status.running = deliver->running_count;
	pthread_mutex_unlock(&deliver->lock);
}

static bool has_work(const struct deliver *deliver)
{
	return !list_is_empty(&deliver->finished) || !list_is_empty(&deliver->writing) ||
	       !list_is_empty(&deliver->expecting);
}

static void turn(struct deliver *deliver)
{
	uint64_t until = uv_hrtime() + TURN_MS * 1000000u;
	bool more, is_stored;
	int64_t taken = 0;

	if (deliver->is_closing)
		return;
	deliver->is_turning = true;
	do {
		deliver_begin_unstored(deliver);
		conclude_all(deliver);
		is_stored = flush(deliver);
		if (is_stored)
			taken = take_all(deliver);
		more = has_work(deliver);
	} while (more && is_stored && uv_hrtime() < until);
	deliver->is_turning = false;
	if (!is_stored)
		uv_timer_start(&deliver->turn, deliver->turn.timer_cb, STORE_AGAIN_MS, 0);
	else if (more)
		deliver_turn_soon(deliver);
	arm_due(deliver, taken);
	arm_unstored(deliver);
	publish_running(deliver);
}

void deliver_turn_soon(struct deliver *deliver)
{
	if (!deliver->is_turning && !deliver->is_closing)
		uv_timer_start(&deliver->turn, deliver->turn.timer_cb, 0, 0);
}

/* ---- Timers ---- */

static void prolong_all(struct deliver *deliver)
{
	struct delivery *delivery;

	list_for_each (delivery, &deliver->running, link) {
		struct job lease = { .id = delivery->job.id };
		AUTO_ERROR err = { 0 };

		if (delivery_is_unstored(delivery))
			continue;
		if (store_job_save(deliver->store, &lease, clock_now_ms(),
				   deliver->settings->act.lease_ms, &err) == 0)
			continue;
		/* A store that cannot be reached is not asked once more for each job. */
		if (keep_or_drop(delivery, &err) < 0) {
			log_warn("act", "the jobs under way cannot be prolonged: %s",
				 error_text(&err));
			return;
		}
	}
}

static void on_wake(uv_async_t *async)
{
	turn(async->data);
}

static void on_turn(uv_timer_t *timer)
{
	turn(timer->data);
}

static void on_lease(uv_timer_t *timer)
{
	prolong_all(timer->data);
}

/* ---- The history's chain ---- */

/* Outside of the store, so that whoever can write the store cannot make all of it anew unseen. */
static void tell_head(struct deliver *deliver, int64_t now_ms)
{
	struct chain_head head;
	AUTO_ERROR err = { 0 };

	if (now_ms - deliver->head_logged_ms < HEAD_EVERY_MS ||
	    chain_get_head(deliver->store, &head, &err) < 0 || head.number == deliver->head_logged)
		return;
	log_info("act", "the history's newest link is %llu:%s (cn_monitor history --verify)",
		 (unsigned long long)head.number, head.hex);
	deliver->head_logged_ms = now_ms;
	deliver->head_logged = head.number;
}

static void seal(struct deliver *deliver)
{
	int64_t now_ms = clock_now_ms();
	AUTO_ERROR err = { 0 };
	int rc;

	if (!deliver->has_marks && now_ms - deliver->sealed_ms < SEAL_IDLE_MS &&
	    now_ms >= deliver->sealed_ms)
		return;
	deliver->sealed_ms = now_ms;
	rc = chain_seal(deliver->store, now_ms, deliver->settings->store.retention_ms,
			SEALED_AT_ONCE, &err);
	deliver->has_marks = rc != 0;
	if (rc > 0) /* the loop's other users have their turn between */
		uv_timer_start(&deliver->seal, deliver->seal.timer_cb, 1, SEAL_EVERY_MS);
	if (rc == 0)
		tell_head(deliver, now_ms);
	else if (rc < 0 && rc != STORE_CONFLICT)
		log_debug("act", "%s; the history is sealed later", error_text(&err));
}

static void on_seal(uv_timer_t *timer)
{
	seal(timer->data);
}

void deliver_tick(struct deliver *deliver)
{
	prolong_all(deliver);
	fingerprints_tick(deliver->prints);
	turn(deliver);
}

/* ---- Opening and closing ---- */

static void wake(void *ctx)
{
	struct deliver *deliver = ctx;

	uv_async_send(&deliver->wake);
}

static void open_timer(struct deliver *deliver, uv_timer_t *timer, uv_timer_cb callback,
		       uint64_t first_ms, uint64_t repeat_ms)
{
	uv_timer_init(deliver->loop, timer);
	timer->data = deliver;
	uv_timer_start(timer, callback, first_ms, repeat_ms);
	deliver->open_handles++;
}

static void open_handles(struct deliver *deliver)
{
	/* So that some of them may fail. */
	uint64_t prolong_ms = (uint64_t)MAX(deliver->settings->act.lease_ms / 4, 1);

	uv_async_init(deliver->loop, &deliver->wake, on_wake);
	deliver->wake.data = deliver;
	deliver->open_handles = 1;
	open_timer(deliver, &deliver->turn, on_turn, 0, 0);
	open_timer(deliver, &deliver->due, on_turn, DUE_MOST_MS, 0);
	open_timer(deliver, &deliver->lease, on_lease, prolong_ms, prolong_ms);
	open_timer(deliver, &deliver->seal, on_seal, SEAL_EVERY_MS, SEAL_EVERY_MS);
}

static void open_metrics(struct deliver *deliver)
{
	const char *help = "Jobs that ended, and attempts that will be repeated.";

	deliver->done = metric_get("cn_jobs_total{result=\"done\"}", METRIC_COUNTER, help);
	deliver->dead = metric_get("cn_jobs_total{result=\"dead\"}", METRIC_COUNTER, help);
	deliver->retried = metric_get("cn_jobs_total{result=\"retry\"}", METRIC_COUNTER, help);
	deliver->held = metric_get("cn_jobs_total{result=\"held\"}", METRIC_COUNTER, help);
	deliver->gone = metric_get("cn_jobs_gone_total", METRIC_COUNTER,
				   "Jobs whose file was gone; they count as done too.");
	deliver->breakers_open =
		metric_get("cn_breakers_open", METRIC_GAUGE,
			   "Servers that jobs wait for, because they failed several "
			   "times in a row.");
	deliver->under_way = metric_get("cn_jobs_running", METRIC_GAUGE, "Jobs under way.");
}

int deliver_open(struct deliver **out, uv_loop_t *loop, struct http *http,
		 const struct settings *settings, struct store *store,
		 const struct cluster *const *clusters, const struct mail_server *mail,
		 struct error *err)
{
	struct deliver *deliver;
	struct fingerprints_host prints = { NULL, loop, store, is_busy };

	/* Whoever had taken jobs before is gone, where this is the only process of its store. */
	if (settings_store_is_embedded(settings) && store_job_release_all(store, err) < 0)
		return -1;
	deliver = NEW(struct deliver);
	deliver->loop = loop;
	deliver->settings = settings;
	deliver->store = store;
	deliver->clusters = clusters;
	deliver->host = deliver_host(deliver, http, mail);
	deliver->cache = action_cache_new(&deliver->host, IDLE_ACTIONS);
	deliver->breakers = breakers_new(&(struct breaker_settings){
		(unsigned)settings->act.circuit_breaker,
		MAX(settings->act.back_off_ms, 1),
		MAX(settings->act.back_off_max_ms, 1),
	});
	deliver->also_caused = also_caused_new(&settings->act.also_caused);
	deliver->turns = turns_new();
	deliver->strays = strays_new();
	deliver->rules = mem_array(settings->watch_count, sizeof(*deliver->rules));
	deliver->random = uv_hrtime();
	prints.self = deliver;
	deliver->prints = fingerprints_open(&prints);
	list_init(&deliver->running);
	list_init(&deliver->expecting);
	list_init(&deliver->finished);
	list_init(&deliver->writing);
	list_init(&deliver->unstored);
	pthread_mutex_init(&deliver->lock, NULL);
	open_metrics(deliver);
	open_handles(deliver);
	store_on_wake(store, STORE_ACT, wake, deliver);
	*out = deliver;
	return 0;
}

static void forget_handle(uv_handle_t *handle)
{
	struct deliver *deliver = handle->data;

	if (--deliver->open_handles)
		return;
	pthread_mutex_destroy(&deliver->lock);
	free(deliver);
}

static void forget_rules(struct deliver *deliver)
{
	for (size_t i = 0; i < deliver->settings->watch_count; i++) {
		rule_matcher_free(deliver->rules[i].matcher);
		rule_set_free(deliver->rules[i].set);
		rule_set_free(deliver->rules[i].offered);
	}
	free(deliver->rules);
}

void deliver_close(struct deliver *deliver)
{
	struct delivery *delivery;

	if (!deliver)
		return;
	store_on_wake(deliver->store, STORE_ACT, NULL, NULL);
	deliver->is_closing = true;
	/* What has ended is stored; what has not is cancelled and taken again after the start, and
	 * first of all what would send its request out now. */
	conclude_all(deliver);
	list_for_each (delivery, &deliver->expecting, queue_link)
		delivery_free(delivery);
	flush(deliver);
	seal(deliver);
	list_for_each (delivery, &deliver->running, link)
		delivery_free(delivery);
	deliver_forget_unstored(deliver);
	fingerprints_close(deliver->prints);
	action_cache_free(deliver->cache);
	breakers_free(deliver->breakers);
	also_caused_free(deliver->also_caused);
	turns_free(deliver->turns);
	strays_free(deliver->strays);
	forget_rules(deliver);
	uv_close((uv_handle_t *)&deliver->wake, forget_handle);
	uv_close((uv_handle_t *)&deliver->turn, forget_handle);
	uv_close((uv_handle_t *)&deliver->due, forget_handle);
	uv_close((uv_handle_t *)&deliver->lease, forget_handle);
	uv_close((uv_handle_t *)&deliver->seal, forget_handle);
}
