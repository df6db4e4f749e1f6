/*
 * stream: one open notify stream: what waits to be sent, and how it is sent.
 *
 * libmicrohttpd asks for bytes when the socket takes some; nothing is made before (back-pressure).
 * A stream with nothing to say is suspended until stream_wake.
 */
#ifndef SIMULATOR_STREAM_H
#define SIMULATOR_STREAM_H

#include "base/list.h"
#include "simulator/emit.h"
#include "simulator/request.h"
#include "simulator/tree.h"

enum ending {
	ENDING_CLEAN = 1, /* the body ends as it should */
	ENDING_ABRUPT,    /* closed without the last chunk */
};

/* A piece of what is to be sent, in order. */
struct item {
	struct list link;
	struct buf *text;           /* bytes... */
	struct emit_cursor *cursor; /* ...or a generator... */
	enum ending ending;         /* ...or the end */
	size_t at;
	size_t events;
	struct cutter cutter;
};

struct stream {
	struct list link;
	struct sim *sim;
	struct MHD_Connection *connection;
	int64_t number;
	const struct wire *wire; /* what it goes out through */
	uint64_t watched;        /* the directory's id */
	char *path;              /* of the directory when the watch began */
	char *token;             /* its text, to notice when it dies */
	char *user;
	bool recursive;
	uint32_t filter; /* bit n: events of type n are wanted */
	struct list items;
	struct buf *message; /* being put together by deliver.c; NULL: none */
	size_t message_events;
	int64_t full_since_ms; /* the queue has been at its limit since then; 0: it is not */
	size_t queued_events;
	size_t queued_bytes;
	bool suspended;
	bool stalled;
	bool ended;  /* an end is queued: nothing more is */
	bool broken; /* close at once, whatever waits */
	int64_t sent_ms;
	int64_t sent_events;
	int64_t sent_bytes;
	void (*on_gone)(struct stream *stream);
};

/* Takes text (which may be NULL: nothing happens). */
void stream_queue(struct stream *stream, struct buf *text, size_t events,
		  const struct cutter *cutter);
void stream_queue_literal(struct stream *stream, const char *text);
void stream_queue_emit(struct stream *stream, struct emit *emit);
void stream_queue_end(struct stream *stream, enum ending ending);
void stream_break(struct stream *stream);
void stream_stall(struct stream *stream, bool stalled);
void stream_wake(struct stream *stream);
bool stream_is_idle(const struct stream *stream);
/* Whether its client has closed the connection. */
bool stream_is_left(const struct stream *stream);
/* Events of a generator with a rate that should have been sent by now. */
int64_t stream_backlog(const struct stream *stream);

/* Makes the stream the answer to request. on_gone is called before it is freed. */
struct stream *stream_open(struct request *request, void (*on_gone)(struct stream *stream));

#endif
