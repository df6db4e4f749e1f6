#include "app/filter.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <uv.h>

#include "app/inbox.h"
#include "app/judge.h"
#include "app/retire.h"
#include "app/trim.h"
#include "base/clock.h"
#include "base/list.h"
#include "base/log.h"
#include "base/metric.h"

/* The bounds of a transaction: while it lasts, act waits for the store. A record is never cut. */
#define BATCH_EVENTS 50000
#define BATCH_BYTES (16 * 1024 * 1024)
#define BATCH_MS 20
#define BATCH_TIMERS 1000

#define RETRY_MS 1000
#define LONGEST_SLEEP_MS 60000 /* so that a clock that was put back is noticed */
#define TRIM_FIRST_MS \
	1000 /* what was heard before the start allows little; twice as long each time */
#define TRIM_MS 60000

struct offer {
	struct list link;
	size_t watch;
	struct rule_set *set;
	void (*swapped)(void *ctx, uint64_t after_seq);
	void *ctx;
};

struct filter {
	uv_loop_t *loop;
	const struct settings *settings;
	struct store *store;
	struct judge *judge;
	uint64_t cursor;
	bool is_stuck;    /* the store failed: what is in memory is not what it has */
	bool is_stale;    /* what is in memory is not what it has, and it can be read at once */
	int64_t batch_ms; /* how long a transaction may take: less while others get in its way */
	int64_t retry_ms;

	uv_async_t wake;
	uv_timer_t timer;
	uv_timer_t trim;
	int64_t trim_pause_ms;
	unsigned open_handles;

	void (*on_trouble)(void *ctx, size_t watch, int64_t heard_ms, const char *reason);
	void *trouble_ctx;
	char **troubles;     /* of the batch, by watch: why its stream cannot be trusted */
	int64_t *trouble_ms; /* when that was heard */
	int64_t record_ms;   /* of the record that is judged */

	pthread_mutex_t lock; /* of what follows */
	struct list offers;
	struct filter_status status;

	struct metric *events, *judged, *echoes, *matches, *delay, *conflicts;
};

/* One transaction; it begins when there is something to judge. */
struct batch {
	struct filter *filter;
	struct store_txn *txn;
	uint64_t cursor;
	int64_t started_ms;
	int64_t record_ms; /* receipt of the last record */
	bool is_full;      /* there is more to do */
	int result;
	struct error *err;
};

void filter_wake(struct filter *filter)
{
	uv_async_send(&filter->wake);
}

/* ---- The mailbox ---- */

void filter_offer(struct filter *filter, size_t watch, struct rule_set *set,
		  void (*swapped)(void *ctx, uint64_t after_seq), void *ctx)
{
	struct offer *offer = NEW(struct offer);

	*offer = (struct offer){ .watch = watch, .set = set, .swapped = swapped, .ctx = ctx };
	pthread_mutex_lock(&filter->lock);
	list_append(&filter->offers, &offer->link);
	pthread_mutex_unlock(&filter->lock);
	filter_wake(filter);
}

/* Moves everything that is offered to taken. */
static void take_offers(struct filter *filter, struct list *taken)
{
	struct offer *offer;

	pthread_mutex_lock(&filter->lock);
	list_for_each (offer, &filter->offers, link) {
		list_remove(&offer->link);
		list_append(taken, &offer->link);
	}
	pthread_mutex_unlock(&filter->lock);
}

/* Between two records: nothing is under way here. */
static void swap_sets(struct filter *filter, struct list *offers)
{
	struct offer *offer;

	list_for_each (offer, offers, link)
		retire_set(filter->loop, judge_swap(filter->judge, offer->watch, TAKE(offer->set)));
}

static void tell_swapped(struct list *offers, uint64_t after_seq)
{
	struct offer *offer;

	list_for_each (offer, offers, link) {
		list_remove(&offer->link);
		if (offer->swapped)
			offer->swapped(offer->ctx, after_seq);
		free(offer);
	}
}

/* ---- A batch ---- */

static int batch_begin(struct batch *batch)
{
	if (batch->txn)
		return 0;
	if (store_begin(batch->filter->store, &batch->txn, batch->err) < 0 ||
	    store_fence(batch->txn, STORE_FILTER, batch->err) < 0 ||
	    store_cursor_check(batch->txn, batch->cursor, batch->err) < 0)
		return -1;
	return judge_begin(batch->filter->judge, batch->txn, batch->cursor, clock_now_ms(),
			   batch->err);
}

/* Told once for each batch: a thousand damaged records are one reason to open the stream anew. */
static void note_trouble(void *ctx, size_t watch, const char *reason)
{
	struct filter *filter = ctx;

	if (filter->troubles[watch])
		return;
	filter->troubles[watch] = str_copy(reason);
	filter->trouble_ms[watch] = filter->record_ms;
}

