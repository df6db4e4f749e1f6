#include "simulator/hub.h"

#include "base/clock.h"
#include "base/log.h"
#include "simulator/auth.h"
#include "simulator/deliver.h"
#include "simulator/listener.h"

/* How often streams are looked after: often while something waits for time to pass. */
static const int64_t busy_tick_ms = 10;
static const int64_t calm_tick_ms = 200;
static const int64_t look_ms = 1000; /* for clients that left */

static void on_idle(uv_idle_t *idle)
{
	struct hub *hub = CONTAINER_OF(idle, struct hub, idle);

	if (!deliver_pending(hub))
		uv_idle_stop(idle);
}

void hub_wake(struct hub *hub)
{
	uv_idle_start(&hub->idle, on_idle);
}

static bool stream_token_is_dead(const struct hub *hub, const struct stream *stream)
{
	return switch_value(&hub->sim->switches, SWITCH_EXPIRED_STREAM) == OTHER_SIDE &&
	       !auth_check(hub->sim->auth, stream->token);
}

static void stream_look_after(struct hub *hub, struct stream *stream, bool look, int64_t now_ms)
{
	int64_t keep_alive_ms = switch_value(&hub->sim->switches, SWITCH_KEEP_ALIVE);
	int64_t limit = switch_value(&hub->sim->switches, SWITCH_QUEUE_LIMIT);

	if (look && (stream_is_left(stream) || stream_token_is_dead(hub, stream))) {
		stream_break(stream);
		return;
	}
	if (!stream->ended && stream_backlog(stream) > limit)
		hub_overflow(hub, stream);
	if (!stream_is_idle(stream))
		stream_wake(stream); /* a generator with a rate may go on */
	else if (keep_alive_ms >= 0 && now_ms - stream->sent_ms >= keep_alive_ms)
		stream_queue_literal(stream, ": keepalive\n\n");
}

static void on_tick(uv_timer_t *tick)
{
	struct hub *hub = CONTAINER_OF(tick, struct hub, tick);
	int64_t now_ms = clock_monotonic_ms();
	bool look = now_ms - hub->last_look_ms >= look_ms;
	bool busy = !list_is_empty(&hub->pending);
	struct stream *stream;

	if (busy)
		hub_wake(hub);
	if (look)
		hub->last_look_ms = now_ms;
	list_for_each (stream, &hub->streams, link) {
		stream_look_after(hub, stream, look, now_ms);
		busy |= !stream_is_idle(stream);
	}
	uv_timer_start(&hub->tick, on_tick, busy ? busy_tick_ms : calm_tick_ms, 0);
}

struct hub *hub_new(struct sim *sim)
{
	struct hub *hub = NEW(struct hub);

	hub->sim = sim;
	list_init(&hub->streams);
	list_init(&hub->pending);
	uv_idle_init(sim->loop, &hub->idle);
	uv_timer_init(sim->loop, &hub->tick);
	uv_timer_start(&hub->tick, on_tick, calm_tick_ms, 0);
	return hub;
}

void hub_listen(struct hub *hub)
{
	tree_subscribe(hub->sim->tree, deliver_hear, hub);
}

void hub_drop_all(struct hub *hub)
{
	struct stream *stream;

	list_for_each (stream, &hub->streams, link)
		stream_break(stream);
}

static void on_tick_closed(uv_handle_t *handle)
{
	free(CONTAINER_OF(handle, struct hub, tick));
}

static void on_idle_closed(uv_handle_t *handle)
{
	struct hub *hub = CONTAINER_OF(handle, struct hub, idle);

	uv_close((uv_handle_t *)&hub->tick, on_tick_closed);
}

void hub_close(struct hub *hub)
{
	if (!hub)
		return;
	tree_subscribe(hub->sim->tree, NULL, NULL);
	deliver_forget(hub);
	uv_idle_stop(&hub->idle);
	uv_timer_stop(&hub->tick);
	uv_close((uv_handle_t *)&hub->idle, on_idle_closed);
}

/* ---- streams ---- */

static void on_gone(struct stream *stream)
{
	struct hub *hub = stream->sim->hub;

	hub->stream_count--;
	hub->sent_events += stream->sent_events;
	log_info("stream", "%lld on %s is closed after %lld events", (long long)stream->number,
		 stream->path, (long long)stream->sent_events);
}

struct stream *hub_open_stream(struct hub *hub, struct request *request, uint64_t watched,
			       const char *path, bool recursive, uint32_t filter)
{
	const char *text = hub->sim->switches.text[SWITCH_WATCHING_TEXT];
	AUTO(free) char *first = str_format(": watching%s\n\n", text ? text : "");
	struct stream *stream = stream_open(request, on_gone);

	stream->number = ++hub->last_stream;
	stream->watched = watched;
	stream->path = str_copy(path);
	stream->recursive = recursive;
	stream->filter = filter;
	stream->token = str_copy(request->token->text);
	stream->user = str_copy(request->user->name);
	list_append(&hub->streams, &stream->link);
	hub->stream_count++;
	stream_queue_literal(stream, first);
	log_info("stream", "%lld on %s is open (%s)", (long long)stream->number, path,
		 recursive ? "recursive" : "not recursive");
	return stream;
}

size_t hub_emit(struct hub *hub, struct emit *emit)
{
	struct stream *stream;
	size_t count = 0;

	emit->number = ++hub->last_emit;
	list_for_each (stream, &hub->streams, link) {
		if (stream->ended || (emit->to && strcmp(emit->to, stream->path) != 0))
			continue;
		if (emit->count)
			stream_queue_emit(stream, emit);
		else
			deliver_literal(stream, emit);
		count++;
	}
	return count;
}

