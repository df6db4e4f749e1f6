#include "check.h"

#include <stdio.h>

#include "rule/fold.h"
#include "rule/pattern.h"

static struct pattern_list parse(const char *glob, enum pattern_of of, bool fold)
{
	struct pattern_list list = { 0 };
	AUTO_ERROR err = { 0 };
	size_t at;

	if (pattern_parse(&list, text_of(glob), of, fold, &at, &err) < 0)
		fail_msg("%s at %zu: %s", glob, at, error_text(&err));
	return list;
}

static bool any_matches(const char *glob, enum pattern_of of, bool fold, const char *text)
{
	struct pattern_list list = parse(glob, of, fold);
	struct fold memory = { 0 };
	struct text subject = fold ? fold_text(&memory, text_of(text)) : text_of(text);
	bool found = false;

	for (size_t i = 0; i < list.count; i++)
		found |= pattern_match(list.items[i], subject);
	pattern_list_clear(&list);
	fold_clear(&memory);
	return found;
}

static bool path(const char *glob, const char *text)
{
	return any_matches(glob, PATTERN_OF_PATH, false, text);
}

static bool name(const char *glob, const char *text)
{
	return any_matches(glob, PATTERN_OF_NAME, false, text);
}

static void a_star_stays_within_its_component(void **state)
{
	assert_true(path("/home/*/a", "/home/joe/a"));
	assert_false(path("/home/*/a", "/home/joe/b/a"));
	assert_true(path("/home/*.jpg", "/home/.jpg"));
	assert_true(path("/h*e/j?e/*", "/home/joe/x"));
	assert_false(path("/home/*", "/home"));
	assert_true(name("*a*b*", "xxaxxbxx"));
	assert_false(name("*a*b", "xxaxxbxx"));
	assert_true(name("*", ""));
	assert_true(name("?", "\xf0\x9f\x98\x80"));
	assert_false(name("?", "ab"));
}

static void two_stars_cross_slashes_and_may_be_nothing(void **state)
{
	assert_true(path("/home/**", "/home/a/b"));
	assert_false(path("/home/**", "/home"));
	assert_true(path("/home/**/a", "/home/a"));
	assert_true(path("/home/**/a", "/home/x/y/a"));
	assert_false(path("/home/**/a", "/home/xa"));
	assert_true(path("**/a", "/a"));
	assert_true(path("**/*.c", "/x/y/z.c"));
	assert_true(path("/a**z", "/a/b/c/z"));
	assert_true(path("/**/a/**/b", "/a/b"));
	assert_true(path("/**/**/b", "/b"));
	assert_true(path("/**/a*/**/b", "/x/a1/a2/y/b"));
	assert_false(path("/**/a*/b", "/x/a1/a2/y/b"));
}

static void classes_name_characters_and_never_the_slash(void **state)
{
	assert_true(name("[a-c]x", "bx"));
	assert_false(name("[a-c]x", "dx"));
	assert_true(name("[!a-c]x", "dx"));
	assert_true(name("[^a-c]x", "dx"));
	assert_true(name("[]]", "]"));
	assert_true(name("[a-]", "-"));
	assert_true(name("[\\]]", "]"));
	assert_true(name("[\xc3\xa0-\xc3\xbf]", "\xc3\xa9"));
	assert_false(path("/a[!x]b", "/a/b"));
}

static void braces_are_alternatives_and_nest(void **state)
{
	assert_true(name("{a,b}.c", "b.c"));
	assert_true(name("x{,y}", "x"));
	assert_true(name("{a,{b,c}d}*", "cdx"));
	assert_false(name("{a,{b,c}d}", "c"));
	assert_true(path("{/a,/b}/c", "/b/c"));
	assert_true(name("a,b", "a,b"));
	assert_true(name("a}", "a}"));
}

static void a_backslash_takes_the_next_character_as_it_is(void **state)
{
	assert_true(name("\\*", "*"));
	assert_false(name("\\*", "a"));
	assert_true(name("\\{a,b\\}", "{a,b}"));
}

static void folded_patterns_see_no_difference_of_case_or_composition(void **state)
{
	assert_true(any_matches("*.JPG", PATTERN_OF_NAME, true, "a.jpg"));
	assert_true(any_matches("stra\xc3\x9f"
				"e*",
				PATTERN_OF_NAME, true, "STRASSEN"));
	assert_true(any_matches("caf\xc3\xa9", PATTERN_OF_NAME, true, "CAFE\xcc\x81"));
	assert_true(any_matches("[A-Z]", PATTERN_OF_NAME, true, "q"));
	assert_true(any_matches("[a-z]", PATTERN_OF_NAME, true, "Q"));
	assert_false(any_matches("[!Q]", PATTERN_OF_NAME, true, "q"));
}

