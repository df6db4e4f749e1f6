#include "app/watcher.h"

#include <pthread.h>
#include <stdio.h>
#include <sys/random.h>

#include "base/clock.h"
#include "base/list.h"
#include "base/log.h"
#include "base/metric.h"
#include "base/parse.h"
#include "event/sse.h"
#include "qumulo/notify.h"

#define COMMIT_MS 50
#define COMMIT_BYTES (1u << 20)
#define PAYLOAD_MOST (256u << 20) /* a longer line is damage, not a message */
#define RETRY_FIRST_MS 1000
#define RETRY_MOST_MS 60000
#define STREAM_GOOD_MS 60000 /* a stream that lived so long ends the back-off */
#define STORE_RETRY_MS 1000
#define ALIVE_MS 5000

/* A payload that the store could not take; reading is paused until it does. */
struct waiting {
	struct list link;
	struct text bytes;
	int64_t time_ms;
};

struct watcher {
	uv_loop_t *loop;
	struct qumulo *cluster;
	const struct watch_settings *settings;
	enum commit_mode commit;
	struct store *store;
	char *who; /* in log lines */

	struct notify *notify;
	struct sse *sse;
	struct qumulo_call *mode_call;
	char *address; /* where the stream is */

	uv_timer_t retry;   /* the next attempt to connect */
	uv_timer_t silence; /* looks whether bytes came */
	uv_timer_t commits; /* what was appended becomes durable */
	uv_timer_t alive;   /* writes down until when all was heard */
	uv_async_t trouble; /* watcher_report_trouble() */
	int open_handles;

	int64_t back_off_ms;
	int64_t listening_since_ms; /* steady clock */
	int64_t last_byte_steady_ms;
	size_t appended_bytes; /* since the last commit */
	struct list backlog;
	bool is_paused;
	unsigned attempts; /* to connect */
	struct gap gap;    /* the open one, while has_gap */
	bool has_gap;
	bool gap_is_stored;
	uint64_t last_seq;

	pthread_mutex_t lock; /* for what follows */
	struct watcher_status status;
	char *trouble_reason;

	struct metric *messages;
	struct metric *bytes;
	struct metric *reconnects;
	struct metric *up;
};

static void commit_due(uv_timer_t *timer);
static void retry_due(uv_timer_t *timer);
static void lose(struct watcher *watcher, int64_t not_before_ms, const char *format, ...)
	PRINTF_LIKE(3, 4);

static const char *const state_names[] = { "down", "connecting", "listening" };

/* DOWN -> CONNECTING -> LISTENING, and back to DOWN from anywhere. */
static void set_state(struct watcher *watcher, enum watcher_state next, const char *why)
{
	struct watcher_status *status = &watcher->status;
	bool is_change = status->state != next;

	pthread_mutex_lock(&watcher->lock);
	status->state = next;
	snprintf(status->why, sizeof(status->why), "%s", why);
	if (is_change)
		status->since_ms = clock_now_ms();
	pthread_mutex_unlock(&watcher->lock);
	metric_set(watcher->up, next == WATCHER_LISTENING);
	if (is_change)
		log_debug(watcher->who, "%s: %s", state_names[next], why);
}

/* ---- gaps ---- */

static void store_gap(struct watcher *watcher)
{
	AUTO_ERROR err = { 0 };

	watcher->gap_is_stored = store_gap_put(watcher->store, &watcher->gap, &err) == 0;
	if (!watcher->gap_is_stored)
		log_error(watcher->who, "the gap cannot be written down, trying again: %s",
			  error_text(&err));
}

/* From now on events may be missing. Within an open gap this is no news. */
static void open_gap(struct watcher *watcher, int64_t from_ms, const char *reason)
{
	if (watcher->has_gap)
		return;
	watcher->gap = (struct gap){ .from_ms = from_ms,
				     .reason = str_copy(reason),
				     .after_seq = watcher->last_seq };
	snprintf(watcher->gap.watch, sizeof(watcher->gap.watch), "%s", watcher->settings->name);
	watcher->has_gap = true;
	store_gap(watcher);
}

