/* deliver in its thread, while others put jobs, offer rules and ask for its status. */
#include "fake_world.h"

#include <stdatomic.h>

#define JOBS 300

struct race {
	struct world *world;
	uv_async_t stop;
	uv_timer_t answers;
	uv_sem_t opened;
	atomic_bool has_no_set;
};

static void on_stop(uv_async_t *async)
{
	struct race *race = async->data;

	deliver_close(race->world->deliver);
	uv_close((uv_handle_t *)async, NULL);
	uv_close((uv_handle_t *)&race->answers, NULL);
}

/* The cluster. */
static void on_answers(uv_timer_t *timer)
{
	struct race *race = timer->data;
	struct cluster_call *call;

	list_for_each (call, &race->world->calls, link)
		world_answer(call);
}

static void act(void *ctx)
{
	struct race *race = ctx;
	struct world *world = race->world;

	world_open_deliver(world);
	uv_sem_post(&race->opened);
	uv_run(&world->loop, UV_RUN_DEFAULT);
}

static void check_nothing(void *ctx, const char *module, const struct node *options,
			  struct place place, struct problems *problems)
{
}

/* Half of them know the rule, and it is true for every file that is found. */
static struct rule_set *new_set(int number)
{
	static const char *const names[] = { "probe", NULL };
	const struct rule_modules modules = { NULL, names, check_nothing, NULL };
	AUTO(problems_free) struct problems *problems = problems_new();
	AUTO(free)
	char *text = str_format("version: 1\nwatched_items:\n  - name: %s\n    when: {directory: "
				"/home}\n    actions: [probe: {}]\n",
				number % 2 ? "r" : "other");

	return rule_set_parse("items.yml", text_of(text), &modules, problems);
}

static void rules(void *ctx)
{
	struct race *race = ctx;

	for (int i = 0; i < 50; i++) {
		struct rule_set *set = new_set(i);

		race->has_no_set |= !set;
		deliver_offer(race->world->deliver, 0, set);
	}
}

/* Closed and opened again by the other thread. */
static void take_over(struct world *world)
{
	world_close_deliver(world);
	log_redirect(NULL);
	log_setup(LOG_ERROR, LOG_TEXT);
}

static void every_job_runs_once_whoever_else_talks_to_deliver(void **state)
{
	struct race race = { .world = *state };
	struct world *world = race.world;
	struct deliver_status status = { 0 };
	struct store_counts counts;
	uv_thread_t actor, ruler;
	char path[32];

	take_over(world);
	world->settings.act.concurrency = 8;
	world_put_file(world, "7", "/home/moved", "1");
	uv_sem_init(&race.opened, 0);
	uv_async_init(&world->loop, &race.stop, on_stop);
	race.stop.data = &race;
	uv_timer_init(&world->loop, &race.answers);
	race.answers.data = &race;
	uv_timer_start(&race.answers, on_answers, 1, 1);
	uv_thread_create(&actor, act, &race);
	uv_sem_wait(&race.opened);
	uv_thread_create(&ruler, rules, &race);
	for (int i = 0; i < JOBS; i++) {
		snprintf(path, sizeof(path), "/home/%d", i);
		put_job(world, i % 3 ? "plain" : "probe", i % 3 ? "" : "7", path);
	}
	while (status.done < JOBS)
		deliver_get_status(world->deliver, &status);
	uv_thread_join(&ruler);
	uv_async_send(&race.stop);
	uv_thread_join(&actor);
	world->deliver = NULL;
	uv_sem_destroy(&race.opened);
	ok(world->f, store_count(world->f->store, &counts, &world->f->err));
	assert_int_equal(counts.jobs_done, JOBS);
	assert_int_equal(status.dead, 0);
	assert_false(race.has_no_set);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(every_job_runs_once_whoever_else_talks_to_deliver,
						world_setup, world_teardown),
	};

	return run_on_every_store(tests, ARRAY_SIZE(tests));
}
