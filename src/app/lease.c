#include "app/lease.h"

#include <stdio.h>

#include "app/thread.h"
#include "base/clock.h"
#include "base/log.h"

/* A standby is at work within ten seconds: it watches a whole TTL_MS go by without a renewal. */
#define TTL_MS 6000
#define RENEW_MS 1000

struct lease {
	struct store *store;
	enum store_role role;
	const char *name;
	uv_async_t news;
	void (*changed)(void *ctx);
	void *ctx;
	uv_thread_t thread;

	pthread_mutex_t lock; /* of what follows */
	pthread_cond_t wake;
	struct lease_status status;
	int64_t next_ms; /* steady clock: when the store is asked again */
	bool must_yield;
	bool is_ending;
};

static struct lease_status read_status(struct lease *lease)
{
	struct lease_status status;

	pthread_mutex_lock(&lease->lock);
	status = lease->status;
	pthread_mutex_unlock(&lease->lock);
	return status;
}

static void set_status(struct lease *lease, const struct lease_status *next)
{
	bool is_change;

	pthread_mutex_lock(&lease->lock);
	is_change = lease->status.state != next->state || lease->status.token != next->token ||
		    strcmp(lease->status.holder, next->holder) != 0 ||
		    strcmp(lease->status.trouble, next->trouble) != 0;
	lease->status = *next;
	pthread_mutex_unlock(&lease->lock);
	if (is_change)
		uv_async_send(&lease->news);
}

/* Once when it begins and once when it is over. */
static void say_trouble(struct lease *lease, const struct lease_status *before,
			const struct lease_status *now)
{
	if (*now->trouble && !*before->trouble)
		log_warn(lease->name, "the store cannot be asked who is active; %s: %s",
			 now->state == LEASE_STANDBY  ? "waiting for it"
			 : lease->role == STORE_WATCH ? "going on to listen, what is heard is kept"
						      : "waiting for it, nothing is lost",
			 now->trouble);
	else if (*before->trouble && !*now->trouble)
		log_info(lease->name, "the store answers again");
}

static void ask(struct lease *lease)
{
	struct store_lease taken = { 0 };
	struct lease_status before = read_status(lease), now;
	AUTO_ERROR err = { 0 };
	int rc = store_lease_take(lease->store, lease->role, TTL_MS, &taken, &err);

	now = before;
	now.trouble[0] = '\0';
	if (rc < 0) {
		snprintf(now.trouble, sizeof(now.trouble), "%s", error_text(&err));
	} else {
		now.state = rc ? LEASE_ACTIVE : LEASE_STANDBY;
		now.token = rc ? taken.token : 0;
		snprintf(now.holder, sizeof(now.holder), "%s", rc ? "" : taken.holder);
		if (rc && taken.is_unconfirmed)
			snprintf(now.trouble, sizeof(now.trouble),
				 "it does not answer, and this process was the last to be active");
	}
	set_status(lease, &now);
	say_trouble(lease, &before, &now);
}

static void drop(struct lease *lease)
{
	struct lease_status status = read_status(lease);
	AUTO_ERROR err = { 0 };

	/* One that the store cannot be told of ends by itself. */
	if (status.state == LEASE_ACTIVE && !*status.trouble &&
	    store_lease_drop(lease->store, lease->role, &err) < 0)
		log_warn(lease->name, "a standby has to wait for the end of the lease: %s",
			 error_text(&err));
	set_status(lease, &(struct lease_status){ LEASE_STANDBY, 0, "", "" });
}

/* What is to be done next, once its time has come. */
enum task { TASK_ASK, TASK_YIELD, TASK_END };

static enum task next_task(struct lease *lease)
{
	enum task task;

	pthread_mutex_lock(&lease->lock);
	while (!lease->is_ending && !lease->must_yield) {
		int64_t wait_ms = lease->next_ms - clock_monotonic_ms();

		if (wait_ms <= 0)
			break;
		thread_wait(&lease->wake, &lease->lock, wait_ms);
	}
	task = lease->is_ending ? TASK_END : lease->must_yield ? TASK_YIELD : TASK_ASK;
	if (task == TASK_ASK)
		lease->next_ms = clock_monotonic_ms() + RENEW_MS;
	pthread_mutex_unlock(&lease->lock);
	return task;
}

static void yield(struct lease *lease)
{
	drop(lease);
	pthread_mutex_lock(&lease->lock);
	lease->must_yield = false;
	pthread_mutex_unlock(&lease->lock);
}

static void lease_main(void *arg)
{
	struct lease *lease = arg;
	enum task task;

	pthread_setname_np(pthread_self(), "cn-lease");
	while ((task = next_task(lease)) != TASK_END) {
		if (task == TASK_ASK)
			ask(lease);
		else
			yield(lease);
	}
	drop(lease);
}

static void news_came(uv_async_t *news)
{
	struct lease *lease = news->data;

	lease->changed(lease->ctx);
}

static void lease_free(struct lease *lease)
{
	pthread_cond_destroy(&lease->wake);
	pthread_mutex_destroy(&lease->lock);
	free(lease);
}

static void news_closed(uv_handle_t *news)
{
	lease_free(news->data);
}

int lease_open(struct lease **out, uv_loop_t *loop, struct store *store, enum store_role role,
	       const char *name, void (*changed)(void *ctx), void *ctx, struct error *err)
{
	struct lease *lease = NEW(struct lease);

	lease->store = store;
	lease->role = role;
	lease->name = name;
	lease->changed = changed;
	lease->ctx = ctx;
	pthread_mutex_init(&lease->lock, NULL);
	thread_cond_init(&lease->wake);
	uv_async_init(loop, &lease->news, news_came);
	lease->news.data = lease;
	if (thread_start(&lease->thread, lease_main, lease, err) < 0) {
		uv_close((uv_handle_t *)&lease->news, news_closed);
		return -1;
	}
	*out = lease;
	return 0;
}

void lease_get_status(struct lease *lease, struct lease_status *out)
{
	pthread_mutex_lock(&lease->lock);
	*out = lease->status;
	if (lease->must_yield)
		*out = (struct lease_status){ .state = LEASE_STANDBY };
	pthread_mutex_unlock(&lease->lock);
}

void lease_yield(struct lease *lease, int64_t away_ms)
{
	pthread_mutex_lock(&lease->lock);
	lease->must_yield = true;
	lease->next_ms = clock_monotonic_ms() + away_ms;
	pthread_cond_signal(&lease->wake);
	pthread_mutex_unlock(&lease->lock);
}

void lease_close(struct lease *lease)
{
	if (!lease)
		return;
	pthread_mutex_lock(&lease->lock);
	lease->is_ending = true;
	pthread_cond_signal(&lease->wake);
	pthread_mutex_unlock(&lease->lock);
	uv_thread_join(&lease->thread);
	uv_close((uv_handle_t *)&lease->news, news_closed);
}
