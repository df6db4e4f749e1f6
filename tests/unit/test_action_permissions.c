#include "fake_action.h"

/* The fake's file: mode 0644, owner NFS uid 1000, group LOCAL_GROUP Users. */
static struct fake *cluster(const char *options)
{
	struct fake *fake = fake_new();

	fake_add(fake, "7", "/a", FILE_REGULAR);
	fake_open(fake, "permissions", options);
	return fake;
}

static struct action_run *go(struct fake *fake)
{
	struct action_run *run = fake_run(fake, "7", "/a");

	fake_go(fake, run);
	return run;
}

static void only_what_differs_is_expected_and_changed(void **state)
{
	AUTO(fake_free)
	struct fake *fake =
		cluster("{\"mode\": \"0600\", \"owner\": \"1000\", \"group\": \"media\"}");
	AUTO(fake_run_free) struct action_run *run = go(fake);

	assert_story(fake, "expect child_acl_changed 7 anywhere\n"
			   "expect child_group_changed 7 anywhere\n"
			   "change 7 if \"77\": mode 0600 group LOCAL_GROUP media\n"
			   "done\n");
	assert_string_equal(json_string_value(json_object_get(run->result, "change_time")),
			    "2026-11-22T17:00:01.5Z");
	assert_string_equal(json_string_value(json_object_get(run->result, "old_mode")), "0644");
	assert_string_equal(json_string_value(json_object_get(run->result, "old_group")), "513");
}

static void an_answer_that_shows_somebody_elses_mode_is_not_what_we_left_behind(void **state)
{
	AUTO(fake_free) struct fake *fake = cluster("\"0600\"");
	AUTO(fake_run_free) struct action_run *run = NULL;

	fake->mode_left = 0666;
	run = go(fake);
	assert_int_equal(run->outcome, ACTION_DONE);
	assert_string_equal(json_string_value(json_object_get(run->result, "change_time")), "");
}

static void what_is_so_already_causes_no_request(void **state)
{
	static const char *const options[] = {
		"\"644\"",
		"{\"owner\": \"uid:1000\"}",
		"{\"owner\": \"auth_id:12884902888\"}",
		"{\"group\": \"Users\"}",
		"{\"group\": \"auth_id:513\"}",
	};

	for (size_t i = 0; i < ARRAY_SIZE(options); i++) {
		AUTO(fake_free) struct fake *fake = cluster(options[i]);
		AUTO(fake_run_free) struct action_run *run = go(fake);

		assert_story(fake, "done\n");
		assert_string_equal(run->why, "nothing to do: it is so already");
	}
}

static void assert_changes(const char *options, const char *change)
{
	AUTO(fake_free) struct fake *fake = cluster(options);
	AUTO(fake_run_free) UNUSED struct action_run *run = go(fake);

	if (!strstr(fake->story->data, change))
		fail_msg("%s: %s", options, fake->story->data);
}

static void identities_are_told_in_the_clusters_words(void **state)
{
	assert_changes("{\"owner\": \"root\"}", "owner NFS_UID 0\n");
	assert_changes("{\"group\": \"root\"}", "group NFS_GID 0\n");
	assert_changes("{\"owner\": \"2000\"}", "owner NFS_UID 2000\n");
	assert_changes("{\"group\": \"2000\"}", "group NFS_GID 2000\n");
	assert_changes("{\"group\": \"uid:5\"}", "group NFS_UID 5\n");
	assert_changes("{\"owner\": \"editor\"}", "owner LOCAL_USER editor\n");
	assert_changes("{\"group\": \"media\"}", "group LOCAL_GROUP media\n");
	assert_changes("{\"owner\": \"local:1000\"}", "owner LOCAL_USER 1000\n");
	assert_changes("{\"owner\": \"auth_id:500\"}", "owner auth_id 500\n");
	assert_changes("{\"owner\": \"sid:S-1-5-32-544\"}", "owner SMB_SID S-1-5-32-544\n");
}

static void a_file_that_changed_under_our_hands_is_judged_again(void **state)
{
	AUTO(fake_free) struct fake *fake = cluster("\"0600\"");
	AUTO(fake_run_free) struct action_run *run = NULL;

	fake_fault(fake, (struct fake_fault){ "change", FILE_CHANGED });
	run = go(fake);
	assert_int_equal(run->outcome, ACTION_CHANGED);
	assert_non_null(strstr(fake->story->data, "withdraw\nchanged\n"));
}

static void a_lost_answer_is_settled_by_looking(void **state)
{
	AUTO(fake_free) struct fake *fake = cluster("\"0600\"");
	AUTO(fake_run_free) struct action_run *run = NULL;

	fake_fault(fake, (struct fake_fault){ "change", FILE_AMBIGUOUS });
	run = go(fake);
	assert_story(fake, "expect child_acl_changed 7 anywhere\n"
			   "change 7 if \"77\": mode 0600\n"
			   "get 7\n"
			   "retry\n");
}

