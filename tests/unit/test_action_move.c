/* What quarantine and rename share, through quarantine: races, lost answers, crashes, long paths.
 */
#include "fake_action.h"

#include "action/move.h"

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

/* ---- who is faster than we are ---- */

static void replace_the_source(struct fake *fake)
{
	fake_place(fake, "7", "/home/joe/elsewhere.jpg");
	fake_add(fake, "99", "/home/joe/a.jpg", FILE_REGULAR);
}

static void a_stranger_that_was_caught_is_put_back(void **state)
{
	AUTO(fake_free) struct fake *fake = cluster(true);
	AUTO(fake_run_free) struct action_run *run = NULL;

	fake->before_move = replace_the_source;
	run = go(fake);
	assert_story(fake, "get /quarantine/2026-11-22/home/joe\n"
			   "expect child_file_moved_from 7 /home/joe/a.jpg\n"
			   "expect child_file_moved_to 7 " TARGET "\n"
			   "move /home/joe/a.jpg to " TARGET "\n"
			   "withdraw\n"
			   "99 is astray\n"
			   "expect child_file_moved_from 99 /home/joe/a.jpg\n"
			   "expect child_file_moved_to 99 " TARGET "\n"
			   "expect child_file_moved_from 99 " TARGET "\n"
			   "expect child_file_moved_to 99 /home/joe/a.jpg\n"
			   "move " TARGET " to /home/joe/a.jpg\n"
			   "judge 99 at /home/joe/a.jpg as new\n"
			   "changed\n");
	assert_string_equal(fake_find(fake, "99")->path, "/home/joe/a.jpg");
	assert_non_null(strstr(run->why, "another object (id 99)"));
	assert_non_null(strstr(run->why, "it was put back"));
	/* Else it would be looked for once more, and its own job may have moved it by then. */
	assert_int_equal(json_object_size(run->memory), 0);
}

/* The file is elsewhere: was another one moved in its stead? */
static void a_stranger_is_looked_for_when_the_answer_was_lost(void **state)
{
	AUTO(fake_free) struct fake *fake = cluster(true);
	AUTO(fake_run_free) struct action_run *run = NULL;

	fake_fault(fake, (struct fake_fault){ "move", FILE_AMBIGUOUS, .is_applied = true });
	fake->before_move = replace_the_source;
	run = go(fake);
	assert_int_equal(run->outcome, ACTION_CHANGED);
	assert_string_equal(fake_find(fake, "99")->path, "/home/joe/a.jpg");
	assert_non_null(strstr(fake->story->data, "judge 99 at /home/joe/a.jpg as new\n"));
}

static void a_stranger_whose_old_place_cannot_be_asked_about_is_reported(void **state)
{
	AUTO(fake_free) struct fake *fake = cluster(true);
	AUTO(fake_run_free) struct action_run *run = NULL;

	fake_fault(fake, (struct fake_fault){ "move", FILE_AMBIGUOUS, .is_applied = true });
	/* The directory, the file and what is at the target are told. */
	fake_fault(fake, (struct fake_fault){ "get", FILE_DENIED, .skip = 3 });
	fake->before_move = replace_the_source;
	run = go(fake);
	assert_int_equal(run->outcome, ACTION_REJECTED);
	assert_non_null(strstr(run->why, "another object (id 99)"));
	assert_non_null(strstr(run->why, "whether its old place is free cannot be asked"));
}

static void a_stranger_is_put_back_after_a_crash(void **state)
{
	AUTO(fake_free) struct fake *fake = cluster(true);
	AUTO(fake_run_free) struct action_run *first = NULL;
	AUTO(fake_run_free) struct action_run *second = NULL;
	AUTO(fake_run_free) struct action_run *third = NULL;

	fake->before_move = replace_the_source;
	first = fake_run(fake, "7", "/home/joe/a.jpg");
	first->action->type->start(first);
	fake_turn(fake);
	fake_turn(fake);
	fake_cancel_run(fake, first);   /* while it is being put back; the request went out */
	fake_place(fake, "99", TARGET); /* or did not */

	second = fake_run(fake, "7", "/home/joe/elsewhere.jpg");
	fake_go(fake, second);
	assert_int_equal(second->outcome, ACTION_CHANGED);
	assert_string_equal(fake_find(fake, "99")->path, "/home/joe/a.jpg");

	third = fake_run(fake, "7", "/home/joe/elsewhere.jpg");
	fake_go(fake, third);
	assert_int_equal(third->outcome, ACTION_CHANGED);
	assert_string_equal(fake_find(fake, "99")->path, "/home/joe/a.jpg");
}

