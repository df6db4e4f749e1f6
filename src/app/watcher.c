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

/* One stream, and what it is asked for. */
struct channel {
	struct watcher *watcher;
	struct watch_stream *stream;
	event_kinds types;
	int64_t complete_ms; /* the last message or comment that was heard whole */
};

struct watcher {
	uv_loop_t *loop;
	struct qumulo *cluster;
	const struct watch_settings *settings;
	char *who; /* in log lines */

	/* One, and one more each time that more types of events are needed; no type is asked for
	 * twice. The first says whether the watch listens; if any is lost, all begin anew. */
	struct channel channels[EVENT_TYPE_COUNT];
	size_t channel_count;
	struct watch_log *log;
	struct watch_gap *gap;
	struct heartbeat *heartbeat; /* or NULL */
	struct qumulo_call *mode_call;

	uv_timer_t retry;   /* the next attempt to connect */
	uv_timer_t alive;   /* writes down until when all was heard */
	uv_async_t trouble; /* watcher_report_trouble() */
	uv_async_t note;    /* watcher_note_alive() */
	uv_async_t more;    /* watcher_need() */
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
	event_kinds needs; /* what the rules need to be told of */
	event_kinds told;  /* what the streams that listen tell of */
	bool is_opening;   /* one of them does not yet */
	void (*changed)(void *ctx);
	void *changed_ctx;

	struct metric *messages;
	struct metric *bytes;
	struct metric *reconnects;
	struct metric *up;
};

static void retry_due(uv_timer_t *timer);
static void widen(struct watcher *watcher);

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
	for (size_t i = 0; i < ARRAY_SIZE(watcher->channels) && watcher->channels[i].stream; i++)
		watch_stream_pause(watcher->channels[i].stream, is_full);
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

/* Who waits for more types of events may look again. */
static void set_told(struct watcher *watcher, event_kinds told, bool is_opening)
{
	pthread_mutex_lock(&watcher->lock);
	watcher->told = told;
	watcher->is_opening = is_opening;
	watcher->status.types = told;

	void (*changed)(void *ctx) = watcher->changed;
	void *ctx = watcher->changed_ctx;

	pthread_mutex_unlock(&watcher->lock);
	if (changed)
		changed(ctx);
}

static void stop_channels(struct watcher *watcher)
{
	for (size_t i = 0; i < watcher->channel_count; i++)
		watch_stream_stop(watcher->channels[i].stream);
	watcher->channel_count = 0;
	set_told(watcher, 0, false);
}

