/* deliver: what becomes of jobs, with a hand-moved clock. */
#include "fake_world.h"

static struct store_counts count(struct world *world)
{
	struct store_counts counts;

	ok(world->f, store_count(world->f->store, &counts, &world->f->err));
	return counts;
}

static bool keep_outcome(void *ctx, const struct job *job)
{
	*(char **)ctx = str_copy(job->outcome);
	return false;
}

static char *last_outcome(struct world *world, enum job_state state)
{
	char *outcome = NULL;

	ok(world->f,
	   store_job_visit(world->f->store, state, 1, keep_outcome, &outcome, &world->f->err));
	return outcome ? outcome : str_copy("none");
}

static void steps_run_in_order_and_later_ones_see_what_earlier_ones_found(void **state)
{
	struct world *world = *state;
	AUTO(free) char *outcome = NULL;

	world_put_file(world, "7", "/home/a", "1");
	world_end(world, (struct world_end){ .path = "/home/b" });
	world_end(world, (struct world_end){ .why = "told" });
	put_job(world, "probe,plain", "7", "/home/a");
	world_settle(world);
	assert_story(world, "probe job 1 step 0 attempt 1 at /home/a\n"
			    "plain job 1 step 1 attempt 1 at no file after /home/b\n"
			    "info rule/r: /home/a -> probe: moved to /home/b; plain: told\n");
	outcome = last_outcome(world, JOB_DONE);
	assert_string_equal(outcome, "probe: moved to /home/b; plain: told");
	assert_int_equal(count(world).jobs_done, 1);
}

static void attempts_are_repeated_at_growing_intervals_and_then_given_up(void **state)
{
	struct world *world = *state;
	AUTO(free) char *first = NULL;
	AUTO(free) char *last = NULL;
	AUTO(free) char *outcome = NULL;
	int64_t due_ms[2];

	for (int i = 0; i < 3; i++)
		world_end(world, (struct world_end){ ACTION_RETRY, .why = "busy" });
	put_job(world, "plain", "7", "/home/a");
	world_settle(world);
	first = world_story(world);
	assert_non_null(strstr(first, "warn rule/r: /home/a -> plain: busy; attempt 2 of 3 in "));
	ok(world->f, store_job_next_due(world->f->store, &due_ms[0], &world->f->err));
	assert_in_range(due_ms[0], WORLD_NOW_MS + 750, WORLD_NOW_MS + 1250);
	clock_advance(1250);
	world_settle(world);
	ok(world->f, store_job_next_due(world->f->store, &due_ms[1], &world->f->err));
	assert_in_range(due_ms[1], WORLD_NOW_MS + 1250 + 1500, WORLD_NOW_MS + 1250 + 2500);
	free(world_story(world));
	clock_advance(2500);
	world_settle(world);
	last = world_story(world);
	assert_non_null(strstr(last, "step 0 attempt 3"));
	assert_non_null(strstr(last, "error rule/r: /home/a -> plain: busy (after 3 attempts); "
				     "given up: kept as a dead letter (cn_monitor dead show 1)"));
	outcome = last_outcome(world, JOB_DEAD);
	assert_string_equal(outcome, "plain: busy (after 3 attempts)");
	assert_int_equal(count(world).jobs_waiting, 0);
}

static void put_job_with(struct world *world, const struct rule_step *steps, size_t count)
{
	struct rule rule = { .name = "r", .steps = steps, .step_count = count };

	put_job_of(world, &rule, "7", "/home/a");
}

static void a_step_may_fail_and_the_job_go_on(void **state)
{
	struct world *world = *state;
	AUTO(free) char *outcome = NULL;
	const struct rule_step steps[] = {
		{ .module = "plain", .options = "{}", .on_error = STEP_CONTINUE, .attempts = 1 },
		{ .module = "plain", .options = "{}", .on_error = STEP_CONTINUE },
		{ .module = "plain", .options = "{}" },
	};

	world_end(world, (struct world_end){ ACTION_RETRY, .why = "busy" });
	world_end(world, (struct world_end){ ACTION_REJECTED, .why = "no" });
	world_end(world, (struct world_end){ ACTION_DONE });
	put_job_with(world, steps, 3);
	world_settle(world);
	outcome = last_outcome(world, JOB_DONE);
	assert_string_equal(outcome, "plain: busy; plain: no; plain: done");
}

