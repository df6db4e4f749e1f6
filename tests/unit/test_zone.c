#include "check.h"

#include "base/clock.h"
#include "base/zone.h"

static struct zone *open_zone(const char *name)
{
	AUTO_ERROR err = { 0 };
	struct zone *zone;

	if (zone_open(&zone, name, &err) < 0)
		fail_msg("%s", error_text(&err));
	return zone;
}

static void assert_offset(const struct zone *zone, const char *utc, int hours, int minutes)
{
	int64_t ms;

	assert_true(clock_parse(utc, &ms));
	if (zone_offset_s(zone, ms / 1000) != hours * 3600 + minutes * 60)
		fail_msg("%s: %d s", utc, zone_offset_s(zone, ms / 1000));
}

static void clocks_change_to_the_second(const char *name)
{
	AUTO(zone_free) struct zone *zone = open_zone(name);

	assert_offset(zone, "2026-03-29T00:59:59Z", 1, 0);
	assert_offset(zone, "2026-03-29T01:00:00Z", 2, 0);
	assert_offset(zone, "2026-10-25T00:59:59Z", 2, 0);
	assert_offset(zone, "2026-10-25T01:00:00Z", 1, 0);
	assert_offset(zone, "2026-12-31T23:59:59Z", 1, 0);
	/* Long after the last change that a file lists one by one. */
	assert_offset(zone, "2126-03-31T00:59:59Z", 1, 0);
	assert_offset(zone, "2126-03-31T01:00:00Z", 2, 0);
}

static void summer_begins_and_ends_as_the_zone_file_says(void **state)
{
	AUTO(zone_free) struct zone *zone = open_zone("Europe/Berlin");

	clocks_change_to_the_second("Europe/Berlin");
	assert_offset(zone, "1985-07-01T00:00:00Z", 2, 0); /* listed one by one */
}

static void a_rule_of_posix_says_the_same(void **state)
{
	clocks_change_to_the_second("CET-1CEST,M3.5.0,M10.5.0/3");
	clocks_change_to_the_second("<X+1>-01:00:00<Y+2>-2,M3.5.0/2,M10.5.0/03:00:00");
}

static void the_south_has_its_summer_over_new_year(void **state)
{
	AUTO(zone_free) struct zone *zone = open_zone("AEST-10AEDT,M10.1.0,M4.1.0/3");

	assert_offset(zone, "2026-01-01T00:00:00Z", 11, 0);
	assert_offset(zone, "2026-04-04T15:59:59Z", 11, 0);
	assert_offset(zone, "2026-04-04T16:00:00Z", 10, 0);
	assert_offset(zone, "2026-10-03T15:59:59Z", 10, 0);
	assert_offset(zone, "2026-10-03T16:00:00Z", 11, 0);
}

static void changes_may_be_on_days_of_the_year(void **state)
{
	AUTO(zone_free) struct zone *plain = open_zone("AAA0BBB,J60/0,J300/0");
	AUTO(zone_free) struct zone *from_zero = open_zone("AAA0BBB,59/0,300/0");

	assert_offset(plain, "2028-02-29T12:00:00Z", 0, 0); /* J60 is always the 1st of March */
	assert_offset(plain, "2028-03-01T00:00:00Z", 1, 0);
	assert_offset(from_zero, "2028-02-28T23:59:59Z", 0, 0);
	assert_offset(from_zero, "2028-02-29T00:00:00Z", 1, 0);
}

static void utc_and_half_hours_are_zones_too(void **state)
{
	AUTO(zone_free) struct zone *utc = open_zone("UTC");
	AUTO(zone_free) struct zone *india = open_zone("IST-5:30");
	AUTO(zone_free) struct zone *local = open_zone("local");

	assert_non_null(local);
	assert_offset(utc, "2026-07-01T00:00:00Z", 0, 0);
	assert_offset(india, "2026-07-01T00:00:00Z", 5, 30);
}

static void what_is_no_zone_is_refused(void **state)
{
	static const char *const names[] = { "Europe/Berlim",    "",
					     "../../etc/passwd", "/etc/passwd",
					     "Europe",           "CET",
					     "CET-1CEST,M3",     "CET-1CEST,M13.1.0,M1.1.0" };

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		AUTO_ERROR err = { 0 };
		struct zone *zone;

		if (strcmp(names[i], "CET") == 0)
			continue; /* some systems have a file of this name */
		assert_int_equal(zone_open(&zone, names[i], &err), -1);
		assert_non_null(strstr(error_text(&err), "expected a time zone"));
	}
}

static void a_cut_file_is_refused_wherever_it_is_cut(void **state)
{
	/* The first block is empty; the second changes once, from 0 to 1 h, at 1000 s. */
	static const char file[] = "TZif2\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"
				   "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"
				   "TZif2\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"
				   "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\1\0\0\0\2\0\0\0\4"
				   "\0\0\0\0\0\0\3\xe8"
				   "\1"
				   "\0\0\0\0\0\0"
				   "\0\0\x0e\x10\0\0"
				   "AAA\0"
				   "\nAAA-2\n";
	const size_t whole = 44 + 44 + 8 + 1 + 12 + 4;
	AUTO_ERROR err = { 0 };
	struct zone *zone;

	for (size_t size = 0; size < whole; size++)
		assert_int_equal(zone_read(&zone, (struct text){ file, size }, &err), -1);
	assert_int_equal(zone_read(&zone, (struct text){ file, whole }, &err), 0);
	assert_int_equal(zone_offset_s(zone, 999), 0);
	assert_int_equal(zone_offset_s(zone, 1000), 3600);
	zone_free(zone);
	assert_int_equal(zone_read(&zone, (struct text){ file, sizeof(file) - 1 }, &err), 0);
	assert_int_equal(zone_offset_s(zone, 999), 0);
	assert_int_equal(zone_offset_s(zone, 1000), 7200);
	zone_free(zone);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(summer_begins_and_ends_as_the_zone_file_says),
		cmocka_unit_test(a_rule_of_posix_says_the_same),
		cmocka_unit_test(the_south_has_its_summer_over_new_year),
		cmocka_unit_test(changes_may_be_on_days_of_the_year),
		cmocka_unit_test(utc_and_half_hours_are_zones_too),
		cmocka_unit_test(what_is_no_zone_is_refused),
		cmocka_unit_test(a_cut_file_is_refused_wherever_it_is_cut),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
