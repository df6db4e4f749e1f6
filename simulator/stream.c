#include "simulator/stream.h"

#include <poll.h>

#include "base/clock.h"
#include "simulator/server.h"

static void item_free(struct stream *stream, struct item *item)
{
	list_remove(&item->link);
	if (item->text)
		stream->queued_bytes -= item->text->size;
	stream->queued_events -= item->events;
	buf_free(item->text);
	emit_cursor_free(item->cursor);
	free(item);
}

static struct item *item_add(struct stream *stream)
{
	struct item *item = NEW(struct item);

	list_append(&stream->items, &item->link);
	return item;
}

void stream_queue(struct stream *stream, struct buf *text, size_t events,
		  const struct cutter *cutter)
{
	if (!text || !text->size || stream->ended) {
		buf_free(text);
		return;
	}
	struct item *item = item_add(stream);
	item->text = text;
	item->events = events;
	if (cutter)
		item->cutter = *cutter;
	stream->queued_events += events;
	stream->queued_bytes += text->size;
	stream_wake(stream);
}

void stream_queue_literal(struct stream *stream, const char *text)
{
	struct buf *buf = buf_new(strlen(text) + 1);

	if (!buf_append(buf, text, strlen(text)))
		abort();
	stream_queue(stream, buf, 0, NULL);
}

void stream_queue_emit(struct stream *stream, struct emit *emit)
{
	char id[TREE_ID_TEXT_SIZE];

	if (stream->ended)
		return;
	tree_id_format(stream->sim->tree, stream->watched, id);
	struct item *item = item_add(stream);
	item->cursor = emit_cursor_new(emit, id, clock_monotonic_ms());
	item->cutter = emit->cutter;
	stream_wake(stream);
}

void stream_queue_end(struct stream *stream, enum ending ending)
{
	if (stream->ended)
		return;
	item_add(stream)->ending = ending;
	stream->ended = true;
	stream_wake(stream);
}

static void stream_resume(struct stream *stream)
{
	if (!stream->suspended)
		return;
	stream->suspended = false;
	MHD_resume_connection(stream->connection);
	server_wake(stream->sim->server);
}

void stream_wake(struct stream *stream)
{
	if (!stream->stalled)
		stream_resume(stream);
}

void stream_break(struct stream *stream)
{
	stream->broken = true;
	stream->ended = true;
	stream_resume(stream);
}

void stream_stall(struct stream *stream, bool stalled)
{
	stream->stalled = stalled;
	stream_wake(stream);
}

bool stream_is_idle(const struct stream *stream)
{
	return list_is_empty(&stream->items);
}

bool stream_is_left(const struct stream *stream)
{
	const union MHD_ConnectionInfo *info =
		MHD_get_connection_info(stream->connection, MHD_CONNECTION_INFO_CONNECTION_FD);
	struct pollfd poll_fd = { .fd = info->connect_fd, .events = POLLRDHUP };

	/* While suspended, libmicrohttpd does not look; otherwise it notices by itself. */
	return stream->suspended && poll(&poll_fd, 1, 0) > 0 &&
	       poll_fd.revents & (POLLRDHUP | POLLHUP | POLLERR);
}

int64_t stream_backlog(const struct stream *stream)
{
	struct item *item;
	int64_t backlog = 0;

	list_for_each (item, &stream->items, link) {
		if (item->cursor)
			backlog += emit_cursor_backlog(item->cursor, clock_monotonic_ms());
	}
	return backlog;
}

/* How much of item went into out; items that are done are freed. */
static size_t item_write(struct stream *stream, struct item *item, char *out, size_t room)
{
	size_t events = 0;
	size_t size;

	room = cutter_next(&item->cutter, room);
	if (item->cursor) {
		size = emit_cursor_fill(item->cursor, out, room, clock_monotonic_ms(), &events);
		stream->sent_events += events;
		if (emit_cursor_is_done(item->cursor))
			item_free(stream, item);
		return size;
	}
	size = MIN(room, item->text->size - item->at);
	memcpy(out, item->text->data + item->at, size);
	item->at += size;
	if (item->at == item->text->size) {
		stream->sent_events += item->events;
		item_free(stream, item);
	}
	return size;
}

static ssize_t stream_read(void *cls, uint64_t position, char *out, size_t room)
{
	struct stream *stream = cls;
	size_t done = 0;

	while (!stream->broken && !stream->stalled && done < room &&
	       !list_is_empty(&stream->items)) {
		struct item *item = list_entry(stream->items.next, struct item, link);
		bool cut = item->cutter.kind != CUT_NONE;

		if (item->ending) {
			if (done)
				break;
			return item->ending == ENDING_CLEAN ? MHD_CONTENT_READER_END_OF_STREAM
							    : MHD_CONTENT_READER_END_WITH_ERROR;
		}
		if (cut && done)
			break;
		size_t size = item_write(stream, item, out + done, room - done);
		done += size;
		if (!size || cut)
			break;
	}
	if (stream->broken)
		return MHD_CONTENT_READER_END_WITH_ERROR;
	if (!done) {
		stream->suspended = true;
		MHD_suspend_connection(stream->connection);
		return 0;
	}
	stream->sent_bytes += done;
	stream->sent_ms = clock_monotonic_ms();
	return done;
}

static void stream_free(void *cls)
{
	struct stream *stream = cls;
	struct item *item;

	stream->on_gone(stream);
	list_remove(&stream->link);
	list_for_each (item, &stream->items, link)
		item_free(stream, item);
	buf_free(stream->message);
	free(stream->path);
	free(stream->token);
	free(stream->user);
	free(stream);
}

struct stream *stream_open(struct request *request, void (*on_gone)(struct stream *stream))
{
	struct stream *stream = NEW(struct stream);

	stream->on_gone = on_gone;
	list_init(&stream->link);
	list_init(&stream->items);
	stream->sim = request->sim;
	stream->connection = request->connection;
	stream->wire = request->wire;
	stream->sent_ms = clock_monotonic_ms();
	request->status = 200;
	request->response = MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, 64 << 10,
							      stream_read, stream, stream_free);
	answer_header(request, "Content-Type", "text/event-source");
	return stream;
}
