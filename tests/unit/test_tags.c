#include "check.h"

#include "qumulo/tags.h"

static void assert_value(const char *json, const char *bytes, size_t size)
{
	json_t *value = json_loads(json, JSON_DECODE_ANY, NULL);
	size_t found = 0;
	AUTO(free) char *read = tags_value(value, &found);

	if (!bytes) {
		assert_null(read);
	} else {
		assert_non_null(read);
		assert_int_equal(found, size);
		assert_memory_equal(read, bytes, size + 1);
	}
	json_decref(value);
}

static void a_value_is_base64_or_numbers(void **state)
{
	assert_value("\"aGVsbG8=\"", "hello", 5);
	assert_value("\"aGVsbA==\"", "hell", 4);
	assert_value("\"aGVs\"", "hel", 3);
	assert_value("\"\"", "", 0);
	assert_value("\"AAEA\"", "\0\1\0", 3);
	assert_value("[104, 0, 255]", "h\0\xff", 3);
	assert_value("[]", "", 0);
}

static void what_is_neither_is_no_value(void **state)
{
	static const char *const strange[] = {
		"\"aGVsbG8\"",    "\"aGVs bG8=\"", "\" aGVsbG8=\"", "\"aGV=bG8=\"", "\"a===\"",
		"\"====\"",       "[256]",         "[-1]",          "[\"a\"]",      "7",
		"{\"a\": \"b\"}", "null",
	};

	for (size_t i = 0; i < ARRAY_SIZE(strange); i++)
		assert_value(strange[i], NULL, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_value_is_base64_or_numbers),
		cmocka_unit_test(what_is_neither_is_no_value),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