static void forget_troubles(struct filter *filter, bool tell)
{
	for (size_t i = 0; i < filter->settings->watch_count; i++) {
		AUTO(free) char *reason = TAKE(filter->troubles[i]);

		if (reason && tell && filter->on_trouble)
			filter->on_trouble(filter->trouble_ctx, i, filter->trouble_ms[i], reason);
	}
}

/*
 * Windows and timers that ended before this record was received come before it, so that a filter
 * which is behind decides as one that is not.
 */
static int expire_until(struct batch *batch, int64_t now_ms)
{
	struct judge *judge = batch->filter->judge;
	int64_t count;

	if (judge_next_due(judge) > now_ms)
		return 0;
	if (batch_begin(batch) < 0)
		return -1;
	count = judge_expire(judge, now_ms, BATCH_TIMERS, batch->err);
	batch->is_full |= count == BATCH_TIMERS;
	return count < 0 ? -1 : 0;
}

static bool take_record(void *ctx, const struct record *record)
{
	struct batch *batch = ctx;
	struct judge *judge = batch->filter->judge;

	batch->result = -1;
	if (batch_begin(batch) < 0 || expire_until(batch, record->time_ms) < 0)
		return false;
	if (!batch->is_full) {
		batch->filter->record_ms = record->time_ms;
		if (judge_record(judge, record, note_trouble, batch->filter, batch->err) < 0)
			return false;
		batch->cursor = record->seq;
		batch->record_ms = record->time_ms;
		batch->is_full =
			judge_event_count(judge) >= BATCH_EVENTS ||
			clock_monotonic_ms() - batch->started_ms >= batch->filter->batch_ms;
	}
	batch->result = 0;
	return !batch->is_full;
}

/* A store that lost its last moments (a server that was killed, a replica that was behind) has
 * records again that seem to be judged. */
static int check_place(struct filter *filter, struct error *err)
{
	uint64_t cursor;

	if (store_cursor_get(filter->store, &cursor, err) < 0)
		return -1;
	return cursor == filter->cursor ? 0 : store_cursor_moved(filter->cursor, cursor, err);
}

/* Nothing is left in the log: now it is the clock that says what is due. */
static int take_time(struct batch *batch)
{
	struct filter *filter = batch->filter;
	int64_t now_ms = clock_now_ms();
	int waiting = inbox_has_any(filter->store, batch->err);
	int64_t count;

	if (waiting < 0 || expire_until(batch, now_ms) < 0)
		return -1;
	if (!waiting)
		return 0;
	if (batch_begin(batch) < 0)
		return -1;
	count = judge_inbox(filter->judge, batch->cursor, now_ms, BATCH_TIMERS, batch->err);
	batch->is_full |= count == BATCH_TIMERS;
	return count < 0 ? -1 : 0;
}

/* What the cluster said, also while there is more in the log. */
static int take_answers(struct batch *batch)
{
	struct judge *judge = batch->filter->judge;
	int64_t count;

	if (!judge_has_answers(judge))
		return 0;
	if (batch_begin(batch) < 0)
		return -1;
	count = judge_answers(judge, BATCH_TIMERS, batch->err);
	batch->is_full |= count == BATCH_TIMERS;
	return count < 0 ? -1 : 0;
}

static int batch_fill(struct batch *batch)
{
	struct filter *filter = batch->filter;
	int64_t count;

	if (take_answers(batch) < 0)
		return -1;
	count = store_log_read(filter->store, filter->cursor, SIZE_MAX, BATCH_BYTES, take_record,
			       batch, batch->err);

	if (count < 0 || batch->result < 0)
		return -1;
	if (count > 0)
		batch->is_full = true; /* perhaps; the next one will see */
	else if (check_place(filter, batch->err) < 0 || take_time(batch) < 0)
		return -1;
	return judge_has_news(filter->judge) ? batch_begin(batch) : 0;
}

static void count_up(struct filter *filter, const struct batch *batch)
{
	struct judge_counts counts = judge_committed(filter->judge);
	int64_t delay_ms = batch->record_ms ? clock_now_ms() - batch->record_ms : 0;

	metric_add(filter->events, (int64_t)counts.events);
	metric_add(filter->judged, (int64_t)counts.judged);
	metric_add(filter->echoes, (int64_t)counts.echoes);
	metric_add(filter->matches, (int64_t)counts.matches);
	metric_set(filter->delay, delay_ms);

	pthread_mutex_lock(&filter->lock);
	filter->status.cursor = batch->cursor;
	filter->status.events += counts.events;
	filter->status.matches += counts.matches;
	filter->status.echoes += counts.echoes;
	filter->status.jobs += counts.jobs;
	filter->status.delay_ms = delay_ms;
	snprintf(filter->status.tripped, sizeof(filter->status.tripped), "%s",
		 judge_tripped(filter->judge));
	pthread_mutex_unlock(&filter->lock);
}

