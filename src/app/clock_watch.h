/* clock_watch: says when the system's clock was stepped, and when its times are shown again. */
#ifndef APP_CLOCK_WATCH_H
#define APP_CLOCK_WATCH_H

#include <uv.h>

struct clock_watch;

struct clock_watch *clock_watch_open(uv_loop_t *loop);
void clock_watch_close(struct clock_watch *watch); /* NULL: nothing */

#endif
