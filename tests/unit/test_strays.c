#include "check.h"

#include "app/strays.h"

static void others_wait_until_it_is_back(void **state)
{
	struct strays *strays = strays_new();

	strays_note(strays, 1, NULL);
	assert_false(strays_have(strays, 2, "7"));
	strays_note(strays, 1, "7");
	assert_true(strays_have(strays, 2, "7"));
	assert_false(strays_have(strays, 2, "8"));
	assert_false(strays_have(strays, 1, "7"));
	strays_note(strays, 1, "8");
	assert_false(strays_have(strays, 2, "7"));
	assert_true(strays_have(strays, 2, "8"));
	strays_note(strays, 1, NULL);
	assert_false(strays_have(strays, 2, "8"));
	strays_free(strays);
}

static void there_is_a_ceiling(void **state)
{
	struct strays *strays = strays_new();

	for (uint64_t job = 1; job <= 1001; job++)
		strays_note(strays, job, job <= 1000 ? "7" : "8");
	assert_true(strays_have(strays, 2000, "7"));
	assert_false(strays_have(strays, 2000, "8"));
	strays_note(strays, 5, NULL);
	strays_note(strays, 1001, "8");
	assert_true(strays_have(strays, 2000, "8"));
	strays_free(strays);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(others_wait_until_it_is_back),
		cmocka_unit_test(there_is_a_ceiling),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
