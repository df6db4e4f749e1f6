#include "check.h"

#include "base/buf.h"
#include "chance.h"
#include "rule/scan.h"

static struct scanner *scanner_of(struct scan *scan)
{
	AUTO_ERROR err = { 0 };

	if (scan_compile(scan, &err) < 0)
		fail_msg("%s", error_text(&err));
	return scanner_new(scan);
}

static bool finds(struct scanner *scanner, struct text text, uint32_t id)
{
	size_t count;
	const uint32_t *found;

	scanner_start(scanner, text);
	found = scanner_all(scanner, &count);
	for (size_t i = 0; i < count; i++)
		if (found[i] == id)
			return true;
	return false;
}

static void words_are_found_as_they_are_or_in_any_case(void **state)
{
	AUTO(scan_free) struct scan *scan = scan_new();
	uint32_t plain = scan_add(scan, "Ab*", false), either = scan_add(scan, "Ab*", true);
	struct scanner *scanner;

	assert_int_equal(scan_add(scan, "Ab*", false), plain);
	assert_int_not_equal(plain, either);
	scanner = scanner_of(scan);
	assert_true(finds(scanner, TEXT("/xAb*"), plain));
	assert_true(finds(scanner, TEXT("/xAb*"), either));
	assert_false(finds(scanner, TEXT("/aB*x"), plain));
	assert_true(finds(scanner, TEXT("/aB*x"), either));
	assert_false(finds(scanner, TEXT("/Abb"), either));
	assert_false(finds(scanner, TEXT_NONE, either));
	scanner_free(scanner);
}

static void without_words_nothing_is_found(void **state)
{
	AUTO(scan_free) struct scan *scan = scan_new();
	struct scanner *scanner = scanner_of(scan);

	assert_false(finds(scanner, TEXT("/a"), 0));
	scanner_free(scanner);
}

/* Vectorscan 5.4.9 by itself misses words at the end of texts: of which length depends on the
 * processor. */
static void two_words_of_two_bytes_are_found_at_the_end_of_any_text(void **state)
{
	AUTO(scan_free) struct scan *scan = scan_new();
	uint32_t first = scan_add(scan, "/a", false), second = scan_add(scan, "ba", false);
	struct scanner *scanner = scanner_of(scan);
	char text[301];

	memset(text, 'z', 300);
	for (size_t size = 2; size <= 300; size++) {
		memcpy(text + size - 2, "/a", 2);
		assert_true(finds(scanner, (struct text){ text, size }, first));
		memcpy(text + size - 2, "ba", 2);
		assert_true(finds(scanner, (struct text){ text, size }, second));
		memcpy(text + size - 2, "zz", 2);
		assert_false(finds(scanner, (struct text){ text, size }, second));
	}
	scanner_free(scanner);
}

static void put_random(struct chance *chance, struct buf *out, const char *letters, unsigned size)
{
	while (size--)
		assert_true(buf_append(out, &letters[chance_pick(chance, strlen(letters))], 1));
}

/* A set of words of few letters, and texts that are made of them. */
static void scan_random(struct chance *chance)
{
	static const char *const alphabets[] = { "ab", "ab/", "aA/.", "abcdefghij/._-" };
	const char *letters = CHANCE_OF(chance, alphabets);
	unsigned count = 1 + chance_pick(chance, 30), least = 2 + chance_pick(chance, 2);
	AUTO(scan_free) struct scan *scan = scan_new();
	char *words[30] = { NULL };
	bool any_case[30];
	uint32_t ids[30];
	struct scanner *scanner;

	for (unsigned i = 0; i < count; i++) {
		AUTO(buf_free) struct buf *word = buf_new(SIZE_MAX);

		put_random(chance, word, letters, least + chance_pick(chance, 6));
		words[i] = buf_take(word);
		any_case[i] = chance_hits(chance, 4);
		ids[i] = scan_add(scan, words[i], any_case[i]);
	}
	scanner = scanner_of(scan);
	for (unsigned round = 0; round < 50; round++) {
		AUTO(buf_free) struct buf *text = buf_new(SIZE_MAX);

		put_random(chance, text, chance_pick(chance, 2) ? letters : "z",
			   1 + chance_pick(chance, 200));
		put_random(chance, text, letters, chance_pick(chance, 4));
		for (unsigned i = 0; i < count; i++) {
			bool is_there = any_case[i] ? strcasestr(text->data, words[i]) != NULL
						    : strstr(text->data, words[i]) != NULL;

			if (finds(scanner, buf_text(text), ids[i]) != is_there)
				fail_msg("'%s' in '%s'", words[i], text->data);
		}
	}
	scanner_free(scanner);
	for (unsigned i = 0; i < count; i++)
		free(words[i]);
}

static void a_word_is_found_if_and_only_if_it_is_there(void **state)
{
	struct chance chance = chance_of_seed(20261126);

	for (unsigned i = 0; i < 200; i++)
		scan_random(&chance);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(words_are_found_as_they_are_or_in_any_case),
		cmocka_unit_test(without_words_nothing_is_found),
		cmocka_unit_test(two_words_of_two_bytes_are_found_at_the_end_of_any_text),
		cmocka_unit_test(a_word_is_found_if_and_only_if_it_is_there),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
