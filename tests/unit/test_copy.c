/* What a cluster answers to a request to copy. */
#include "check.h"

#include "qumulo/copy.h"

static int64_t next(const char *json)
{
	const struct file_piece piece = { "7", NULL, 100, 50 };
	json_t *answer = json ? json_loads(json, JSON_DECODE_ANY, NULL) : NULL;
	int64_t offset = copy_next_offset(answer, &piece);

	json_decref(answer);
	return offset;
}

static void nothing_left_means_that_all_was_copied(void **state)
{
	static const char *const ends[] = {
		NULL,
		"null",
		"{}",
		"{\"length\": \"\"}",
		"{\"length\": \"0\", \"source_offset\": \"3\"}",
		"{\"length\": 0}",
	};

	for (size_t i = 0; i < ARRAY_SIZE(ends); i++)
		assert_int_equal(next(ends[i]), 150);
}

static void the_next_request_says_how_far_it_got(void **state)
{
	assert_int_equal(next("{\"source_offset\": \"120\", \"target_offset\": \"120\", "
			      "\"length\": \"30\"}"),
			 120);
	assert_int_equal(next("{\"source_offset\": 101, \"target_offset\": 101}"), 101);
}

/* One that does not get on would be asked for ever. */
static void an_answer_without_sense_is_none(void **state)
{
	static const char *const strange[] = {
		"{\"source_offset\": \"100\", \"target_offset\": \"100\", \"length\": \"50\"}",
		"{\"source_offset\": \"151\", \"target_offset\": \"151\"}",
		"{\"source_offset\": \"120\", \"target_offset\": \"110\"}",
		"{\"source_offset\": \"x\", \"target_offset\": \"120\"}",
		"{\"source_offset\": \"-1\", \"target_offset\": \"-1\"}",
		"{\"length\": \"5\"}",
		"[1]",
		"\"done\"",
		"7",
	};

	for (size_t i = 0; i < ARRAY_SIZE(strange); i++)
		assert_int_equal(next(strange[i]), -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nothing_left_means_that_all_was_copied),
		cmocka_unit_test(the_next_request_says_how_far_it_got),
		cmocka_unit_test(an_answer_without_sense_is_none),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