static void a_failure_is_followed_by_steps_of_its_own(void **state)
{
	struct world *world = *state;
	AUTO(free) char *outcome = NULL;
	AUTO(free) char *story = NULL;
	const struct rule_step steps[] = {
		{ .module = "plain", .options = "{}" },
		{ .module = "probe", .options = "{}", .on_error = STEP_STEPS },
		{ .module = "served", .options = "{}", .after = 2 },
		{ .module = "plain", .options = "{}" },
	};

	world_put_file(world, "7", "/home/a", "1");
	world_end(world, (struct world_end){ ACTION_DONE });
	world_end(world, (struct world_end){ ACTION_REJECTED, .why = "no" });
	world_end(world, (struct world_end){ ACTION_DONE, .why = "told" });
	put_job_with(world, steps, 4);
	world_settle(world);
	story = world_story(world);
	assert_non_null(strstr(story, "error rule/r: /home/a -> probe: no; the steps of on_error "
				      "follow\nserved job 1 step 2 attempt 1"));
	outcome = last_outcome(world, JOB_DEAD);
	assert_string_equal(outcome, "probe: no");

	/* Tried again, it is the step that failed, and then the one after it. */
	struct job dead;
	struct store_txn *txn;

	assert_int_equal(store_dead_get(world->f->store, 1, &dead, &world->f->err), 1);
	dead.due_ms = clock_now_ms();
	ok(world->f, store_begin(world->f->store, &txn, &world->f->err));
	assert_int_equal(store_dead_retry(txn, &dead, &world->f->err), 1);
	ok(world->f, store_commit(txn, &world->f->err));
	job_clear(&dead);
	world_settle(world);
	free(TAKE(story));
	story = world_story(world);
	assert_non_null(strstr(story, "probe job 1 step 1 attempt 1 at /home/a"));
	assert_non_null(strstr(story, "plain job 1 step 2 attempt 1"));
	assert_int_equal(count(world).jobs_done, 1);
}

static void what_follows_a_failure_may_fail_too(void **state)
{
	struct world *world = *state;
	AUTO(free) char *outcome = NULL;
	const struct rule_step steps[] = {
		{ .module = "plain", .options = "{}", .on_error = STEP_STEPS },
		{ .module = "plain", .options = "{}", .after = 1 },
		{ .module = "plain", .options = "{}", .after = 1 },
	};

	world_end(world, (struct world_end){ ACTION_REJECTED, .why = "no" });
	world_end(world, (struct world_end){ ACTION_REJECTED, .why = "nobody is there" });
	put_job_with(world, steps, 3);
	world_settle(world);
	outcome = last_outcome(world, JOB_DEAD);
	assert_string_equal(outcome, "plain: no; and then plain: nobody is there");
}

static void one_step_alone_may_be_a_dry_run(void **state)
{
	struct world *world = *state;
	AUTO(free) char *outcome = NULL;
	const struct rule_step steps[] = {
		{ .module = "plain", .options = "{}", .dry_run = true },
		{ .module = "plain", .options = "{}" },
	};

	put_job_with(world, steps, 2);
	world_settle(world);
	outcome = last_outcome(world, JOB_DONE);
	assert_non_null(strstr(outcome, "plain: dry run: "));
	assert_non_null(strstr(outcome, "; plain: done"));
}

static void jobs_wait_for_a_server_that_fails_and_lose_no_attempts(void **state)
{
	struct world *world = *state;
	AUTO(free) char *outcome = NULL;
	AUTO(free) char *story = NULL;

	for (int i = 0; i < 3; i++)
		world_end(world, (struct world_end){ ACTION_RETRY, .why = "status 503" });
	put_job(world, "served", "7", "/home/a");
	put_job(world, "served", "8", "/home/b");
	world_settle(world);
	/* Two failures in a row. Six minutes of jobs that come and ask: one try a pause. */
	put_job(world, "served", "9", "/home/c");
	world_settle(world);
	story = world_story(world);
	assert_non_null(strstr(story,
			       "warn act: the server failed 2 times in a row (status 503): what "
			       "goes there waits, and one job at a time tries"));
	assert_null(strstr(story, "/home/c"));
	clock_advance(1000);
	world_settle(world);
	for (int i = 0; i < 100; i++) {
		clock_advance(1000);
		world_settle(world);
	}
	free(TAKE(story));
	story = world_story(world);
	assert_non_null(
		strstr(story, "info act: the server works again; what waited for it goes on"));
	assert_int_equal(count(world).jobs_done, 3);
	assert_int_equal(count(world).jobs_dead, 0);
	outcome = last_outcome(world, JOB_DONE);
	assert_string_equal(outcome, "served: done");
}

