#include "io/service_manager.h"

#include "base/mem.h"

#if HAVE_SYSTEMD

#include <string.h>
#include <systemd/sd-daemon.h>
#include <time.h>

#define TICK_MS 5000

struct service_manager {
	uv_timer_t timer;
	char *(*describe)(void *ctx);
	void *ctx;
	char *told; /* the last line of status */
	bool has_watchdog;
};

static void tell_status(struct service_manager *manager)
{
	AUTO(free) char *line = manager->describe(manager->ctx);

	if (manager->told && strcmp(line, manager->told) == 0)
		return;
	sd_notifyf(0, "STATUS=%s", line);
	free(manager->told);
	manager->told = TAKE(line);
}

static void tick(uv_timer_t *timer)
{
	struct service_manager *manager = CONTAINER_OF(timer, struct service_manager, timer);

	if (manager->has_watchdog)
		sd_notify(0, "WATCHDOG=1");
	tell_status(manager);
}

struct service_manager *service_manager_open(uv_loop_t *loop, char *(*describe)(void *ctx),
					     void *ctx)
{
	uint64_t watchdog_us = 0;
	uint64_t period_ms = TICK_MS;

	if (!getenv("NOTIFY_SOCKET"))
		return NULL;

	struct service_manager *manager = NEW(struct service_manager);

	manager->describe = describe;
	manager->ctx = ctx;
	manager->has_watchdog = sd_watchdog_enabled(0, &watchdog_us) > 0;
	/* Three times within the watchdog's patience: one that comes late does no harm. */
	if (manager->has_watchdog)
		period_ms = MAX(MIN(period_ms, watchdog_us / 3000), 1);
	uv_timer_init(loop, &manager->timer);
	uv_timer_start(&manager->timer, tick, period_ms, period_ms);
	return manager;
}

static void closed(uv_handle_t *handle)
{
	struct service_manager *manager =
		CONTAINER_OF((uv_timer_t *)handle, struct service_manager, timer);

	free(manager->told);
	free(manager);
}

void service_manager_close(struct service_manager *manager)
{
	if (manager)
		uv_close((uv_handle_t *)&manager->timer, closed);
}

void service_manager_ready(struct service_manager *manager)
{
	if (!manager)
		return;
	sd_notify(0, "READY=1");
	tell_status(manager);
}

void service_manager_reloading(struct service_manager *manager)
{
	struct timespec now;

	if (!manager)
		return;
	/* The time is what systemd 253 and later ask for with Type=notify-reload. */
	clock_gettime(CLOCK_MONOTONIC, &now);
	sd_notifyf(0, "RELOADING=1\nMONOTONIC_USEC=%lld",
		   (long long)now.tv_sec * 1000000 + now.tv_nsec / 1000);
}

void service_manager_stopping(struct service_manager *manager)
{
	if (manager)
		sd_notify(0, "STOPPING=1\nSTATUS=stopping");
}

#else

struct service_manager *service_manager_open(uv_loop_t *loop, char *(*describe)(void *ctx),
					     void *ctx)
{
	return NULL;
}

void service_manager_close(struct service_manager *manager)
{
}

void service_manager_ready(struct service_manager *manager)
{
}

void service_manager_reloading(struct service_manager *manager)
{
}

void service_manager_stopping(struct service_manager *manager)
{
}

#endif
