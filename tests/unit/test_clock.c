#include "check.h"

#include "base/clock.h"

#define HOUR ((int64_t)3600000)
#define NOON (1764158400000)

/* What is shown so long after the clock was stepped by so much, looked at every 100 ms. */
static int64_t shown_after(int64_t step_ms, int64_t time_ms, int64_t *out_ahead_ms)
{
	struct clock_follower follower = { 0 };
	int64_t shown_ms = clock_follow(&follower, NOON, 5000), before_ms = shown_ms;

	assert_int_equal(shown_ms, NOON);
	for (int64_t at = 100; at <= time_ms; at += 100) {
		shown_ms = clock_follow(&follower, NOON + step_ms + at, 5000 + at);
		if (step_ms > -24 * HOUR && step_ms < 24 * HOUR)
			assert_in_range(shown_ms - before_ms, 40, 1100);
		before_ms = shown_ms;
	}
	*out_ahead_ms = follower.ahead_ms;
	return shown_ms - NOON;
}

static void a_small_step_is_followed_at_once(void **state)
{
	int64_t ahead_ms;

	assert_int_equal(shown_after(900, 1000, &ahead_ms), 1900);
	assert_int_equal(ahead_ms, 0);
}

static void a_step_forward_is_followed_by_half_a_second_a_second(void **state)
{
	int64_t ahead_ms;

	assert_in_range(shown_after(2 * HOUR, 60000, &ahead_ms), 89000, 90000);
	assert_in_range(ahead_ms, 2 * HOUR - 30000, 2 * HOUR - 29000);
	assert_int_equal(shown_after(2 * HOUR, 4 * HOUR, &ahead_ms), 6 * HOUR);
	assert_int_equal(ahead_ms, 0);
}

static void after_a_step_backward_time_goes_on_forward(void **state)
{
	int64_t ahead_ms;

	assert_in_range(shown_after(-2 * HOUR, 60000, &ahead_ms), 30000, 31000);
	assert_in_range(-ahead_ms, 2 * HOUR - 30000, 2 * HOUR - 29000);
	assert_int_equal(shown_after(-2 * HOUR, 4 * HOUR, &ahead_ms), 2 * HOUR);
}

static void one_who_looks_all_the_time_sees_it_go_on_as_well(void **state)
{
	struct clock_follower follower = { 0 };
	int64_t shown_ms = clock_follow(&follower, NOON, 0);

	for (int64_t at = 1; at <= 1000; at++)
		for (int look = 0; look < 3; look++)
			shown_ms = clock_follow(&follower, NOON + HOUR + at, at);
	assert_in_range(shown_ms - NOON, 1490, 1500);
}

static void a_clock_that_was_never_set_is_followed_at_once(void **state)
{
	int64_t ahead_ms;

	assert_int_equal(shown_after(20000 * HOUR, 1000, &ahead_ms), 20000 * HOUR + 1000);
	assert_int_equal(ahead_ms, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_small_step_is_followed_at_once),
		cmocka_unit_test(a_step_forward_is_followed_by_half_a_second_a_second),
		cmocka_unit_test(after_a_step_backward_time_goes_on_forward),
		cmocka_unit_test(one_who_looks_all_the_time_sees_it_go_on_as_well),
		cmocka_unit_test(a_clock_that_was_never_set_is_followed_at_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