static void a_module_may_say_not_before_when(void **state)
{
	struct world *world = *state;
	int64_t due_ms;

	world_end(world, (struct world_end){ ACTION_RETRY, .why = "slow down",
					     .not_before_ms = WORLD_NOW_MS + 30000 });
	put_job(world, "plain", "7", "/home/a");
	world_settle(world);
	ok(world->f, store_job_next_due(world->f->store, &due_ms, &world->f->err));
	assert_int_equal(due_ms, WORLD_NOW_MS + 30000);
}

static void attempts_are_counted_for_each_step_anew(void **state)
{
	struct world *world = *state;
	AUTO(free) char *story = NULL;

	world_end(world, (struct world_end){ ACTION_RETRY, .why = "busy" });
	world_end(world, (struct world_end){ ACTION_DONE });
	put_job(world, "plain,plain", "7", "/home/a");
	world_settle(world);
	clock_advance(2000);
	world_settle(world);
	story = world_story(world);
	assert_non_null(strstr(story, "step 0 attempt 2"));
	assert_non_null(strstr(story, "step 1 attempt 1"));
}

static void what_never_will_work_is_a_dead_letter_at_once(void **state)
{
	struct world *world = *state;
	AUTO(free) char *outcome = NULL;

	world_end(world, (struct world_end){ ACTION_REJECTED, .why = "no such user" });
	put_job(world, "plain,plain", "7", "/home/a");
	world_settle(world);
	outcome = last_outcome(world, JOB_DEAD);
	assert_string_equal(outcome, "plain: no such user");
	assert_int_equal(count(world).jobs_done, 0);
}

static void a_file_that_is_gone_ends_the_job_without_complaint(void **state)
{
	struct world *world = *state;
	AUTO(free) char *outcome = NULL;

	put_job(world, "probe", "7", "/home/a");
	world_settle(world);
	outcome = last_outcome(world, JOB_DONE);
	assert_string_equal(outcome, "gone: the file is gone, nothing left for probe");
	assert_int_equal(count(world).jobs_dead, 0);
	world_end(world, (struct world_end){ ACTION_GONE });
	put_job(world, "plain", "8", "/home/a");
	world_settle(world);
	assert_int_equal(count(world).jobs_done, 2);
}

/* ---- The file was moved meanwhile ---- */

static void check_nothing(void *ctx, const char *module, const struct node *options,
			  struct place place, struct problems *problems)
{
}

static size_t no_effects(void *ctx, const char *module, const char *options_json,
			 struct event_effect *effects, size_t max)
{
	return 0;
}

static void offer(struct world *world, const char *yaml)
{
	static const char *const names[] = { "probe", "plain", NULL };
	const struct rule_modules modules = { NULL, names, check_nothing, no_effects };
	AUTO(problems_free) struct problems *problems = problems_new();
	struct rule_set *set = rule_set_parse("items.yml", text_of(yaml), &modules, problems);
	AUTO(free) char *text = problems_format(problems, false);

	if (!set)
		fail_msg("%s", text);
	deliver_offer(world->deliver, 0, set);
}

#define RULES_FOR(directory)                                                              \
	"version: 1\nwatched_items:\n  - name: r\n    when: {directory: " directory "}\n" \
	"    actions: [plain: {}]\n"

