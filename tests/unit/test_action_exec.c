#include "fake_action.h"

#include <unistd.h>

/* Runs a shell script given as the last argument: the tests' own program, not the module's. */
static struct action_run *script(struct fake *fake, const char *path, const char *more,
				 const char *text)
{
	json_t *options = json_pack("{s:[s,s,s,s]}", "command", "/bin/sh", "-c", text, "{path}");
	json_t *others = json_loads(more, 0, NULL);
	struct action_run *run;

	json_object_update(options, others);
	AUTO(free) char *json = json_dumps(options, 0);
	json_decref(options);
	json_decref(others);
	fake_open(fake, "exec", json);
	run = fake_run(fake, "7", path);
	fake_go(fake, run);
	return run;
}

static const char *output(const struct action_run *run)
{
	return json_string_value(json_object_get(run->result, "output"));
}

static void a_program_gets_the_event_on_its_standard_input(void **state)
{
	AUTO(fake_free) struct fake *fake = fake_new();
	AUTO(fake_run_free) struct action_run *run = script(fake, "/home/a", "{}", "cat");

	assert_int_equal(run->outcome, ACTION_DONE);
	assert_non_null(strstr(output(run), "\"event\":\"child_file_added\""));
	assert_non_null(strstr(output(run), "\"path\":\"/home/a\""));
}

static void a_hostile_name_reaches_the_program_unharmed(void **state)
{
	AUTO(fake_free) struct fake *fake = fake_new();
	const char *path = "/home/-rf $(reboot) `x` \"q\" 'p' \\ *\n;😀";
	AUTO(fake_run_free)
	struct action_run *run =
		script(fake, path, "{}", "test \"$0\" = \"$CN_PATH\" && printf %s \"$0\"");

	assert_int_equal(run->outcome, ACTION_DONE);
	assert_string_equal(output(run), path);
}

static void the_environment_tells_about_the_event(void **state)
{
	AUTO(fake_free) struct fake *fake = fake_new();
	AUTO(fake_run_free)
	struct action_run *run =
		script(fake, "/home/joe/a.jpg", "{}",
		       "echo $CN_NAME $CN_DIR $CN_EVENT $CN_FILE_ID $CN_RULE $CN_WATCH "
		       "$CN_CLUSTER $CN_ORIGIN $CN_TIME $CN_JOB [$CN_OLD_PATH]");

	assert_string_equal(output(run),
			    "a.jpg /home/joe child_file_added 7 no-media main default live "
			    "2026-11-22T17:00:00.123Z 12 []");
}

static void our_own_secrets_stay_with_us(void **state)
{
	AUTO(fake_free) struct fake *fake = fake_new();

	setenv("CN_MONITOR_CLUSTER_TOKEN", "top secret", 1);
	setenv("SOMETHING_ELSE", "private", 1);
	AUTO(fake_run_free) struct action_run *run = script(fake, "/home/a", "{}", "env");
	assert_non_null(strstr(output(run), "PATH="));
	assert_null(strstr(output(run), "top secret"));
	assert_null(strstr(output(run), "private"));
}

static void own_variables_are_templates(void **state)
{
	AUTO(fake_free) struct fake *fake = fake_new();
	AUTO(fake_run_free)
	struct action_run *run = script(
		fake, "/home/a.jpg",
		"{\"environment\": [\"WHAT=<{stem}>\", \"EMPTY=\"], \"directory\": \"/usr\"}",
		"echo $WHAT $EMPTY $(pwd)");

	assert_string_equal(output(run), "<a> /usr");
}

static void exit_status_75_asks_for_another_try(void **state)
{
	AUTO(fake_free) struct fake *fake = fake_new();
	AUTO(fake_run_free)
	struct action_run *run = script(fake, "/home/a", "{}", "echo later >&2; exit 75");

	assert_int_equal(run->outcome, ACTION_RETRY);
	assert_string_equal(run->why, "/bin/sh asks to be tried again (exit status 75): later");
}

static void another_exit_status_is_final_and_its_last_words_are_kept(void **state)
{
	AUTO(fake_free) struct fake *fake = fake_new();
	AUTO(fake_run_free)
	struct action_run *run =
		script(fake, "/home/a", "{}",
		       "echo one >&2; printf 'no \\033[31mspace\\377\\n\\n' >&2; exit 3");

	assert_int_equal(run->outcome, ACTION_REJECTED);
	assert_string_equal(run->why,
			    "/bin/sh failed with exit status 3: no  [31mspace\xEF\xBF\xBD");
}

