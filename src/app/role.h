/* role: one role's thread with its loop: opened, run and closed inside that thread. */
#ifndef APP_ROLE_H
#define APP_ROLE_H

#include <uv.h>

#include "base/error.h"

struct role {
	const char *name; /* of the thread: "cn-filter" */
	/* Both are called in the role's thread. After close, nothing of the role may be left in the
	 * loop once its turn has ended. */
	int (*open)(void *ctx, uv_loop_t *loop, struct error *err);
	void (*close)(void *ctx);
	void *ctx;

	/* role's own */
	uv_thread_t thread;
	uv_loop_t loop;
	uv_async_t stop;
	uv_sem_t opened;
	struct error err;
	bool is_running;
};

/* Returns when open has: 0, or -1 with its error and no thread left. */
MUST_CHECK int role_start(struct role *role, struct error *err);
/* Waits until the role has closed and its thread has ended. Fine if it never started. */
void role_stop(struct role *role);

#endif