static void a_file_that_was_moved_is_judged_at_its_new_place(void **state)
{
	struct world *world = *state;
	AUTO(free) char *outcome = NULL;

	offer(world, RULES_FOR("/home"));
	world_put_file(world, "7", "/home/elsewhere", "1");
	put_job(world, "probe", "7", "/home/a");
	world_settle(world);
	assert_story(world, "probe job 1 step 0 attempt 1 at /home/elsewhere\n"
			    "info rule/r: /home/elsewhere -> probe: done\n");
	world_put_file(world, "7", "/other/a", "1");
	put_job(world, "probe", "7", "/home/a");
	world_settle(world);
	assert_story(world,
		     "info rule/r: /home/a -> no longer matches: the file is at /other/a now\n");
	outcome = last_outcome(world, JOB_DONE);
	assert_string_equal(outcome, "no longer matches: the file is at /other/a now");
}

static void a_rule_that_vanished_leaves_its_jobs_as_they_were_judged(void **state)
{
	struct world *world = *state;

	offer(world, "version: 1\nwatched_items:\n  - name: other\n    when: {directory: /x}\n"
		     "    actions: [plain: {}]\n");
	world_put_file(world, "7", "/other/a", "1");
	put_job(world, "probe", "7", "/home/a");
	world_settle(world);
	assert_story(world, "probe job 1 step 0 attempt 1 at /other/a\n"
			    "info rule/r: /other/a -> probe: done\n");
}

static void a_file_that_an_earlier_step_moved_is_not_judged_again(void **state)
{
	struct world *world = *state;

	offer(world, RULES_FOR("/home"));
	world_put_file(world, "7", "/home/a", "1");
	world_end(world, (struct world_end){ .path = "/q/a", .hangs = true });
	put_job(world, "probe,probe", "7", "/home/a");
	world_settle(world);
	world_put_file(world, "7", "/q/a", "1");
	world_finish(world, (struct world_end){ .path = "/q/a" });
	world_settle(world);
	assert_story(world, "probe job 1 step 0 attempt 1 at /home/a\n"
			    "probe job 1 step 1 attempt 1 at /q/a after /q/a\n"
			    "info rule/r: /home/a -> probe: moved to /q/a; probe: done\n");
}

static void a_file_that_changed_is_read_again_but_not_forever(void **state)
{
	struct world *world = *state;
	AUTO(free) char *story = NULL;
	int64_t due_ms;

	world_put_file(world, "7", "/home/a", "1");
	for (int i = 0; i < 6; i++)
		world_end(world, (struct world_end){ ACTION_CHANGED, .why = "changed" });
	put_job(world, "probe", "7", "/home/a");
	world_settle(world);
	story = world_story(world);
	assert_non_null(strstr(story, "warn rule/r: /home/a -> probe: changed; attempt 2 of 3"));
	ok(world->f, store_job_next_due(world->f->store, &due_ms, &world->f->err));
	assert_in_range(due_ms, WORLD_NOW_MS + 1, WORLD_NOW_MS + 1250);
	assert_int_equal(world->end_count, 0);
}

static void a_file_without_an_id_is_addressed_by_its_path(void **state)
{
	struct world *world = *state;

	world_put_file(world, "7", "/home/a", "1");
	put_job(world, "probe", "", "/home/a");
	world_settle(world);
	assert_story(world, "probe job 1 step 0 attempt 1 at /home/a\n"
			    "info rule/r: /home/a -> probe: done\n");
}

static void a_cluster_that_cannot_be_reached_costs_no_attempts(void **state)
{
	struct world *world = *state;
	AUTO(free) char *story = NULL;

	world->answer = FILE_LATER;
	world->answer_status = 0;
	world_put_file(world, "7", "/home/a", "1");
	put_job(world, "probe", "7", "/home/a");
	for (int i = 0; i < 10; i++) {
		world_settle(world);
		clock_advance(120000);
	}
	assert_int_equal(count(world).jobs_dead, 0);
	free(world_story(world));
	world->answer = FILE_OK;
	world_settle(world);
	story = world_story(world);
	assert_non_null(strstr(story, "attempt 1 at /home/a"));
	assert_int_equal(count(world).jobs_done, 1);
}

static void an_error_of_the_cluster_does_cost_attempts(void **state)
{
	struct world *world = *state;
	AUTO(free) char *outcome = NULL;

	world->answer = FILE_LATER;
	world->answer_status = 503;
	put_job(world, "probe", "7", "/home/a");
	for (int i = 0; i < 3; i++) {
		world_settle(world);
		clock_advance(120000);
	}
	outcome = last_outcome(world, JOB_DEAD);
	assert_string_equal(outcome, "probe: no such luck (after 3 attempts)");
}

