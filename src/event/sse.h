/* sse: server-sent events from pieces of bytes cut anywhere (API facts, 17.2). */
#ifndef EVENT_SSE_H
#define EVENT_SSE_H

#include "base/error.h"
#include "base/text.h"

struct sse;

struct sse_handler {
	void *ctx;
	void (*data)(void *ctx, struct text payload);    /* borrowed; lines joined by LF */
	void (*comment)(void *ctx, struct text comment); /* without its colon and one space */
};

/* limit_bytes: the longest payload accepted. */
struct sse *sse_new(const struct sse_handler *handler, size_t limit_bytes);
void sse_free(struct sse *sse);
AUTO_DEFINE(struct sse *, sse_free)

/* LF, CR LF and CR end lines. -1: a payload past the ceiling; the stream cannot go on. */
MUST_CHECK int sse_feed(struct sse *sse, const char *data, size_t size, struct error *err);
/* Whether bytes of an unfinished message are waiting: at the end of the body they are lost. */
bool sse_is_amid(const struct sse *sse);
/* Forgets what is unfinished: for a new connection. */
void sse_reset(struct sse *sse);

#endif
