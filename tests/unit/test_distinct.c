/* How many different things there were: exactly, and about. */
#include "check.h"

#include "base/distinct.h"

static uint64_t hash_of(int number)
{
	AUTO(free) char *text = str_format("%d", number);

	return hash_text(hash_text(0, TEXT("main")), text_of(text));
}

static void what_is_the_same_counts_once(void **state)
{
	size_t room = 1000;
	AUTO(distinct_free) struct distinct *distinct = distinct_new(&room);

	assert_int_equal(distinct_count(distinct), 0);
	for (int i = 0; i < 300; i++)
		assert_int_equal(distinct_add(distinct, hash_of(i % 100)), i < 100);
	assert_false(distinct_add(distinct, hash_of(7)));
	distinct_add(distinct, 0); /* a hash like any other */
	assert_int_equal(distinct_count(distinct), 101);
	assert_true(distinct_is_exact(distinct));
}

static void without_room_it_is_estimated(void **state)
{
	size_t room = 4096;
	AUTO(distinct_free) struct distinct *first = distinct_new(&room);
	AUTO(distinct_free) struct distinct *second = distinct_new(&room);

	for (int i = 0; i < 100000; i++)
		distinct_add(first, hash_of(i % 50000));
	assert_false(distinct_is_exact(first));
	assert_in_range(distinct_count(first), 46000, 54000);
	/* What it had taken is there for others. */
	for (int i = 0; i < 2000; i++)
		distinct_add(second, hash_of(i));
	assert_true(distinct_is_exact(second));
	assert_int_equal(distinct_count(second), 2000);
}

static void few_things_are_estimated_well(void **state)
{
	size_t room = 0;
	AUTO(distinct_free) struct distinct *distinct = distinct_new(&room);

	for (int i = 0; i < 100; i++)
		distinct_add(distinct, hash_of(i));
	assert_false(distinct_is_exact(distinct));
	assert_in_range(distinct_count(distinct), 95, 105);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_the_same_counts_once),
		cmocka_unit_test(without_room_it_is_estimated),
		cmocka_unit_test(few_things_are_estimated_well),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
