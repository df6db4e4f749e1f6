#include "fake_action.h"

#define TARGET "/quarantine/2026-11-22/home/joe/a.jpg"

/* A cluster with /home/joe/a.jpg (7) and, if asked for, the quarantine's directories. */
static struct fake *cluster(bool with_directories)
{
	struct fake *fake = fake_new();

	fake_add(fake, "3", "/home", FILE_DIRECTORY);
	fake_add(fake, "4", "/home/joe", FILE_DIRECTORY);
	fake_add(fake, "7", "/home/joe/a.jpg", FILE_REGULAR);
	if (with_directories) {
		fake_add(fake, "10", "/quarantine", FILE_DIRECTORY);
		fake_add(fake, "11", "/quarantine/2026-11-22", FILE_DIRECTORY);
		fake_add(fake, "12", "/quarantine/2026-11-22/home", FILE_DIRECTORY);
		fake_add(fake, "13", "/quarantine/2026-11-22/home/joe", FILE_DIRECTORY);
	}
	fake_open(fake, "quarantine", "{\"to\": \"/quarantine\"}");
	return fake;
}

static struct action_run *go(struct fake *fake)
{
	struct action_run *run = fake_run(fake, "7", "/home/joe/a.jpg");

	fake_go(fake, run);
	return run;
}

static const char *result(const struct action_run *run, const char *key)
{
	return json_string_value(json_object_get(run->result, key));
}

static void a_file_is_moved_after_its_echo_is_expected(void **state)
{
	AUTO(fake_free) struct fake *fake = cluster(true);
	AUTO(fake_run_free) struct action_run *run = go(fake);

	assert_story(fake, "get /quarantine/2026-11-22/home/joe\n"
			   "expect child_file_moved_from 7 /home/joe/a.jpg\n"
			   "expect child_file_moved_to 7 " TARGET "\n"
			   "move /home/joe/a.jpg to " TARGET "\n"
			   "done\n");
	assert_string_equal(result(run, "path"), TARGET);
	assert_string_equal(result(run, "from"), "/home/joe/a.jpg");
	assert_string_equal(result(run, "change_time"), "2026-11-22T17:00:01.5Z");
	assert_string_equal(json_string_value(json_object_get(fake->stored, "target")), TARGET);
}

static void directories_are_made_from_the_top_each_with_its_echo(void **state)
{
	AUTO(fake_free) struct fake *fake = cluster(false);
	AUTO(fake_run_free) struct action_run *run = go(fake);

	assert_story(fake, "get /quarantine/2026-11-22/home/joe\n"
			   "get /quarantine/2026-11-22/home\n"
			   "get /quarantine/2026-11-22\n"
			   "get /quarantine\n"
			   "get /\n"
			   "expect child_dir_added new /quarantine\n"
			   "make /quarantine\n"
			   "expect child_dir_added new /quarantine/2026-11-22\n"
			   "make /quarantine/2026-11-22\n"
			   "expect child_dir_added new /quarantine/2026-11-22/home\n"
			   "make /quarantine/2026-11-22/home\n"
			   "expect child_dir_added new /quarantine/2026-11-22/home/joe\n"
			   "make /quarantine/2026-11-22/home/joe\n"
			   "expect child_file_moved_from 7 /home/joe/a.jpg\n"
			   "expect child_file_moved_to 7 " TARGET "\n"
			   "move /home/joe/a.jpg to " TARGET "\n"
			   "done\n");
	assert_int_equal(run->outcome, ACTION_DONE);
}

static void a_directory_that_another_job_makes_first_is_fine(void **state)
{
	AUTO(fake_free) struct fake *fake = cluster(true);
	AUTO(fake_run_free) struct action_run *run = NULL;

	/* It is there, yet the first question is answered as if it were not. */
	fake_fault(fake, (struct fake_fault){ "get", FILE_GONE });
	run = go(fake);
	assert_story(fake, "get /quarantine/2026-11-22/home/joe\n"
			   "get /quarantine/2026-11-22/home\n"
			   "expect child_dir_added new /quarantine/2026-11-22/home/joe\n"
			   "make /quarantine/2026-11-22/home/joe\n"
			   "withdraw\n"
			   "get /quarantine/2026-11-22/home/joe\n"
			   "expect child_file_moved_from 7 /home/joe/a.jpg\n"
			   "expect child_file_moved_to 7 " TARGET "\n"
			   "move /home/joe/a.jpg to " TARGET "\n"
			   "done\n");
}

