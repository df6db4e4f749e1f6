#include "simulator/deliver.h"

#include "base/clock.h"
#include "simulator/render.h"

static const size_t events_per_turn = 20000;
static const size_t message_bytes = 1 << 20;
static const size_t message_ceiling = 256 << 20;
/* A client gets this long to empty a full queue, so that a burst is no overflow by itself. */
static const int64_t grace_ms = 500;

struct heard {
	struct list link;
	struct tree_event event;
	char (*ids)[TREE_ID_TEXT_SIZE];
	const char **spine; /* ids, as render_event wants them */
	int64_t due_ms;
	int64_t last_stream; /* the newest when it happened: later ones are not told */
	bool apart;          /* in a message of its own, away from what came before */
};

/* ---- hearing ---- */

static void heard_free(struct heard *heard)
{
	list_remove(&heard->link);
	free((void *)heard->event.spine);
	free((char *)heard->event.path.data);
	free((char *)heard->event.stream.data);
	free(heard->ids);
	free(heard->spine);
	free(heard);
}

static struct heard *heard_new(const struct hub *hub, const struct tree_event *event)
{
	struct heard *heard = NEW(struct heard);

	list_init(&heard->link);
	heard->event = *event;
	heard->event.spine = mem_copy(event->spine, event->spine_size * sizeof(*event->spine));
	heard->event.path.data = text_copy(event->path);
	heard->event.stream.data = event->stream.data ? text_copy(event->stream) : NULL;
	heard->ids = mem_array(event->spine_size, sizeof(*heard->ids));
	heard->spine = mem_array(event->spine_size, sizeof(*heard->spine));
	for (size_t i = 0; i < event->spine_size; i++) {
		tree_id_format(hub->sim->tree, event->spine[i], heard->ids[i]);
		heard->spine[i] = heard->ids[i];
	}
	heard->last_stream = hub->last_stream;
	heard->due_ms =
		clock_monotonic_ms() + switch_value(&hub->sim->switches, SWITCH_EVENT_DELAY);
	return heard;
}

static uint64_t last_id(const struct tree_event *event)
{
	return event->spine[event->spine_size - 1];
}

static bool is_pair(const struct heard *from, const struct heard *to)
{
	return event_type_moved_from(to->event.type) == from->event.type &&
	       from->event.type != EVENT_TYPE_UNKNOWN && from->event.group == to->event.group &&
	       last_id(&from->event) == last_id(&to->event);
}

static void put_before(struct list *place, struct list *link)
{
	list_remove(link);
	list_append(place, link); /* appending to a link puts in front of it */
}

/* What U28 leaves open: from and to need not be neighbours, nor in this order. */
static void separate_pair(struct hub *hub, struct heard *from, struct heard *to)
{
	struct heard *next = list_entry(to->link.next, struct heard, link);

	switch (switch_value(&hub->sim->switches, SWITCH_RENAME_PAIR)) {
	case PAIR_SEPARATE:
		to->apart = true;
		break;
	case PAIR_REVERSED:
		put_before(&from->link, &to->link);
		break;
	case PAIR_MIXED:
		to->apart = true;
		if (&next->link != &hub->pending && last_id(&next->event) != last_id(&to->event))
			put_before(&to->link, &next->link);
		break;
	default:
		break;
	}
}

static void separate_pairs(struct hub *hub, struct list *first)
{
	struct heard *from = NULL;

	if (switch_value(&hub->sim->switches, SWITCH_RENAME_PAIR) == PAIR_TOGETHER)
		return;
	for (struct list *link = first, *next; link != &hub->pending; link = next) {
		struct heard *heard = list_entry(link, struct heard, link);

		next = link->next;
		if (from && is_pair(from, heard))
			separate_pair(hub, from, heard);
		from = heard;
	}
}

static void swap_neighbours(struct hub *hub, struct list *first)
{
	struct list *link = first;

	if (switch_value(&hub->sim->switches, SWITCH_EVENT_ORDER) == USUAL_SIDE)
		return;
	while (link != &hub->pending && link->next != &hub->pending) {
		struct heard *one = list_entry(link, struct heard, link);
		struct heard *other = list_entry(link->next, struct heard, link);

		if (last_id(&one->event) != last_id(&other->event))
			put_before(&one->link, &other->link);
		else
			one = other;
		link = one->link.next;
	}
}

/* Whether it is one of those that are lost. */
static bool is_lost(struct hub *hub)
{
	int64_t of = switch_value(&hub->sim->switches, SWITCH_EVENT_LOSS);

	return of > 0 && ++hub->counted_events % (uint64_t)of == 0;
}