static void a_stranger_whose_place_is_taken_is_reported(void **state)
{
	AUTO(fake_free) struct fake *fake = cluster(true);
	AUTO(fake_run_free) struct action_run *run = fake_run(fake, "7", "/home/joe/a.jpg");

	fake->before_move = replace_the_source;
	run->action->type->start(run);
	fake_turn(fake);
	fake_add(fake, "100", "/home/joe/a.jpg", FILE_REGULAR);
	while (!run->is_finished)
		fake_turn(fake);
	assert_int_equal(run->outcome, ACTION_REJECTED);
	assert_non_null(strstr(run->why,
			       "moved to " TARGET
			       " by mistake; it is still there and could not be put back"));
	assert_string_equal(fake_find(fake, "100")->path, "/home/joe/a.jpg");
}

static void replace_the_source_and_fill_the_store(struct fake *fake)
{
	replace_the_source(fake);
	fake->expect_fails = true;
}

static void a_stranger_is_put_back_later_if_nothing_can_be_stored_now(void **state)
{
	AUTO(fake_free) struct fake *fake = cluster(true);
	AUTO(fake_run_free) struct action_run *first = NULL;
	AUTO(fake_run_free) struct action_run *second = NULL;

	fake->before_move = replace_the_source_and_fill_the_store;
	first = go(fake);
	assert_int_equal(first->outcome, ACTION_RETRY);
	assert_non_null(strstr(first->why, "it is still to be put back: the store is full"));
	assert_string_equal(fake_find(fake, "99")->path, TARGET);

	fake->expect_fails = false;
	second = fake_run(fake, "7", "/home/joe/elsewhere.jpg");
	json_decref(second->memory); /* deliver keeps it with the attempt */
	second->memory = json_incref(first->memory);
	fake_go(fake, second);
	assert_int_equal(second->outcome, ACTION_CHANGED);
	assert_string_equal(fake_find(fake, "99")->path, "/home/joe/a.jpg");
	assert_null(json_object_get(second->memory, "stray"));
}

static void move_the_source(struct fake *fake)
{
	fake_place(fake, "7", "/home/joe/b.jpg");
}

static void a_file_that_moved_meanwhile_is_judged_again(void **state)
{
	AUTO(fake_free) struct fake *fake = cluster(true);
	AUTO(fake_run_free) struct action_run *run = NULL;

	fake->before_move = move_the_source;
	run = go(fake);
	assert_int_equal(run->outcome, ACTION_CHANGED);
	assert_string_equal(run->why, "somebody moved the file from /home/joe/a.jpg to "
				      "/home/joe/b.jpg");
	assert_non_null(strstr(fake->story->data, "withdraw\nget 7\nchanged\n"));
	/* The request did nothing: who is at its target later came there by himself. */
	assert_int_equal(json_object_size(run->memory), 0);
}

static void remove_the_source(struct fake *fake)
{
	fake_remove(fake, "7");
}

static void a_file_that_is_removed_meanwhile_is_gone(void **state)
{
	AUTO(fake_free) struct fake *fake = cluster(true);
	AUTO(fake_run_free) struct action_run *run = NULL;

	fake->before_move = remove_the_source;
	run = go(fake);
	assert_int_equal(run->outcome, ACTION_GONE);
	assert_int_equal(json_object_size(run->memory), 0);
}

/* ---- lost answers and crashes ---- */