static void a_program_that_a_signal_ended_is_tried_again(void **state)
{
	AUTO(fake_free) struct fake *fake = fake_new();
	AUTO(fake_run_free) struct action_run *run = script(fake, "/home/a", "{}", "kill -9 $$");

	assert_int_equal(run->outcome, ACTION_RETRY);
	assert_string_equal(run->why, "/bin/sh was ended by signal 9");
}

static void a_program_past_its_time_is_ended_and_tried_again(void **state)
{
	AUTO(fake_free) struct fake *fake = fake_new();
	AUTO(fake_run_free)
	struct action_run *run =
		script(fake, "/home/a", "{\"timeout\": \"50ms\"}", "exec sleep 600");

	assert_int_equal(run->outcome, ACTION_RETRY);
	assert_string_equal(run->why, "/bin/sh took longer than 0.05 s and was ended");
}

static void a_program_that_is_not_there_is_tried_again(void **state)
{
	AUTO(fake_free) struct fake *fake = fake_new();
	AUTO(fake_run_free) struct action_run *run = NULL;

	fake_open(fake, "exec", "\"/nowhere/at all\"");
	run = fake_run(fake, "7", "/home/a");
	fake_go(fake, run);
	assert_int_equal(run->outcome, ACTION_RETRY);
	assert_non_null(strstr(run->why, "/nowhere/at all"));
}

static char *long_path(size_t size)
{
	char *path = mem_new(size + 1);

	memset(path, 'x', size);
	for (size_t i = 0; i < size; i += 200)
		path[i] = '/';
	return path;
}

static void a_path_of_20000_characters_is_handed_over(void **state)
{
	AUTO(fake_free) struct fake *fake = fake_new();
	AUTO(free) char *path = long_path(20000);
	AUTO(fake_run_free)
	struct action_run *run = script(fake, path, "{}", "echo ${{#0}} ${{#CN_PATH}}");

	assert_string_equal(output(run), "20000 20000");
}

static void a_path_past_the_kernels_limit_is_refused_as_an_argument(void **state)
{
	AUTO(fake_free) struct fake *fake = fake_new();
	AUTO(free) char *path = long_path(131072);
	AUTO(fake_run_free) struct action_run *run = script(fake, path, "{}", "true");

	assert_int_equal(run->outcome, ACTION_REJECTED);
	assert_non_null(strstr(run->why, "read the event from standard input instead"));
}

static void a_path_past_the_kernels_limit_is_left_out_of_the_environment(void **state)
{
	AUTO(fake_free) struct fake *fake = fake_new();
	AUTO(free) char *path = long_path(131400);
	AUTO(fake_run_free) struct action_run *run = NULL;

	fake_open(fake, "exec",
		  "{\"command\": [\"/bin/sh\", \"-c\", "
		  "\"tail -c 60; echo ${{CN_PATH:-none}} $CN_EVENT\"]}");
	run = fake_run(fake, "7", path);
	fake_go(fake, run);
	assert_int_equal(run->outcome, ACTION_DONE);
	assert_non_null(strstr(output(run), "\"omitted_variables\":[\"CN_PATH\",\"CN_DIR\"]}\n"
					    "none child_file_added"));
}

static void a_cancelled_program_says_nothing_more(void **state)
{
	AUTO(fake_free) struct fake *fake = fake_new();
	AUTO(fake_run_free) struct action_run *run = NULL;

	fake_open(fake, "exec", "{\"command\": [\"sleep\", \"600\"]}");
	run = fake_run(fake, "7", "/home/a");
	run->action->type->start(run);
	run->action->type->cancel(run);
	uv_run(&fake->loop, UV_RUN_DEFAULT);
	assert_false(run->is_finished);
}

static char *checked(const char *options)
{
	AUTO(problems_free) struct problems *problems = problems_new();
	AUTO(document_free)
	struct document *document = document_parse("w.yml", text_of(options), problems);

	action_check(action_type_find("exec"), document_root(document),
		     document_root(document)->place, problems);
	return problems_format(problems, false);
}

