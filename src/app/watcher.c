#include "app/watcher.h"

#include <pthread.h>
#include <stdio.h>
#include <sys/random.h>

#include "app/watch_gap.h"
#include "app/watch_log.h"
#include "app/watch_stream.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/metric.h"

#define RETRY_FIRST_MS 1000
#define RETRY_MOST_MS 60000
#define STREAM_GOOD_MS 60000 /* a stream that lived so long ends the back-off */
#define ALIVE_MS 5000

struct watcher {
	uv_loop_t *loop;
	struct qumulo *cluster;
	const struct watch_settings *settings;
	char *who; /* in log lines */

	struct watch_stream *stream;
	struct watch_log *log;
	struct watch_gap *gap;
	struct heartbeat *heartbeat; /* or NULL */
	struct qumulo_call *mode_call;

	uv_timer_t retry;   /* the next attempt to connect */
	uv_timer_t alive;   /* writes down until when all was heard */
	uv_async_t trouble; /* watcher_report_trouble() */
	uv_async_t note;    /* watcher_note_alive() */
	int open_handles;

	int64_t back_off_ms;
	int64_t listening_since_ms; /* the wall's clock */
	int64_t listening_since_steady_ms;
	int64_t complete_ms; /* the last message or comment that was heard whole */
	unsigned attempts;   /* to connect */

	pthread_mutex_t lock; /* for what follows */
	struct watcher_status status;
	char *trouble_reason;
	int64_t trouble_ms;

	struct metric *messages;
	struct metric *bytes;
	struct metric *reconnects;
	struct metric *up;
};

static void retry_due(uv_timer_t *timer);

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

/* The note speaks only of what is durable: of what a crash loses it must say nothing. */
static void note_alive(struct watcher *watcher)
{
	if (watch_log_flush(watcher->log))
		watch_gap_note_alive(watcher->gap, watcher->complete_ms);
}

static void write_alive(struct watcher *watcher)
{
	if (watcher->status.state == WATCHER_LISTENING)
		note_alive(watcher);
}

static void alive_due(uv_timer_t *timer)
{
	struct watcher *watcher = timer->data;

	watch_gap_retry(watcher->gap);
	write_alive(watcher);
}

/* While the store takes nothing, the socket is not read: the cluster's queue is all there is. */
static void log_is_full(void *ctx, bool is_full, const char *why)
{
	struct watcher *watcher = ctx;
	struct watcher_status *status = &watcher->status;

	pthread_mutex_lock(&watcher->lock);
	snprintf(status->store_trouble, sizeof(status->store_trouble), "%s", why);
	pthread_mutex_unlock(&watcher->lock);

	heartbeat_pause(watcher->heartbeat, is_full);
	watch_stream_pause(watcher->stream, is_full);
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
static void lose(struct watcher *watcher, int64_t not_before_ms, const char *why)
{
	bool was_listening = watcher->status.state == WATCHER_LISTENING;
	int64_t pause_ms;

	watch_stream_stop(watcher->stream);
	heartbeat_stop(watcher->heartbeat);
	(void)watch_log_flush(watcher->log);
	if (was_listening) {
		watch_gap_open(watcher->gap, watcher->complete_ms, watch_log_last_seq(watcher->log),
			       why);
		if (clock_monotonic_ms() - watcher->listening_since_steady_ms >= STREAM_GOOD_MS)
			watcher->back_off_ms = 0;
		log_warn(watcher->who, "lost the stream: %s", why);
	} else {
		log_warn(watcher->who, "cannot listen, trying again at growing intervals: %s", why);
	}
	set_state(watcher, WATCHER_DOWN, why);
	pause_ms = next_pause_ms(watcher); /* not inside MAX, which would ask twice */
	uv_timer_start(&watcher->retry, retry_due, (uint64_t)MAX(pause_ms, not_before_ms), 0);
}

static void heartbeat_is_lost(void *ctx, int64_t since_ms, const char *why)
{
	struct watcher *watcher = ctx;

	watcher->complete_ms = MIN(watcher->complete_ms, since_ms);
	lose(watcher, 0, why);
}

static void heartbeat_has_changed(void *ctx, const struct heartbeat_status *status)
{
	struct watcher *watcher = ctx;

	pthread_mutex_lock(&watcher->lock);
	watcher->status.heartbeat = *status;
	pthread_mutex_unlock(&watcher->lock);
}

/* ---- the stream ---- */

/* A recursive watch is narrowed silently in one mode of the cluster: the setting tells (16.1). */
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
	else if (answer->result == FILE_DENIED)
		log_info(watcher->who,
			 "whether the cluster narrows recursive watches (recursive_mode) cannot be "
			 "read without PRIVILEGE_FS_SETTINGS_READ: %s",
			 answer->why);
}

