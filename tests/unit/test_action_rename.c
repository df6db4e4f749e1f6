#include "fake_action.h"

static struct fake *cluster(const char *options)
{
	struct fake *fake = fake_new();

	fake_add(fake, "3", "/home", FILE_DIRECTORY);
	fake_add(fake, "7", "/home/a.tmp", FILE_REGULAR);
	fake_open(fake, "rename", options);
	return fake;
}

static struct action_run *go(struct fake *fake)
{
	struct action_run *run = fake_run(fake, "7", fake_find(fake, "7")->path);

	fake_go(fake, run);
	return run;
}

static void a_file_is_renamed_in_its_directory_without_asking_for_it(void **state)
{
	AUTO(fake_free) struct fake *fake = cluster("{\"to\": \"{name}.done\"}");
	AUTO(fake_run_free) struct action_run *run = go(fake);

	assert_story(fake, "expect child_file_moved_from 7 /home/a.tmp\n"
			   "expect child_file_moved_to 7 /home/a.tmp.done\n"
			   "move /home/a.tmp to /home/a.tmp.done\n"
			   "done\n");
	assert_string_equal(json_string_value(json_object_get(run->result, "path")),
			    "/home/a.tmp.done");
}

static void a_name_that_it_has_already_is_nothing_to_do(void **state)
{
	AUTO(fake_free) struct fake *fake = cluster("{\"to\": \"{stem}{extension}\"}");
	AUTO(fake_run_free) struct action_run *run = go(fake);

	assert_story(fake, "done\n");
	assert_string_equal(run->why, "nothing to do: it is at /home/a.tmp already");
}

static void after_a_crash_it_is_not_renamed_twice(void **state)
{
	AUTO(fake_free) struct fake *fake = cluster("{\"to\": \"{name}.done\"}");
	AUTO(fake_run_free) struct action_run *first = fake_run(fake, "7", "/home/a.tmp");
	AUTO(fake_run_free) struct action_run *second = NULL;

	fake_start(fake, first);
	fake_cancel_run(fake, first);
	second = go(fake);
	assert_story(fake, "done\n");
	assert_string_equal(fake_find(fake, "7")->path, "/home/a.tmp.done");
}

static void a_path_leads_to_another_directory_which_is_made(void **state)
{
	AUTO(fake_free) struct fake *fake = cluster("{\"to\": \"/archive/{date}/{name}\"}");
	AUTO(fake_run_free) struct action_run *run = go(fake);

	assert_int_equal(run->outcome, ACTION_DONE);
	assert_string_equal(fake_find(fake, "7")->path, "/archive/2026-11-22/a.tmp");
}

static void a_path_with_a_slash_at_its_end_keeps_the_name(void **state)
{
	AUTO(fake_free) struct fake *fake = cluster("{\"to\": \"{dir}/done/\"}");
	AUTO(fake_run_free) struct action_run *run = go(fake);

	assert_int_equal(run->outcome, ACTION_DONE);
	assert_string_equal(fake_find(fake, "7")->path, "/home/done/a.tmp");
}

static void by_default_a_taken_name_leaves_both_alone(void **state)
{
	AUTO(fake_free) struct fake *fake = cluster("{\"to\": \"b.tmp\"}");
	AUTO(fake_run_free) struct action_run *run = NULL;

	fake_add(fake, "8", "/home/b.tmp", FILE_REGULAR);
	run = go(fake);
	assert_int_equal(run->outcome, ACTION_REJECTED);
	assert_non_null(strstr(run->why, "/home/b.tmp exists"));
	assert_non_null(strstr(fake->story->data, "withdraw\nrejected\n"));
}

static void with_suffix_a_taken_name_gets_a_number(void **state)
{
	AUTO(fake_free)
	struct fake *fake = cluster("{\"to\": \"b.tmp\", \"collision\": \"suffix\"}");
	AUTO(fake_run_free) struct action_run *run = NULL;

	fake_add(fake, "8", "/home/b.tmp", FILE_REGULAR);
	run = go(fake);
	assert_int_equal(run->outcome, ACTION_DONE);
	assert_string_equal(fake_find(fake, "7")->path, "/home/b (2).tmp");
}

static void with_replace_the_removal_of_the_other_is_expected_too(void **state)
{
	AUTO(fake_free)
	struct fake *fake = cluster("{\"to\": \"b.tmp\", \"collision\": \"replace\"}");
	AUTO(fake_run_free) struct action_run *run = NULL;

	fake_add(fake, "8", "/home/b.tmp", FILE_REGULAR);
	run = go(fake);
	assert_story(fake, "get /home/b.tmp\n"
			   "expect child_file_moved_from 7 /home/a.tmp\n"
			   "expect child_file_moved_to 7 /home/b.tmp\n"
			   "expect child_file_removed 8 /home/b.tmp\n"
			   "move /home/a.tmp to /home/b.tmp replacing\n"
			   "done\n");
	assert_null(fake_find(fake, "8"));
}