/* From any state to DOWN: writes down the gap and tries again later. */
static void lose(struct watcher *watcher, int64_t not_before_ms, const char *why)
{
	bool was_listening = watcher->status.state == WATCHER_LISTENING;
	int64_t pause_ms;

	stop_channels(watcher);
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

static void first_is_listening(struct watcher *watcher, event_kinds types, const char *address)
{
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
	if (types == EVENT_ANY)
		log_info(watcher->who, "listening to %s", why);
	else
		log_info(watcher->who, "listening to %s, for %d of %d types of events", why,
			 __builtin_popcount(types & EVENT_TYPES), EVENT_TYPE_COUNT);
	check_mode(watcher);
	heartbeat_start(watcher->heartbeat);
}

static void one_more_is_listening(struct watcher *watcher, event_kinds types)
{
	AUTO(free) char *names = event_types_join(types);

	log_info(watcher->who, "listening for %s too, which the new rules need", names);
}

/* Only from this line on no event is missed (17.2). */
static void stream_is_listening(void *ctx, const char *address)
{
	struct channel *channel = ctx;
	struct watcher *watcher = channel->watcher;

	if (channel == watcher->channels)
		first_is_listening(watcher, channel->types, address);
	else
		one_more_is_listening(watcher, channel->types);
	set_told(watcher, watcher->told | channel->types, false);
	widen(watcher);
}

/* All was heard until the one that is farthest behind says so. */
static void stream_is_complete(void *ctx, int64_t time_ms)
{
	struct channel *channel = ctx;
	struct watcher *watcher = channel->watcher;

	channel->complete_ms = time_ms;
	for (size_t i = 0; i < watcher->channel_count; i++)
		if (watch_stream_is_listening(watcher->channels[i].stream))
			time_ms = MIN(time_ms, watcher->channels[i].complete_ms);
	watcher->complete_ms = time_ms;
	pthread_mutex_lock(&watcher->lock);
	watcher->status.complete_ms = time_ms;
	pthread_mutex_unlock(&watcher->lock);
}

static void stream_payload(void *ctx, struct text payload, int64_t time_ms)
{
	struct watcher *watcher = ((struct channel *)ctx)->watcher;

	metric_add(watcher->messages, 1);
	pthread_mutex_lock(&watcher->lock);
	watcher->status.messages++;
	pthread_mutex_unlock(&watcher->lock);
	watch_log_add(watcher->log, payload, time_ms);
	heartbeat_hear(watcher->heartbeat, payload);
}

static void stream_heard(void *ctx, size_t bytes, int64_t time_ms)
{
	struct watcher *watcher = ((struct channel *)ctx)->watcher;

	pthread_mutex_lock(&watcher->lock);
	watcher->status.last_byte_ms = time_ms;
	watcher->status.bytes += bytes;
	pthread_mutex_unlock(&watcher->lock);
	metric_add(watcher->bytes, (int64_t)bytes);
}

static void stream_is_lost(void *ctx, int64_t not_before_ms, const char *why)
{
	lose(((struct channel *)ctx)->watcher, not_before_ms, why);
}

static void start_channel(struct watcher *watcher, event_kinds types)
{
	struct channel *channel = &watcher->channels[watcher->channel_count++];
	const struct watch_stream_handler handler = {
		channel,        stream_is_listening, stream_heard,
		stream_payload, stream_is_complete,  stream_is_lost,
	};

	if (!channel->stream) {
		channel->watcher = watcher;
		channel->stream = watch_stream_new(watcher->loop, watcher->cluster,
						   watcher->settings, &handler);
		watch_stream_pause(channel->stream, watch_log_is_full(watcher->log));
	}
	channel->types = types;
	channel->complete_ms = 0;
	watch_stream_start(channel->stream, types);
}

/* What the streams are to be asked for. */
static event_kinds wanted(struct watcher *watcher)
{
	event_kinds needs;

	pthread_mutex_lock(&watcher->lock);
	needs = watcher->needs;
	pthread_mutex_unlock(&watcher->lock);
	if (watcher->settings->heartbeat_ms)
		needs |= EVENT_KIND(CHILD_MTIME_CHANGED);
	return (needs & EVENT_TYPES) == EVENT_TYPES ? EVENT_ANY : needs;
}

/* Asks for what is needed and not told, if all streams that are there listen. */
static void widen(struct watcher *watcher)
{
	event_kinds missing = wanted(watcher) & EVENT_TYPES & ~watcher->told;

	if (watcher->status.state != WATCHER_LISTENING || watcher->is_opening || !missing)
		return;
	set_told(watcher, watcher->told, true);
	start_channel(watcher, missing);
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
	set_told(watcher, 0, true); /* who says later what is needed waits for one more stream */
	start_channel(watcher, wanted(watcher));
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

static void more_asked(uv_async_t *async)
{
	widen(async->data);
}

void watcher_need(struct watcher *watcher, event_kinds types)
{
	pthread_mutex_lock(&watcher->lock);
	watcher->needs = types;
	pthread_mutex_unlock(&watcher->lock);
	uv_async_send(&watcher->more);
}

bool watcher_tells(struct watcher *watcher, event_kinds types)
{
	bool tells;

	pthread_mutex_lock(&watcher->lock);
	tells = watcher->told ? !(types & EVENT_TYPES & ~watcher->told) : !watcher->is_opening;
	pthread_mutex_unlock(&watcher->lock);
	return tells;
}

void watcher_on_change(struct watcher *watcher, void (*changed)(void *ctx), void *ctx)
{
	pthread_mutex_lock(&watcher->lock);
	watcher->changed = changed;
	watcher->changed_ctx = ctx;
	pthread_mutex_unlock(&watcher->lock);
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
		 const struct watch_settings *settings, event_kinds needs, enum commit_mode commit,
		 struct store *store, struct error *err)
{
	struct watcher *watcher = NEW(struct watcher);
	const struct heartbeat_handler beats = { watcher, heartbeat_is_lost,
						 heartbeat_has_changed };

	watcher->loop = loop;
	watcher->cluster = cluster;
	watcher->settings = settings;
	watcher->who = str_format("watch/%s", settings->name);
	watcher->needs = needs;
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
	uv_async_init(loop, &watcher->more, more_asked);
	watcher->trouble.data = watcher->note.data = watcher->more.data = watcher;
	watcher->open_handles += 3;
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
	for (size_t i = 0; i < ARRAY_SIZE(watcher->channels); i++)
		watch_stream_free(watcher->channels[i].stream);
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
	uv_close((uv_handle_t *)&watcher->more, handle_closed);
}