/* The stream is up: answers whether the end of the gap, if there is one, is written down. */
static void close_gap(struct watcher *watcher)
{
	if (!watcher->has_gap)
		return;
	watcher->gap.until_ms = clock_now_ms();
	store_gap(watcher);
	log_warn(watcher->who,
		 "listening again after %.1f s; changes in this time were not heard (gap %llu: %s)",
		 (double)(watcher->gap.until_ms - watcher->gap.from_ms) / 1000,
		 (unsigned long long)watcher->gap.id, watcher->gap.reason);
	if (!watcher->gap_is_stored)
		return; /* alive_now tries again */
	free(TAKE(watcher->gap.reason));
	watcher->has_gap = false;
}

static char *alive_name(const struct watcher *watcher)
{
	return str_format("alive/%s", watcher->settings->name);
}

/* Writes down until when all was heard, so that the next run knows where its gap begins. */
static void write_alive(struct watcher *watcher)
{
	AUTO(free) char *name = alive_name(watcher);
	AUTO(free) char *value = str_format("%lld", (long long)watcher->status.last_byte_ms);
	AUTO_ERROR err = { 0 };

	if (store_note_put(watcher->store, name, text_of(value), &err) < 0)
		log_error(watcher->who, "cannot write down that the stream is heard: %s",
			  error_text(&err));
}

static void alive_now(uv_timer_t *timer)
{
	struct watcher *watcher = timer->data;

	if (watcher->has_gap && !watcher->gap_is_stored) {
		store_gap(watcher);
		if (watcher->gap_is_stored && watcher->gap.until_ms) {
			free(TAKE(watcher->gap.reason));
			watcher->has_gap = false;
		}
	}
	if (watcher->status.state == WATCHER_LISTENING)
		write_alive(watcher);
}

/* ---- appending ---- */

/* While the store takes nothing, the socket is not read: the cluster's queue is all there is. */
static void set_paused(struct watcher *watcher, bool paused)
{
	if (watcher->notify && watcher->is_paused != paused)
		notify_pause(watcher->notify, paused);
	watcher->is_paused = paused;
	watcher->last_byte_steady_ms = clock_monotonic_ms();
}

static void commit_now(struct watcher *watcher)
{
	AUTO_ERROR err = { 0 };

	uv_timer_stop(&watcher->commits);
	if (store_log_commit(watcher->store, &err) < 0) {
		log_error(watcher->who, "what was heard cannot be made safe, trying again: %s",
			  error_text(&err));
		set_paused(watcher, true);
		uv_timer_start(&watcher->commits, commit_due, STORE_RETRY_MS, 0);
		return;
	}
	watcher->appended_bytes = 0;
}

static bool append(struct watcher *watcher, struct text payload, int64_t time_ms)
{
	const struct record record = { .time_ms = time_ms,
				       .origin = ORIGIN_LIVE,
				       .watch = text_of(watcher->settings->name),
				       .bytes = payload };
	AUTO_ERROR err = { 0 };

	if (store_log_append(watcher->store, &record, &watcher->last_seq, &err) < 0) {
		log_error(watcher->who, "the store takes no more, so the stream is not read: %s",
			  error_text(&err));
		return false;
	}
	watcher->appended_bytes += payload.size;
	return true;
}

static void keep_waiting(struct watcher *watcher, struct text payload)
{
	struct waiting *waiting = NEW(struct waiting);

	waiting->bytes = (struct text){ text_copy(payload), payload.size };
	waiting->time_ms = clock_now_ms();
	list_init(&waiting->link);
	list_append(&watcher->backlog, &waiting->link);
	set_paused(watcher, true);
	if (!uv_is_active((uv_handle_t *)&watcher->commits))
		uv_timer_start(&watcher->commits, commit_due, STORE_RETRY_MS, 0);
}

static void payload_came(void *ctx, struct text payload)
{
	struct watcher *watcher = ctx;

	metric_add(watcher->messages, 1);
	pthread_mutex_lock(&watcher->lock);
	watcher->status.messages++;
	pthread_mutex_unlock(&watcher->lock);
	/* Behind something that waits everything waits: the log keeps the order of the stream. */
	if (!list_is_empty(&watcher->backlog) || !append(watcher, payload, clock_now_ms())) {
		keep_waiting(watcher, payload);
		return;
	}
	if (watcher->commit == COMMIT_ALWAYS || watcher->appended_bytes >= COMMIT_BYTES)
		commit_now(watcher);
	else if (!uv_is_active((uv_handle_t *)&watcher->commits))
		uv_timer_start(&watcher->commits, commit_due, COMMIT_MS, 0);
}