static void add_heard(struct hub *hub, const struct tree_event *event)
{
	int64_t copies = 1 + switch_value(&hub->sim->switches, SWITCH_EVENT_COPIES);

	if (is_lost(hub))
		copies = 0;
	for (int64_t i = 0; i < copies; i++) {
		struct heard *heard = heard_new(hub, event);

		list_append(&hub->pending, &heard->link);
		hub->pending_count++;
	}
}

void deliver_hear(void *ctx, const struct tree_event *events, size_t count)
{
	struct hub *hub = ctx;
	struct list *last = hub->pending.prev;

	hub->heard_events += count;
	if (!hub->stream_count)
		return; /* nobody will ever see them */
	for (size_t i = 0; i < count; i++)
		add_heard(hub, &events[i]);
	separate_pairs(hub, last->next);
	swap_neighbours(hub, last->next);
	hub_wake(hub);
}

/* ---- messages ---- */

static void message_flush(struct stream *stream)
{
	struct buf *message = TAKE(stream->message);

	if (message && !buf_append(message, "]\n\n", 3))
		abort();
	stream_queue(stream, message, stream->message_events, NULL);
	stream->message_events = 0;
}

static void message_add(struct stream *stream, const struct render_event *event)
{
	bool first = !stream->message;

	if (first)
		stream->message = buf_new(message_ceiling);
	if (!buf_append(stream->message, first ? "data: [" : ",", first ? 7 : 1))
		abort();
	render_event(stream->message, event);
	stream->message_events++;
}

static void say_self_removed(struct stream *stream)
{
	char id[TREE_ID_TEXT_SIZE];
	const char *spine[] = { id };
	struct render_event event = {
		.type = event_type_name(SELF_REMOVED),
		.spine = spine,
		.spine_size = 1,
	};

	tree_id_format(stream->sim->tree, stream->watched, id);
	if (!stream->filter || stream->filter & EVENT_KIND(SELF_REMOVED))
		message_add(stream, &event);
	message_flush(stream);
	stream_queue_end(stream, ENDING_CLEAN);
}

static bool ends_watch(const struct stream *stream, const struct tree_event *event)
{
	if (last_id(event) != stream->watched)
		return false;
	return event->type == CHILD_DIR_REMOVED ||
	       (event->type == CHILD_DIR_MOVED_FROM &&
		switch_value(&stream->sim->switches, SWITCH_WATCHED_MOVED) == OTHER_SIDE);
}

static void deliver_to(struct stream *stream, const struct heard *heard)
{
	const struct switches *switches = &stream->sim->switches;
	const struct tree_event *event = &heard->event;
	static unsigned number;
	struct text path;
	size_t depth;

	if (ends_watch(stream, event)) {
		say_self_removed(stream);
		return;
	}
	if (!tree_event_below(event, stream->watched, &depth, &path))
		return;
	if (!stream->recursive && depth + 2 != event->spine_size)
		return;
	if (stream->filter && !(stream->filter & EVENT_KIND(event->type)))
		return;
	if (heard->apart)
		message_flush(stream);
	int64_t spine = switch_value(switches, SWITCH_SPINE);
	size_t skip = spine == SPINE_ROOT ? 0 : depth;
	struct render_event rendered = {
		.type = event_type_name(event->type),
		.spine = heard->spine + skip,
		.spine_size = event->spine_size - skip,
		.spine_form = spine == SPINE_ABSENT ? RENDER_NO_SPINE
			      : spine == SPINE_NULL ? RENDER_NULL_SPINE
						    : RENDER_SPINE,
		.path = path,
		.stream = event->stream,
		.bad = (enum bad_bytes)switch_value(switches, SWITCH_BAD_NAMES),
		.order = switch_value(switches, SWITCH_MEMBER_ORDER) == USUAL_SIDE ? number++ : 0,
	};
	message_add(stream, &rendered);
}

static void message_limit(struct stream *stream)
{
	size_t most = switch_value(&stream->sim->switches, SWITCH_MESSAGE_EVENTS);

	if (stream->message_events >= most ||
	    (stream->message && stream->message->size >= message_bytes))
		message_flush(stream);
}

