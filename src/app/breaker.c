#include "app/breaker.h"

#include <pthread.h>
#include <uthash.h>

#include "base/log.h"
#include "base/text.h"

#define SERVERS_MOST 1000 /* more are not kept apart, and never open */

struct breaker {
	char *server;
	enum breaker_state state;
	unsigned failures; /* in a row */
	int64_t pause_ms;  /* of the next opening */
	int64_t since_ms;  /* when it opened first */
	int64_t again_ms;  /* open: when one may try; half open: when another may */
	char *why;
	UT_hash_handle hh;
};

struct breakers {
	struct breaker_settings settings;
	struct breaker *all;
	pthread_mutex_t lock;
};

const char *breaker_state_name(enum breaker_state state)
{
	static const char *const names[] = { "closed", "open", "half-open" };

	return names[state];
}

struct breakers *breakers_new(const struct breaker_settings *settings)
{
	struct breakers *breakers = NEW(struct breakers);

	breakers->settings = *settings;
	pthread_mutex_init(&breakers->lock, NULL);
	return breakers;
}

static void forget(struct breakers *breakers, struct breaker *breaker)
{
	HASH_DEL(breakers->all, breaker);
	free(breaker->server);
	free(breaker->why);
	free(breaker);
}

void breakers_free(struct breakers *breakers)
{
	struct breaker *breaker, *next;

	if (!breakers)
		return;
	HASH_ITER(hh, breakers->all, breaker, next)
	{
		forget(breakers, breaker);
	}
	pthread_mutex_destroy(&breakers->lock);
	free(breakers);
}

static struct breaker *find(struct breakers *breakers, const char *server)
{
	struct breaker *breaker;

	HASH_FIND_STR(breakers->all, server, breaker);
	return breaker;
}

/* One that fails; those that work are not kept. */
static struct breaker *find_or_add(struct breakers *breakers, const char *server)
{
	struct breaker *breaker = find(breakers, server);

	if (breaker || HASH_COUNT(breakers->all) >= SERVERS_MOST)
		return breaker;
	breaker = NEW(struct breaker);
	breaker->server = str_copy(server);
	breaker->pause_ms = breakers->settings.pause_ms;
	HASH_ADD_KEYPTR(hh, breakers->all, breaker->server, strlen(breaker->server), breaker);
	return breaker;
}

bool breakers_allow(struct breakers *breakers, const char *server, int64_t now_ms,
		    int64_t *out_again_ms, char **out_why)
{
	struct breaker *breaker;
	bool is_allowed = true;

	pthread_mutex_lock(&breakers->lock);
	breaker = find(breakers, server);
	if (breaker && breaker->state != BREAKER_CLOSED) {
		/* A wall clock that was set back must not keep it open for longer than a pause. */
		is_allowed = now_ms >= breaker->again_ms ||
			     breaker->again_ms - now_ms > breakers->settings.pause_max_ms * 2;
		if (is_allowed) {
			breaker->state = BREAKER_HALF_OPEN;
			/* If nothing comes of this try, the next one is let through then. */
			breaker->again_ms = now_ms + breaker->pause_ms;
		} else {
			*out_again_ms = breaker->again_ms;
			*out_why = str_copy(breaker->why);
		}
	}
	pthread_mutex_unlock(&breakers->lock);
	return is_allowed;
}

/* ---- What came of it ---- */

static void note_success(struct breakers *breakers, struct breaker *breaker)
{
	if (!breaker)
		return;
	if (breaker->state != BREAKER_CLOSED)
		log_info("act", "%s works again; what waited for it goes on", breaker->server);
	forget(breakers, breaker);
}

static void open_it(struct breakers *breakers, struct breaker *breaker, int64_t not_before_ms,
		    int64_t now_ms)
{
	int64_t most = breakers->settings.pause_max_ms;

	if (breaker->state == BREAKER_CLOSED) {
		breaker->since_ms = now_ms;
		log_warn(
			"act",
			"%s failed %u times in a row (%s): what goes there waits, and one job at a "
			"time tries",
			breaker->server, breaker->failures, breaker->why);
	}
	breaker->state = BREAKER_OPEN;
	breaker->again_ms = MAX(now_ms + breaker->pause_ms, not_before_ms);
	breaker->pause_ms = MIN(breaker->pause_ms * 2, MAX(most, 1));
}

static void note_failure(struct breakers *breakers, struct breaker *breaker, const char *why,
			 int64_t not_before_ms, int64_t now_ms)
{
	bool is_late = breaker->state == BREAKER_OPEN; /* begun before it opened */

	free(breaker->why);
	breaker->why = str_copy(why);
	breaker->failures++;
	if (!is_late && (breaker->state == BREAKER_HALF_OPEN ||
			 breaker->failures >= breakers->settings.failures))
		open_it(breakers, breaker, not_before_ms, now_ms);
}

void breakers_note(struct breakers *breakers, const char *server, const char *why,
		   int64_t not_before_ms, int64_t now_ms)
{
	struct breaker *breaker;

	if (!breakers->settings.failures)
		return;
	pthread_mutex_lock(&breakers->lock);
	breaker = why ? find_or_add(breakers, server) : find(breakers, server);
	if (!why)
		note_success(breakers, breaker);
	else if (breaker)
		note_failure(breakers, breaker, why, not_before_ms, now_ms);
	pthread_mutex_unlock(&breakers->lock);
}

size_t breakers_visit(struct breakers *breakers,
		      void (*visit)(void *ctx, const char *server, enum breaker_state state,
				    int64_t since_ms, const char *why),
		      void *ctx)
{
	struct breaker *breaker;
	size_t count = 0;

	pthread_mutex_lock(&breakers->lock);
	for (breaker = breakers->all; breaker; breaker = breaker->hh.next) {
		if (breaker->state == BREAKER_CLOSED)
			continue;
		count++;
		if (visit)
			visit(ctx, breaker->server, breaker->state, breaker->since_ms,
			      breaker->why);
	}
	pthread_mutex_unlock(&breakers->lock);
	return count;
}
