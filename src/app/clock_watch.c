#include "app/clock_watch.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/metric.h"

#define LOOK_MS 1000

struct clock_watch {
	uv_timer_t timer;
	struct metric *ahead;
	bool is_following; /* a clock that was stepped */
};

static void look(uv_timer_t *timer)
{
	struct clock_watch *watch = timer->data;
	int64_t ahead_ms = clock_ahead_ms();

	metric_set(watch->ahead, ahead_ms);
	if (!watch->is_following && ahead_ms)
		log_warn(
			"clock",
			"the system's clock was stepped by %+.1f s; times here follow it by half a "
			"second a second, so that nothing that waits is done too early or hours "
			"late",
			(double)ahead_ms / 1000);
	if (watch->is_following && !ahead_ms)
		log_info("clock", "times are those of the system's clock again");
	watch->is_following = ahead_ms != 0;
}

struct clock_watch *clock_watch_open(uv_loop_t *loop)
{
	struct clock_watch *watch = NEW(struct clock_watch);

	watch->ahead =
		metric_get("cn_clock_ahead_ms", METRIC_GAUGE,
			   "By how much the system's clock is ahead of the times shown here, "
			   "after it was stepped");
	uv_timer_init(loop, &watch->timer);
	watch->timer.data = watch;
	uv_timer_start(&watch->timer, look, LOOK_MS, LOOK_MS);
	return watch;
}

static void closed(uv_handle_t *handle)
{
	free(handle->data);
}

void clock_watch_close(struct clock_watch *watch)
{
	if (watch)
		uv_close((uv_handle_t *)&watch->timer, closed);
}