/* Whether all streams can take more events; one that could not for a while overflows. */
static bool has_room(struct hub *hub)
{
	size_t limit = switch_value(&hub->sim->switches, SWITCH_QUEUE_LIMIT);
	int64_t now_ms = clock_monotonic_ms();
	struct stream *stream;
	bool room = true;

	list_for_each (stream, &hub->streams, link) {
		if (stream->ended || stream->queued_events + stream->message_events < limit) {
			stream->full_since_ms = 0;
			continue;
		}
		if (!stream->full_since_ms)
			stream->full_since_ms = now_ms;
		if (now_ms - stream->full_since_ms > grace_ms) {
			message_flush(stream);
			hub_overflow(hub, stream);
		} else {
			room = false;
		}
	}
	return room;
}

bool deliver_pending(struct hub *hub)
{
	int64_t now_ms = clock_monotonic_ms();
	struct heard *heard;
	struct stream *stream;
	size_t taken = 0;
	uint64_t group = 0;
	bool more = false;

	list_for_each (heard, &hub->pending, link) {
		/* Looking at every stream for every event would be dear: groups are short. */
		if (heard->event.group != group || !taken) {
			group = heard->event.group;
			more = taken >= events_per_turn;
			if (more || heard->due_ms > now_ms || !has_room(hub))
				break;
			list_for_each (stream, &hub->streams, link)
				message_limit(stream);
		}
		list_for_each (stream, &hub->streams, link) {
			if (!stream->ended && stream->number <= heard->last_stream)
				deliver_to(stream, heard);
		}
		heard_free(heard);
		hub->pending_count--;
		taken++;
	}
	list_for_each (stream, &hub->streams, link)
		message_flush(stream);
	return more;
}

void deliver_forget(struct hub *hub)
{
	struct heard *heard;

	list_for_each (heard, &hub->pending, link)
		heard_free(heard);
	hub->pending_count = 0;
}

/* ---- written-out events ---- */

/* The path of a literal event as this stream sees it; absolute ones are cut. False: not at all. */
static bool literal_path(const struct stream *stream, json_t *event)
{
	const char *path = json_string_value(json_object_get(event, "path"));

	if (!path || path[0] != '/')
		return true;
	if (strcmp(stream->path, "/") == 0) {
		json_object_set_new(event, "path", json_string(path + 1));
		return true;
	}
	if (!path_is_below(text_of(path), text_of(stream->path)))
		return false;
	json_object_set_new(event, "path", json_string(path + strlen(stream->path) + 1));
	return true;
}

/* Who writes events by hand need not think of ids: the same path has the same ones. */
static void literal_spine(const struct stream *stream, json_t *event)
{
	const char *path = json_string_value(json_object_get(event, "path"));
	char id[TREE_ID_TEXT_SIZE];

	tree_id_format(stream->sim->tree, stream->watched, id);
	if (path)
		json_object_set_new(event, "spine", emit_spine(id, path));
}

static bool literal_is_wanted(const struct stream *stream, const json_t *event)
{
	const char *name = json_string_value(json_object_get(event, "type"));
	enum event_type type = name ? event_type_parse(text_of(name)) : EVENT_TYPE_UNKNOWN;

	return !stream->filter || type == EVENT_TYPE_UNKNOWN || stream->filter & EVENT_KIND(type);
}

static void deliver_message(struct stream *stream, const json_t *message,
			    const struct cutter *cutter)
{
	json_t *wanted = json_array();
	json_t *event;
	size_t index;

	json_array_foreach(message, index, event)
	{
		AUTO(json_decref) json_t *copy = json_copy(event);

		if (!json_is_object(copy)) {
			json_array_append(wanted, event);
			continue;
		}
		if (!literal_path(stream, copy) || !literal_is_wanted(stream, copy))
			continue;
		if (!json_object_get(copy, "spine"))
			literal_spine(stream, copy);
		json_array_append(wanted, copy);
	}
	if (json_array_size(wanted) || !json_array_size(message)) {
		AUTO(free) char *text = json_dumps(wanted, JSON_COMPACT);
		struct buf *buf = buf_new(message_ceiling);

		if (!buf_print(buf, "data: %s\n\n", text))
			abort();
		stream_queue(stream, buf, json_array_size(wanted), cutter);
	}
	json_decref(wanted);
}

void deliver_literal(struct stream *stream, const struct emit *emit)
{
	json_t *message;
	size_t index;

	json_array_foreach(emit->messages, index, message)
		deliver_message(stream, message, &emit->cutter);
	if (emit->raw) {
		struct buf *buf = buf_new(message_ceiling);

		if (!buf_append(buf, emit->raw, strlen(emit->raw)))
			abort();
		stream_queue(stream, buf, 0, &emit->cutter);
	}
}
