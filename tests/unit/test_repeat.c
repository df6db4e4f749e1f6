#include "check.h"

#include "app/repeat.h"

static struct event event_of(enum event_type type, const char *path, uint64_t seq)
{
	return (struct event){ .type = type,
			       .file_id = TEXT("7"),
			       .path = text_of(path),
			       .seq = seq,
			       .time_ms = 1000,
			       .origin = ORIGIN_LIVE };
}

static void note(struct repeats *repeats, enum event_type type, const char *path, uint64_t seq)
{
	struct event event = event_of(type, path, seq);

	repeats_note(repeats, &event, 3, 1);
}

static bool is_repeat(struct repeats *repeats, enum event_type type, const char *path, uint64_t seq)
{
	struct event event = event_of(type, path, seq);
	uint64_t job = 0;
	unsigned step = 0;
	bool found = repeats_find(repeats, &event, &job, &step);

	if (found) {
		assert_int_equal(job, 3);
		assert_int_equal(step, 1);
	}
	return found;
}

static struct repeats *moved(void)
{
	struct repeats *repeats = repeats_new();

	note(repeats, CHILD_FILE_MOVED_FROM, "/a", 10);
	note(repeats, CHILD_FILE_MOVED_TO, "/b", 11);
	return repeats;
}

static void both_halves_may_come_again_and_again(void **state)
{
	struct repeats *repeats = moved();

	for (uint64_t seq = 12; seq < 20; seq += 2) {
		assert_true(is_repeat(repeats, CHILD_FILE_MOVED_FROM, "/a", seq));
		assert_true(is_repeat(repeats, CHILD_FILE_MOVED_TO, "/b", seq + 1));
	}
	repeats_free(repeats);
}

static void who_moves_it_on_and_back_is_somebody_else(void **state)
{
	struct repeats *repeats = moved();

	assert_false(is_repeat(repeats, CHILD_FILE_MOVED_FROM, "/b", 12));
	assert_false(is_repeat(repeats, CHILD_FILE_MOVED_TO, "/a", 13));
	assert_false(is_repeat(repeats, CHILD_FILE_MOVED_FROM, "/a", 14));
	assert_false(is_repeat(repeats, CHILD_FILE_MOVED_TO, "/b", 15));
	repeats_free(repeats);
}

static void what_was_heard_before_the_echo_is_no_repetition(void **state)
{
	struct repeats *repeats = moved();

	assert_false(is_repeat(repeats, CHILD_FILE_MOVED_TO, "/b", 9));
	repeats_free(repeats);
}

static void changes_of_attributes_are_never_taken_for_one(void **state)
{
	struct repeats *repeats = repeats_new();

	note(repeats, CHILD_ACL_CHANGED, "/a", 10);
	assert_false(is_repeat(repeats, CHILD_ACL_CHANGED, "/a", 11));
	repeats_free(repeats);
	repeats = moved();
	assert_false(is_repeat(repeats, CHILD_ACL_CHANGED, "/b", 12));
	assert_true(is_repeat(repeats, CHILD_FILE_MOVED_TO, "/b", 13)); /* it is still there */
	repeats_free(repeats);
}

static void a_repair_tells_what_it_found_and_repeats_nothing(void **state)
{
	struct repeats *repeats = moved();
	struct event event = event_of(CHILD_FILE_MOVED_TO, "/b", 20);
	uint64_t job;
	unsigned step;

	event.origin = ORIGIN_REPAIR;
	assert_false(repeats_find(repeats, &event, &job, &step));
	repeats_free(repeats);
}

static void after_a_minute_and_among_thousands_it_is_forgotten(void **state)
{
	struct repeats *repeats = moved();
	struct event late = event_of(CHILD_FILE_MOVED_TO, "/b", 20);
	uint64_t job;
	unsigned step;

	late.time_ms = 61001;
	assert_false(repeats_find(repeats, &late, &job, &step));
	repeats_free(repeats);
	repeats = moved();
	for (uint64_t i = 0; i < 5000; i++) {
		AUTO(free) char *id = str_format("1%llu", (unsigned long long)i);
		struct event event = event_of(CHILD_FILE_MOVED_TO, "/x", 100 + i);

		event.file_id = text_of(id);
		repeats_note(repeats, &event, 3, 1);
	}
	assert_false(is_repeat(repeats, CHILD_FILE_MOVED_TO, "/b", 9000));
	repeats_free(repeats);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(both_halves_may_come_again_and_again),
		cmocka_unit_test(who_moves_it_on_and_back_is_somebody_else),
		cmocka_unit_test(what_was_heard_before_the_echo_is_no_repetition),
		cmocka_unit_test(changes_of_attributes_are_never_taken_for_one),
		cmocka_unit_test(a_repair_tells_what_it_found_and_repeats_nothing),
		cmocka_unit_test(after_a_minute_and_among_thousands_it_is_forgotten),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