static void take_the_name(struct fake *fake)
{
	fake_add(fake, "8", "/home/b.tmp", FILE_REGULAR);
}

static void a_file_that_appears_at_the_last_moment_is_looked_at_first(void **state)
{
	AUTO(fake_free)
	struct fake *fake = cluster("{\"to\": \"b.tmp\", \"collision\": \"replace\"}");
	AUTO(fake_run_free) struct action_run *run = NULL;

	fake->before_move = take_the_name;
	run = go(fake);
	assert_int_equal(run->outcome, ACTION_DONE);
	assert_non_null(strstr(fake->story->data, "move /home/a.tmp to /home/b.tmp\n"
						  "withdraw\n"
						  "get /home/b.tmp\n"));
	assert_non_null(strstr(fake->story->data, "expect child_file_removed 8 /home/b.tmp\n"));
}

static void a_directory_is_never_replaced(void **state)
{
	AUTO(fake_free)
	struct fake *fake = cluster("{\"to\": \"b.tmp\", \"collision\": \"replace\"}");
	AUTO(fake_run_free) struct action_run *run = NULL;

	fake_add(fake, "8", "/home/b.tmp", FILE_DIRECTORY);
	run = go(fake);
	assert_int_equal(run->outcome, ACTION_REJECTED);
	assert_non_null(strstr(run->why, "is a directory"));
}

static void a_directory_does_not_move_into_itself(void **state)
{
	AUTO(fake_free) struct fake *fake = cluster("{\"to\": \"{path}/inside\"}");
	AUTO(fake_run_free) struct action_run *run = NULL;

	fake_find(fake, "7")->type = FILE_DIRECTORY;
	run = go(fake);
	assert_story(fake, "rejected\n");
	assert_string_equal(run->why, "/home/a.tmp cannot be moved into itself");
}

static void a_name_that_is_none_is_refused(void **state)
{
	static const char *const templates[] = { "{old_name}", "{log.path}",        "{old_name}..",
						 "{stem}/x",   "/home/{old_name}.", "{dir}/./x" };

	for (size_t i = 0; i < ARRAY_SIZE(templates); i++) {
		AUTO(free) char *options = str_format("{\"to\": \"%s\"}", templates[i]);
		AUTO(fake_free) struct fake *fake = cluster(options);
		AUTO(fake_run_free) struct action_run *run = go(fake);

		assert_story(fake, "rejected\n");
		assert_non_null(strstr(run->why, "is no name for a file"));
	}
}

static void a_file_that_moved_is_renamed_where_it_is(void **state)
{
	AUTO(fake_free) struct fake *fake = cluster("{\"to\": \"{stem}.done\"}");
	AUTO(fake_run_free) struct action_run *run = NULL;

	fake_add(fake, "30", "/q", FILE_DIRECTORY);
	fake_place(fake, "7", "/q/a (2).tmp");
	run = fake_run(fake, "7", "/home/a.tmp");
	fake_go(fake, run);
	assert_int_equal(run->outcome, ACTION_DONE);
	assert_string_equal(fake_find(fake, "7")->path, "/q/a.done");
}

/* Created and written at once: two events, two jobs, and the first has renamed it. */
static void what_another_job_of_the_file_did_is_not_done_again(void **state)
{
	AUTO(fake_free) struct fake *fake = cluster("{\"to\": \"{name}.done\"}");
	AUTO(fake_run_free) struct action_run *run = NULL;

	fake_place(fake, "7", "/home/a.tmp.done");
	run = fake_run(fake, "7", "/home/a.tmp.done");
	run->first_path = "/home/a.tmp";
	fake_go(fake, run);
	assert_story(fake, "done\n");
	assert_string_equal(run->why, "nothing to do: it is at /home/a.tmp.done already");
}

static void what_somebody_else_made_of_the_name_is_renamed(void **state)
{
	AUTO(fake_free) struct fake *fake = cluster("{\"to\": \"{name}.done\"}");
	AUTO(fake_run_free) struct action_run *run = NULL;

	fake_place(fake, "7", "/home/b.tmp");
	run = fake_run(fake, "7", "/home/b.tmp");
	run->first_path = "/home/a.tmp";
	fake_go(fake, run);
	assert_string_equal(fake_find(fake, "7")->path, "/home/b.tmp.done");
}