static void commit_due(uv_timer_t *timer)
{
	struct watcher *watcher = timer->data;
	struct waiting *waiting;

	list_for_each (waiting, &watcher->backlog, link) {
		if (!append(watcher, waiting->bytes, waiting->time_ms)) {
			uv_timer_start(timer, commit_due, STORE_RETRY_MS, 0);
			break;
		}
		list_remove(&waiting->link);
		free((char *)waiting->bytes.data);
		free(waiting);
	}
	if (watcher->appended_bytes)
		commit_now(watcher);
	if (!list_is_empty(&watcher->backlog) || watcher->appended_bytes)
		return;
	if (watcher->is_paused)
		log_info(watcher->who, "the store takes records again, reading on");
	set_paused(watcher, false);
}

/* ---- the stream ---- */

static void mode_answered(void *ctx, const struct qumulo_answer *answer)
{
	struct watcher *watcher = ctx;
	const char *mode = json_string_value(json_object_get(answer->body, "recursive_mode"));

	watcher->mode_call = NULL;
	if (answer->result == FILE_OK && mode && strcmp(mode, "DISABLED_IGNORE") == 0)
		log_error(watcher->who,
			  "the cluster's recursive_mode is DISABLED_IGNORE: only changes directly "
			  "in %s are heard; have an administrator set it to ENABLED",
			  watcher->settings->path);
}

/* A recursive watch is narrowed silently in one mode of the cluster: the setting tells (16.1). */
static void check_mode(struct watcher *watcher)
{
	if (watcher->settings->recursive && !watcher->mode_call)
		watcher->mode_call =
			qumulo_request(watcher->cluster, "GET", "/v1/file-system/settings/notify",
				       NULL, NULL, mode_answered, watcher);
}

/* Only from this line on no event is missed (17.2). */
static void watching(struct watcher *watcher)
{
	AUTO(free)
	char *why = str_format("%s%s at %s", watcher->settings->path,
			       watcher->settings->recursive ? " and everything below" : "",
			       watcher->address ? watcher->address : "the cluster");

	watcher->listening_since_ms = clock_monotonic_ms();
	set_state(watcher, WATCHER_LISTENING, why);
	log_info(watcher->who, "listening to %s", why);
	close_gap(watcher);
	write_alive(watcher);
	check_mode(watcher);
}

static void comment_came(void *ctx, struct text comment)
{
	struct watcher *watcher = ctx;

	if (watcher->status.state == WATCHER_CONNECTING &&
	    text_starts_with(comment, TEXT("watching")))
		watching(watcher);
}

static void stream_opened(void *ctx, const char *address)
{
	struct watcher *watcher = ctx;

	free(watcher->address);
	watcher->address = str_copy(address);
}

static void stream_data(void *ctx, const char *data, size_t size)
{
	struct watcher *watcher = ctx;
	AUTO_ERROR err = { 0 };

	watcher->last_byte_steady_ms = clock_monotonic_ms();
	pthread_mutex_lock(&watcher->lock);
	watcher->status.last_byte_ms = clock_now_ms();
	watcher->status.bytes += size;
	pthread_mutex_unlock(&watcher->lock);
	metric_add(watcher->bytes, (int64_t)size);
	if (sse_feed(watcher->sse, data, size, &err) < 0)
		lose(watcher, 0, "the stream is damaged: %s", error_text(&err));
}

static void stream_ended(void *ctx, enum file_result result, int status, const char *why,
			 int64_t retry_after_ms)
{
	struct watcher *watcher = ctx;

	watcher->notify = NULL; /* it is over, there is nothing to cancel */
	if (result == FILE_OK)
		lose(watcher, 0, "the cluster ended the stream%s",
		     sse_is_amid(watcher->sse) ? " in the middle of a message" : "");
	else
		lose(watcher, retry_after_ms, "%s", why);
}

/* Half of the pause is left to chance, so that many monitors do not come back at the same moment.
 */
static int64_t next_pause_ms(struct watcher *watcher)
{
	uint32_t chance = 0;

	watcher->back_off_ms = watcher->back_off_ms ? MIN(watcher->back_off_ms * 2, RETRY_MOST_MS)
						    : RETRY_FIRST_MS;
	if (getrandom(&chance, sizeof(chance), GRND_NONBLOCK) < 0)
		chance = (uint32_t)clock_monotonic_ms();
	return watcher->back_off_ms / 2 + chance % (watcher->back_off_ms / 2);
}