static void a_file_in_the_way_of_a_directory_is_not_touched(void **state)
{
	AUTO(fake_free) struct fake *fake = cluster(false);
	AUTO(fake_run_free) struct action_run *run = NULL;

	fake_add(fake, "10", "/quarantine", FILE_REGULAR);
	run = go(fake);
	assert_int_equal(run->outcome, ACTION_REJECTED);
	assert_string_equal(run->why, "/quarantine is in the way: it is not a directory");
}

static void a_directory_is_moved_with_the_events_of_directories(void **state)
{
	AUTO(fake_free) struct fake *fake = cluster(true);
	AUTO(fake_run_free) struct action_run *run = NULL;

	fake_find(fake, "7")->type = FILE_DIRECTORY;
	run = go(fake);
	assert_non_null(strstr(fake->story->data, "expect child_dir_moved_from 7 "));
	assert_non_null(strstr(fake->story->data, "expect child_dir_moved_to 7 "));
	assert_int_equal(run->outcome, ACTION_DONE);
}

static void nothing_is_overwritten_a_number_is_added(void **state)
{
	AUTO(fake_free) struct fake *fake = cluster(true);
	AUTO(fake_run_free) struct action_run *run = NULL;

	fake_add(fake, "20", TARGET, FILE_REGULAR);
	fake_add(fake, "21", "/quarantine/2026-11-22/home/joe/a (2).jpg", FILE_REGULAR);
	run = go(fake);
	assert_int_equal(run->outcome, ACTION_DONE);
	assert_string_equal(result(run, "path"), "/quarantine/2026-11-22/home/joe/a (3).jpg");
	assert_string_equal(fake_find(fake, "20")->path, TARGET);
	assert_non_null(strstr(fake->story->data,
			       "expect child_file_moved_to 7 " TARGET "\n"
			       "move /home/joe/a.jpg to " TARGET "\n"
			       "withdraw\n"
			       "expect child_file_moved_from 7 /home/joe/a.jpg\n"));
}

static void after_many_numbers_the_jobs_own_is_taken(void **state)
{
	AUTO(fake_free) struct fake *fake = cluster(true);
	AUTO(fake_run_free) struct action_run *run = NULL;

	fake_add(fake, "20", TARGET, FILE_REGULAR);
	for (int i = 2; i <= 21; i++) {
		AUTO(free) char *id = str_format("3%d", i);
		AUTO(free)
		char *path = str_format("/quarantine/2026-11-22/home/joe/a (%d).jpg", i);

		fake_add(fake, id, path, FILE_REGULAR);
	}
	run = fake_run(fake, "7", "/home/joe/a.jpg");
	run->job = 4711;
	fake_go(fake, run);
	assert_string_equal(result(run, "path"), "/quarantine/2026-11-22/home/joe/a (4711).jpg");
}

static void a_file_in_quarantine_stays_there(void **state)
{
	AUTO(fake_free) struct fake *fake = cluster(true);
	AUTO(fake_run_free) struct action_run *run = NULL;

	fake_place(fake, "7", TARGET);
	run = fake_run(fake, "7", TARGET);
	fake_go(fake, run);
	assert_story(fake, "done\n");
	assert_string_equal(run->why, "nothing to do: it is in /quarantine already");
}

static void without_dates_the_path_follows_at_once(void **state)
{
	AUTO(fake_free) struct fake *fake = cluster(true);
	AUTO(fake_run_free) struct action_run *run = NULL;

	action_close(fake->action);
	fake_open(fake, "quarantine", "{\"to\": \"/quarantine/\", \"by_date\": \"no\"}");
	run = go(fake);
	assert_string_equal(result(run, "path"), "/quarantine/home/joe/a.jpg");
}

/* ---- refusals ---- */

static struct action_run *befallen(struct fake *fake, const char *call, enum file_result result)
{
	fake_fault(fake, (struct fake_fault){ call, result, .retry_after_ms = 5000 });
	return go(fake);
}

