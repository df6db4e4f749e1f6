/* thread: what our threads have in common: no signals, and waiting by the steady clock. */
#ifndef APP_THREAD_H
#define APP_THREAD_H

#include <pthread.h>
#include <uv.h>

#include "base/error.h"

/* Signals belong to the main thread: this one is born with all of them blocked. */
MUST_CHECK int thread_start(uv_thread_t *out, void (*run)(void *arg), void *arg, struct error *err);

/* For thread_wait(); pthread_cond_destroy() ends it. */
void thread_cond_init(pthread_cond_t *cond);
/* Until it is signalled, or wait_ms have passed; perhaps earlier, as condition variables do. */
void thread_wait(pthread_cond_t *cond, pthread_mutex_t *lock, int64_t wait_ms);

#endif