/* From any state to DOWN: writes down the gap and tries again later. */
static void lose(struct watcher *watcher, int64_t not_before_ms, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	AUTO(free) char *why = str_vformat(format, args);
	va_end(args);

	bool was_listening = watcher->status.state == WATCHER_LISTENING;

	notify_cancel(TAKE(watcher->notify));
	uv_timer_stop(&watcher->silence);
	if (watcher->appended_bytes)
		commit_now(watcher);
	if (was_listening) {
		open_gap(watcher, watcher->status.last_byte_ms, why);
		if (clock_monotonic_ms() - watcher->listening_since_ms >= STREAM_GOOD_MS)
			watcher->back_off_ms = 0;
		log_warn(watcher->who, "lost the stream: %s", why);
	} else {
		log_warn(watcher->who, "cannot listen, trying again at growing intervals: %s", why);
	}
	set_state(watcher, WATCHER_DOWN, why);
	uv_timer_start(&watcher->retry, retry_due,
		       (uint64_t)MAX(next_pause_ms(watcher), not_before_ms), 0);
}

static void silence_check(uv_timer_t *timer)
{
	struct watcher *watcher = timer->data;
	int64_t limit_ms = watcher->settings->silence_ms;
	int64_t silent_ms = clock_monotonic_ms() - watcher->last_byte_steady_ms;

	/* While the store is full it is we who do not read. */
	if (watcher->is_paused)
		silent_ms = 0;
	if (silent_ms >= limit_ms)
		lose(watcher, 0, "not a byte for %lld s, not even a keep-alive",
		     (long long)limit_ms / 1000);
	else
		uv_timer_start(timer, silence_check, (uint64_t)(limit_ms - silent_ms), 0);
}

static void connect_now(struct watcher *watcher)
{
	const struct notify_handler handler = { watcher, stream_opened, stream_data, stream_ended };

	if (watcher->attempts++) {
		metric_add(watcher->reconnects, 1);
		pthread_mutex_lock(&watcher->lock);
		watcher->status.reconnects++;
		pthread_mutex_unlock(&watcher->lock);
	}
	set_state(watcher, WATCHER_CONNECTING, "asking the cluster for the stream");
	sse_reset(watcher->sse);
	watcher->last_byte_steady_ms = clock_monotonic_ms();
	uv_timer_start(&watcher->silence, silence_check, (uint64_t)watcher->settings->silence_ms,
		       0);
	watcher->notify = notify_start(watcher->cluster, watcher->settings->path,
				       watcher->settings->recursive, NULL, &handler);
	if (watcher->is_paused)
		notify_pause(watcher->notify, true);
}

static void retry_due(uv_timer_t *timer)
{
	connect_now(timer->data);
}

/* ---- from other threads ---- */

void watcher_report_trouble(struct watcher *watcher, const char *reason)
{
	pthread_mutex_lock(&watcher->lock);
	if (!watcher->trouble_reason)
		watcher->trouble_reason = str_copy(reason);
	pthread_mutex_unlock(&watcher->lock);
	uv_async_send(&watcher->trouble);
}

static void trouble_came(uv_async_t *async)
{
	struct watcher *watcher = async->data;

	pthread_mutex_lock(&watcher->lock);
	AUTO(free) char *reason = TAKE(watcher->trouble_reason);
	pthread_mutex_unlock(&watcher->lock);
	/* A stream that is already being opened anew is not the one that was complained about. */
	if (reason && watcher->status.state == WATCHER_LISTENING)
		lose(watcher, 0, "%s", reason);
}

void watcher_get_status(struct watcher *watcher, struct watcher_status *out)
{
	pthread_mutex_lock(&watcher->lock);
	*out = watcher->status;
	pthread_mutex_unlock(&watcher->lock);
}

/* ---- life ---- */

/* Whether an earlier run has heard this watch, and until when. */
static int open_gap_of_absence(struct watcher *watcher, struct error *err)
{
	AUTO(free) char *name = alive_name(watcher);
	AUTO(free) char *value = NULL;
	int64_t from_ms;
	uint64_t first;

	if (store_note_get(watcher->store, name, &value, err) < 0 ||
	    store_log_range(watcher->store, &first, &watcher->last_seq, err) < 0)
		return -1;
	if (value && parse_number(text_of(value), 0, INT64_MAX, &from_ms, NULL) == 0)
		open_gap(watcher, from_ms, "cn_monitor was not running");
	return 0;
}

