/*
 * hub: from what the tree tells to the open notify streams: queues, keep-alives, overflow, and what
 * a test wants to go wrong.
 */
#ifndef SIMULATOR_HUB_H
#define SIMULATOR_HUB_H

#include "simulator/stream.h"

struct hub {
	struct sim *sim;
	struct list streams;
	size_t stream_count;
	struct list pending; /* struct heard: events on their way to the streams */
	size_t pending_count;
	uv_idle_t idle;
	uv_timer_t tick;
	int64_t last_stream;
	int64_t last_emit;
	int64_t heard_events;
	uint64_t counted_events; /* for the switch event-loss */
	int64_t overflows;
	int64_t sent_events; /* by streams that are gone */
	int64_t last_look_ms;
	uint64_t fail_next; /* a watch on this directory fails once; 0: none */
};

struct hub *hub_new(struct sim *sim);
void hub_listen(struct hub *hub); /* from now on the tree's events come in */
void hub_wake(struct hub *hub);   /* something is pending */
void hub_drop_all(struct hub *hub);
void hub_close(struct hub *hub); /* freed when the loop turns */

/* Makes the answer to request a stream. filter: bit n for type n; 0: all. */
struct stream *hub_open_stream(struct hub *hub, struct request *request, uint64_t watched,
			       const char *path, bool recursive, uint32_t filter);
/* Sends synthetic events; answers to how many streams. */
size_t hub_emit(struct hub *hub, struct emit *emit);
void hub_overflow(struct hub *hub, struct stream *stream);

/*
 * drop, end, stall, resume, half_line, garbage, error, overflow, reboot, comment (with text). On
 * the streams of that watched path, or on all for NULL. Answers how many, -1 if action is not
 * known.
 */
int hub_fault(struct hub *hub, const char *action, const char *path, const char *text,
	      struct error *err);

/* The streams through that connection end at once, or say nothing any more. */
struct wire;
void hub_cut(struct hub *hub, const struct wire *wire, bool silently);

json_t *hub_json(const struct hub *hub);

#endif
