#include "check.h"

#include "config/problem.h"

static struct place at(int line, int column)
{
	return (struct place){ "rules.yml", line, column };
}

static void a_problem_shows_its_place_its_line_and_a_caret(void **state)
{
	AUTO(problems_free) struct problems *problems = problems_new();

	problems_add_source(problems, "rules.yml", TEXT("a: 1\n  timeout: 10 parsecs\n"));
	problems_error(problems, at(2, 12), "timeout '%s': expected a duration", "10 parsecs");
	AUTO(free) char *text = problems_format(problems, false);
	assert_string_equal(text, "rules.yml:2:12: timeout '10 parsecs': expected a duration\n"
				  "    2 |   timeout: 10 parsecs\n"
				  "      |            ^\n");
}

static void problems_come_in_order_of_file_line_and_column(void **state)
{
	AUTO(problems_free) struct problems *problems = problems_new();

	problems_error(problems, at(9, 1), "fourth");
	problems_error(problems, at(2, 7), "second");
	problems_warning(problems, at(2, 7), "third");
	problems_error(problems, at(0, 0), "first");
	problems_error(problems, (struct place){ "other.yml", 1, 0 }, "fifth");
	AUTO(free) char *text = problems_format(problems, false);
	assert_string_equal(text, "rules.yml: first\n"
				  "rules.yml:2:7: second\n"
				  "rules.yml:2:7: warning: third\n"
				  "rules.yml:9:1: fourth\n"
				  "other.yml:1: fifth\n");
}

static void a_tab_and_wide_characters_keep_the_caret_aligned(void **state)
{
	AUTO(problems_free) struct problems *problems = problems_new();

	problems_add_source(problems, "rules.yml", TEXT("a\tb: x\n\xe6\xbc\xa2\xcc\x81: x\n"));
	problems_error(problems, at(1, 6), "here");
	problems_error(problems, at(2, 5), "here");
	AUTO(free) char *text = problems_format(problems, false);
	assert_string_equal(text, "rules.yml:1:6: here\n"
				  "    1 | a       b: x\n"
				  "      |            ^\n"
				  "rules.yml:2:5: here\n"
				  "    2 | \xe6\xbc\xa2\xcc\x81: x\n"
				  "      |     ^\n");
}

static void what_could_steer_a_terminal_is_shown_as_a_number(void **state)
{
	AUTO(problems_free) struct problems *problems = problems_new();

	problems_add_source(problems, "rules.yml", TEXT("\033[2Jx\xff \xe2\x80\xaey\n"));
	problems_error(problems, at(1, 5), "bad\n\033]0;title\007");
	AUTO(free) char *text = problems_format(problems, false);
	assert_string_equal(text, "rules.yml:1:5: bad\\x0a\\x1b]0;title\\x07\n"
				  "    1 | \\x1b[2Jx\\xff \\u202ey\n"
				  "      |        ^\n");
}

static void a_very_long_line_is_cut_around_the_caret(void **state)
{
	AUTO(problems_free) struct problems *problems = problems_new();
	AUTO(free) char *line = mem_new(1001);

	memset(line, 'x', 1000);
	line[500] = '!';
	problems_add_source(problems, "rules.yml", text_of(line));
	problems_error(problems, at(1, 501), "here");
	AUTO(free) char *text = problems_format(problems, false);
	const char *excerpt = strchr(text, '\n') + 1;
	const char *caret_line = strchr(excerpt, '\n') + 1;

	assert_true(strlen(text) < 350);
	assert_int_equal(strchr(excerpt, '!') - excerpt, strchr(caret_line, '^') - caret_line);
	assert_non_null(strstr(excerpt, "| ...xxx"));
	assert_non_null(strstr(excerpt, "xxx...\n"));
}

static void a_place_beyond_the_end_still_has_its_message(void **state)
{
	AUTO(problems_free) struct problems *problems = problems_new();

	problems_add_source(problems, "rules.yml", TEXT("ab\r\n"));
	problems_error(problems, at(1, 50), "one");
	problems_error(problems, at(7, 50), "two");
	AUTO(free) char *text = problems_format(problems, false);
	assert_string_equal(text, "rules.yml:1:50: one\n"
				  "    1 | ab\n"
				  "      |   ^\n"
				  "rules.yml:7:50: two\n");
}

static void a_hundred_are_kept_and_the_rest_are_counted(void **state)
{
	AUTO(problems_free) struct problems *problems = problems_new();

	for (int i = 1; i <= 100; i++)
		problems_warning(problems, at(i, 0), "warning %d", i);
	problems_error(problems, at(500, 0), "worse than a warning");
	assert_int_equal(problems_error_count(problems), 1);
	assert_int_equal(problems_warning_count(problems), 100);
	AUTO(free) char *text = problems_format(problems, false);
	assert_non_null(strstr(text, "worse than a warning"));
	assert_non_null(strstr(text, "... and 1 more\n"));
}

static void a_terminal_gets_colour(void **state)
{
	AUTO(problems_free) struct problems *problems = problems_new();

	problems_add_source(problems, "rules.yml", TEXT("ab\n"));
	problems_error(problems, at(1, 1), "one");
	AUTO(free) char *text = problems_format(problems, true);
	assert_non_null(strstr(text, "\033[1mrules.yml:1:1:\033[0m \033[31mone\033[0m\n"));
}

