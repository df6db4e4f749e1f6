/* deliver and what runs expect: stored before their requests go out, for many runs at once. */
#include "fake_world.h"

#include <signal.h>
#include <sys/resource.h>

static int failures; /* of the commits to come */

static void limit_files(rlim_t bytes)
{
	struct rlimit limit;

	assert_int_equal(getrlimit(RLIMIT_FSIZE, &limit), 0);
	limit.rlim_cur = bytes;
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

/* While files may have no bytes, no commit can write. */
static void tell_commits(const char *point)
{
	if (strcmp(point, "state.commit.before") == 0) {
		limit_files(failures > 0 ? 0 : RLIM_INFINITY);
		if (failures-- > 0)
			tell("commit fails");
	} else if (strcmp(point, "state.commit.after") == 0) {
		tell("commit");
	}
}

static void put_file_job(struct world *world, int number)
{
	char id[8], path[32];

	snprintf(id, sizeof(id), "%d", number);
	snprintf(path, sizeof(path), "/home/%d", number);
	world_put_file(world, id, path, "1");
	put_job(world, "probe", id, path);
}

static const struct world_end expects_and_hangs = { .memory = "x",
						    .expects = CHILD_ACL_CHANGED,
						    .hangs = true };

static void expect_setup(struct world *world)
{
	world->settings.act.concurrency = 8;
	world->tells_requests = true;
}

static void watch_commits(int failing)
{
	failures = failing;
	store_on_point(tell_commits);
}

static void stop_watching(void)
{
	store_on_point(NULL);
	limit_files(RLIM_INFINITY);
}

static void runs_of_one_turn_share_one_wait_for_the_disk_before_their_requests(void **state)
{
	struct world *world = *state;

	expect_setup(world);
	for (int i = 1; i <= 3; i++) {
		put_file_job(world, i);
		world_end(world, expects_and_hangs);
	}
	watch_commits(0);
	world_settle(world);
	stop_watching();
	assert_story(world, "probe job 1 step 0 attempt 1 at /home/1\n"
			    "probe job 2 step 0 attempt 1 at /home/2\n"
			    "probe job 3 step 0 attempt 1 at /home/3\n"
			    "commit\n"
			    "request of job 1\n"
			    "request of job 2\n"
			    "request of job 3\n");
	for (int job = 1; job <= 3; job++)
		assert_int_equal(
			echo_count_open(world->f->store, (uint64_t)job, 0, WORLD_NOW_MS, NULL), 1);
}

static void what_ends_and_what_begins_share_it_too(void **state)
{
	struct world *world = *state;

	expect_setup(world);
	put_file_job(world, 1);
	world_end(world, expects_and_hangs);
	world_settle(world);
	put_file_job(world, 2);
	world_end(world, expects_and_hangs);
	deliver_tick(world->deliver); /* looks at the file */
	free(world_story(world));
	watch_commits(0);
	world_finish(world, (struct world_end){ 0 });
	world_answer(list_entry(world->calls.next, struct cluster_call, link));
	deliver_tick(world->deliver);
	stop_watching();
	assert_story(world, "probe job 2 step 0 attempt 1 at /home/2\n"
			    "commit\n"
			    "request of job 2\n"
			    "info rule/r: /home/1 -> probe: done\n");
}

static void no_request_goes_out_if_the_store_fails_and_it_is_tried_again(void **state)
{
	struct world *world = *state;
	AUTO(free) char *story = NULL;
	struct deliver_status status;

	expect_setup(world);
	for (int i = 1; i <= 2; i++) {
		put_file_job(world, i);
		world_end(world, expects_and_hangs);
	}
	watch_commits(1);
	world_settle(world);
	story = world_story(world);
	assert_non_null(strstr(story, "commit fails\njob 1 is not stored\njob 2 is not stored\n"));
	assert_non_null(strstr(story, "attempt 2 of 3 in"));
	assert_null(strstr(story, "request"));
	assert_null(strstr(story, "commit\ncommit\n")); /* both retries in one */
	deliver_get_status(world->deliver, &status);
	assert_int_equal(status.retried, 2);
	assert_string_equal(status.trouble, "");

	clock_advance(1250);
	world_end(world, (struct world_end){ .memory = "x", .expects = CHILD_ACL_CHANGED });
	world_end(world, (struct world_end){ .memory = "x", .expects = CHILD_ACL_CHANGED });
	world_settle(world);
	stop_watching();
	deliver_get_status(world->deliver, &status);
	assert_int_equal(status.done, 2);
	assert_int_equal(echo_count_open(world->f->store, 1, 0, WORLD_NOW_MS, NULL), 1);
}

static void what_has_ended_is_stored_although_what_begins_is_not(void **state)
{
	struct world *world = *state;
	struct deliver_status status;

	expect_setup(world);
	put_file_job(world, 1);
	world_end(world, expects_and_hangs);
	world_settle(world);
	put_file_job(world, 2);
	world_end(world, expects_and_hangs);
	deliver_tick(world->deliver);
	watch_commits(1);
	world_finish(world, (struct world_end){ 0 });
	world_answer(list_entry(world->calls.next, struct cluster_call, link));
	deliver_tick(world->deliver);
	stop_watching();
	deliver_get_status(world->deliver, &status);
	assert_int_equal(status.done, 1);
	assert_int_equal(status.retried, 1);
	free(world_story(world));
}

static void a_run_that_is_cancelled_while_it_waits_never_asks(void **state)
{
	struct world *world = *state;

	expect_setup(world);
	put_file_job(world, 1);
	world_end(world, expects_and_hangs);
	deliver_tick(world->deliver);
	world_answer(list_entry(world->calls.next, struct cluster_call, link));
	world_restart(world);
	assert_story(world, "probe job 1 step 0 attempt 1 at /home/1\n"
			    "cancel job 1\n");
	world_settle(world);
	/* Nothing of it was stored: it is the first attempt still. */
	assert_story(world, "probe job 1 step 0 attempt 1 at /home/1\n"
			    "info rule/r: /home/1 -> probe: done\n");
}

#define t(test) cmocka_unit_test_setup_teardown(test, world_setup, world_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		t(runs_of_one_turn_share_one_wait_for_the_disk_before_their_requests),
		t(what_ends_and_what_begins_share_it_too),
		t(no_request_goes_out_if_the_store_fails_and_it_is_tried_again),
		t(what_has_ended_is_stored_although_what_begins_is_not),
		t(a_run_that_is_cancelled_while_it_waits_never_asks),
	};

	if (signal(SIGXFSZ, SIG_IGN) == SIG_ERR) /* a write fails instead */
		return 1;
	/* It makes the store fail as a disk does. */
	return run_on_one_store(tests, ARRAY_SIZE(tests), &store_kinds[0]);
}
