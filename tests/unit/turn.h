/* turn: turns a loop until something is so, and not forever. */
#ifndef TESTS_TURN_H
#define TESTS_TURN_H

#include <uv.h>

#include "base/mem.h"

static inline void turn_tick(uv_timer_t *timer)
{
}

static inline void turn_forget(uv_handle_t *handle)
{
	free(handle);
}

/* Whether condition became true in time. */
#define TURN_UNTIL(loop, condition, deadline_ms)                                       \
	({                                                                             \
		uint64_t end_ = uv_hrtime() + (uint64_t)(deadline_ms)*1000000u;        \
		uv_timer_t *tick_ = mem_new(sizeof(*tick_));                           \
		uv_timer_init(loop, tick_);                                            \
		uv_timer_start(tick_, turn_tick, 10, 10); /* so that each turn ends */ \
		while (!(condition) && uv_hrtime() < end_)                             \
			uv_run(loop, UV_RUN_ONCE);                                     \
		uv_close((uv_handle_t *)tick_, turn_forget);                           \
		(condition);                                                           \
	})

/* Lets what was closed end, and says whether nothing was left over. */
static inline bool turn_out(uv_loop_t *loop)
{
	uv_run(loop, UV_RUN_DEFAULT);
	return uv_loop_close(loop) == 0;
}

#endif
