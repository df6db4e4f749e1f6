#include "check.h"

#include "base/buf.h"
#include "chance.h"
#include "rule/regex.h"

static struct regex_memory *memory;

static struct regex *make(const char *expression, bool ignore_case)
{
	struct regex *regex;
	AUTO_ERROR err = { 0 };
	int at;

	if (regex_new(&regex, expression, ignore_case, &at, &err) < 0)
		fail_msg("%s: %s", expression, error_text(&err));
	return regex;
}

static enum truth test(const char *expression, struct text text)
{
	struct regex *regex = make(expression, false);
	enum truth truth = regex_test(regex, memory, text);

	regex_free(regex);
	return truth;
}

/* Vectorscan 5.4.9 says no where a text has 18 to 32 bytes. */
static void an_expression_is_found_at_the_end_of_a_text_of_any_length(void **state)
{
	static const char *const expressions[] = { "\\.[ch]$", "/[ab]\\z", "(/a|/b)$", "(ab|ba)" };
	static const char *const ends[] = { ".c", "/b", "/a", "ba" };
	char text[102] = "/";

	memset(text + 1, 'z', 98);
	for (size_t i = 0; i < ARRAY_SIZE(ends); i++) {
		struct regex *regex = make(expressions[i], false);

		for (size_t size = 3; size <= 100; size++) {
			memcpy(text + size - 2, ends[i], 2);
			assert_int_equal(regex_test(regex, memory, (struct text){ text, size }),
					 TRUTH_TRUE);
			memcpy(text + size - 2, "zz", 2);
			assert_int_equal(regex_test(regex, memory, (struct text){ text, size }),
					 TRUTH_FALSE);
		}
		regex_free(regex);
	}
}

/* And for 15 places of a long one. */
static void an_expression_is_found_in_any_place_of_a_text(void **state)
{
	struct regex *regex = make("^/.*(ab|ba)", false);
	char text[300];

	memset(text, 'x', sizeof(text));
	text[0] = '/';
	for (size_t at = 1; at + 2 <= sizeof(text); at++) {
		memcpy(text + at, "ba", 2);
		assert_int_equal(regex_test(regex, memory, (struct text){ text, sizeof(text) }),
				 TRUTH_TRUE);
		memcpy(text + at, "xx", 2);
	}
	regex_free(regex);
}

static void texts_are_utf_8_and_dots_match_newlines(void **state)
{
	assert_int_equal(test("^/.$", TEXT("/\xc3\xa9")), TRUTH_TRUE);
	assert_int_equal(test("a.b", TEXT("a\nb")), TRUTH_TRUE);
	assert_int_equal(test("^$", TEXT_NONE), TRUTH_TRUE);
	assert_int_equal(test("a", TEXT_NONE), TRUTH_FALSE);
	assert_int_equal(test("\\w", TEXT("\xc3\xa9")), TRUTH_FALSE);
	/* Nobody hands out what is not UTF-8; if somebody did, it would not be guessed at. */
	assert_int_equal(test("a", TEXT("\xffx")), TRUTH_UNKNOWN);
}

/* These take 2 to the power of the text's length, gone about by trying. */
static void an_expression_that_could_try_forever_has_its_answer_soon(void **state)
{
	char text[201];

	memset(text, 'x', 200);
	text[200] = 'z';
	assert_int_equal(test("(x+x+)+y", (struct text){ text, 200 }), TRUTH_FALSE);
	assert_int_equal(test("(x*)*z", (struct text){ text, 201 }), TRUTH_TRUE);
	assert_int_equal(test("^(xx|x|x?)+y", (struct text){ text, 201 }), TRUTH_FALSE);
}

static void what_needs_going_back_is_refused_with_a_reason(void **state)
{
	static const char *const refused[] = { "(?=a)", "(a)\\1", "a++b", "a(b", "[z-a]" };
	struct regex *regex;
	int at;

	for (size_t i = 0; i < ARRAY_SIZE(refused); i++) {
		AUTO_ERROR err = { 0 };

		assert_int_equal(regex_new(&regex, refused[i], false, &at, &err), -1);
		assert_true(*error_text(&err));
	}
}

