#include "fake_action.h"

static struct fake *cluster(void)
{
	struct fake *fake = fake_new();

	fake_add(fake, "7", "/in/a.tmp", FILE_REGULAR);
	fake_add(fake, "8", "/in/d", FILE_DIRECTORY);
	fake_open(fake, "delete", "{\"confirm\": true}");
	return fake;
}

static struct action_run *go(struct fake *fake, const char *id, const char *path)
{
	struct action_run *run = fake_run(fake, id, path);

	fake_go(fake, run);
	return run;
}

static const char *result(const struct action_run *run, const char *key)
{
	return json_string_value(json_object_get(run->result, key));
}

static void what_is_deleted_is_expected_first_and_named_by_its_id(void **state)
{
	AUTO(fake_free) struct fake *fake = cluster();
	AUTO(fake_run_free) struct action_run *file = go(fake, "7", "/in/a.tmp");

	assert_story(fake, "expect child_file_removed 7 anywhere\nremove 7\ndone\n");
	assert_string_equal(result(file, "from"), "/in/a.tmp");
	assert_string_equal(result(file, "bytes"), "4711");
	AUTO(fake_run_free) struct action_run *directory = NULL;
	json_decref(TAKE(fake->stored));
	directory = go(fake, "8", "/in/d");
	assert_story(fake, "expect child_dir_removed 8 anywhere\nremove 8\ndone\n");
}

static void a_crash_before_the_answer_is_recognised(void **state)
{
	AUTO(fake_free) struct fake *fake = cluster();
	AUTO(fake_run_free) struct action_run *first = fake_run(fake, "7", "/in/a.tmp");
	AUTO(fake_run_free) struct action_run *again = NULL;

	fake_start(fake, first);
	fake_cancel_run(fake, first); /* the request was on its way, and was done */
	again = go(fake, "7", "/in/a.tmp");
	assert_story(fake, "done\n");
	assert_string_equal(result(again, "from"), "/in/a.tmp");
}

static void a_lost_answer_is_settled_by_looking(void **state)
{
	AUTO(fake_free) struct fake *fake = cluster();
	AUTO(fake_run_free) struct action_run *run = NULL;
	AUTO(fake_run_free) struct action_run *again = NULL;

	fake_fault(fake, (struct fake_fault){ "remove", FILE_AMBIGUOUS });
	run = go(fake, "7", "/in/a.tmp");
	assert_int_equal(run->outcome, ACTION_RETRY);
	fake_fault(fake, (struct fake_fault){ "remove", FILE_AMBIGUOUS, .is_applied = true });
	again = go(fake, "7", "/in/a.tmp");
	assert_int_equal(again->outcome, ACTION_DONE);
	assert_story(fake, "expect child_file_removed 7 anywhere\nremove 7\nget 7\ndone\n");
}

static void each_answer_has_its_outcome(void **state)
{
	static const struct {
		enum file_result result;
		enum action_result outcome;
		const char *why;
	} cases[] = {
		{ FILE_GONE, ACTION_GONE, "the file is gone" },
		{ FILE_EXISTS, ACTION_REJECTED, "the directory is not empty" },
		{ FILE_DENIED, ACTION_REJECTED, "DELETE_CHILD" },
		{ FILE_REFUSED, ACTION_REJECTED, "Invalid request" },
		{ FILE_BUSY, ACTION_RETRY, "Somebody holds it open" },
		{ FILE_LATER, ACTION_RETRY, "Service unavailable" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		AUTO(fake_free) struct fake *fake = cluster();
		AUTO(fake_run_free) struct action_run *run = NULL;

		fake_fault(fake, (struct fake_fault){ "remove", cases[i].result, 3000 });
		run = go(fake, "7", "/in/a.tmp");
		assert_int_equal(run->outcome, cases[i].outcome);
		assert_non_null(strstr(run->why, cases[i].why));
		assert_non_null(strstr(fake->story->data, "withdraw\n"));
	}
}

static void without_a_store_that_remembers_nothing_is_deleted(void **state)
{
	AUTO(fake_free) struct fake *fake = cluster();
	AUTO(fake_run_free) struct action_run *run = NULL;

	fake->expect_fails = true;
	run = go(fake, "7", "/in/a.tmp");
	assert_int_equal(run->outcome, ACTION_RETRY);
	assert_null(strstr(fake->story->data, "remove"));
}

static void a_dry_run_says_what_it_would_do(void **state)
{
	AUTO(fake_free) struct fake *fake = cluster();
	AUTO(fake_run_free) struct action_run *run = fake_run(fake, "7", "/in/a.tmp");
	AUTO(free) char *plan = run->action->type->plan(run);

	assert_string_equal(plan, "would delete /in/a.tmp (4711 bytes)");
	assert_int_equal(fake->story->size, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_deleted_is_expected_first_and_named_by_its_id),
		cmocka_unit_test(a_crash_before_the_answer_is_recognised),
		cmocka_unit_test(a_lost_answer_is_settled_by_looking),
		cmocka_unit_test(each_answer_has_its_outcome),
		cmocka_unit_test(without_a_store_that_remembers_nothing_is_deleted),
		cmocka_unit_test(a_dry_run_says_what_it_would_do),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
