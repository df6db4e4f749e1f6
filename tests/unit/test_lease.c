#include "check.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "app/lease.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/text.h"
#include "store/store_type.h"
#include "turn.h"

#define PATIENCE_MS 20000

/* A store of which only the leases are there, as the test wants them. */
struct fake {
	struct store base;
	pthread_mutex_t lock;
	int answer; /* of the next takes */
	struct store_lease lease;
	unsigned takes, drops;
};

static struct fake *fake_of(struct store *store)
{
	return CONTAINER_OF(store, struct fake, base);
}

static int fake_take(struct store *store, enum store_role role, int64_t ttl_ms,
		     struct store_lease *out, struct error *err)
{
	struct fake *fake = fake_of(store);
	int answer;

	pthread_mutex_lock(&fake->lock);
	fake->takes += role == STORE_FILTER;
	answer = fake->answer;
	*out = fake->lease;
	pthread_mutex_unlock(&fake->lock);
	return answer < 0 ? error_set(err, "connection refused") : answer;
}

static int fake_drop(struct store *store, enum store_role role, struct error *err)
{
	struct fake *fake = fake_of(store);

	pthread_mutex_lock(&fake->lock);
	fake->drops++;
	pthread_mutex_unlock(&fake->lock);
	return 0;
}

static const struct store_type fake_type = { .lease_take = fake_take, .lease_drop = fake_drop };

struct scene {
	uv_loop_t loop;
	struct fake fake;
	struct lease *lease;
	struct lease_status status; /* as it was told last */
	unsigned changes;
};

static char said[4096];
static pthread_mutex_t said_lock = PTHREAD_MUTEX_INITIALIZER;

static void hear(enum log_level level, const char *who, const char *line)
{
	size_t size;

	pthread_mutex_lock(&said_lock);
	size = strlen(said);
	snprintf(said + size, sizeof(said) - size, "%s: %s\n", who, line);
	pthread_mutex_unlock(&said_lock);
}

/* How often it was said. */
static unsigned times_said(const char *text)
{
	unsigned count = 0;

	pthread_mutex_lock(&said_lock);
	for (const char *at = said; (at = strstr(at, text)); at++)
		count++;
	pthread_mutex_unlock(&said_lock);
	return count;
}

static void changed(void *ctx)
{
	struct scene *scene = ctx;

	lease_get_status(scene->lease, &scene->status);
	scene->changes++;
}

/* From now on the store answers so. */
static void answer(struct scene *scene, int rc, uint64_t token, const char *holder)
{
	struct fake *fake = &scene->fake;

	pthread_mutex_lock(&fake->lock);
	fake->answer = rc;
	fake->lease = (struct store_lease){ .token = token };
	snprintf(fake->lease.holder, sizeof(fake->lease.holder), "%s", holder);
	pthread_mutex_unlock(&fake->lock);
}

static unsigned count_of(struct scene *scene, const unsigned *counter)
{
	unsigned count;

	pthread_mutex_lock(&scene->fake.lock);
	count = *counter;
	pthread_mutex_unlock(&scene->fake.lock);
	return count;
}

static void begin(struct scene *scene, int rc, uint64_t token, const char *holder)
{
	AUTO_ERROR err = { 0 };

	*scene = (struct scene){ .fake = { .base = { .type = &fake_type,
						     .member = (char *)"host-1/filter/1" } } };
	pthread_mutex_init(&scene->fake.lock, NULL);
	said[0] = '\0';
	log_redirect(hear);
	answer(scene, rc, token, holder);
	uv_loop_init(&scene->loop);
	assert_int_equal(lease_open(&scene->lease, &scene->loop, &scene->fake.base, STORE_FILTER,
				    "filter", changed, scene, &err),
			 0);
}

static void end(struct scene *scene)
{
	lease_close(scene->lease);
	assert_true(turn_out(&scene->loop));
	pthread_mutex_destroy(&scene->fake.lock);
	log_redirect(NULL);
}

#define WAIT(scene, condition) assert_true(TURN_UNTIL(&(scene)->loop, condition, PATIENCE_MS))