static void a_lost_answer_to_a_move_that_happened_is_no_second_move(void **state)
{
	AUTO(fake_free) struct fake *fake = cluster(true);
	AUTO(fake_run_free) struct action_run *run = NULL;

	fake_fault(fake, (struct fake_fault){ "move", FILE_AMBIGUOUS, .is_applied = true });
	run = go(fake);
	assert_int_equal(run->outcome, ACTION_DONE);
	assert_string_equal(result(run, "path"), TARGET);
	assert_non_null(strstr(fake->story->data, "move /home/joe/a.jpg to " TARGET "\n"
						  "get 7\ndone\n"));
}

static void a_lost_request_is_tried_again_with_its_echo_still_expected(void **state)
{
	AUTO(fake_free) struct fake *fake = cluster(true);
	AUTO(fake_run_free) struct action_run *run = NULL;

	fake_fault(fake, (struct fake_fault){ "move", FILE_AMBIGUOUS });
	run = go(fake);
	assert_int_equal(run->outcome, ACTION_RETRY);
	assert_null(strstr(fake->story->data, "withdraw"));
}

/* The second one shows nothing of what became of the first. */
static void a_lost_request_is_remembered_beyond_the_next_that_did_nothing(void **state)
{
	AUTO(fake_free) struct fake *fake = cluster(true);
	AUTO(fake_run_free) struct action_run *first = NULL;
	AUTO(fake_run_free) struct action_run *second = NULL;

	fake_fault(fake, (struct fake_fault){ "move", FILE_AMBIGUOUS });
	first = go(fake);
	assert_int_equal(first->outcome, ACTION_RETRY);
	second = fake_run(fake, "7", "/home/joe/a.jpg");
	json_decref(second->memory);
	second->memory = json_incref(first->memory);
	fake->before_move = move_the_source;
	fake_go(fake, second);
	assert_int_equal(second->outcome, ACTION_CHANGED);
	assert_non_null(strstr(fake->story->data, "get 7\nget " TARGET "\nchanged\n"));
}

static void after_a_crash_a_move_that_happened_is_not_repeated(void **state)
{
	AUTO(fake_free) struct fake *fake = cluster(true);
	AUTO(fake_run_free) struct action_run *first = fake_run(fake, "7", "/home/joe/a.jpg");
	AUTO(fake_run_free) struct action_run *second = NULL;

	first->action->type->start(first);
	fake_turn(fake); /* the directory is known: the move goes out, and then the lights */
	fake_cancel_run(fake, first);
	assert_string_equal(fake_find(fake, "7")->path, TARGET);

	second = fake_run(fake, "7", TARGET);
	fake_go(fake, second);
	assert_story(fake, "done\n");
	assert_string_equal(result(second, "path"), TARGET);
	assert_string_equal(result(second, "from"), "/home/joe/a.jpg");
	assert_null(second->why);
}

static void after_a_crash_a_move_that_did_not_happen_is_done(void **state)
{
	AUTO(fake_free) struct fake *fake = cluster(true);
	AUTO(fake_run_free) struct action_run *first = fake_run(fake, "7", "/home/joe/a.jpg");
	AUTO(fake_run_free) struct action_run *second = NULL;

	first->action->type->start(first);
	fake_turn(fake);
	fake_cancel_run(fake, first);
	fake_place(fake, "7", "/home/joe/a.jpg");

	second = go(fake);
	assert_int_equal(second->outcome, ACTION_DONE);
	assert_string_equal(fake_find(fake, "7")->path, TARGET);
}

/* ---- long paths ---- */

static char *deep_path(size_t size)
{
	char *path = mem_new(size + 1);

	for (size_t i = 0; i < size; i++)
		path[i] = i % 250 ? 'd' : '/';
	return path;
}

