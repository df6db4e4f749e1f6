#include "check.h"

#include "app/turns.h"

static void so_many_at_once_and_no_more(void **state)
{
	struct turns *turns = turns_new();
	int action, other;
	int64_t again_ms = 0;

	assert_true(turns_take(turns, &action, 2, 1000, &again_ms));
	assert_true(turns_take(turns, &action, 2, 1000, &again_ms));
	assert_false(turns_take(turns, &action, 2, 1000, &again_ms));
	assert_in_range(again_ms, 1010, 1200);
	assert_true(turns_take(turns, &other, 1, 1000, &again_ms));
	turns_end(turns, &action, 100, 1100);
	assert_true(turns_take(turns, &action, 2, 1100, &again_ms));
	turns_free(turns);
}

/* A thousand that wait for one place do not all ask again in the same moment. */
static void who_waits_comes_one_after_the_other(void **state)
{
	struct turns *turns = turns_new();
	int64_t again_ms = 0, last_ms = 0;
	int action;

	assert_true(turns_take(turns, &action, 1, 0, &again_ms));
	for (int i = 0; i < 50; i++) {
		turns_end(turns, &action, 40, 0);
		assert_true(turns_take(turns, &action, 1, 0, &again_ms));
	}
	for (int i = 0; i < 1000; i++) {
		assert_false(turns_take(turns, &action, 1, 0, &again_ms));
		assert_true(again_ms >= last_ms + (i ? 20 : 0));
		last_ms = again_ms;
	}
	assert_in_range(last_ms, 20000, 60000); /* 1000 runs of 40 ms */
	turns_free(turns);
}

static void a_clock_that_is_set_back_sends_nobody_away_for_long(void **state)
{
	struct turns *turns = turns_new();
	int64_t again_ms = 0;
	int action;

	assert_true(turns_take(turns, &action, 1, 100000000, &again_ms));
	assert_false(turns_take(turns, &action, 1, 100000000, &again_ms));
	assert_false(turns_take(turns, &action, 1, 0, &again_ms));
	assert_in_range(again_ms, 10, 1000);
	turns_free(turns);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(so_many_at_once_and_no_more),
		cmocka_unit_test(who_waits_comes_one_after_the_other),
		cmocka_unit_test(a_clock_that_is_set_back_sends_nobody_away_for_long),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
