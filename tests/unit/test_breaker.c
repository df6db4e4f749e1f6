/* breaker: when a server is left in peace, and when it is tried again. */
#include "check.h"

#include "app/breaker.h"
#include "base/log.h"
#include "base/text.h"

#define NOW_MS 1795366800000

static void note(struct breakers *breakers, const char *server, const char *why, int64_t now_ms)
{
	breakers_note(breakers, server, why, 0, now_ms);
}

static bool is_allowed(struct breakers *breakers, const char *server, int64_t now_ms,
		       int64_t *out_again_ms)
{
	AUTO(free) char *why = NULL;
	bool is = breakers_allow(breakers, server, now_ms, out_again_ms, &why);

	assert_int_equal(is, why == NULL);
	return is;
}

static struct breakers *three_in_a_row(void)
{
	return breakers_new(&(struct breaker_settings){ 3, 1000, 8000 });
}

static void it_opens_after_so_many_failures_in_a_row(void **state)
{
	struct breakers *breakers = three_in_a_row();
	int64_t again_ms = 0;

	note(breakers, "a", "503", NOW_MS);
	note(breakers, "a", "503", NOW_MS);
	note(breakers, "a", NULL, NOW_MS); /* it works: counted anew */
	note(breakers, "a", "503", NOW_MS);
	note(breakers, "a", "503", NOW_MS);
	assert_true(is_allowed(breakers, "a", NOW_MS, &again_ms));
	note(breakers, "a", "503", NOW_MS);
	assert_false(is_allowed(breakers, "a", NOW_MS, &again_ms));
	assert_int_equal(again_ms, NOW_MS + 1000);
	assert_true(is_allowed(breakers, "b", NOW_MS, &again_ms));
	breakers_free(breakers);
}

static void one_tries_and_what_comes_of_it_decides(void **state)
{
	struct breakers *breakers = three_in_a_row();
	int64_t again_ms = 0, now_ms = NOW_MS;

	for (int i = 0; i < 3; i++)
		note(breakers, "a", "503", now_ms);
	for (int64_t pause_ms = 1000; pause_ms <= 8000; pause_ms *= 2) {
		assert_false(is_allowed(breakers, "a", now_ms + pause_ms - 1, &again_ms));
		now_ms += pause_ms;
		assert_true(is_allowed(breakers, "a", now_ms, &again_ms));
		assert_false(is_allowed(breakers, "a", now_ms, &again_ms)); /* one at a time */
		note(breakers, "a", "still 503", now_ms);
	}
	assert_false(is_allowed(breakers, "a", now_ms + 7999, &again_ms)); /* no longer than that */
	now_ms += 8000;
	assert_true(is_allowed(breakers, "a", now_ms, &again_ms));
	note(breakers, "a", NULL, now_ms);
	for (int i = 0; i < 10; i++)
		assert_true(is_allowed(breakers, "a", now_ms, &again_ms));
	assert_int_equal(breakers_visit(breakers, NULL, NULL), 0);
	breakers_free(breakers);
}

static void a_try_that_nothing_comes_of_is_followed_by_another(void **state)
{
	struct breakers *breakers = three_in_a_row();
	int64_t again_ms = 0;

	for (int i = 0; i < 3; i++)
		note(breakers, "a", "503", NOW_MS);
	assert_true(is_allowed(breakers, "a", NOW_MS + 1000, &again_ms));
	assert_false(is_allowed(breakers, "a", NOW_MS + 1001, &again_ms));
	assert_true(is_allowed(breakers, "a", again_ms, &again_ms));
	breakers_free(breakers);
}

static void those_that_were_under_way_do_not_open_it_again(void **state)
{
	struct breakers *breakers = three_in_a_row();
	int64_t again_ms = 0;

	for (int i = 0; i < 32; i++)
		note(breakers, "a", "503", NOW_MS + i);
	assert_false(is_allowed(breakers, "a", NOW_MS + 999, &again_ms));
	assert_int_equal(again_ms, NOW_MS + 2 + 1000);
	breakers_free(breakers);
}

static void a_server_may_say_how_long(void **state)
{
	struct breakers *breakers = three_in_a_row();
	int64_t again_ms = 0;

	for (int i = 0; i < 3; i++)
		breakers_note(breakers, "a", "429", NOW_MS + 7000, NOW_MS);
	assert_false(is_allowed(breakers, "a", NOW_MS + 6999, &again_ms));
	assert_true(is_allowed(breakers, "a", NOW_MS + 7000, &again_ms));
	breakers_free(breakers);
}

static void a_clock_that_is_set_back_keeps_nobody_out(void **state)
{
	struct breakers *breakers = three_in_a_row();
	int64_t again_ms = 0;

	for (int i = 0; i < 3; i++)
		note(breakers, "a", "503", NOW_MS);
	assert_true(is_allowed(breakers, "a", NOW_MS - 3600000, &again_ms));
	breakers_free(breakers);
}

static void none_at_all_if_it_is_switched_off(void **state)
{
	struct breakers *breakers = breakers_new(&(struct breaker_settings){ 0, 1000, 8000 });
	int64_t again_ms = 0;

	for (int i = 0; i < 100; i++)
		note(breakers, "a", "503", NOW_MS);
	assert_true(is_allowed(breakers, "a", NOW_MS, &again_ms));
	breakers_free(breakers);
}

static void see(void *ctx, const char *server, enum breaker_state state, int64_t since_ms,
		const char *why)
{
	char **seen = ctx;

	free(*seen);
	*seen = str_format("%s %s +%lld %s", server, breaker_state_name(state),
			   (long long)(since_ms - NOW_MS), why);
}

static void what_is_open_is_shown(void **state)
{
	struct breakers *breakers = three_in_a_row();
	AUTO(free) char *seen = NULL;
	int64_t again_ms = 0;

	note(breakers, "b", "503", NOW_MS);
	for (int i = 0; i < 3; i++)
		note(breakers, "a", "503", NOW_MS);
	assert_int_equal(breakers_visit(breakers, see, &seen), 1);
	assert_string_equal(seen, "a open +0 503");
	assert_true(is_allowed(breakers, "a", NOW_MS + 1000, &again_ms));
	assert_int_equal(breakers_visit(breakers, see, &seen), 1);
	assert_string_equal(seen, "a half-open +0 503");
	breakers_free(breakers);
}

static void hear_nothing(enum log_level level, const char *who, const char *line)
{
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(it_opens_after_so_many_failures_in_a_row),
		cmocka_unit_test(one_tries_and_what_comes_of_it_decides),
		cmocka_unit_test(a_try_that_nothing_comes_of_is_followed_by_another),
		cmocka_unit_test(those_that_were_under_way_do_not_open_it_again),
		cmocka_unit_test(a_server_may_say_how_long),
		cmocka_unit_test(a_clock_that_is_set_back_keeps_nobody_out),
		cmocka_unit_test(none_at_all_if_it_is_switched_off),
		cmocka_unit_test(what_is_open_is_shown),
	};

	log_redirect(hear_nothing);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