static char *checked(const char *options)
{
	AUTO(problems_free) struct problems *problems = problems_new();
	AUTO(document_free)
	struct document *document = document_parse("w.yml", text_of(options), problems);

	action_check(action_type_find("rename"), document_root(document),
		     document_root(document)->place, problems);
	return problems_format(problems, false);
}

static void the_new_name_is_checked_when_it_is_loaded(void **state)
{
	static const char *const pairs[][2] = {
		{ "{to: sub/x}", "expected a name without /" },
		{ "{to: ..}", "is no name for a file" },
		{ "{to: \"\"}", "to is empty" },
		{ "{to: \"{stm}.x\"}", "did you mean {stem}?" },
		{ "{to: done}", "is the same name for every file" },
		{ "{to: \"{name}\", collision: maybe}", "fail, suffix or replace" },
		{ "{collision: fail}", "to" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(pairs); i++) {
		AUTO(free) char *found = checked(pairs[i][0]);

		if (!strstr(found, pairs[i][1]))
			fail_msg("%s: '%s' does not say '%s'", pairs[i][0], found, pairs[i][1]);
	}
	AUTO(free) char *fine = checked("\"{stem}.{date}{extension}\"");
	assert_string_equal(fine, "");
}

static void assert_effect(const char *to, const char *path, const char *name, bool same_directory,
			  bool keeps_name)
{
	struct event_effect effects[8] = { 0 };
	AUTO(free) char *options = str_format("{\"to\": \"%s\"}", to);
	size_t count = action_effects(action_type_find("rename"), options, effects, 8);

	assert_true(count >= 2);
	assert_true(effects[0].same_file);
	assert_true(effects[1].kinds & EVENT_RENAMED);
	assert_true(effects[1].same_directory == same_directory);
	assert_true(effects[1].keeps_name == keeps_name);
	if (path)
		assert_string_equal(effects[1].path, path);
	else
		assert_null(effects[1].path);
	if (name)
		assert_string_equal(effects[1].name, name);
	else
		assert_null(effects[1].name);
	for (size_t i = 0; i < count; i++) {
		free(effects[i].path);
		free(effects[i].name);
	}
}

static void its_effects_are_known_for_the_loop_check(void **state)
{
	assert_effect("{name}.done", NULL, "*.done", true, false);
	assert_effect("{dir}/{stem}.old", NULL, "*.old", true, false);
	assert_effect("/archive/{date}/{name}", "/archive", NULL, false, true);
	assert_effect("/archive/x-{name}", "/archive", "x-*", false, false);
	assert_effect("/archive/", "/archive", NULL, false, true);
	assert_effect("{dir}/done/{name}", NULL, NULL, false, true);
	assert_effect("/originals{path}", "/originals", NULL, false, true);
	assert_effect("/originals/{path}", "/originals", NULL, false, true);
	assert_effect("/by-day{dir}/{date}.{name}", "/by-day", "*.*", false, false);
}

static void a_plan_does_nothing(void **state)
{
	AUTO(fake_free) struct fake *fake = cluster("{\"to\": \"{stem}.x\"}");
	AUTO(fake_run_free) struct action_run *run = fake_run(fake, "7", "/home/a.tmp");
	AUTO(free) char *plan = run->action->type->plan(run);

	assert_string_equal(plan, "would rename /home/a.tmp to /home/a.x");
	assert_int_equal(fake->story->size, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_file_is_renamed_in_its_directory_without_asking_for_it),
		cmocka_unit_test(a_name_that_it_has_already_is_nothing_to_do),
		cmocka_unit_test(after_a_crash_it_is_not_renamed_twice),
		cmocka_unit_test(a_path_leads_to_another_directory_which_is_made),
		cmocka_unit_test(a_path_with_a_slash_at_its_end_keeps_the_name),
		cmocka_unit_test(by_default_a_taken_name_leaves_both_alone),
		cmocka_unit_test(with_suffix_a_taken_name_gets_a_number),
		cmocka_unit_test(with_replace_the_removal_of_the_other_is_expected_too),
		cmocka_unit_test(a_file_that_appears_at_the_last_moment_is_looked_at_first),
		cmocka_unit_test(a_directory_is_never_replaced),
		cmocka_unit_test(a_directory_does_not_move_into_itself),
		cmocka_unit_test(a_name_that_is_none_is_refused),
		cmocka_unit_test(a_file_that_moved_is_renamed_where_it_is),
		cmocka_unit_test(what_another_job_of_the_file_did_is_not_done_again),
		cmocka_unit_test(what_somebody_else_made_of_the_name_is_renamed),
		cmocka_unit_test(the_new_name_is_checked_when_it_is_loaded),
		cmocka_unit_test(its_effects_are_known_for_the_loop_check),
		cmocka_unit_test(a_plan_does_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
