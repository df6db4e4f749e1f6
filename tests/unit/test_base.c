#include "check.h"

#include <stdio.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/escape.h"
#include "base/log.h"
#include "base/parse.h"

static void a_buffer_takes_all_of_a_piece_or_nothing(void **state)
{
	AUTO(buf_free) struct buf *buf = buf_new(5);

	assert_true(buf_append(buf, "abc", 3));
	assert_false(buf_append(buf, "def", 3));
	assert_int_equal(buf->size, 3);
	assert_true(buf_append(buf, "de", 2));
	assert_string_equal(buf->data, "abcde");
	buf_consume(buf, 4);
	assert_string_equal(buf->data, "e");
}

static void an_arena_gives_pieces_side_by_side_whatever_their_size(void **state)
{
	struct arena arena = { 0 };
	char *first, *second, *large, *last;
	struct text text;

	arena_begin_line(&arena);
	first = arena_take(&arena, 3);
	second = arena_take(&arena, 40);
	assert_ptr_equal(second, first + sizeof(void *));
	large = memset(arena_take(&arena, 1 << 20), 'x', 1 << 20);
	assert_int_equal(large[(1 << 20) - 1], 'x');
	for (int i = 0; i < 100000; i++)
		memset(arena_take(&arena, 24), 'y', 24);
	arena_begin_line(&arena);
	last = arena_take(&arena, 1);
	assert_int_equal((uintptr_t)last % ARENA_LINE, 0);
	text = arena_move_text(&arena, (struct text){ str_copy("abc"), 3 });
	assert_string_equal(text.data, "abc");
	arena_clear(&arena);
	arena_clear(&arena);
}

static void a_path_below_home_is_not_below_home2(void **state)
{
	assert_true(path_is_below(TEXT("/home/a"), TEXT("/home")));
	assert_false(path_is_below(TEXT("/home2/a"), TEXT("/home")));
	assert_false(path_is_below(TEXT("/home"), TEXT("/home")));
	assert_true(path_is_below(TEXT("/home"), TEXT("/")));
	assert_false(path_is_below(TEXT("/"), TEXT("/")));
}

static void an_extension_has_its_dot_and_a_hidden_file_has_none(void **state)
{
	assert_true(text_is(path_extension(TEXT("/a/b.tar.gz")), ".gz"));
	assert_true(text_is(path_extension(TEXT("/a.b/c")), ""));
	assert_true(text_is(path_extension(TEXT("/a/.bashrc")), ""));
	assert_true(text_is(path_extension(TEXT("/a/b.")), ""));
}

static void joined_paths_have_single_slashes_and_none_at_the_end(void **state)
{
	AUTO(free) char *root = path_join(TEXT("/"), TEXT("home/joe/"));
	AUTO(free) char *below = path_join(TEXT("/home//"), TEXT("/joe"));
	AUTO(free) char *nothing = path_join(TEXT("/"), TEXT(""));

	assert_string_equal(root, "/home/joe");
	assert_string_equal(below, "/home/joe");
	assert_string_equal(nothing, "/");
}

static void durations_and_sizes_need_their_units(void **state)
{
	AUTO_ERROR err = { 0 };
	int64_t value;

	assert_int_equal(parse_duration(TEXT("5 m"), &value, &err), 0);
	assert_int_equal(value, 300000);
	assert_int_equal(parse_duration(TEXT("10"), &value, &err), -1);
	assert_int_equal(parse_duration(TEXT("10 parsecs"), &value, &err), -1);
	assert_non_null(strstr(error_text(&err), "10 parsecs"));
	assert_int_equal(parse_size(TEXT("10 MiB"), &value, &err), 0);
	assert_int_equal(value, 10485760);
	assert_int_equal(parse_size(TEXT("99999999999 TiB"), &value, &err), -1);
}

static void a_slip_of_the_finger_finds_its_word(void **state)
{
	static const char *const names[] = { "directory", "extension", "event", NULL };

	assert_string_equal(parse_nearest(TEXT("extention"), names), "extension");
	assert_string_equal(parse_nearest(TEXT("Event"), names), "event");
	assert_null(parse_nearest(TEXT("colour"), names));
}

static void times_go_there_and_back(void **state)
{
	int64_t ms;

	assert_true(clock_parse("2026-11-22T17:08:09.123456789Z", &ms));
	AUTO(free) char *text = clock_format(ms);
	assert_string_equal(text, "2026-11-22T17:08:09.123Z");
	assert_true(clock_parse("2026-11-22T18:08:09+01:00", &ms));
	AUTO(free) char *shifted = clock_format(ms);
	assert_string_equal(shifted, "2026-11-22T17:08:09.000Z");
	assert_false(clock_parse("2026-11-22 17:08:09Z", &ms));
	assert_false(clock_parse("2026-11-22T17:08:09", &ms));
}

static int asked;

static int ask(int answer)
{
	asked++;
	return answer;
}

static void the_larger_and_the_smaller_are_asked_once(void **state)
{
	asked = 0;
	assert_int_equal(MAX(ask(3), MIN(ask(9), ask(5))), 5);
	assert_int_equal(asked, 3);
}

static char last_line[256];

static void keep_line(enum log_level level, const char *who, const char *line)
{
	snprintf(last_line, sizeof(last_line), "%s", line);
}

static void a_hidden_secret_never_shows(void **state)
{
	log_hide("s3cret-token");
	log_redirect(keep_line);
	log_info("test", "got s3cret-token and s3cret-token again");
	log_redirect(NULL);
	assert_string_equal(last_line, "got *** and *** again");
}

static char *escaped(const char *text, enum escape_style style)
{
	char *out = NULL;
	size_t size;
	FILE *file = open_memstream(&out, &size);

	escape_print(file, text, style);
	fclose(file);
	return out;
}

static void foreign_text_that_is_shown_stays_text(void **state)
{
	const char *foreign = "a\n\t\x1b[31m\x7f \xc2\x9b"
			      "1m \u2028 \u202egpj \u2066 \"\\ \u00fc\u20ac\U0001f600";
	AUTO(free) char *text = escaped(foreign, ESCAPE_TEXT);
	AUTO(free) char *json = escaped(foreign, ESCAPE_JSON);

	assert_string_equal(text, "a\\n\\t\\x1b[31m\\x7f \\u009b1m \\u2028 \\u202egpj \\u2066 \"\\ "
				  "\u00fc\u20ac\U0001f600");
	assert_string_equal(json, "a\\n\\t\\u001b[31m\\u007f \\u009b1m \\u2028 \\u202egpj \\u2066 "
				  "\\\"\\\\ \u00fc\u20ac\U0001f600");
	AUTO(free) char *cut = escaped("\xe2\x80", ESCAPE_TEXT);
	assert_string_equal(cut, "\xe2\x80");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(foreign_text_that_is_shown_stays_text),
		cmocka_unit_test(an_arena_gives_pieces_side_by_side_whatever_their_size),
		cmocka_unit_test(a_buffer_takes_all_of_a_piece_or_nothing),
		cmocka_unit_test(the_larger_and_the_smaller_are_asked_once),
		cmocka_unit_test(a_path_below_home_is_not_below_home2),
		cmocka_unit_test(an_extension_has_its_dot_and_a_hidden_file_has_none),
		cmocka_unit_test(joined_paths_have_single_slashes_and_none_at_the_end),
		cmocka_unit_test(durations_and_sizes_need_their_units),
		cmocka_unit_test(a_slip_of_the_finger_finds_its_word),
		cmocka_unit_test(times_go_there_and_back),
		cmocka_unit_test(a_hidden_secret_never_shows),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