/* ---- Many jobs, and long ones ---- */

static void jobs_run_side_by_side_up_to_a_number_and_those_of_a_file_in_order(void **state)
{
	struct world *world = *state;
	struct deliver_status status;

	for (int i = 0; i < 4; i++)
		world_end(world, (struct world_end){ .hangs = true });
	put_job(world, "plain", "7", "/a");
	put_job(world, "plain", "7", "/a");
	put_job(world, "plain", "8", "/b");
	put_job(world, "plain", "9", "/c");
	world_settle(world);
	assert_story(world, "plain job 1 step 0 attempt 1 at no file\n"
			    "plain job 3 step 0 attempt 1 at no file\n");
	deliver_get_status(world->deliver, &status);
	assert_int_equal(status.running, 2);
	world_finish(world, (struct world_end){ 0 });
	world_settle(world);
	assert_story(world, "info rule/r: /a -> plain: done\n"
			    "plain job 2 step 0 attempt 1 at no file\n");
}

static int commits;

static void count_commits(const char *point)
{
	commits += strcmp(point, "state.commit.after") == 0;
}

static void jobs_that_end_at_once_share_one_wait_for_the_disk(void **state)
{
	struct world *world = *state;

	for (int i = 0; i < 100; i++)
		put_job(world, "plain", "", "/a");
	commits = 0;
	store_on_point(count_commits);
	world_settle(world); /* on a slow machine one turn is not enough */
	store_on_point(NULL);
	assert_int_equal(count(world).jobs_done, 100);
	assert_int_equal(commits, 1);
	free(world_story(world));
}

static void jobs_with_further_steps_do_not_crowd_past_the_number(void **state)
{
	struct world *world = *state;
	struct deliver_status status;

	for (int i = 0; i < 10; i++)
		put_job(world, "plain,plain", "", "/a");
	for (int i = 0; i < 2; i++)
		world_end(world, (struct world_end){ 0 });
	for (int i = 0; i < 8; i++)
		world_end(world, (struct world_end){ .hangs = true });
	world_settle(world);
	deliver_get_status(world->deliver, &status);
	assert_int_equal(status.running, 2);
	assert_int_equal(world->hanging_count, 2);
	free(world_story(world));
}

static void a_job_that_runs_for_long_is_not_taken_twice(void **state)
{
	struct world *world = *state;

	world_end(world, (struct world_end){ .hangs = true });
	put_job(world, "plain", "7", "/a");
	for (int i = 0; i < 20; i++) {
		world_settle(world);
		clock_advance(LEASE_MS / 2);
	}
	assert_story(world, "plain job 1 step 0 attempt 1 at no file\n");
	world_finish(world, (struct world_end){ 0 });
	world_settle(world);
	assert_int_equal(count(world).jobs_done, 1);
}

static void closing_cancels_what_runs_and_a_restart_takes_it_again(void **state)
{
	struct world *world = *state;

	world_end(world, (struct world_end){ .hangs = true });
	put_job(world, "plain", "7", "/a");
	world_settle(world);
	world_restart(world);
	world_settle(world);
	assert_story(world, "plain job 1 step 0 attempt 1 at no file\n"
			    "cancel job 1\n"
			    "plain job 1 step 0 attempt 1 at no file\n"
			    "info rule/r: /a -> plain: done\n");
}

static void what_a_step_remembered_is_there_after_a_restart(void **state)
{
	struct world *world = *state;

	offer(world, RULES_FOR("/home"));
	world_put_file(world, "7", "/home/a", "1");
	world_end(world, (struct world_end){
				 .memory = "/q/a", .expects = CHILD_FILE_MOVED_TO, .hangs = true });
	put_job(world, "probe", "7", "/home/a");
	world_settle(world);
	world_put_file(world, "7", "/q/a", "1"); /* it happened, and the answer was lost */
	world_restart(world);
	offer(world, RULES_FOR("/home"));
	world_settle(world);
	/* Not judged anew at /q/a, for that is where it was going. */
	assert_story(world, "probe job 1 step 0 attempt 1 at /home/a\n"
			    "cancel job 1\n"
			    "probe job 1 step 0 attempt 2 at /q/a remembering /q/a\n"
			    "info rule/r: /home/a -> probe: done\n");
}