static void the_program_is_checked_when_it_is_loaded(void **state)
{
	static const char *const pairs[][2] = {
		{ "{command: bin/x}", "expected an absolute path or a name found in PATH" },
		{ "{command: [\"{path}\"]}", "it cannot depend on the event" },
		{ "{command: \"rm -rf /x\"}", "no shell splits it into words" },
		{ "{command: /nowhere/x}", "is not found here" },
		{ "{command: /etc/passwd}", "is not executable here" },
		{ "{command: [sh, \"{pth}\"]}", "did you mean {path}?" },
		{ "{command: sh, environment: [1A=b]}", "expected NAME=value" },
		{ "{command: sh, environment: [A]}", "expected NAME=value" },
		{ "{timeout: 3s}", "command" },
		{ "{command: sh, user: nobody-here}",
		  "exec: user 'nobody-here': there is none of that name here" },
		{ "{command: sh, group: nobody-here}",
		  "exec: group 'nobody-here': there is none of that name here" },
		{ "{command: sh, memory: 3}", "memory" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(pairs); i++) {
		AUTO(free) char *found = checked(pairs[i][0]);

		if (!strstr(found, pairs[i][1]))
			fail_msg("%s: '%s' does not say '%s'", pairs[i][0], found, pairs[i][1]);
	}
	AUTO(free) char *nothing = checked("{command: [sh, -c, \"{name}\"], timeout: 5m}");
	assert_string_equal(nothing, "");
}

static void it_runs_as_the_user_that_is_named(void **state)
{
	AUTO(fake_free) struct fake *fake = fake_new();
	AUTO(fake_run_free) struct action_run *run = NULL;

	if (geteuid()) {
		print_message("skipped because: only root can start programs as somebody else\n");
		skip();
	}
	fake_open(fake, "exec",
		  "{\"command\": [\"sh\", \"-c\", \"id -un; id -gn; echo $HOME\"], "
		  "\"user\": \"nobody\", \"group\": \"daemon\"}");
	run = fake_run(fake, "7", "/home/a");
	run->action->type->start(run);
	uv_run(&fake->loop, UV_RUN_DEFAULT);
	assert_int_equal(run->outcome, ACTION_DONE);
	assert_string_equal(json_string_value(json_object_get(run->result, "output")),
			    "nobody\ndaemon\n/nonexistent");
}

static void only_attributes_make_it_read_the_file(void **state)
{
	AUTO(fake_free) struct fake *fake = fake_new();

	fake_open(fake, "exec", "{\"command\": [\"sh\", \"{path}\"]}");
	assert_false(action_needs_file(fake->action));
	action_close(fake->action);
	fake_open(fake, "exec", "{\"command\": [\"sh\", \"{path}\", \"{size}\"]}");
	assert_true(action_needs_file(fake->action));
}

static void a_plan_shows_the_command_and_runs_nothing(void **state)
{
	AUTO(fake_free) struct fake *fake = fake_new();
	AUTO(fake_run_free) struct action_run *run = NULL;

	fake_open(fake, "exec", "{\"command\": [\"/bin/stop\", \"{name}\"]}");
	run = fake_run(fake, "7", "/home/a b");
	AUTO(free) char *plan = run->action->type->plan(run);
	assert_string_equal(plan, "would run '/bin/stop' 'a b'");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_program_gets_the_event_on_its_standard_input),
		cmocka_unit_test(a_hostile_name_reaches_the_program_unharmed),
		cmocka_unit_test(the_environment_tells_about_the_event),
		cmocka_unit_test(our_own_secrets_stay_with_us),
		cmocka_unit_test(own_variables_are_templates),
		cmocka_unit_test(exit_status_75_asks_for_another_try),
		cmocka_unit_test(another_exit_status_is_final_and_its_last_words_are_kept),
		cmocka_unit_test(a_program_that_a_signal_ended_is_tried_again),
		cmocka_unit_test(a_program_past_its_time_is_ended_and_tried_again),
		cmocka_unit_test(a_program_that_is_not_there_is_tried_again),
		cmocka_unit_test(a_path_of_20000_characters_is_handed_over),
		cmocka_unit_test(a_path_past_the_kernels_limit_is_refused_as_an_argument),
		cmocka_unit_test(a_path_past_the_kernels_limit_is_left_out_of_the_environment),
		cmocka_unit_test(a_cancelled_program_says_nothing_more),
		cmocka_unit_test(the_program_is_checked_when_it_is_loaded),
		cmocka_unit_test(it_runs_as_the_user_that_is_named),
		cmocka_unit_test(only_attributes_make_it_read_the_file),
		cmocka_unit_test(a_plan_shows_the_command_and_runs_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
