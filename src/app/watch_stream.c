#include "app/watch_stream.h"

#include "base/clock.h"
#include "event/sse.h"
#include "qumulo/notify.h"

#define PAYLOAD_MOST (256u << 20) /* a longer line is damage, not a message */

struct watch_stream {
	struct qumulo *cluster;
	const struct watch_settings *settings;
	struct watch_stream_handler handler;

	struct notify *notify; /* NULL: STOPPED */
	struct sse *sse;
	char *address; /* where the stream is */
	bool is_listening;
	bool is_paused;

	uv_timer_t silence; /* looks whether bytes came */
	bool is_suspect;    /* it saw none, and looks once more */
	int64_t last_byte_steady_ms;
	int64_t piece_ms; /* when the bytes at hand came; thousands of messages may be in them */
};

void watch_stream_stop(struct watch_stream *stream)
{
	notify_cancel(TAKE(stream->notify));
	uv_timer_stop(&stream->silence);
	stream->is_listening = false;
}

static void lose(struct watch_stream *stream, int64_t not_before_ms, const char *why)
{
	watch_stream_stop(stream);
	stream->handler.lost(stream->handler.ctx, not_before_ms, why);
}

/* ---- What comes ---- */

static void comment_came(void *ctx, struct text comment)
{
	struct watch_stream *stream = ctx;
	const struct watch_stream_handler *handler = &stream->handler;

	handler->complete(handler->ctx, clock_now_ms());
	if (stream->is_listening || !text_starts_with(comment, TEXT("watching")))
		return;
	stream->is_listening = true;
	handler->listening(handler->ctx, stream->address ? stream->address : "the cluster");
}

static void payload_came(void *ctx, struct text payload)
{
	struct watch_stream *stream = ctx;
	const struct watch_stream_handler *handler = &stream->handler;

	handler->complete(handler->ctx, stream->piece_ms);
	handler->payload(handler->ctx, payload, stream->piece_ms);
}

static void stream_opened(void *ctx, const char *address)
{
	struct watch_stream *stream = ctx;

	free(stream->address);
	stream->address = str_copy(address);
	if (stream->is_paused)
		notify_pause(stream->notify, true);
}

static void stream_data(void *ctx, const char *data, size_t size)
{
	struct watch_stream *stream = ctx;
	AUTO_ERROR err = { 0 };

	stream->last_byte_steady_ms = clock_monotonic_ms();
	stream->piece_ms = clock_now_ms();
	stream->handler.heard(stream->handler.ctx, size, stream->piece_ms);
	if (sse_feed(stream->sse, data, size, &err) < 0) {
		error_prefix(&err, "the stream is damaged");
		lose(stream, 0, error_text(&err));
	}
}

/* What somebody has to do, where trying again alone will not help. For free(). */
static char *advice(const struct watch_stream *stream, enum file_result result, int status)
{
	const struct cluster_settings *cluster = stream->settings->on;

	/* Of a valid token some clusters say 401, too, where a privilege is missing. */
	if (result == FILE_DENIED)
		status = 403;
	switch (status) {
	case 400:
		return str_copy(stream->settings->events == WATCH_EVENTS_NEEDED
					? "; if this cluster does not know some of the types of "
					  "events, set EVENTS = all"
					: "");
	case 401:
		if (cluster && cluster->token_file)
			return str_format(
				"; the token was refused: write a valid one into %s, it is read at "
				"each attempt",
				cluster->token_file);
		return str_copy("; the token was refused: the cluster wants another TOKEN, or "
				"USERNAME and PASSWORD_FILE");
	case 403:
		return str_copy(stream->settings->recursive
					? "; a recursive watch needs the role Data-Administrators "
					  "or Administrators (cn_monitor doctor says more)"
					: "; the monitor's user must be allowed to read the "
					  "directory (cn_monitor doctor says more)");
	case 404:
		return str_format("; is there a directory %s?", stream->settings->path);
	default:
		return str_copy("");
	}
}

static void stream_ended(void *ctx, enum file_result result, int status, const char *why,
			 int64_t retry_after_ms)
{
	struct watch_stream *stream = ctx;
	bool is_amid = sse_is_amid(stream->sse);
	AUTO(free) char *hint = advice(stream, result, status);
	AUTO(free)
	char *reason = str_format("%s%s%s", why, result == FILE_OK ? "" : hint,
				  is_amid ? " (in the middle of a message)" : "");

	stream->notify = NULL; /* it is over, there is nothing to cancel */
	lose(stream, retry_after_ms, reason);
}

static void silence_check(uv_timer_t *timer)
{
	struct watch_stream *stream = timer->data;
	int64_t limit_ms = stream->settings->silence_ms;
	int64_t silent_ms = clock_monotonic_ms() - stream->last_byte_steady_ms;

	if (stream->is_paused)
		silent_ms = 0;
	if (silent_ms < limit_ms) {
		stream->is_suspect = false;
		uv_timer_start(timer, silence_check, (uint64_t)(limit_ms - silent_ms), 0);
		return;
	}
	/* Timers come before sockets: after a slow commit the bytes may be there, only unread. */
	if (!stream->is_suspect) {
		stream->is_suspect = true;
		uv_timer_start(timer, silence_check, 1, 0);
		return;
	}
	AUTO(free)
	char *why =
		str_format("not a byte for %.1f s, not even a keep-alive", (double)limit_ms / 1000);
	lose(stream, 0, why);
}

/* ---- Life ---- */

void watch_stream_start(struct watch_stream *stream, event_kinds types)
{
	const struct notify_handler handler = { stream, stream_opened, stream_data, stream_ended };
	AUTO(free) char *filter = types == EVENT_ANY ? NULL : event_types_join(types);

	sse_reset(stream->sse);
	stream->last_byte_steady_ms = clock_monotonic_ms();
	stream->is_suspect = false;
	uv_timer_start(&stream->silence, silence_check, (uint64_t)stream->settings->silence_ms, 0);
	stream->notify = notify_start(stream->cluster, stream->settings->path,
				      stream->settings->recursive, filter, &handler);
}

void watch_stream_pause(struct watch_stream *stream, bool is_paused)
{
	stream->is_paused = is_paused;
	stream->last_byte_steady_ms = clock_monotonic_ms();
	if (stream->notify)
		notify_pause(stream->notify, is_paused);
}

bool watch_stream_is_listening(const struct watch_stream *stream)
{
	return stream->is_listening;
}

struct watch_stream *watch_stream_new(uv_loop_t *loop, struct qumulo *cluster,
				      const struct watch_settings *settings,
				      const struct watch_stream_handler *handler)
{
	struct watch_stream *stream = NEW(struct watch_stream);
	const struct sse_handler lines = { stream, payload_came, comment_came };

	stream->cluster = cluster;
	stream->settings = settings;
	stream->handler = *handler;
	stream->sse = sse_new(&lines, PAYLOAD_MOST);
	uv_timer_init(loop, &stream->silence);
	stream->silence.data = stream;
	return stream;
}

static void silence_closed(uv_handle_t *handle)
{
	struct watch_stream *stream = handle->data;

	sse_free(stream->sse);
	free(stream->address);
	free(stream);
}

void watch_stream_free(struct watch_stream *stream)
{
	if (!stream)
		return;
	watch_stream_stop(stream);
	uv_close((uv_handle_t *)&stream->silence, silence_closed);
}
