/* decode: a message's bytes (a JSON array of events) to events. Pure; the bytes are foreign. */
#ifndef EVENT_DECODE_H
#define EVENT_DECODE_H

#include "event/event.h"

struct decoder;

struct decoder *decoder_new(void);
void decoder_free(struct decoder *decoder);
AUTO_DEFINE(struct decoder *, decoder_free)

/* The event and its texts are borrowed for the call. Answer false to stop. */
typedef bool decode_visit(void *ctx, const struct event *event);

/*
 * Visits the events of message in order. watch_path is the absolute path of the watched directory;
 * events get absolute paths from it. Unknown members are ignored, absent ones are empty, unknown
 * types are visited as EVENT_TYPE_UNKNOWN. kinds is the type's bit; pairing is not decode's job.
 * -1: not an array of objects; what came before the damage was visited, out_count says how many.
 */
MUST_CHECK int decode_message(struct decoder *decoder, struct text message, struct text watch_path,
			      decode_visit *visit, void *ctx, size_t *out_count, struct error *err);

#endif
