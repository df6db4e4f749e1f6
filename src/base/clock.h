/* clock: the wall's time and the steady one; tests move both by hand. */
#ifndef BASE_CLOCK_H
#define BASE_CLOCK_H

#include "base/base.h"

int64_t clock_now_ms(void);       /* since 1970, UTC; may step */
int64_t clock_monotonic_ms(void); /* never steps; from an arbitrary start */

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