/* All or nothing; STORE_CONFLICT: nothing, and it can be done again at once. */
static int batch_run(struct batch *batch)
{
	struct filter *filter = batch->filter;
	int rc;

	if (batch_fill(batch) < 0)
		return -1;
	if (!batch->txn)
		return 0;
	if (judge_end(filter->judge, batch->cursor, batch->err) < 0)
		return -1;
	rc = store_commit(TAKE(batch->txn), batch->err);
	if (rc < 0)
		return rc;
	filter->cursor = batch->cursor;
	count_up(filter, batch);
	return 0;
}

/* ---- Turns ---- */

static void set_trouble(struct filter *filter, const char *trouble)
{
	pthread_mutex_lock(&filter->lock);
	snprintf(filter->status.trouble, sizeof(filter->status.trouble), "%s", trouble);
	pthread_mutex_unlock(&filter->lock);
}

/* Nothing is lost: what is in memory is read anew, and the cursor with it. */
static void get_stuck(struct filter *filter, const char *why)
{
	log_error("filter", "%s; nothing is lost, trying again every %d ms", why, RETRY_MS);
	set_trouble(filter, why);
	filter->is_stuck = true;
	filter->retry_ms = clock_monotonic_ms() + RETRY_MS;
}

/* Somebody who acts has changed an expected echo that this batch consumes. The shorter the next
 * one, the surer it comes through. */
static void give_way(struct filter *filter)
{
	metric_add(filter->conflicts, 1);
	filter->is_stale = true;
	filter->batch_ms = MAX(filter->batch_ms / 4, 1);
}

static void get_going(struct filter *filter)
{
	filter->is_stale = false;
	filter->batch_ms = MIN(filter->batch_ms * 2, BATCH_MS);
	if (!filter->is_stuck)
		return;
	log_info("filter", "the store works again");
	set_trouble(filter, "");
	filter->is_stuck = false;
}

static void on_timer(uv_timer_t *timer);

static void arm_timer(struct filter *filter, bool has_more)
{
	int64_t due_ms = judge_next_due(filter->judge);
	int64_t sleep_ms = due_ms == INT64_MAX ? -1 : due_ms - clock_now_ms();

	if (filter->is_stuck)
		sleep_ms = RETRY_MS;
	else if (has_more)
		sleep_ms = 0;
	else if (due_ms == INT64_MAX) {
		uv_timer_stop(&filter->timer);
		return;
	}
	uv_timer_start(&filter->timer, on_timer, (uint64_t)MIN(MAX(sleep_ms, 0), LONGEST_SLEEP_MS),
		       0);
}

/* A commit of which the store could not tell may have happened: the cursor says so. */
static int read_anew(struct filter *filter, struct error *err)
{
	if (judge_load(filter->judge, err) < 0)
		return -1;
	return store_cursor_get(filter->store, &filter->cursor, err);
}

/* Swaps what is offered, then judges one batch. */
static void turn(struct filter *filter)
{
	AUTO_ERROR err = { 0 };
	struct list offers;
	struct batch batch = { .filter = filter, .started_ms = clock_monotonic_ms(), .err = &err };
	uint64_t after_seq;
	int result;

	list_init(&offers);
	take_offers(filter, &offers);
	swap_sets(filter, &offers);
	result = filter->is_stuck || filter->is_stale ? read_anew(filter, &err) : 0;
	batch.cursor = after_seq = filter->cursor;
	if (result == 0)
		result = batch_run(&batch);
	store_abort(batch.txn);
	if (result == STORE_CONFLICT)
		give_way(filter);
	else if (result < 0)
		get_stuck(filter, error_text(&err));
	else
		get_going(filter);
	forget_troubles(filter, result == 0);
	arm_timer(filter, batch.is_full || filter->is_stale);
	tell_swapped(&offers, after_seq);
}

static void on_wake(uv_async_t *wake)
{
	struct filter *filter = wake->data;

	/* A store that fails is not asked again at each commit of the watch. */
	if (!filter->is_stuck || clock_monotonic_ms() >= filter->retry_ms)
		turn(filter);
}

static void on_timer(uv_timer_t *timer)
{
	turn(timer->data);
}

static void wake_from_store(void *ctx)
{
	filter_wake(ctx);
}

/* ---- Trimming ---- */