static void check_mode(struct watcher *watcher)
{
	if (watcher->settings->recursive && !watcher->mode_call)
		watcher->mode_call =
			qumulo_request(watcher->cluster, "GET", "/v1/file-system/settings/notify",
				       NULL, NULL, mode_answered, watcher);
}

/* Who repairs them looks whether there is one. */
static void count_gap(struct watcher *watcher)
{
	pthread_mutex_lock(&watcher->lock);
	watcher->status.gaps++;
	pthread_mutex_unlock(&watcher->lock);
}

/* Only from this line on no event is missed (17.2). */
static void stream_is_listening(void *ctx, const char *address)
{
	struct watcher *watcher = ctx;
	AUTO(free)
	char *why =
		str_format("%s%s at %s", watcher->settings->path,
			   watcher->settings->recursive ? " and everything below" : "", address);

	watcher->listening_since_ms = clock_now_ms();
	watcher->listening_since_steady_ms = clock_monotonic_ms();
	/* Noted before it is told: who was told and kills us at once finds a gap at the next start.
	 */
	watch_gap_close(watcher->gap);
	note_alive(watcher);
	set_state(watcher, WATCHER_LISTENING, why);
	count_gap(watcher);
	log_info(watcher->who, "listening to %s", why);
	check_mode(watcher);
	heartbeat_start(watcher->heartbeat);
}

static void stream_is_complete(void *ctx, int64_t time_ms)
{
	struct watcher *watcher = ctx;

	watcher->complete_ms = time_ms;
	pthread_mutex_lock(&watcher->lock);
	watcher->status.complete_ms = time_ms;
	pthread_mutex_unlock(&watcher->lock);
}

static void stream_payload(void *ctx, struct text payload, int64_t time_ms)
{
	struct watcher *watcher = ctx;

	metric_add(watcher->messages, 1);
	pthread_mutex_lock(&watcher->lock);
	watcher->status.messages++;
	pthread_mutex_unlock(&watcher->lock);
	watch_log_add(watcher->log, payload, time_ms);
	heartbeat_hear(watcher->heartbeat, payload);
}

static void stream_heard(void *ctx, size_t bytes, int64_t time_ms)
{
	struct watcher *watcher = ctx;

	pthread_mutex_lock(&watcher->lock);
	watcher->status.last_byte_ms = time_ms;
	watcher->status.bytes += bytes;
	pthread_mutex_unlock(&watcher->lock);
	metric_add(watcher->bytes, (int64_t)bytes);
}

static void stream_is_lost(void *ctx, int64_t not_before_ms, const char *why)
{
	lose(ctx, not_before_ms, why);
}

static void connect_now(struct watcher *watcher)
{
	if (watcher->attempts++) {
		metric_add(watcher->reconnects, 1);
		pthread_mutex_lock(&watcher->lock);
		watcher->status.reconnects++;
		pthread_mutex_unlock(&watcher->lock);
	}
	set_state(watcher, WATCHER_CONNECTING, "asking the cluster for the stream");
	watch_stream_start(watcher->stream);
}

static void retry_due(uv_timer_t *timer)
{
	connect_now(timer->data);
}

/* ---- from other threads ---- */

void watcher_report_trouble(struct watcher *watcher, int64_t heard_ms, const char *reason)
{
	pthread_mutex_lock(&watcher->lock);
	if (!watcher->trouble_reason) {
		watcher->trouble_reason = str_copy(reason);
		watcher->trouble_ms = heard_ms;
	}
	pthread_mutex_unlock(&watcher->lock);
	uv_async_send(&watcher->trouble);
}