static void assert_refused(const char *glob, enum pattern_of of, size_t at, const char *why)
{
	struct pattern_list list = { 0 };
	AUTO_ERROR err = { 0 };
	size_t found_at;

	assert_int_equal(pattern_parse(&list, text_of(glob), of, false, &found_at, &err), -1);
	assert_string_equal(error_text(&err), why);
	assert_int_equal(found_at, at);
	assert_int_equal(list.count, 0);
}

static void what_makes_no_sense_is_refused_at_its_place(void **state)
{
	assert_refused("ab[c", PATTERN_OF_NAME, 2,
		       "'[' without its ']'; '\\[' is a bracket itself");
	assert_refused("a{b,c", PATTERN_OF_NAME, 1, "'{' without its '}'; '\\{' is a brace itself");
	assert_refused("ab\\", PATTERN_OF_NAME, 2, "a '\\' with nothing after it");
	assert_refused("[z-a]", PATTERN_OF_NAME, 1, "the range 'z-a' runs backwards");
	assert_refused("a/b", PATTERN_OF_NAME, 1, "a name has no '/'; 'path' compares whole paths");
	assert_refused("*.jpg", PATTERN_OF_PATH, 0,
		       "a path begins with '/'; expected something like /home/*.jpg or **/*.jpg");
	assert_refused("/a/", PATTERN_OF_PATH, 0,
		       "a path does not end with '/'; '/**' is everything below");
	assert_refused("{1,2}{1,2}{1,2}{1,2}{1,2}{1,2}{1,2}{1,2}{1,2}", PATTERN_OF_NAME, 0,
		       "its braces stand for more than 256 patterns");
	assert_refused("", PATTERN_OF_NAME, 0, "an empty pattern");
}

static void a_pattern_of_paths_knows_where_they_lie(void **state)
{
	struct pattern_list list = parse("/home/joe-*/**/x*.tar.gz", PATTERN_OF_PATH, false);

	assert_true(text_is(list.items[0]->directory, "/home"));
	assert_false(list.items[0]->is_direct);
	assert_true(pattern_match(list.items[0]->name, TEXT("xy.tar.gz")));
	assert_false(pattern_match(list.items[0]->name, TEXT("y.tar.gz")));
	pattern_list_clear(&list);

	list = parse("/home/*.c", PATTERN_OF_PATH, false);
	assert_true(list.items[0]->is_direct);
	pattern_list_clear(&list);

	list = parse("/**.c", PATTERN_OF_PATH, false);
	assert_int_equal(list.items[0]->directory.size, 0);
	assert_true(pattern_match(list.items[0]->name, TEXT("a.c")));
	pattern_list_clear(&list);

	list = parse("/home/**", PATTERN_OF_PATH, false);
	assert_null(list.items[0]->name);
	pattern_list_clear(&list);
}

static enum pattern_relation relate(const char *first, const char *second)
{
	struct pattern_list a = parse(first, PATTERN_OF_PATH, false);
	struct pattern_list b = parse(second, PATTERN_OF_PATH, false);
	enum pattern_relation relation = pattern_relate(a.items[0], b.items[0]);

	pattern_list_clear(&a);
	pattern_list_clear(&b);
	return relation;
}

static void patterns_know_whether_they_can_meet(void **state)
{
	assert_int_equal(relate("/*.tmp", "/*.done"), PATTERNS_DISJOINT);
	assert_int_equal(relate("/a*.tmp", "/*.tmp"), PATTERN_WITHIN);
	assert_int_equal(relate("/*.tmp", "/a*.tmp"), PATTERNS_OVERLAP);
	assert_int_equal(relate("/home/**/*.jpg", "/home/**"), PATTERN_WITHIN);
	assert_int_equal(relate("/home/**", "/data/**"), PATTERNS_DISJOINT);
	assert_int_equal(relate("/home/*/x", "/home/a/b/x"), PATTERNS_DISJOINT);
	assert_int_equal(relate("/[ab]", "/[bc]"), PATTERNS_OVERLAP);
	assert_int_equal(relate("/[ab]", "/[c-z]"), PATTERNS_DISJOINT);
	assert_int_equal(relate("/[b-c]", "/[a-z]"), PATTERN_WITHIN);
	assert_int_equal(relate("/[!a]", "/?"), PATTERN_WITHIN);
	assert_int_equal(relate("/a", "/?"), PATTERN_WITHIN);
}

static uint64_t seed = 20261122;

static unsigned pick(unsigned below)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return (seed >> 11) % below;
}