static void a_busy_cluster_is_tried_again_when_it_says(void **state)
{
	AUTO(fake_free) struct fake *fake = cluster(true);
	AUTO(fake_run_free) struct action_run *run = befallen(fake, "move", FILE_LATER);

	assert_int_equal(run->outcome, ACTION_RETRY);
	assert_true(run->not_before_ms == NOW_MS + 5000);
	assert_non_null(strstr(fake->story->data, "withdraw\nretry\n"));
}

static void a_file_that_is_held_open_is_tried_again(void **state)
{
	AUTO(fake_free) struct fake *fake = cluster(true);
	AUTO(fake_run_free) struct action_run *run = befallen(fake, "move", FILE_BUSY);

	assert_int_equal(run->outcome, ACTION_RETRY);
	assert_string_equal(run->why, "the move: Somebody holds it open");
}

static void a_denial_names_the_rights_that_are_missing(void **state)
{
	AUTO(fake_free) struct fake *fake = cluster(true);
	AUTO(fake_run_free) struct action_run *run = befallen(fake, "move", FILE_DENIED);

	assert_int_equal(run->outcome, ACTION_REJECTED);
	assert_non_null(strstr(run->why, "Access denied"));
	assert_non_null(strstr(run->why, "PRIVILEGE_FILE_FULL_ACCESS"));
	assert_non_null(strstr(fake->story->data, "withdraw\nrejected\n"));
}

static void a_refusal_carries_the_clusters_words(void **state)
{
	AUTO(fake_free) struct fake *fake = cluster(true);
	AUTO(fake_run_free) struct action_run *run = befallen(fake, "get", FILE_REFUSED);

	assert_int_equal(run->outcome, ACTION_REJECTED);
	assert_string_equal(run->why, "directory /quarantine/2026-11-22/home/joe: Invalid request");
}

static void nothing_goes_out_if_the_expectation_cannot_be_stored(void **state)
{
	AUTO(fake_free) struct fake *fake = cluster(true);
	AUTO(fake_run_free) struct action_run *run = NULL;

	fake->expect_fails = true;
	run = go(fake);
	assert_story(fake, "get /quarantine/2026-11-22/home/joe\nretry\n");
	assert_string_equal(run->why, "the store is full");
}

static void echoes_of_new_directories_stay_expected_when_the_move_fails(void **state)
{
	AUTO(fake_free) struct fake *fake = cluster(false);
	AUTO(fake_run_free) struct action_run *run = befallen(fake, "move", FILE_LATER);

	assert_int_equal(run->outcome, ACTION_RETRY);
	assert_null(strstr(fake->story->data, "withdraw"));
}

static void a_name_that_is_not_utf8_cannot_be_moved(void **state)
{
	AUTO(fake_free) struct fake *fake = cluster(true);
	AUTO(fake_run_free) struct action_run *run = NULL;

	fake_place(fake, "7", "/home/joe/\xEF\xBF\xBD.jpg");
	fake_fault(fake, (struct fake_fault){ "move", FILE_GONE });
	run = go(fake);
	assert_int_equal(run->outcome, ACTION_REJECTED);
	assert_non_null(strstr(run->why, "bytes that are not UTF-8"));
}

/* ---- configuration ---- */

static char *checked(const char *options)
{
	AUTO(problems_free) struct problems *problems = problems_new();
	AUTO(document_free)
	struct document *document = document_parse("w.yml", text_of(options), problems);

	action_check(action_type_find("quarantine"), document_root(document),
		     document_root(document)->place, problems);
	return problems_format(problems, false);
}

static void the_directory_must_be_absolute_and_not_the_root(void **state)
{
	AUTO(free) char *relative = checked("{to: quarantine}");
	AUTO(free) char *root = checked("{to: //}");
	AUTO(free) char *dots = checked("{to: /a/../b}");
	AUTO(free) char *fine = checked("/quarantine");

	assert_non_null(strstr(relative, "expected an absolute path"));
	assert_non_null(strstr(root, "below the root"));
	assert_non_null(strstr(dots, "'..' is no name"));
	assert_string_equal(fine, "");
}