static void a_dry_run_starts_nothing(void **state)
{
	struct world *world = *state;
	const struct rule_step steps[] = { { .module = "probe", .options = "{}" },
					   { .module = "plain", .options = "{}" } };
	struct rule rule = { .name = "r", .mode = RULE_DRY_RUN, .steps = steps, .step_count = 2 };

	world_put_file(world, "7", "/home/a", "1");
	put_job_of(world, &rule, "7", "/home/a");
	world_settle(world);
	assert_story(world, "info rule/r: /home/a -> probe: dry run: would probe /home/a; plain: "
			    "dry run: would probe /home/a\n");
	world->settings.act.dry_run = true;
	put_job(world, "plain", "7", "/home/a");
	world_settle(world);
	assert_story(world, "info rule/r: /home/a -> plain: dry run: would probe /home/a\n");
}

static void what_cannot_be_run_at_all_is_a_dead_letter_that_says_why(void **state)
{
	struct world *world = *state;
	struct store_txn *txn;
	struct job job = { .file_id = (char *)"1", .body = (char *)"rubbish" };
	AUTO(free) char *story = NULL;
	uint64_t id;

	put_job(world, "teleport", "7", "/home/a");
	ok(world->f, store_begin(world->f->store, &txn, &world->f->err));
	ok(world->f, store_job_put(txn, &job, &id, &world->f->err));
	ok(world->f, store_commit(txn, &world->f->err));
	world->watch.name = (char *)"renamed";
	put_job(world, "plain", "8", "/home/a");
	world_settle(world);
	story = world_story(world);
	assert_non_null(strstr(story, "cannot be read"));
	assert_non_null(strstr(story, "the watch 'main' is not configured any more"));
	assert_int_equal(count(world).jobs_dead, 3);
	world->watch.name = (char *)"main";
	put_job(world, "teleport", "7", "/home/a");
	world_settle(world);
	free(story);
	story = world_story(world);
	assert_non_null(strstr(story, "there is no action 'teleport'"));
}

#define t(test) cmocka_unit_test_setup_teardown(test, world_setup, world_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		t(steps_run_in_order_and_later_ones_see_what_earlier_ones_found),
		t(attempts_are_repeated_at_growing_intervals_and_then_given_up),
		t(a_step_may_fail_and_the_job_go_on),
		t(a_failure_is_followed_by_steps_of_its_own),
		t(what_follows_a_failure_may_fail_too),
		t(one_step_alone_may_be_a_dry_run),
		t(jobs_wait_for_a_server_that_fails_and_lose_no_attempts),
		t(a_module_may_say_not_before_when),
		t(attempts_are_counted_for_each_step_anew),
		t(what_never_will_work_is_a_dead_letter_at_once),
		t(a_file_that_is_gone_ends_the_job_without_complaint),
		t(a_file_that_was_moved_is_judged_at_its_new_place),
		t(a_rule_that_vanished_leaves_its_jobs_as_they_were_judged),
		t(a_file_that_an_earlier_step_moved_is_not_judged_again),
		t(a_file_that_changed_is_read_again_but_not_forever),
		t(a_file_without_an_id_is_addressed_by_its_path),
		t(a_cluster_that_cannot_be_reached_costs_no_attempts),
		t(an_error_of_the_cluster_does_cost_attempts),
		t(jobs_run_side_by_side_up_to_a_number_and_those_of_a_file_in_order),
		t(jobs_that_end_at_once_share_one_wait_for_the_disk),
		t(jobs_with_further_steps_do_not_crowd_past_the_number),
		t(a_job_that_runs_for_long_is_not_taken_twice),
		t(closing_cancels_what_runs_and_a_restart_takes_it_again),
		t(what_a_step_remembered_is_there_after_a_restart),
		t(a_dry_run_starts_nothing),
		t(what_cannot_be_run_at_all_is_a_dead_letter_that_says_why),
	};

	return run_on_every_store(tests, ARRAY_SIZE(tests));
}
