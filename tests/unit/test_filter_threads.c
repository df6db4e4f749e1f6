/* The filter between a thread that appends and one that reloads and asks for its status. */
#include "filter_fixture.h"

#include <pthread.h>
#include <stdatomic.h>

#define RECORDS 2000
#define EVENTS 50 /* in a record, the first of which every set matches */
#define RELOADS 100

struct race {
	struct monitor m;
	uint64_t after[RELOADS]; /* by set: it judges what comes behind this record */
	atomic_int told;
	atomic_bool is_done; /* what the sanitizer sees of uv_async_send(), that libuv hides */
	atomic_bool is_over;
	uv_async_t stop;
};

static void *append_records(void *ctx)
{
	struct race *race = ctx;
	AUTO(buf_free) struct buf *message = buf_new(1 << 20);

	for (int n = 1; n <= RECORDS; n++) {
		while (n > (race->told + 1) *
				   (RECORDS / RELOADS)) /* or all are there before the sets */
			sched_yield();
		buf_reset(message);
		assert_true(buf_print(message, "["));
		for (int i = 0; i < EVENTS; i++)
			assert_true(buf_print(message, "%s" ITEM("child_file_added", "%d", "%d.%s"),
					      i ? "," : "", n * EVENTS + i, n, i ? "txt" : "zip"));
		assert_true(buf_print(message, "]"));
		hear(&race->m, message->data);
	}
	return NULL;
}

static void stop_loop(uv_async_t *stop)
{
	struct race *race = stop->data;

	assert_true(race->is_done);
	uv_close((uv_handle_t *)stop, NULL);
	filter_close(TAKE(race->m.filter));
}

static void *run_filter(void *ctx)
{
	struct race *race = ctx;

	uv_run(&race->m.loop, UV_RUN_DEFAULT);
	race->is_over = true;
	return NULL;
}

static void note_swap(void *ctx, uint64_t after_seq)
{
	struct race *race = ctx;

	race->after[race->told] = after_seq;
	race->told++;
}

static struct rule_set *numbered_set(int number)
{
	AUTO(free)
	char *text = str_format("version: 1\nwatched_items:\n- {name: set-%d, when: {extension: "
				".zip}, actions: [log]}\n",
				number);

	return load_rules(text);
}

static void wait_for_cursor(struct race *race, uint64_t seq)
{
	while (status_of(&race->m).cursor < seq)
		sched_yield();
}

struct check {
	struct race *race;
	uint64_t jobs;
};

static bool check_job(void *ctx, const struct job *job)
{
	struct check *check = ctx;
	struct race *race = check->race;
	struct error err = { 0 };
	struct job_body body;
	int set = -1;

	if (job_body_read(&body, job->body, &err) < 0)
		fail_msg("%s", error_text(&err));
	for (int i = 0; i < race->told && race->after[i] < body.event->seq; i++)
		set = i;

	AUTO(free) char *rule = str_format("set-%d", set);

	/* Newest first: one job for each record. */
	assert_int_equal(body.event->seq, RECORDS - check->jobs);
	assert_string_equal(body.rule, rule);
	check->jobs++;
	job_body_clear(&body);
	return true;
}

static void each_of_100000_events_is_judged_by_one_of_100_sets(void **state)
{
	struct race race = { .told = 0 };
	struct check check = { &race, 0 };
	struct filter_status status;
	pthread_t writer, runner;

	monitor_start(&race.m, *state,
		      "version: 1\nwatched_items:\n- {name: set--1, when: "
		      "{extension: .zip}, actions: [log]}\n");
	clock_release();
	uv_async_init(&race.m.loop, &race.stop, stop_loop);
	race.stop.data = &race;
	pthread_create(&runner, NULL, run_filter, &race);
	pthread_create(&writer, NULL, append_records, &race);
	for (int i = 0; i < RELOADS; i++) {
		filter_offer(race.m.filter, 0, numbered_set(i), note_swap, &race);
		while (race.told <=
		       i) /* of two that are offered at once, only the newer one judges */
			sched_yield();
		wait_for_cursor(&race, (uint64_t)i * RECORDS / RELOADS);
	}
	pthread_join(writer, NULL);
	wait_for_cursor(&race, RECORDS);
	filter_get_status(race.m.filter, &status);
	race.is_done = true;
	uv_async_send(&race.stop);
	pthread_join(runner, NULL);

	assert_int_equal(race.told, RELOADS);
	assert_int_equal(status.events, RECORDS * EVENTS);
	assert_int_equal(status.matches, RECORDS);
	assert_int_equal(status.jobs, RECORDS);
	ok(race.m.f, store_job_visit(race.m.f->store, JOB_WAITING, SIZE_MAX, check_job, &check,
				     &race.m.f->err));
	assert_int_equal(check.jobs, RECORDS);
	assert_true(race.after[RELOADS - 1] > race.after[RELOADS / 2]);
	monitor_clear(&race.m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_of_100000_events_is_judged_by_one_of_100_sets),
	};

	/* How long a commit takes is the store's affair, and not of interest here. */
	return run_on_one_store(tests, ARRAY_SIZE(tests), &store_kinds[0]);
}