static void each_answer_has_its_outcome(void **state)
{
	static const struct {
		enum file_result result;
		enum action_result outcome;
		const char *why;
	} cases[] = {
		{ FILE_GONE, ACTION_GONE, "the file is gone" },
		{ FILE_DENIED, ACTION_REJECTED, "WRITE_ACL" },
		{ FILE_REFUSED, ACTION_REJECTED, "Invalid request" },
		{ FILE_LATER, ACTION_RETRY, "Service unavailable" },
		{ FILE_BUSY, ACTION_RETRY, "Somebody holds it open" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		AUTO(fake_free) struct fake *fake = cluster("\"0600\"");
		AUTO(fake_run_free) struct action_run *run = NULL;

		fake_fault(fake, (struct fake_fault){ "change", cases[i].result, 3000 });
		run = go(fake);
		assert_int_equal(run->outcome, cases[i].outcome);
		assert_non_null(strstr(run->why, cases[i].why));
		assert_true(run->not_before_ms ==
			    (run->outcome == ACTION_RETRY ? NOW_MS + 3000 : 0));
	}
}

static void nothing_goes_out_if_the_expectation_cannot_be_stored(void **state)
{
	AUTO(fake_free) struct fake *fake = cluster("\"0600\"");
	AUTO(fake_run_free) struct action_run *run = NULL;

	fake->expect_fails = true;
	run = go(fake);
	assert_story(fake, "retry\n");
}

static void a_cancelled_change_ends_its_request(void **state)
{
	AUTO(fake_free) struct fake *fake = cluster("\"0600\"");
	AUTO(fake_run_free) struct action_run *run = fake_run(fake, "7", "/a");

	fake_start(fake, run);
	fake_cancel_run(fake, run);
	assert_non_null(strstr(fake->story->data, "cancel\n"));
}

static void nothing_goes_out_if_it_is_cancelled_before_the_expectation_is_stored(void **state)
{
	AUTO(fake_free) struct fake *fake = cluster("\"0600\"");
	AUTO(fake_run_free) struct action_run *run = fake_run(fake, "7", "/a");

	run->action->type->start(run);
	fake_cancel_run(fake, run);
	assert_story(fake, "expect child_acl_changed 7 anywhere\n");
	assert_false(run->is_finished);
}

static char *checked(const char *options)
{
	AUTO(problems_free) struct problems *problems = problems_new();
	AUTO(document_free)
	struct document *document = document_parse("w.yml", text_of(options), problems);

	action_check(action_type_find("permissions"), document_root(document),
		     document_root(document)->place, problems);
	return problems_format(problems, false);
}

static void options_are_checked_when_they_are_loaded(void **state)
{
	static const char *const pairs[][2] = {
		{ "{}", "nothing to set" },
		{ "{mode: rw}", "an octal mode" },
		{ "{owner: \"sid:500\"}", "permissions: owner 'sid:500': expected a number" },
		{ "{owner: \"uid:x\"}", "owner 'uid:x'" },
		{ "{group: \"auth_id:\"}", "group 'auth_id:'" },
		{ "{group: \"a:b\"}", "group 'a:b'" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(pairs); i++) {
		AUTO(free) char *found = checked(pairs[i][0]);

		if (!strstr(found, pairs[i][1]))
			fail_msg("%s: '%s' does not say '%s'", pairs[i][0], found, pairs[i][1]);
	}
	AUTO(free) char *fine = checked("{mode: \"0640\", owner: root, group: media}");
	assert_string_equal(fine, "");
}

static void its_effects_are_known_for_the_loop_check(void **state)
{
	struct event_effect effect = { 0 };

	assert_int_equal(action_effects(action_type_find("permissions"),
					"{\"mode\": \"0600\", \"group\": \"5\"}", &effect, 1),
			 1);
	assert_true(effect.kinds ==
		    (EVENT_KIND(CHILD_ACL_CHANGED) | EVENT_KIND(CHILD_GROUP_CHANGED)));
	assert_true(effect.same_file);
}

static void a_plan_says_what_would_be_set(void **state)
{
	AUTO(fake_free) struct fake *fake = cluster("{\"mode\": \"0600\", \"owner\": \"root\"}");
	AUTO(fake_run_free) struct action_run *run = fake_run(fake, "7", "/a");
	AUTO(free) char *plan = run->action->type->plan(run);

	assert_string_equal(plan, "would set mode 0600 owner root on /a");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(only_what_differs_is_expected_and_changed),
		cmocka_unit_test(
			an_answer_that_shows_somebody_elses_mode_is_not_what_we_left_behind),
		cmocka_unit_test(what_is_so_already_causes_no_request),
		cmocka_unit_test(identities_are_told_in_the_clusters_words),
		cmocka_unit_test(a_file_that_changed_under_our_hands_is_judged_again),
		cmocka_unit_test(a_lost_answer_is_settled_by_looking),
		cmocka_unit_test(each_answer_has_its_outcome),
		cmocka_unit_test(nothing_goes_out_if_the_expectation_cannot_be_stored),
		cmocka_unit_test(a_cancelled_change_ends_its_request),
		cmocka_unit_test(
			nothing_goes_out_if_it_is_cancelled_before_the_expectation_is_stored),
		cmocka_unit_test(options_are_checked_when_they_are_loaded),
		cmocka_unit_test(its_effects_are_known_for_the_loop_check),
		cmocka_unit_test(a_plan_says_what_would_be_set),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