static void a_path_of_20000_characters_is_reached_by_ids(void **state)
{
	AUTO(fake_free) struct fake *fake = cluster(true);
	AUTO(free) char *path = deep_path(20000);
	AUTO(free) char *target = str_format("/quarantine/2026-11-22%s", path);
	AUTO(fake_run_free) struct action_run *run = NULL;

	fake_place(fake, "7", path);
	run = fake_run(fake, "7", path);
	fake_go(fake, run);
	assert_int_equal(run->outcome, ACTION_DONE);
	assert_string_equal(result(run, "path"), target);
	assert_string_equal(fake_find(fake, "7")->path, target);

	/* The next one finds its directories: below what can be asked for, one in the other. */
	AUTO(free) char *second = str_format("%sx", path);
	AUTO(fake_run_free) struct action_run *next = NULL;
	fake_add(fake, "8", second, FILE_REGULAR);
	next = fake_run(fake, "8", second);
	fake_go(fake, next);
	assert_int_equal(next->outcome, ACTION_DONE);
	assert_non_null(strstr(fake->story->data, "find ddd"));
	assert_null(strstr(fake->story->data, "make"));
}

static void a_path_past_the_clusters_limit_is_refused_in_words(void **state)
{
	AUTO(fake_free) struct fake *fake = cluster(true);
	AUTO(free) char *path = deep_path(32750);
	AUTO(fake_run_free) struct action_run *run = NULL;

	fake_place(fake, "7", path);
	run = fake_run(fake, "7", path);
	fake_go(fake, run);
	assert_story(fake, "rejected\n");
	assert_string_equal(run->why, "the new path would have 32772 characters, more than the "
				      "32760 that the cluster allows");
}

static void a_number_fits_into_the_longest_name(void **state)
{
	char name[256];

	memset(name, 'n', 255);
	memcpy(name + 251, ".jpg", 5);
	AUTO(free) char *numbered = move_numbered_name(name, 12);
	assert_int_equal(strlen(numbered), 255);
	assert_string_equal(numbered + 246, " (12).jpg");

	for (size_t i = 0; i < 250; i += 2)
		memcpy(name + i, "\xC3\xA4", 2);
	memcpy(name + 250, "x.jpg", 6);
	AUTO(free) char *whole = move_numbered_name(name, 2);
	assert_true(strlen(whole) <= 255);
	assert_string_equal(whole + strlen(whole) - 10, "\xC3\xA4 (2).jpg");
}

static void a_name_without_extension_gets_its_number_at_the_end(void **state)
{
	static const char *const pairs[][2] = {
		{ "README", "README (2)" },
		{ ".bashrc", ".bashrc (2)" },
		{ "a.tar.gz", "a.tar (2).gz" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(pairs); i++) {
		AUTO(free) char *numbered = move_numbered_name(pairs[i][0], 2);

		assert_string_equal(numbered, pairs[i][1]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_stranger_that_was_caught_is_put_back),
		cmocka_unit_test(a_stranger_is_looked_for_when_the_answer_was_lost),
		cmocka_unit_test(a_stranger_whose_old_place_cannot_be_asked_about_is_reported),
		cmocka_unit_test(a_stranger_is_put_back_after_a_crash),
		cmocka_unit_test(a_stranger_whose_place_is_taken_is_reported),
		cmocka_unit_test(a_stranger_is_put_back_later_if_nothing_can_be_stored_now),
		cmocka_unit_test(a_file_that_moved_meanwhile_is_judged_again),
		cmocka_unit_test(a_file_that_is_removed_meanwhile_is_gone),
		cmocka_unit_test(a_lost_answer_to_a_move_that_happened_is_no_second_move),
		cmocka_unit_test(a_lost_request_is_tried_again_with_its_echo_still_expected),
		cmocka_unit_test(a_lost_request_is_remembered_beyond_the_next_that_did_nothing),
		cmocka_unit_test(after_a_crash_a_move_that_happened_is_not_repeated),
		cmocka_unit_test(after_a_crash_a_move_that_did_not_happen_is_done),
		cmocka_unit_test(a_path_of_20000_characters_is_reached_by_ids),
		cmocka_unit_test(a_path_past_the_clusters_limit_is_refused_in_words),
		cmocka_unit_test(a_number_fits_into_the_longest_name),
		cmocka_unit_test(a_name_without_extension_gets_its_number_at_the_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
