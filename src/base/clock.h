/* clock: the wall's time and the steady one; tests move both by hand. */
#ifndef BASE_CLOCK_H
#define BASE_CLOCK_H

#include "base/base.h"

/*
 * Since 1970, UTC. Where the system's clock is stepped while we run, it is followed by half a
 * second a second, so that what waits is neither due at once nor hours late; by more than a day, at
 * once.
 */
int64_t clock_now_ms(void);
/* The system's clock as it is: for what others compare with theirs, never for what waits. */
int64_t clock_wall_ms(void);
/* How far the system's clock is ahead of that (negative: behind). */
int64_t clock_ahead_ms(void);
/* The most that it ever was off, to either side, in this run. */
int64_t clock_most_off_ms(void);
int64_t clock_monotonic_ms(void); /* never steps; from an arbitrary start */

/* What follows the system's clock; zeroed at first. steady_ms never steps. Answers the time. */
struct clock_follower {
	bool has_begun;
	int64_t offset_ms; /* of the time that is shown to steady_ms */
	int64_t moved_ms;  /* until when that was adjusted */
	int64_t ahead_ms;
	int64_t most_off_ms;
};
int64_t clock_follow(struct clock_follower *follower, int64_t wall_ms, int64_t steady_ms);

/* From now on both clocks show these values, moved only by clock_advance. For tests. */
void clock_hold(int64_t now_ms);
void clock_advance(int64_t ms);
void clock_release(void);

/* "2026-11-22T17:08:09.123Z" */
char *clock_format(int64_t ms);
char *clock_format_date(int64_t ms); /* "2026-11-22", UTC */
/* RFC 3339 with 0 to 9 digits of fraction and Z or an offset; false if it is not one. */
bool clock_parse(const char *text, int64_t *out_ms);
bool clock_parse_ns(const char *text, int64_t *out_ns); /* also false beyond 1678 to 2261 */

#endif