static void the_word_of_an_expression_is_its_longest_plain_piece(void **state)
{
	static const struct {
		const char *expression, *word;
	} table[] = {
		{ "/batch50/[0-9]{4}-[0-9]{2}/.*\\.csv$", "/batch50/" },
		{ "^/home/\\w+\\.docx?$", "/home/" },
		{ "tmp$", "tmp" },
		{ "(abc|def)gh+i", "gh" },
		{ "ab?cd*efg{0,2}h", "ef" },
		{ "a\\.b\\$c", "a.b$c" },
		{ "x{2}yz", "yz" },
		{ "ab+?cde", "cde" },
		{ "\xc3\xa9\xc3\xa9*ab\xc3\xa9", "ab\xc3\xa9" },
		{ "[]a]bc[^]x]de", "bc" },
		{ "[[:alpha:]]bc", "bc" },
		{ "[\\]a]bc", "bc" },
		{ "(a[)]b)cde", "cde" },
		/* One of several, or one byte, or what is not understood: no word. */
		{ "ab|cd", NULL },
		{ "(ab)", NULL },
		{ "a.b.c", NULL },
		{ "(?i)abc", NULL },
		{ "(?:a|(?i)b)abc", NULL },
		{ "\\x41BC", NULL },
		{ "\\Qab|cd\\E", NULL },
		{ "ab{x}", NULL },
		{ "", NULL },
	};

	for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
		AUTO(free) char *word = regex_word(table[i].expression, false);

		if (table[i].word ? !word || strcmp(word, table[i].word) != 0 : word != NULL)
			fail_msg("%s: %s", table[i].expression, word ? word : "none");
	}
}

static void in_any_case_only_letters_with_two_cases_make_a_word(void **state)
{
	AUTO(free) char *plain = regex_word("maskedfile", false);
	AUTO(free) char *either = regex_word("maskedfile\xc3\xa9x", true);

	assert_string_equal(plain, "maskedfile");
	assert_string_equal(either, "edfile"); /* k is also U+212A, s is also U+017F */
}

static void put(struct buf *out, const char *piece)
{
	assert_true(buf_append(out, piece, strlen(piece)));
}

/* What the expression matches has its word: else the index would not find the rule. */
static void whatever_matches_has_the_word(void **state)
{
	static const char *const atoms[] = {
		"a",        "b",        "k",   "ab",      ".",     "[ab]",     "[^a]",      "(a|b)",
		"(?:ab)",   "a?",       "b*",  "a+",      "b{2}",  "b{0,1}",   "\\.",       "\\d",
		"a??",      "$",        "^",   "[]a]",    "(b)",   "\xc3\xa9", "\xc3\xa9?", "|",
		"(a[b)]b)", "ab{1,2}?", "\\b", "[a\\]b]", "(ab)*", "k+",
	};
	static const char *const letters[] = { "a", "b", "A",        "k", "\xe2\x84\xaa",
					       ".", "1", "\xc3\xa9", "]", "ab" };
	struct chance chance = chance_of_seed(1);
	unsigned words = 0, matches = 0;

	for (unsigned round = 0; round < 8000; round++) {
		AUTO(buf_free) struct buf *expression = buf_new(SIZE_MAX);
		bool ignore_case = chance_hits(&chance, 3);

		for (unsigned i = 1 + chance_pick(&chance, 5); i; i--)
			put(expression, CHANCE_OF(&chance, atoms));

		AUTO(free) char *word = regex_word(expression->data, ignore_case);
		struct regex *regex;
		AUTO_ERROR err = { 0 };
		int at;

		if (!word || regex_new(&regex, expression->data, ignore_case, &at, &err) < 0)
			continue;
		words++;
		for (unsigned i = 0; i < 40; i++) {
			AUTO(buf_free) struct buf *text = buf_new(SIZE_MAX);

			for (unsigned j = 1 + chance_pick(&chance, 7); j; j--)
				put(text, CHANCE_OF(&chance, letters));
			if (regex_test(regex, memory, buf_text(text)) != TRUTH_TRUE)
				continue;
			matches++;
			if (!(ignore_case ? strcasestr(text->data, word)
					  : strstr(text->data, word)))
				fail_msg("'%s' matches '%s', which has no '%s'", expression->data,
					 text->data, word);
		}
		regex_free(regex);
	}
	print_message("%u words, %u matches\n", words, matches);
	assert_true(words > 500);
	assert_true(matches > 2000);
}

static int begin(void **state)
{
	memory = regex_memory_new();
	return 0;
}

static int end(void **state)
{
	regex_memory_free(memory);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_expression_is_found_at_the_end_of_a_text_of_any_length),
		cmocka_unit_test(an_expression_is_found_in_any_place_of_a_text),
		cmocka_unit_test(texts_are_utf_8_and_dots_match_newlines),
		cmocka_unit_test(an_expression_that_could_try_forever_has_its_answer_soon),
		cmocka_unit_test(what_needs_going_back_is_refused_with_a_reason),
		cmocka_unit_test(the_word_of_an_expression_is_its_longest_plain_piece),
		cmocka_unit_test(in_any_case_only_letters_with_two_cases_make_a_word),
		cmocka_unit_test(whatever_matches_has_the_word),
	};

	return cmocka_run_group_tests(tests, begin, end);
}