static void trouble_came(uv_async_t *async)
{
	struct watcher *watcher = async->data;

	pthread_mutex_lock(&watcher->lock);
	AUTO(free) char *reason = TAKE(watcher->trouble_reason);
	int64_t heard_ms = watcher->trouble_ms;
	pthread_mutex_unlock(&watcher->lock);
	if (!reason)
		return;
	if (watcher->status.state != WATCHER_LISTENING) {
		/* A stream ends before its last message is judged, which may say why. */
		watch_gap_open(watcher->gap, heard_ms, watch_log_last_seq(watcher->log), reason);
		if (watch_gap_explain(watcher->gap, reason))
			log_warn(watcher->who, "the stream was lost because %s", reason);
		return;
	}
	/* The filter may be far behind: this stream need not be the one that it speaks of. */
	if (heard_ms < watcher->listening_since_ms) {
		watch_gap_add(watcher->gap, heard_ms, watcher->listening_since_ms, reason);
		return count_gap(watcher);
	}
	watcher->complete_ms = MIN(watcher->complete_ms, heard_ms);
	lose(watcher, 0, reason);
}

static void note_asked(uv_async_t *async)
{
	write_alive(async->data);
}

void watcher_note_alive(struct watcher *watcher)
{
	uv_async_send(&watcher->note);
}

void watcher_get_status(struct watcher *watcher, struct watcher_status *out)
{
	pthread_mutex_lock(&watcher->lock);
	*out = watcher->status;
	pthread_mutex_unlock(&watcher->lock);
}

/* ---- life ---- */

static void add_metrics(struct watcher *watcher)
{
	const char *name = watcher->settings->name;

	watcher->messages = metric_get_of("cn_watch_messages_total", "watch", name, METRIC_COUNTER,
					  "Messages heard");
	watcher->bytes =
		metric_get_of("cn_watch_bytes_total", "watch", name, METRIC_COUNTER, "Bytes heard");
	watcher->reconnects = metric_get_of("cn_watch_reconnects_total", "watch", name,
					    METRIC_COUNTER, "Attempts to open the stream again");
	watcher->up = metric_get_of("cn_watch_up", "watch", name, METRIC_GAUGE,
				    "1 while the stream is heard");
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
	const struct watch_stream_handler heard = {
		watcher,        stream_is_listening, stream_heard,
		stream_payload, stream_is_complete,  stream_is_lost,
	};
	const struct heartbeat_handler beats = { watcher, heartbeat_is_lost,
						 heartbeat_has_changed };

	watcher->loop = loop;
	watcher->cluster = cluster;
	watcher->settings = settings;
	watcher->who = str_format("watch/%s", settings->name);
	watcher->stream = watch_stream_new(loop, cluster, settings, &heard);
	watcher->log = watch_log_new(loop, store, settings->name, watcher->who, commit, log_is_full,
				     watcher);
	watcher->gap = watch_gap_new(store, settings->name, watcher->who);
	watcher->heartbeat = heartbeat_new(loop, cluster, settings, watcher->who, &beats);
	pthread_mutex_init(&watcher->lock, NULL);
	watcher->status.since_ms = clock_now_ms();
	add_metrics(watcher);
	timer_open(watcher, &watcher->retry);
	timer_open(watcher, &watcher->alive);
	uv_async_init(loop, &watcher->trouble, trouble_came);
	uv_async_init(loop, &watcher->note, note_asked);
	watcher->trouble.data = watcher->note.data = watcher;
	watcher->open_handles += 2;
	if (watch_gap_resume(watcher->gap, err) < 0) {
		watcher_close(watcher);
		return -1;
	}
	uv_timer_start(&watcher->alive, alive_due, ALIVE_MS, ALIVE_MS);
	connect_now(watcher);
	*out = watcher;
	return 0;
}

static void handle_closed(uv_handle_t *handle)
{
	struct watcher *watcher = handle->data;

	if (--watcher->open_handles)
		return;
	pthread_mutex_destroy(&watcher->lock);
	free(watcher->trouble_reason);
	free(watcher->who);
	free(watcher);
}

void watcher_close(struct watcher *watcher)
{
	if (!watcher)
		return;
	watch_stream_free(watcher->stream);
	if (watcher->mode_call)
		qumulo_cancel(TAKE(watcher->mode_call));
	heartbeat_free(watcher->heartbeat);
	write_alive(watcher);
	watch_log_close(watcher->log);
	watch_gap_free(watcher->gap);
	metric_set(watcher->up, 0);
	uv_close((uv_handle_t *)&watcher->retry, handle_closed);
	uv_close((uv_handle_t *)&watcher->alive, handle_closed);
	uv_close((uv_handle_t *)&watcher->trouble, handle_closed);
	uv_close((uv_handle_t *)&watcher->note, handle_closed);
}
