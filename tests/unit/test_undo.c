/* undo: what a job's body says about taking it back, and the body of the job that does. */
#include "check.h"

#include "app/undo.h"

static const char two_steps[] =
	"{\"rule\":\"media\",\"rules\":\"d1\",\"watch\":\"main\",\"mode\":\"enforce\",\"step\":3,"
	"\"steps\":[{\"module\":\"quarantine\"},{\"module\":\"email\"},{\"module\":\"permissions\"}"
	"],"
	"\"event\":{\"type\":\"child_file_moved_to\",\"path\":\"/home/a\",\"old_path\":\"/tmp/a\","
	"\"file_id\":\"7\",\"parent_id\":\"3\",\"watch\":\"main\"},\"path\":\"/q/a\","
	"\"log\":[{\"step\":0,\"module\":\"quarantine\",\"outcome\":\"done\",\"why\":\"moved\"},"
	"{\"step\":1,\"module\":\"email\",\"outcome\":\"done\",\"why\":\"sent\"},"
	"{\"step\":2,\"module\":\"permissions\",\"outcome\":\"done\",\"why\":\"done\"}],"
	"\"undo\":[{\"step\":0,\"module\":\"rename\",\"options\":{\"to\":\"/home/a\"},"
	"\"what\":\"move it back to /home/a\",\"path\":\"/q/a\",\"change_time\":\"t1\"},"
	"{\"step\":2,\"module\":\"permissions\",\"options\":{\"mode\":\"0644\"},"
	"\"what\":\"set mode 0644 again\",\"path\":\"/q/a\",\"change_time\":\"t2\"}]}";

static json_t *json_of(const char *text)
{
	json_t *json = json_loads(text, 0, NULL);

	assert_non_null(json);
	return json;
}

static void read_undo(struct job_body *out, bool anyway)
{
	AUTO_ERROR err = { 0 };
	json_t *body = json_of(two_steps);
	AUTO(free) char *text = undo_body_new(body, 12, anyway);

	json_decref(body);
	if (job_body_read(out, text, &err) < 0)
		fail_msg("%s", error_text(&err));
}

static char *refusal(const struct job_body *body, const char *path, const char *change_time)
{
	struct file_info file = { .path = (char *)path, .change_time = (char *)change_time };

	return undo_refusal(body, &file);
}

static void the_steps_are_taken_back_the_last_first(void **state)
{
	struct job_body undo;
	json_t *body = json_of(two_steps);
	AUTO(free) char *what = undo_what(body);
	AUTO(free) char *rest = undo_rest(body);
	AUTO(free) char *options = NULL;

	assert_null(undo_obstacle(body));
	json_decref(body);
	assert_string_equal(what, "set mode 0644 again, move it back to /home/a");
	assert_string_equal(rest, "email");
	read_undo(&undo, false);
	assert_int_equal(undo_job(undo.json), 12);
	assert_int_equal(undo.step_count, 2);
	assert_string_equal(job_body_module(&undo), "permissions");
	options = job_body_options(&undo);
	assert_string_equal(options, "{\"mode\":\"0644\"}");
	assert_string_equal(job_body_path(&undo), "/q/a");
	assert_int_equal(undo.event->old_path.size, 0);
	job_body_clear(&undo);
}

static void it_begins_only_if_the_file_is_as_it_was_left(void **state)
{
	struct job_body undo;
	json_t *result;

	read_undo(&undo, false);
	assert_null(refusal(&undo, "/q/a", "t2"));

	AUTO(free) char *changed = refusal(&undo, "/q/a", "t3");
	AUTO(free) char *moved = refusal(&undo, "/q/b", "t2");

	assert_non_null(strstr(changed, "it was changed at t3, after job 12"));
	assert_string_equal(moved, "job 12 left it at /q/a, and it is at /q/b now");
	/* What it began itself is no reason. */
	json_object_set_new(undo.memory, "old_mode", json_string("0400"));
	assert_null(refusal(&undo, "/q/a", "t3"));
	result = json_object();
	job_body_next_step(&undo, result);
	json_decref(result);
	assert_null(refusal(&undo, "/q/a", "t3"));
	job_body_clear(&undo);
}

static void by_force_it_begins_however_the_file_is(void **state)
{
	struct job_body undo;

	read_undo(&undo, true);
	assert_null(refusal(&undo, "/elsewhere", "t9"));
	job_body_clear(&undo);
}

static void the_obstacle_is_named(void **state)
{
	static const char *const cases[][2] = {
		{ "{\"mode\":\"dry_run\",\"log\":[{\"module\":\"rename\",\"outcome\":\"planned\"}]"
		  "}",
		  "it was a dry run and did nothing" },
		{ "{\"log\":[{\"step\":0,\"module\":\"exec\",\"outcome\":\"done\"},{\"step\":1,"
		  "\"module\":\"email\",\"outcome\":\"done\"}]}",
		  "exec, email cannot be taken back" },
		{ "{\"log\":[{\"step\":0,\"module\":\"permissions\",\"outcome\":\"done\",\"why\":"
		  "\"nothing to do: it is so already\"}]}",
		  "it changed nothing that could be taken back" },
		{ "{}", "it changed nothing that could be taken back" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		json_t *body = json_of(cases[i][0]);
		AUTO(free) char *why = undo_obstacle(body);

		assert_string_equal(why, cases[i][1]);
		json_decref(body);
	}
}

static void a_job_that_is_no_undo_is_never_refused(void **state)
{
	struct job_body body;
	AUTO_ERROR err = { 0 };

	assert_int_equal(job_body_read(&body, two_steps, &err), 0);
	assert_int_equal(undo_job(body.json), 0);
	assert_null(refusal(&body, "/elsewhere", "t9"));
	job_body_clear(&body);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_steps_are_taken_back_the_last_first),
		cmocka_unit_test(it_begins_only_if_the_file_is_as_it_was_left),
		cmocka_unit_test(by_force_it_begins_however_the_file_is),
		cmocka_unit_test(the_obstacle_is_named),
		cmocka_unit_test(a_job_that_is_no_undo_is_never_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