static void add_metrics(struct watcher *watcher)
{
	const char *name = watcher->settings->name;
	AUTO(free) char *messages = str_format("cn_watch_messages_total{watch=\"%s\"}", name);
	AUTO(free) char *bytes = str_format("cn_watch_bytes_total{watch=\"%s\"}", name);
	AUTO(free) char *reconnects = str_format("cn_watch_reconnects_total{watch=\"%s\"}", name);
	AUTO(free) char *up = str_format("cn_watch_up{watch=\"%s\"}", name);

	watcher->messages = metric_get(messages, METRIC_COUNTER, "Messages heard");
	watcher->bytes = metric_get(bytes, METRIC_COUNTER, "Bytes heard");
	watcher->reconnects =
		metric_get(reconnects, METRIC_COUNTER, "Attempts to open the stream again");
	watcher->up = metric_get(up, METRIC_GAUGE, "1 while the stream is heard");
}

static void timer_open(struct watcher *watcher, uv_timer_t *timer)
{
	uv_timer_init(watcher->loop, timer);
	timer->data = watcher;
	watcher->open_handles++;
}

int watcher_open(struct watcher **out, uv_loop_t *loop, struct qumulo *cluster,
		 const struct watch_settings *settings, enum commit_mode commit,
		 struct store *store, struct error *err)
{
	struct watcher *watcher = NEW(struct watcher);
	const struct sse_handler lines = { watcher, payload_came, comment_came };

	watcher->loop = loop;
	watcher->cluster = cluster;
	watcher->settings = settings;
	watcher->commit = commit;
	watcher->store = store;
	watcher->who = str_format("watch/%s", settings->name);
	watcher->sse = sse_new(&lines, PAYLOAD_MOST);
	list_init(&watcher->backlog);
	pthread_mutex_init(&watcher->lock, NULL);
	watcher->status.since_ms = clock_now_ms();
	add_metrics(watcher);
	timer_open(watcher, &watcher->retry);
	timer_open(watcher, &watcher->silence);
	timer_open(watcher, &watcher->commits);
	timer_open(watcher, &watcher->alive);
	uv_async_init(loop, &watcher->trouble, trouble_came);
	watcher->trouble.data = watcher;
	watcher->open_handles++;
	if (open_gap_of_absence(watcher, err) < 0) {
		watcher_close(watcher);
		return -1;
	}
	uv_timer_start(&watcher->alive, alive_now, ALIVE_MS, ALIVE_MS);
	connect_now(watcher);
	*out = watcher;
	return 0;
}

static void drop_backlog(struct watcher *watcher)
{
	struct waiting *waiting;

	list_for_each (waiting, &watcher->backlog, link) {
		list_remove(&waiting->link);
		free((char *)waiting->bytes.data);
		free(waiting);
	}
}

static void handle_closed(uv_handle_t *handle)
{
	struct watcher *watcher = handle->data;

	if (--watcher->open_handles)
		return;
	drop_backlog(watcher);
	sse_free(watcher->sse);
	pthread_mutex_destroy(&watcher->lock);
	free(watcher->gap.reason);
	free(watcher->trouble_reason);
	free(watcher->address);
	free(watcher->who);
	free(watcher);
}

void watcher_close(struct watcher *watcher)
{
	if (!watcher)
		return;
	notify_cancel(TAKE(watcher->notify));
	if (watcher->mode_call)
		qumulo_cancel(TAKE(watcher->mode_call));
	if (watcher->appended_bytes)
		commit_now(watcher);
	if (watcher->status.state == WATCHER_LISTENING && list_is_empty(&watcher->backlog))
		write_alive(watcher);
	metric_set(watcher->up, 0);
	uv_close((uv_handle_t *)&watcher->retry, handle_closed);
	uv_close((uv_handle_t *)&watcher->silence, handle_closed);
	uv_close((uv_handle_t *)&watcher->commits, handle_closed);
	uv_close((uv_handle_t *)&watcher->alive, handle_closed);
	uv_close((uv_handle_t *)&watcher->trouble, handle_closed);
}
