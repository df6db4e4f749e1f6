#include "app/role.h"

#include "app/thread.h"
#include "base/mem.h"

static void stop_asked(uv_async_t *stop)
{
	struct role *role = stop->data;

	role->close(role->ctx);
	uv_close((uv_handle_t *)stop, NULL);
}

static void role_main(void *arg)
{
	struct role *role = arg;

	pthread_setname_np(pthread_self(), role->name);

	bool is_open = role->open(role->ctx, &role->loop, &role->err) == 0;

	role->is_running = is_open;
	if (!is_open)
		uv_close((uv_handle_t *)&role->stop, NULL);
	uv_sem_post(&role->opened);
	uv_run(&role->loop, UV_RUN_DEFAULT);
}

static void forget(struct role *role)
{
	uv_loop_close(&role->loop);
	uv_sem_destroy(&role->opened);
}

int role_start(struct role *role, struct error *err)
{
	uv_loop_init(&role->loop);
	uv_async_init(&role->loop, &role->stop, stop_asked);
	role->stop.data = role;
	uv_sem_init(&role->opened, 0);
	if (thread_start(&role->thread, role_main, role, err) < 0) {
		uv_close((uv_handle_t *)&role->stop, NULL);
		uv_run(&role->loop, UV_RUN_DEFAULT);
		forget(role);
		return -1;
	}
	uv_sem_wait(&role->opened);
	if (role->is_running)
		return 0;
	uv_thread_join(&role->thread);
	forget(role);
	error_set(err, "%s", error_text(&role->err));
	error_clear(&role->err);
	return -1;
}

void role_stop(struct role *role)
{
	if (!role->is_running)
		return;
	uv_async_send(&role->stop);
	uv_thread_join(&role->thread);
	role->is_running = false;
	forget(role);
}
