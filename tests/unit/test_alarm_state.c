#include "check.h"

#include "app/alarm_state.h"

static json_t *json(const char *text)
{
	json_t *object = json_loads(text, 0, NULL);

	assert_non_null(object);
	return object;
}

/* "kind key: text; .." */
static char *troubles(const char *monitor, uint64_t dead)
{
	json_t *status = json(monitor), *list = alarm_troubles(status, dead), *trouble;
	char *all = str_copy("");
	size_t i;

	json_array_foreach(list, i, trouble)
	{
		AUTO(free) char *before = all;

		all = str_format("%s%s: %s; ", before,
				 json_string_value(json_object_get(trouble, "key")),
				 json_string_value(json_object_get(trouble, "text")));
	}
	json_decref(list);
	json_decref(status);
	return all;
}

static void a_monitor_that_is_well_has_no_troubles(void **state)
{
	AUTO(free)
	char *none = troubles(
		"{\"watches\": [{\"name\": \"main\", \"state\": \"listening\", \"why\": \"\"}],"
		"\"rules\": {\"ok\": true}, \"filter\": {\"delay_ms\": 5, \"trouble\": \"\", "
		"\"tripped\": \"\"}, \"act\": {\"trouble\": \"\", \"breakers\": []}}",
		0);

	assert_string_equal(none, "");
}

static void a_filter_that_stands_still_while_records_wait_is_a_trouble_after_a_minute(void **state)
{
	struct alarm_progress progress = { 0 };
	json_t *list = json_array();

	alarm_watch_progress(&progress, 5, 9, 1000, list);
	alarm_watch_progress(&progress, 5, 9, 2000, list);
	alarm_watch_progress(&progress, 5, 12, 61000, list);
	assert_int_equal(json_array_size(list), 0);
	alarm_watch_progress(&progress, 5, 12, 63000, list);
	assert_string_equal(json_string_value(json_object_get(json_array_get(list, 0), "text")),
			    "the rules have not been asked for 61 s; 7 records wait");
	alarm_watch_progress(&progress, 5, 12, 64000, list); /* it is said already */
	assert_int_equal(json_array_size(list), 1);
	json_array_clear(list);
	alarm_watch_progress(&progress, 6, 12, 65000, list);
	alarm_watch_progress(&progress, 12, 12, 165000, list);
	alarm_watch_progress(&progress, 12, 12, 265000, list); /* nothing waits */
	assert_int_equal(json_array_size(list), 0);
	json_decref(list);
}

static void each_trouble_is_named(void **state)
{
	AUTO(free)
	char *all = troubles(
		"{\"watches\": [{\"name\": \"main\", \"state\": \"connecting\", \"why\": \"no "
		"route\"}, "
		"{\"name\": \"b\", \"state\": \"down\", \"why\": \"\"}],"
		"\"rules\": {\"ok\": false}, \"filter\": {\"delay_ms\": 61000, \"trouble\": \"\", "
		"\"tripped\": \"r (since ..)\"}, \"act\": {\"trouble\": \"the store is full\", "
		"\"breakers\": [{\"server\": \"mail server m\", \"why\": \"refused\"}]}}",
		2);

	assert_string_equal(
		all,
		"stream/main: watch main is not heard: no route; "
		"stream/b: watch b is not heard; "
		"filter/: the rules are asked 61 s late; "
		"limit/: only a dry run until the rule is changed: r (since ..); "
		"act/: actions are not done: the store is full; "
		"server/mail server m: mail server m does not work: refused; "
		"rules/: the changed rules have errors, and the old ones stay at work "
		"(cn_monitor check); "
		"dead_letter/: 2 jobs were given up and wait for a decision (cn_monitor dead); ");
	AUTO(free)
	char *other =
		troubles("{\"filter\": {\"trouble\": \"no process is active as filter\"}}", 1);
	assert_string_equal(
		other,
		"filter/: the rules are not asked: no process is active as filter; "
		"dead_letter/: 1 job was given up and waits for a decision (cn_monitor dead); ");
}

static void a_trouble_is_told_once_when_it_has_lasted_and_once_when_it_is_over(void **state)
{
	json_t *known = json_object();

	assert_int_equal(alarm_step(known, "bad", 60000, 1000), ALARM_NOTHING);
	assert_int_equal(alarm_step(known, "bad", 60000, 60999), ALARM_NOTHING);
	assert_int_equal(alarm_step(known, "worse", 60000, 61000), ALARM_RAISE);
	assert_string_equal(json_string_value(json_object_get(known, "text")), "worse");
	assert_int_equal(json_integer_value(json_object_get(known, "since_ms")), 1000);
	assert_int_equal(alarm_step(known, "bad", 60000, 500000), ALARM_NOTHING);
	assert_int_equal(alarm_step(known, NULL, 60000, 600000), ALARM_NOTHING);
	assert_int_equal(alarm_step(known, NULL, 60000, 609999), ALARM_NOTHING);
	assert_int_equal(alarm_step(known, NULL, 60000, 610000), ALARM_CLEAR);
	json_decref(known);
}

static void what_comes_and_goes_is_one_trouble(void **state)
{
	json_t *known = json_object();

	assert_int_equal(alarm_step(known, "bad", 0, 1000), ALARM_RAISE);
	for (int64_t now_ms = 2000; now_ms < 100000; now_ms += 9000) {
		assert_int_equal(alarm_step(known, NULL, 0, now_ms), ALARM_NOTHING);
		assert_int_equal(alarm_step(known, "bad", 0, now_ms + 8000), ALARM_NOTHING);
	}
	json_decref(known);
}

static void what_did_not_last_is_never_told(void **state)
{
	json_t *known = json_object();

	assert_int_equal(alarm_step(known, "bad", 60000, 1000), ALARM_NOTHING);
	assert_int_equal(alarm_step(known, NULL, 60000, 2000), ALARM_NOTHING);
	assert_int_equal(alarm_step(known, NULL, 60000, 99000), ALARM_NOTHING);
	json_decref(known);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_monitor_that_is_well_has_no_troubles),
		cmocka_unit_test(
			a_filter_that_stands_still_while_records_wait_is_a_trouble_after_a_minute),
		cmocka_unit_test(each_trouble_is_named),
		cmocka_unit_test(
			a_trouble_is_told_once_when_it_has_lasted_and_once_when_it_is_over),
		cmocka_unit_test(what_comes_and_goes_is_one_trouble),
		cmocka_unit_test(what_did_not_last_is_never_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
