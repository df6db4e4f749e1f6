/*
 * watch_stream: one Change Notify stream of a watch: opened, framed, and given up for dead when it
 * falls silent. Its owner says when it is started again.
 *
 * STOPPED -> OPENING -> LISTENING, and back to STOPPED from anywhere.
 */
#ifndef APP_WATCH_STREAM_H
#define APP_WATCH_STREAM_H

#include "app/settings.h"
#include "event/event.h"
#include "qumulo/client.h"

struct watch_stream;

/* The stream may be stopped, and started, in lost only. */
struct watch_stream_handler {
	void *ctx;
	/* Only from here on no event is missed (API facts, 17.2). */
	void (*listening)(void *ctx, const char *address);
	void (*heard)(void *ctx, size_t bytes, int64_t time_ms); /* before what is in them */
	void (*payload)(void *ctx, struct text payload, int64_t time_ms);
	/* Everything until time_ms was heard whole: before the payload, or listening, that says so.
	 */
	void (*complete)(void *ctx, int64_t time_ms);
	/* It is STOPPED now. not_before_ms: the pause that the server wants; 0: none. */
	void (*lost)(void *ctx, int64_t not_before_ms, const char *why);
};

/* All that it is given must outlive it. */
struct watch_stream *watch_stream_new(uv_loop_t *loop, struct qumulo *cluster,
				      const struct watch_settings *settings,
				      const struct watch_stream_handler *handler);
void watch_stream_free(struct watch_stream *stream); /* its timer closes in the loop; NULL: fine */

/* types: of events to be told of; EVENT_ANY: all, those of newer clusters too. */
void watch_stream_start(struct watch_stream *stream, event_kinds types);
void watch_stream_stop(struct watch_stream *stream); /* lost is not called */
/* While paused it is not read, and may be silent. Outlives a stop. */
void watch_stream_pause(struct watch_stream *stream, bool is_paused);
bool watch_stream_is_listening(const struct watch_stream *stream);

#endif