/* Every way to match, tried one after the other: slow and plainly right. */
static bool plainly(const struct pattern *pattern, size_t next, const char *text)
{
	const struct pattern_token *token = &pattern->tokens[next];

	if (next == pattern->token_count)
		return !*text;
	switch (token->kind) {
	case TOKEN_STAR:
		return plainly(pattern, next + 1, text) ||
		       (*text && *text != '/' && plainly(pattern, next, text + 1));
	case TOKEN_DEEP:
		return plainly(pattern, next + 1, text) ||
		       (*text && plainly(pattern, next, text + 1));
	case TOKEN_DIRS:
		if (plainly(pattern, next + 1, text))
			return true;
		for (; *text; text++)
			if (*text == '/' && plainly(pattern, next + 1, text + 1))
				return true;
		return false;
	default:
		return *text && pattern_token_takes(pattern, token, (unsigned char)*text) &&
		       plainly(pattern, next + 1, text + 1);
	}
}

static void random_text(char *out, unsigned most, const char *characters)
{
	unsigned size = pick(most + 1);

	*out++ = '/';
	while (size--)
		*out++ = characters[pick(strlen(characters))];
	*out = 0;
}

static void matching_agrees_with_trying_every_way(void **state)
{
	char glob[16], text[16];
	unsigned matched = 0;

	for (unsigned i = 0; i < 60000; i++) {
		struct pattern_list list = { 0 };
		AUTO_ERROR err = { 0 };
		size_t at;

		random_text(glob, 9, "ab/***?");
		random_text(text, 10, "aab/");
		if (pattern_parse(&list, text_of(glob), PATTERN_OF_PATH, false, &at, &err) == 0) {
			bool expected = plainly(list.items[0], 0, text);

			if (pattern_match(list.items[0], text_of(text)) != expected)
				fail_msg("%s against %s", glob, text);
			matched += expected;
		}
		pattern_list_clear(&list);
	}
	assert_true(matched > 2000);
}

static void relations_are_never_contradicted_by_a_text(void **state)
{
	char globs[2][16], text[16];
	unsigned certain = 0;

	for (unsigned i = 0; i < 3000; i++) {
		struct pattern_list lists[2] = { 0 };
		AUTO_ERROR err = { 0 };
		size_t at;
		bool ok = true;

		for (unsigned j = 0; j < 2; j++) {
			random_text(globs[j], 6, "ab/**?");
			ok &= pattern_parse(&lists[j], text_of(globs[j]), PATTERN_OF_PATH, false,
					    &at, &err) == 0;
		}
		if (ok) {
			enum pattern_relation relation =
				pattern_relate(lists[0].items[0], lists[1].items[0]);

			certain += relation != PATTERNS_OVERLAP;
			for (unsigned j = 0; j < 50; j++) {
				random_text(text, 6, "ab/");
				bool first = pattern_match(lists[0].items[0], text_of(text));
				bool second = pattern_match(lists[1].items[0], text_of(text));

				if ((relation == PATTERNS_DISJOINT && first && second) ||
				    (relation == PATTERN_WITHIN && first && !second))
					fail_msg("%s, %s: %s", globs[0], globs[1], text);
			}
		}
		pattern_list_clear(&lists[0]);
		pattern_list_clear(&lists[1]);
	}
	assert_true(certain > 500);
}

static void a_long_path_against_many_stars_takes_no_time(void **state)
{
	AUTO(free) char *text = mem_new(20001);
	struct pattern_list list = parse("/**a*a*a*a*b**/**/x*c*y", PATTERN_OF_PATH, false);

	for (size_t i = 0; i < 20000; i++)
		text[i] = i % 200 ? 'a' : '/';
	assert_false(pattern_match(list.items[0], text_of(text)));
	pattern_list_clear(&list);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_star_stays_within_its_component),
		cmocka_unit_test(two_stars_cross_slashes_and_may_be_nothing),
		cmocka_unit_test(classes_name_characters_and_never_the_slash),
		cmocka_unit_test(braces_are_alternatives_and_nest),
		cmocka_unit_test(a_backslash_takes_the_next_character_as_it_is),
		cmocka_unit_test(folded_patterns_see_no_difference_of_case_or_composition),
		cmocka_unit_test(what_makes_no_sense_is_refused_at_its_place),
		cmocka_unit_test(a_pattern_of_paths_knows_where_they_lie),
		cmocka_unit_test(patterns_know_whether_they_can_meet),
		cmocka_unit_test(matching_agrees_with_trying_every_way),
		cmocka_unit_test(relations_are_never_contradicted_by_a_text),
		cmocka_unit_test(a_long_path_against_many_stars_takes_no_time),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
