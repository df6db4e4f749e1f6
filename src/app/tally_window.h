/* tally_window: a sliding window of what a rule counts, and how it is stored. */
#ifndef APP_TALLY_WINDOW_H
#define APP_TALLY_WINDOW_H

#include "base/buf.h"

struct window_entry {
	int64_t time_ms;
	struct text id, path; /* in one piece of memory, at id.data */
};

/* Zeroed at first. */
struct window {
	int64_t look_ms; /* when its time entry comes; 0: it has none */
	int64_t within_ms;
	int64_t last_ms;              /* of what was added last */
	uint64_t suppressed;          /* of a throttle */
	char tripped[65];             /* of a limit: by rules of this digest; "" if it is not */
	struct window_entry *entries; /* in order of time */
	size_t count, room;
	bool is_changed;
};

void window_add(struct window *window, int64_t now_ms, struct text id, struct text path);
void window_remove(struct window *window, struct text id); /* if it is there */
void window_empty(struct window *window);
/* What is older than within_ms does not count any more. */
void window_pass(struct window *window, int64_t now_ms);
int64_t window_end(const struct window *window); /* when nothing will count any more */
void window_clear(struct window *window);

struct buf *window_write(const struct window *window);
/* False if it is damaged: then it is empty. */
bool window_read(struct window *window, struct text value);

#endif
