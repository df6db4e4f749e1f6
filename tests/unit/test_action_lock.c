#include "fake_action.h"

/* The event is of 2026-11-22T17:00:00.123Z, which is now. */
static struct fake *cluster(const char *options)
{
	struct fake *fake = fake_new();

	fake_add(fake, "7", "/a", FILE_REGULAR);
	fake_add(fake, "8", "/d", FILE_DIRECTORY);
	fake_open(fake, "lock", options);
	return fake;
}

static struct action_run *go(struct fake *fake)
{
	struct action_run *run = fake_run(fake, "7", "/a");

	fake_go(fake, run);
	return run;
}

static const char *result(const struct action_run *run, const char *key)
{
	return json_string_value(json_object_get(run->result, key));
}

static void a_file_is_locked_as_it_was_read(void **state)
{
	AUTO(fake_free) struct fake *fake = cluster("{\"for\": \"30d\", \"confirm\": true}");
	AUTO(fake_run_free) struct action_run *run = go(fake);

	assert_story(fake, "look at the lock of 7\n"
			   "expect child_extra_attrs_changed 7 anywhere\n"
			   "lock 7 if \"77\": 2026-12-22T17:00:01.000Z -1\n"
			   "done\n");
	assert_string_equal(result(run, "retention"), "2026-12-22T17:00:01.000Z");
	assert_string_equal(result(run, "legal_hold"), "no");
	assert_string_equal(result(run, "old_legal_hold"), "no");
}

static void years_are_those_of_the_calendar(void **state)
{
	AUTO(fake_free) struct fake *fake = cluster("{\"for\": \"7 y\", \"confirm\": true}");
	AUTO(fake_run_free) struct action_run *run = go(fake);

	assert_string_equal(result(run, "retention"), "2033-11-22T17:00:01.000Z");
}

static void what_is_locked_long_enough_is_left_as_it_is(void **state)
{
	static const char *const options[] = {
		"{\"until\": \"2030-01-01\", \"confirm\": true}",
		"{\"until\": \"2029-12-31T23:00:00-01:00\", \"confirm\": true}",
		"{\"for\": \"1d\", \"confirm\": true}",
		"{\"legal_hold\": \"yes\", \"confirm\": true}",
	};

	for (size_t i = 0; i < ARRAY_SIZE(options); i++) {
		AUTO(fake_free) struct fake *fake = cluster(options[i]);
		AUTO(fake_run_free) struct action_run *run = NULL;

		fake->retention = str_copy("2030-01-01T00:00:00Z");
		fake->legal_hold = true;
		run = go(fake);
		assert_story(fake, "look at the lock of 7\ndone\n");
		assert_string_equal(run->why, "nothing to do: it is locked like that already");
	}
}

static void a_retention_is_never_shortened_when_a_hold_is_added(void **state)
{
	AUTO(fake_free)
	struct fake *fake =
		cluster("{\"for\": \"1d\", \"legal_hold\": \"yes\", \"confirm\": true}");
	AUTO(fake_run_free) struct action_run *run = NULL;

	fake->retention = str_copy("2030-01-01T00:00:00Z");
	run = go(fake);
	assert_non_null(strstr(fake->story->data, "lock 7 if \"77\": - 1\n"));
	assert_string_equal(result(run, "retention"), "2030-01-01T00:00:00Z");
	assert_string_equal(result(run, "old_retention"), "2030-01-01T00:00:00Z");
}

static void a_hold_is_lifted_without_confirmation(void **state)
{
	AUTO(fake_free) struct fake *fake = cluster("{\"legal_hold\": \"no\"}");
	AUTO(fake_run_free) UNUSED struct action_run *run = NULL;

	fake->legal_hold = true;
	run = go(fake);
	assert_non_null(strstr(fake->story->data, "lock 7 if \"77\": - 0\ndone\n"));
}

static void a_crash_before_the_answer_is_recognised(void **state)
{
	AUTO(fake_free) struct fake *fake = cluster("{\"for\": \"1d\", \"confirm\": true}");
	AUTO(fake_run_free) struct action_run *first = fake_run(fake, "7", "/a");
	AUTO(fake_run_free) struct action_run *again = NULL;

	fake_start(fake, first);
	fake_wait_for_store(fake);
	fake_store(fake);
	fake_cancel_run(fake, first); /* the request was on its way, and was done */
	clock_advance(3600000);
	again = go(fake);
	assert_story(fake, "look at the lock of 7\ndone\n");
	assert_string_equal(result(again, "old_legal_hold"), "no");
	assert_null(result(again, "old_retention"));
}

static void a_lost_answer_is_settled_by_looking(void **state)
{
	AUTO(fake_free) struct fake *fake = cluster("{\"for\": \"1d\", \"confirm\": true}");
	AUTO(fake_run_free) struct action_run *run = NULL;
	AUTO(fake_run_free) struct action_run *again = NULL;

	fake_fault(fake, (struct fake_fault){ "lock", FILE_AMBIGUOUS, .is_applied = true });
	run = go(fake);
	assert_int_equal(run->outcome, ACTION_DONE);
	free(TAKE(fake->retention));
	fake_fault(fake, (struct fake_fault){ "lock", FILE_AMBIGUOUS });
	again = go(fake);
	assert_int_equal(again->outcome, ACTION_RETRY);
}