static void queue_error_object(struct stream *stream, const char *class)
{
	AUTO(json_decref) json_t *body = error_body(class, "Change watch missed events");
	AUTO(free) char *json = json_dumps(body, JSON_COMPACT);
	AUTO(free) char *line = str_format("data: %s\n\n", json);

	stream_queue_literal(stream, line);
}

void hub_overflow(struct hub *hub, struct stream *stream)
{
	static const char class[] = "fs_watcher_missed_events_error";
	int64_t how = switch_value(&hub->sim->switches, SWITCH_OVERFLOW);

	if (stream->ended)
		return;
	hub->overflows++;
	log_info("stream", "%lld on %s overflows", (long long)stream->number, stream->path);
	if (how == OVERFLOW_ERROR)
		queue_error_object(stream, class);
	if (how == OVERFLOW_NEXT_500)
		hub->fail_next = stream->watched;
	stream_queue_end(stream, how == OVERFLOW_END ? ENDING_CLEAN : ENDING_ABRUPT);
}

/* ---- faults ---- */

static void fault_drop(struct hub *hub, struct stream *stream, const char *text)
{
	stream_break(stream);
}

static void fault_end(struct hub *hub, struct stream *stream, const char *text)
{
	stream_queue_end(stream, ENDING_CLEAN);
}

static void fault_stall(struct hub *hub, struct stream *stream, const char *text)
{
	stream_stall(stream, true);
}

static void fault_resume(struct hub *hub, struct stream *stream, const char *text)
{
	if (!stream->wire->silent) /* what is lost is lost */
		stream_stall(stream, false);
}

static void fault_half_line(struct hub *hub, struct stream *stream, const char *text)
{
	stream_queue_literal(stream, "data: [{\"type\":\"child_file_added\",\"path\":\"half/a l");
	stream_queue_end(stream, ENDING_ABRUPT);
}

static void fault_garbage(struct hub *hub, struct stream *stream, const char *text)
{
	AUTO(free) char *line = str_format("%s\n\n", text ? text : "data: }{ \xFF\xFE not JSON");

	stream_queue_literal(stream, line);
}

static void fault_error(struct hub *hub, struct stream *stream, const char *text)
{
	queue_error_object(stream, text ? text : "fs_watcher_missed_events_error");
}

static void fault_overflow(struct hub *hub, struct stream *stream, const char *text)
{
	hub_overflow(hub, stream);
}

static void fault_reboot(struct hub *hub, struct stream *stream, const char *text)
{
	if (switch_value(&hub->sim->switches, SWITCH_NODE_REBOOT) == USUAL_SIDE)
		stream_break(stream);
	else
		stream_stall(stream, true);
}

void hub_cut(struct hub *hub, const struct wire *wire, bool silently)
{
	struct stream *stream;

	list_for_each (stream, &hub->streams, link) {
		if (wire != stream->wire)
			continue;
		if (silently)
			stream_stall(stream, true);
		else
			stream_break(stream);
	}
}

static void fault_comment(struct hub *hub, struct stream *stream, const char *text)
{
	AUTO(free) char *line = str_format(": %s\n", text ? text : "a comment");

	stream_queue_literal(stream, line);
}

static const struct {
	const char *name;
	void (*apply)(struct hub *hub, struct stream *stream, const char *text);
} stream_faults[] = {
	{ "drop", fault_drop },           { "end", fault_end },
	{ "stall", fault_stall },         { "resume", fault_resume },
	{ "half_line", fault_half_line }, { "garbage", fault_garbage },
	{ "error", fault_error },         { "overflow", fault_overflow },
	{ "reboot", fault_reboot },       { "comment", fault_comment },
};

int hub_fault(struct hub *hub, const char *action, const char *path, const char *text,
	      struct error *err)
{
	struct stream *stream;
	int count = 0;

	for (size_t i = 0; i < ARRAY_SIZE(stream_faults); i++) {
		if (strcmp(stream_faults[i].name, action) != 0)
			continue;
		list_for_each (stream, &hub->streams, link) {
			if (path && strcmp(path, stream->path) != 0)
				continue;
			stream_faults[i].apply(hub, stream, text);
			count++;
		}
		return count;
	}
	return error_set(err,
			 "do: '%s': expected drop, end, stall, resume, half_line, garbage, error, "
			 "overflow, reboot or comment",
			 action);
}

json_t *hub_json(const struct hub *hub)
{
	json_t *list = json_array();
	int64_t sent = hub->sent_events;
	int64_t queued = hub->pending_count;
	int generators = 0;
	struct stream *stream;
	struct item *item;

	list_for_each (stream, &hub->streams, link) {
		json_array_append_new(
			list, json_pack("{s:I, s:i, s:s, s:s, s:b, s:I, s:I, s:I, s:b}", "number",
					(json_int_t)stream->number, "listener",
					stream->wire->listener->number, "path", stream->path,
					"user", stream->user, "recursive", (int)stream->recursive,
					"sent_events", (json_int_t)stream->sent_events,
					"sent_bytes", (json_int_t)stream->sent_bytes,
					"queued_events", (json_int_t)stream->queued_events,
					"stalled", (int)stream->stalled));
		sent += stream->sent_events;
		queued += stream->queued_events;
		list_for_each (item, &stream->items, link)
			generators += item->cursor != NULL;
	}
	return json_pack("{s:o, s:I, s:I, s:I, s:I, s:I, s:i}", "streams", list, "streams_opened",
			 (json_int_t)hub->last_stream, "events_heard",
			 (json_int_t)hub->heard_events, "events_sent", (json_int_t)sent,
			 "events_queued", (json_int_t)queued, "overflows",
			 (json_int_t)hub->overflows, "emits_under_way", generators);
}