static void on_trim(uv_timer_t *timer)
{
	struct filter *filter = timer->data;
	AUTO_ERROR err = { 0 };
	int more =
		trim_store(filter->store, filter->settings, filter->cursor, clock_now_ms(), &err);

	if (more < 0)
		log_warn("filter", "cannot trim the store, later again: %s", error_text(&err));
	uv_timer_start(timer, on_trim, more == 1 ? 10 : filter->trim_pause_ms, 0);
	filter->trim_pause_ms = MIN(filter->trim_pause_ms * 2, TRIM_MS);
}

/* ---- Life ---- */

static void on_closed(uv_handle_t *handle)
{
	struct filter *filter = handle->data;
	struct offer *offer;

	if (--filter->open_handles)
		return;
	list_for_each (offer, &filter->offers, link) {
		rule_set_free(offer->set);
		free(offer);
	}
	judge_free(filter->judge);
	pthread_mutex_destroy(&filter->lock);
	free(filter->troubles);
	free(filter->trouble_ms);
	free(filter);
}

void filter_close(struct filter *filter)
{
	uv_handle_t *handles[] = { (uv_handle_t *)&filter->wake, (uv_handle_t *)&filter->timer,
				   (uv_handle_t *)&filter->trim };

	judge_ask_with(filter->judge, NULL);
	store_on_wake(filter->store, STORE_FILTER, NULL, NULL);
	for (size_t i = 0; i < ARRAY_SIZE(handles); i++)
		uv_close(handles[i], on_closed);
}

static void open_handles(struct filter *filter)
{
	uv_async_init(filter->loop, &filter->wake, on_wake);
	uv_timer_init(filter->loop, &filter->timer);
	uv_timer_init(filter->loop, &filter->trim);
	filter->wake.data = filter->timer.data = filter->trim.data = filter;
	filter->open_handles = 3;
	filter->trim_pause_ms = TRIM_FIRST_MS;
	uv_timer_start(&filter->trim, on_trim, 0, 0);
	store_on_wake(filter->store, STORE_FILTER, wake_from_store, filter);
	filter_wake(filter); /* what came while nobody judged */
}

static void get_metrics(struct filter *filter)
{
	filter->events = metric_get("cn_events_total", METRIC_COUNTER,
				    "Events taken from the log by the filter.");
	filter->judged = metric_get("cn_events_judged_total", METRIC_COUNTER,
				    "Events that the rules were asked about.");
	filter->echoes = metric_get("cn_echoes_total", METRIC_COUNTER,
				    "Events that were caused by our own actions.");
	filter->matches = metric_get("cn_matches_total", METRIC_COUNTER,
				     "How often a rule was true for an event.");
	filter->conflicts = metric_get("cn_filter_conflicts_total", METRIC_COUNTER,
				       "Batches judged again because an act came between.");
	filter->delay = metric_get("cn_filter_delay_ms", METRIC_GAUGE,
				   "From the receipt of the last record to its judgement.");
}

int filter_open(struct filter **out, uv_loop_t *loop, const struct settings *settings,
		struct store *store, struct rule_set *const *sets, struct error *err)
{
	AUTO(judge_free) struct judge *judge = judge_new(settings, store, sets);
	uint64_t cursor;

	if (judge_load(judge, err) < 0 || store_cursor_get(store, &cursor, err) < 0)
		return error_prefix(err, "filter");

	struct filter *filter = NEW(struct filter);

	filter->loop = loop;
	filter->batch_ms = BATCH_MS;
	filter->settings = settings;
	filter->store = store;
	filter->judge = TAKE(judge);
	filter->cursor = filter->status.cursor = cursor;
	filter->troubles = mem_array(settings->watch_count, sizeof(*filter->troubles));
	filter->trouble_ms = mem_array(settings->watch_count, sizeof(*filter->trouble_ms));
	pthread_mutex_init(&filter->lock, NULL);
	list_init(&filter->offers);
	get_metrics(filter);
	open_handles(filter);
	*out = filter;
	return 0;
}

static void answered(void *ctx)
{
	filter_wake(ctx);
}

void filter_ask(struct filter *filter, const struct cluster *const *clusters)
{
	const struct pending_host host = { .loop = filter->loop,
					   .settings = filter->settings,
					   .clusters = clusters,
					   .answered = answered,
					   .ctx = filter };

	judge_ask_with(filter->judge, &host);
}

void filter_on_trouble(struct filter *filter,
		       void (*trouble)(void *ctx, size_t watch, int64_t heard_ms,
				       const char *reason),
		       void *ctx)
{
	filter->on_trouble = trouble;
	filter->trouble_ctx = ctx;
}

void filter_get_status(struct filter *filter, struct filter_status *out)
{
	pthread_mutex_lock(&filter->lock);
	*out = filter->status;
	pthread_mutex_unlock(&filter->lock);
}