static void each_answer_has_its_outcome(void **state)
{
	static const struct {
		const char *call;
		enum file_result result;
		enum action_result outcome;
		const char *why;
	} cases[] = {
		{ "get_lock", FILE_GONE, ACTION_GONE, "the file is gone" },
		{ "get_lock", FILE_DENIED, ACTION_REJECTED, "READ_ACL" },
		{ "lock", FILE_GONE, ACTION_GONE, "the file is gone" },
		{ "lock", FILE_CHANGED, ACTION_CHANGED, "The ETag does not match" },
		{ "lock", FILE_DENIED, ACTION_REJECTED, "PRIVILEGE_FS_FILE_LOCK_WRITE" },
		{ "lock", FILE_REFUSED, ACTION_REJECTED, "Invalid request" },
		{ "lock", FILE_LATER, ACTION_RETRY, "Service unavailable" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		AUTO(fake_free) struct fake *fake = cluster("{\"for\": \"1d\", \"confirm\": true}");
		AUTO(fake_run_free) struct action_run *run = NULL;

		fake_fault(fake, (struct fake_fault){ cases[i].call, cases[i].result, 3000 });
		run = go(fake);
		assert_int_equal(run->outcome, cases[i].outcome);
		assert_non_null(strstr(run->why, cases[i].why));
	}
}

static void what_cannot_be_locked_is_rejected_without_a_request(void **state)
{
	AUTO(fake_free) struct fake *fake = cluster("{\"for\": \"1h\", \"confirm\": true}");
	AUTO(fake_run_free) struct action_run *directory = fake_run(fake, "8", "/d");
	AUTO(fake_run_free) struct action_run *late = NULL;

	fake_go(fake, directory);
	assert_story(fake, "rejected\n");
	assert_non_null(strstr(directory->why, "only files can be locked"));
	late = fake_run(fake, "7", "/a");
	clock_advance(2 * 3600000);
	fake_go(fake, late);
	assert_story(fake, "rejected\n");
	assert_non_null(strstr(late->why, "is over"));
}

static void a_cancelled_run_ends_its_request(void **state)
{
	AUTO(fake_free) struct fake *fake = cluster("{\"for\": \"1d\", \"confirm\": true}");
	AUTO(fake_run_free) struct action_run *run = fake_run(fake, "7", "/a");

	fake_start(fake, run);
	fake_cancel_run(fake, run);
	assert_story(fake, "look at the lock of 7\ncancel\n");
}

static char *checked(const char *options)
{
	AUTO(problems_free) struct problems *problems = problems_new();
	AUTO(document_free)
	struct document *document = document_parse("w.yml", text_of(options), problems);

	action_check(action_type_find("lock"), document_root(document),
		     document_root(document)->place, problems);
	return problems_format(problems, false);
}

static void options_are_checked_when_they_are_loaded(void **state)
{
	static const char *const pairs[][2] = {
		{ "{}", "lock: nothing to do: expected for, until or legal_hold" },
		{ "{for: 1d}", "add confirm: true" },
		{ "{until: 2099-01-01}", "the time cannot be shortened" },
		{ "{legal_hold: yes}", "until somebody lifts it" },
		{ "{for: 1d, until: 2099-01-01, confirm: true}", "for and until at once" },
		{ "{for: soon, confirm: true}", "lock: for: 'soon': expected a duration" },
		{ "{for: 0y, confirm: true}", "lock: for: '0y': expected a duration" },
		{ "{for: 0s, confirm: true}", "lock: for: '0s': expected a duration" },
		{ "{until: 1.1.2030, confirm: true}", "lock: until: '1.1.2030': expected a day" },
		{ "{until: 2020-01-01, confirm: true}", "lock: until '2020-01-01' is over" },
		{ "{legal_hold: maybe, confirm: true}", "legal_hold: 'maybe': expected yes or no" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(pairs); i++) {
		AUTO(free) char *found = checked(pairs[i][0]);

		if (!strstr(found, pairs[i][1]))
			fail_msg("%s: '%s' does not say '%s'", pairs[i][0], found, pairs[i][1]);
	}
	AUTO(free) char *fine = checked("{for: 10w, legal_hold: yes, confirm: true}");
	AUTO(free) char *lifted = checked("{legal_hold: no}");
	assert_string_equal(fine, "");
	assert_string_equal(lifted, "");
}

static void a_plan_says_what_would_be_locked_and_until_when(void **state)
{
	AUTO(fake_free)
	struct fake *fake =
		cluster("{\"for\": \"1d\", \"legal_hold\": \"yes\", \"confirm\": true}");
	AUTO(fake_run_free) struct action_run *run = fake_run(fake, "7", "/a");
	AUTO(free) char *plan = run->action->type->plan(run);

	assert_string_equal(plan, "would make /a locked until 2026-11-23T17:00:01.000Z, under a "
				  "legal hold, as far as it is not yet");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_file_is_locked_as_it_was_read),
		cmocka_unit_test(years_are_those_of_the_calendar),
		cmocka_unit_test(what_is_locked_long_enough_is_left_as_it_is),
		cmocka_unit_test(a_retention_is_never_shortened_when_a_hold_is_added),
		cmocka_unit_test(a_hold_is_lifted_without_confirmation),
		cmocka_unit_test(a_crash_before_the_answer_is_recognised),
		cmocka_unit_test(a_lost_answer_is_settled_by_looking),
		cmocka_unit_test(each_answer_has_its_outcome),
		cmocka_unit_test(what_cannot_be_locked_is_rejected_without_a_request),
		cmocka_unit_test(a_cancelled_run_ends_its_request),
		cmocka_unit_test(options_are_checked_when_they_are_loaded),
		cmocka_unit_test(a_plan_says_what_would_be_locked_and_until_when),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
