#include "app/thread.h"

#include <signal.h>
#include <time.h>

int thread_start(uv_thread_t *out, void (*run)(void *arg), void *arg, struct error *err)
{
	sigset_t all, before;
	int result;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	result = uv_thread_create(out, run, arg);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (result < 0)
		return error_set(err, "a thread cannot be started: %s", uv_strerror(result));
	return 0;
}

void thread_cond_init(pthread_cond_t *cond)
{
	pthread_condattr_t steady;

	pthread_condattr_init(&steady);
	pthread_condattr_setclock(&steady, CLOCK_MONOTONIC);
	pthread_cond_init(cond, &steady);
	pthread_condattr_destroy(&steady);
}

void thread_wait(pthread_cond_t *cond, pthread_mutex_t *lock, int64_t wait_ms)
{
	struct timespec until;

	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += wait_ms / 1000;
	until.tv_nsec += wait_ms % 1000 * 1000000;
	if (until.tv_nsec >= 1000000000) {
		until.tv_sec++;
		until.tv_nsec -= 1000000000;
	}
	pthread_cond_timedwait(cond, lock, &until);
}