static void a_file_name_outlives_whoever_named_it(void **state)
{
	AUTO(problems_free) struct problems *problems = problems_new();
	char *name = str_copy("gone.yml");

	problems_error(problems, (struct place){ name, 1, 0 }, "x");
	free(name);
	AUTO(free) char *text = problems_format(problems, false);
	assert_string_equal(text, "gone.yml:1: x\n");
}

static void a_note_names_another_place_of_the_same_problem(void **state)
{
	AUTO(problems_free) struct problems *problems = problems_new();

	problems_add_source(problems, "rules.yml", TEXT("a: 1\nb: 2\n"));
	problems_note(problems, at(1, 1), "of no problem at all");
	problems_warn(problems, at(2, 1), "loop", "b and a");
	problems_note(problems, at(2, 4), "b is here");
	problems_note(problems, at(1, 1), "and a is here");
	AUTO(free) char *text = problems_format(problems, false);
	assert_string_equal(text, "rules.yml:2:1: warning: b and a [loop]\n"
				  "    2 | b: 2\n"
				  "      | ^\n"
				  "rules.yml:2:4: note: b is here\n"
				  "rules.yml:1:1: note: and a is here\n"
				  "    1 | a: 1\n"
				  "      | ^\n");
}

static bool accepts_loops_above(void *ctx, const char *name, struct place place)
{
	return strcmp(name, "loop") == 0 && place.line < *(int *)ctx;
}

static void what_is_accepted_is_counted_and_listed_apart(void **state)
{
	int line = 5;
	const struct problem_scope scope = { accepts_loops_above, &line, "action" };
	AUTO(problems_free) struct problems *problems = problems_new();

	problems_set_scope(problems, &scope);
	problems_warn(problems, at(1, 1), "loop", "meant");
	problems_warn(problems, at(9, 1), "loop", "not meant");
	problems_warning(problems, at(2, 1), "without a name");
	problems_error(problems, at(1, 2), "never accepted");
	problems_set_scope(problems, NULL);
	problems_warning(problems, at(3, 1), "outside");
	assert_int_equal(problems_accepted_count(problems), 1);
	assert_int_equal(problems_warning_count(problems), 3);
	assert_int_equal(problems_error_count(problems), 1);
	AUTO(free) char *text = problems_format(problems, false);
	assert_string_equal(text, "rules.yml:1:2: never accepted\n"
				  "rules.yml:2:1: warning: without a name [action]\n"
				  "rules.yml:3:1: warning: outside\n"
				  "rules.yml:9:1: warning: not meant [loop]\n");
	AUTO(free) char *accepted = problems_format_accepted(problems);
	assert_string_equal(accepted, "rules.yml:1:1: accepted: meant [loop]\n");
}

static void accepted_warnings_give_way_to_others(void **state)
{
	int line = 1000;
	const struct problem_scope scope = { accepts_loops_above, &line, NULL };
	AUTO(problems_free) struct problems *problems = problems_new();

	problems_set_scope(problems, &scope);
	for (int i = 1; i <= 100; i++)
		problems_warn(problems, at(i, 0), "loop", "meant");
	problems_warning(problems, at(500, 0), "worse");
	AUTO(free) char *text = problems_format(problems, false);
	assert_string_equal(text, "rules.yml:500: warning: worse\n");
	assert_int_equal(problems_accepted_count(problems), 100);
}

static void keep_json(void *ctx, const struct problem *problem)
{
	*(json_t **)ctx = problem_to_json(problem);
}

static void a_problem_is_an_object_for_programs(void **state)
{
	AUTO(problems_free) struct problems *problems = problems_new();
	json_t *json = NULL;

	problems_warn(problems, at(2, 7), "loop", "odd\n");
	problems_note(problems, (struct place){ "b\xff.yml", 0, 0 }, "there");
	problems_visit(problems, keep_json, &json);
	AUTO(free) char *text = json_dumps(json, JSON_COMPACT | JSON_SORT_KEYS);
	assert_string_equal(text, "{\"column\":7,\"file\":\"rules.yml\",\"line\":2,"
				  "\"message\":\"odd\\\\x0a\",\"name\":\"loop\",\"notes\":"
				  "[{\"file\":\"b\\\\xff.yml\",\"message\":\"there\"}],"
				  "\"severity\":\"warning\"}");
	json_decref(json);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_problem_shows_its_place_its_line_and_a_caret),
		cmocka_unit_test(problems_come_in_order_of_file_line_and_column),
		cmocka_unit_test(a_tab_and_wide_characters_keep_the_caret_aligned),
		cmocka_unit_test(what_could_steer_a_terminal_is_shown_as_a_number),
		cmocka_unit_test(a_very_long_line_is_cut_around_the_caret),
		cmocka_unit_test(a_place_beyond_the_end_still_has_its_message),
		cmocka_unit_test(a_hundred_are_kept_and_the_rest_are_counted),
		cmocka_unit_test(a_terminal_gets_colour),
		cmocka_unit_test(a_file_name_outlives_whoever_named_it),
		cmocka_unit_test(a_note_names_another_place_of_the_same_problem),
		cmocka_unit_test(what_is_accepted_is_counted_and_listed_apart),
		cmocka_unit_test(accepted_warnings_give_way_to_others),
		cmocka_unit_test(a_problem_is_an_object_for_programs),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
