/*
 * emit: synthetic events for POST /sim/emit: written out by hand, or made by a generator as fast as
 * the socket takes them.
 */
#ifndef SIMULATOR_EMIT_H
#define SIMULATOR_EMIT_H

#include <jansson.h>

#include "base/buf.h"
#include "base/error.h"

/* Where the bytes of a stream are cut into writes. */
struct cutter {
	enum { CUT_NONE, CUT_RANDOM, CUT_EVERY } kind;
	size_t every;
	uint64_t state;
};
/* How many of `room` bytes to write at once; at least one. */
size_t cutter_next(struct cutter *cutter, size_t room);

/* The description, shared by the streams that send it. */
struct emit {
	int references;
	int64_t number;
	struct cutter cutter;
	char *to;         /* the watched path of the streams meant; NULL: all */
	json_t *messages; /* literal ones: arrays of events; or NULL */
	char *raw;        /* literal bytes; or NULL */
	/* the generator; count 0: there is none */
	int64_t count;
	int64_t per_message_min, per_message_max;
	int64_t huge_bytes, huge_at; /* a line of at least so many bytes, from event huge_at on */
	int64_t rate;                /* events a second; 0: as fast as possible */
	bool overflow;               /* a client too slow for the rate overflows its stream */
	uint64_t seed;
	struct pattern *path;
	struct pattern *id; /* NULL: the path's hash */
	const char **types; /* in turn; the last is NULL */
	int type_count;
	enum { ESCAPES_LEAST, ESCAPES_MOST, ESCAPES_MIXED } escapes;
	/* what became of it */
	int64_t sent_events;
	int cursors;
};

MUST_CHECK int emit_parse(struct emit **out, const json_t *description, struct error *err);
struct emit *emit_hold(struct emit *emit);
void emit_drop(struct emit *emit);
AUTO_DEFINE(struct emit *, emit_drop)

/* How far one stream is. */
struct emit_cursor;
struct emit_cursor *emit_cursor_new(struct emit *emit, const char *watched_id, int64_t now_ms);
void emit_cursor_free(struct emit_cursor *cursor);
/*
 * Writes up to room bytes and tells how many events ended in them. 0: nothing for now; see
 * emit_cursor_is_done.
 */
size_t emit_cursor_fill(struct emit_cursor *cursor, char *out, size_t room, int64_t now_ms,
			size_t *out_events);
bool emit_cursor_is_done(const struct emit_cursor *cursor);
int64_t emit_cursor_backlog(const struct emit_cursor *cursor, int64_t now_ms);
const struct emit *emit_cursor_emit(const struct emit_cursor *cursor);

/* Made-up ids for a relative path: the watched directory's, then one for each component. */
json_t *emit_spine(const char *watched_id, const char *path);

#endif