static void a_lease_that_nobody_has_is_taken_and_kept(void **state)
{
	struct scene scene;

	begin(&scene, 1, 7, "");
	WAIT(&scene, scene.status.state == LEASE_ACTIVE);
	assert_int_equal(scene.status.token, 7);
	WAIT(&scene, count_of(&scene, &scene.fake.takes) >= 2); /* renewed */
	assert_int_equal(scene.changes, 1);
	end(&scene);
	assert_int_equal(scene.fake.drops, 1);
}

static void a_standby_knows_who_is_active_and_takes_over(void **state)
{
	struct scene scene;

	begin(&scene, 0, 3, "host-2/filter/9");
	WAIT(&scene, *scene.status.holder);
	assert_string_equal(scene.status.holder, "host-2/filter/9");
	assert_int_equal(scene.status.state, LEASE_STANDBY);
	answer(&scene, 1, 4, "host-1/filter/1");
	WAIT(&scene, scene.status.state == LEASE_ACTIVE);
	assert_int_equal(scene.status.token, 4);
	assert_string_equal(scene.status.holder, "");
	end(&scene);
}

static void a_standby_has_nothing_to_give_up(void **state)
{
	struct scene scene;

	begin(&scene, 0, 3, "host-2/filter/9");
	WAIT(&scene, *scene.status.holder);
	end(&scene);
	assert_int_equal(scene.fake.drops, 0);
}

static void a_lease_that_went_to_another_is_told(void **state)
{
	struct scene scene;

	begin(&scene, 1, 7, "");
	WAIT(&scene, scene.status.state == LEASE_ACTIVE);
	answer(&scene, 0, 8, "host-2/filter/9");
	WAIT(&scene, scene.status.state == LEASE_STANDBY);
	assert_string_equal(scene.status.holder, "host-2/filter/9");
	answer(&scene, 1, 9, "");
	WAIT(&scene, scene.status.state == LEASE_ACTIVE);
	assert_int_equal(scene.status.token, 9);
	end(&scene);
}

static void a_store_that_is_away_changes_nothing_and_is_told_once(void **state)
{
	struct scene scene;
	unsigned takes;

	begin(&scene, 1, 7, "");
	WAIT(&scene, scene.status.state == LEASE_ACTIVE);
	answer(&scene, -1, 0, "");
	WAIT(&scene, *scene.status.trouble);
	takes = count_of(&scene, &scene.fake.takes);
	WAIT(&scene, count_of(&scene, &scene.fake.takes) >= takes + 2);
	assert_int_equal(scene.status.state, LEASE_ACTIVE);
	assert_int_equal(scene.status.token, 7);
	assert_int_equal(times_said("filter: the store cannot be asked who is active; waiting for "
				    "it, nothing is lost: connection refused\n"),
			 1);
	answer(&scene, 1, 7, "");
	WAIT(&scene, !*scene.status.trouble);
	WAIT(&scene, times_said("filter: the store answers again\n") == 1);
	assert_int_equal(scene.changes, 3);
	end(&scene);
}

static void a_lease_that_is_yielded_is_dropped_and_taken_again_later(void **state)
{
	struct scene scene;
	struct lease_status status;

	begin(&scene, 1, 7, "");
	WAIT(&scene, scene.status.state == LEASE_ACTIVE);
	lease_yield(scene.lease, 100);
	lease_get_status(scene.lease, &status); /* at once, whatever the store is doing */
	assert_int_equal(status.state, LEASE_STANDBY);
	WAIT(&scene, count_of(&scene, &scene.fake.drops) == 1);
	answer(&scene, 1, 8, "");
	WAIT(&scene, scene.status.state == LEASE_ACTIVE && scene.status.token == 8);
	end(&scene);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_lease_that_nobody_has_is_taken_and_kept),
		cmocka_unit_test(a_standby_knows_who_is_active_and_takes_over),
		cmocka_unit_test(a_standby_has_nothing_to_give_up),
		cmocka_unit_test(a_lease_that_went_to_another_is_told),
		cmocka_unit_test(a_store_that_is_away_changes_nothing_and_is_told_once),
		cmocka_unit_test(a_lease_that_is_yielded_is_dropped_and_taken_again_later),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
