/* deliver: events of the tree into messages for each stream that is to see them. */
#ifndef SIMULATOR_DELIVER_H
#define SIMULATOR_DELIVER_H

#include "simulator/hub.h"

/* tree_hear, with the hub as its context: keeps copies until deliver_pending. */
void deliver_hear(void *ctx, const struct tree_event *events, size_t count);
/* Sends what is due; true: more could go at once. */
bool deliver_pending(struct hub *hub);
void deliver_forget(struct hub *hub);
/* Written-out events and bytes of POST /sim/emit, for one stream. */
void deliver_literal(struct stream *stream, const struct emit *emit);

#endif
