#include "fake_action.h"

#define NAME "no-media_12_1795366800123"

static struct fake *cluster(const char *options)
{
	struct fake *fake = fake_new();

	fake_add(fake, "3", "/in", FILE_DIRECTORY);
	fake_add(fake, "7", "/in/a.txt", FILE_REGULAR);
	fake_open(fake, "snapshot", options);
	return fake;
}

static struct action_run *go(struct fake *fake)
{
	struct action_run *run = fake_run(fake, "7", "/in/a.txt");

	fake_go(fake, run);
	return run;
}

static const char *result(const struct action_run *run, const char *key)
{
	return json_string_value(json_object_get(run->result, key));
}

static void the_files_directory_is_taken_and_the_name_says_by_which_job(void **state)
{
	AUTO(fake_free) struct fake *fake = cluster("{\"expires\": \"2h\"}");
	AUTO(fake_run_free) struct action_run *run = go(fake);

	assert_story(fake, "get /in\nsnapshot of 3 as " NAME " for 7200 s\ndone\n");
	assert_string_equal(result(run, "id"), "5");
	assert_string_equal(result(run, "name"), "5_" NAME);
	AUTO(free)
	char *undo =
		json_dumps(json_object_get(run->result, "undo"), JSON_COMPACT | JSON_SORT_KEYS);
	assert_non_null(strstr(undo, "\"remove\":\"5\""));
}

static void another_directory_and_another_name_may_be_given(void **state)
{
	AUTO(fake_free) struct fake *fake = cluster("{\"of\": \"/\", \"name\": \"before {name}\"}");
	AUTO(fake_run_free) struct action_run *run = go(fake);

	assert_int_equal(run->outcome, ACTION_DONE);
	assert_story(fake,
		     "get /\nsnapshot of 2 as before-a.txt_12_1795366800123 for 604800 s\ndone\n");
}

static void a_crash_before_the_answer_is_recognised(void **state)
{
	AUTO(fake_free) struct fake *fake = cluster("{}");
	AUTO(fake_run_free) struct action_run *first = fake_run(fake, "7", "/in/a.txt");
	AUTO(fake_run_free) struct action_run *again = NULL;

	fake_start(fake, first);
	fake_answer_call(fake);
	fake_cancel_run(fake, first); /* the request was on its way, and was done */
	again = go(fake);
	assert_story(fake, "get /in\nfind the snapshot " NAME "\ndone\n");
	assert_string_equal(result(again, "id"), "5");
}

static void a_lost_answer_is_settled_by_looking(void **state)
{
	AUTO(fake_free) struct fake *fake = cluster("{}");
	AUTO(fake_run_free) struct action_run *run = NULL;
	AUTO(fake_run_free) struct action_run *again = NULL;

	fake_fault(fake, (struct fake_fault){ "take_snapshot", FILE_AMBIGUOUS });
	run = go(fake);
	assert_int_equal(run->outcome, ACTION_RETRY);
	fake_fault(fake,
		   (struct fake_fault){ "take_snapshot", FILE_AMBIGUOUS, .is_applied = true });
	again = go(fake);
	assert_int_equal(again->outcome, ACTION_DONE);
	assert_story(fake, "get /in\nfind the snapshot " NAME "\nsnapshot of 3 as " NAME
			   " for 604800 s\nfind the snapshot " NAME "\ndone\n");
}

static void one_that_is_gone_already_needs_not_be_deleted(void **state)
{
	AUTO(fake_free) struct fake *fake = cluster("{\"remove\": \"5\"}");
	AUTO(fake_run_free) struct action_run *first = NULL;
	AUTO(fake_run_free) struct action_run *again = NULL;

	fake->snapshot = str_copy("x");
	first = go(fake);
	assert_story(fake, "drop the snapshot 5\ndone\n");
	again = go(fake);
	assert_string_equal(again->why, "nothing to do: it is not there any more");
}

static void each_answer_has_its_outcome(void **state)
{
	static const struct {
		const char *call;
		enum file_result result;
		enum action_result outcome;
		const char *why;
	} cases[] = {
		{ "get", FILE_GONE, ACTION_REJECTED, "No such entry" },
		{ "take_snapshot", FILE_DENIED, ACTION_REJECTED, "PRIVILEGE_SNAPSHOT_WRITE" },
		{ "take_snapshot", FILE_REFUSED, ACTION_REJECTED, "Invalid request" },
		{ "take_snapshot", FILE_LATER, ACTION_RETRY, "Service unavailable" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		AUTO(fake_free) struct fake *fake = cluster("{}");
		AUTO(fake_run_free) struct action_run *run = NULL;

		fake_fault(fake, (struct fake_fault){ cases[i].call, cases[i].result, 3000 });
		run = go(fake);
		assert_int_equal(run->outcome, cases[i].outcome);
		assert_non_null(strstr(run->why, cases[i].why));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_files_directory_is_taken_and_the_name_says_by_which_job),
		cmocka_unit_test(another_directory_and_another_name_may_be_given),
		cmocka_unit_test(a_crash_before_the_answer_is_recognised),
		cmocka_unit_test(a_lost_answer_is_settled_by_looking),
		cmocka_unit_test(one_that_is_gone_already_needs_not_be_deleted),
		cmocka_unit_test(each_answer_has_its_outcome),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
