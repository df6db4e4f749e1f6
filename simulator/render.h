/* render: events as the bytes of the notify stream (API facts, 17.2 and 17.3). */
#ifndef SIMULATOR_RENDER_H
#define SIMULATOR_RENDER_H

#include "base/buf.h"

enum bad_bytes { BAD_REPLACED, BAD_RAW, BAD_SURROGATES }; /* as SWITCH_BAD_NAMES */

/*
 * Appends a JSON string without its quotes. Bytes that are not UTF-8 become U+FFFD, stay as they
 * are, or become \uDCxx. With `ascii`, whatever is not ASCII is written as \uXXXX.
 */
void render_text(struct buf *out, struct text text, enum bad_bytes bad, bool ascii);

/* A copy that is UTF-8 for sure, with U+FFFD for what was not; for free(). */
char *render_clean(struct text text);
bool render_is_utf8(struct text text);

/* One event, member by member. */
struct render_event {
	const char *type;
	const char *const *spine;
	size_t spine_size;
	enum { RENDER_SPINE, RENDER_NO_SPINE, RENDER_NULL_SPINE } spine_form;
	struct text path;
	struct text stream; /* data == NULL: null */
	enum bad_bytes bad;
	bool ascii;
	unsigned order; /* members come in one of several orders */
};
void render_event(struct buf *out, const struct render_event *event);

#endif
