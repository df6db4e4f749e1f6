/*
 * repeat: echoes that a cluster tells a second time.
 *
 * An expectation is met once; the same event again would pass for somebody else's. Of entries that
 * come, go and move there is a way to know: a file that our own move brought from a to b cannot
 * leave a, or arrive at b, again, before it went elsewhere. A second "its permissions changed" may
 * be somebody's, and is taken for that.
 *
 * Kept in memory only, of the echoes of the last minute; after a restart a repetition is foreign.
 */
#ifndef APP_REPEAT_H
#define APP_REPEAT_H

#include "event/event.h"

struct repeats;

struct repeats *repeats_new(void);
void repeats_free(struct repeats *repeats);
/* This event was the echo of that step. */
void repeats_note(struct repeats *repeats, const struct event *event, uint64_t job, unsigned step);
/* Whether an event that meets no expectation is one of those once more; else what is known of its
 * file is forgotten, if it came, went or moved. */
bool repeats_find(struct repeats *repeats, const struct event *event, uint64_t *out_job,
		  unsigned *out_step);

#endif