static void its_effects_are_known_for_the_loop_check(void **state)
{
	struct event_effect effects[8] = { 0 };
	size_t count =
		action_effects(action_type_find("quarantine"), "{\"to\": \"/q/\"}", effects, 8);

	assert_int_equal(count, 3);
	assert_true(effects[0].kinds & EVENT_KIND(CHILD_FILE_MOVED_TO));
	assert_true(effects[0].kinds & EVENT_RENAMED);
	assert_string_equal(effects[0].path, "/q");
	assert_true(effects[0].keeps_name);
	assert_true(effects[1].kinds == EVENT_KIND(CHILD_DIR_ADDED));
	assert_true(effects[2].same_file);
	for (size_t i = 0; i < count; i++) {
		free(effects[i].path);
		free(effects[i].name);
	}
}

static void a_plan_does_nothing(void **state)
{
	AUTO(fake_free) struct fake *fake = cluster(true);
	AUTO(fake_run_free) struct action_run *run = fake_run(fake, "7", "/home/joe/a.jpg");
	AUTO(free) char *plan = run->action->type->plan(run);

	assert_string_equal(plan, "would move /home/joe/a.jpg to " TARGET);
	assert_int_equal(fake->story->size, 0);
}

static void a_cancelled_move_ends_its_request(void **state)
{
	AUTO(fake_free) struct fake *fake = cluster(true);
	AUTO(fake_run_free) struct action_run *run = fake_run(fake, "7", "/home/joe/a.jpg");

	run->action->type->start(run);
	fake_cancel_run(fake, run);
	assert_story(fake, "get /quarantine/2026-11-22/home/joe\ncancel\n");
	assert_false(run->is_finished);
}

static void a_move_that_is_cancelled_while_it_waits_for_the_store_never_goes_out(void **state)
{
	AUTO(fake_free) struct fake *fake = cluster(false);
	AUTO(fake_run_free) struct action_run *making = fake_run(fake, "7", "/home/joe/a.jpg");
	AUTO(fake_run_free) struct action_run *moving = NULL;

	making->action->type->start(making);
	fake_wait_for_store(fake);
	fake_cancel_run(fake, making);
	assert_null(strstr(fake->story->data, "make "));

	AUTO(fake_free) struct fake *other = cluster(true);
	moving = fake_run(other, "7", "/home/joe/a.jpg");
	moving->action->type->start(moving);
	fake_wait_for_store(other);
	fake_cancel_run(other, moving);
	assert_null(strstr(other->story->data, "\nmove "));
	assert_non_null(strstr(other->story->data, "expect child_file_moved_to 7 "));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_file_is_moved_after_its_echo_is_expected),
		cmocka_unit_test(directories_are_made_from_the_top_each_with_its_echo),
		cmocka_unit_test(a_directory_that_another_job_makes_first_is_fine),
		cmocka_unit_test(a_file_in_the_way_of_a_directory_is_not_touched),
		cmocka_unit_test(a_directory_is_moved_with_the_events_of_directories),
		cmocka_unit_test(nothing_is_overwritten_a_number_is_added),
		cmocka_unit_test(after_many_numbers_the_jobs_own_is_taken),
		cmocka_unit_test(a_file_in_quarantine_stays_there),
		cmocka_unit_test(without_dates_the_path_follows_at_once),
		cmocka_unit_test(a_busy_cluster_is_tried_again_when_it_says),
		cmocka_unit_test(a_file_that_is_held_open_is_tried_again),
		cmocka_unit_test(a_denial_names_the_rights_that_are_missing),
		cmocka_unit_test(a_refusal_carries_the_clusters_words),
		cmocka_unit_test(nothing_goes_out_if_the_expectation_cannot_be_stored),
		cmocka_unit_test(echoes_of_new_directories_stay_expected_when_the_move_fails),
		cmocka_unit_test(a_name_that_is_not_utf8_cannot_be_moved),
		cmocka_unit_test(the_directory_must_be_absolute_and_not_the_root),
		cmocka_unit_test(its_effects_are_known_for_the_loop_check),
		cmocka_unit_test(a_plan_does_nothing),
		cmocka_unit_test(a_cancelled_move_ends_its_request),
		cmocka_unit_test(
			a_move_that_is_cancelled_while_it_waits_for_the_store_never_goes_out),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
