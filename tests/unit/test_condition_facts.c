/* Conditions about what an event says besides its paths, from YAML to the verdict. */
#include "check.h"

#include "base/clock.h"
#include "rule_fixture.h"

static struct rule_set *load(const char *when)
{
	AUTO(problems_free) struct problems *problems = problems_new();
	AUTO(free)
	char *text = str_format("watched_items:\n- name: r\n  ignore_case: yes\n  when: %s\n"
				"  actions: [log]\n",
				when);
	struct rule_set *set = rule_set_parse("w.yml", text_of(text), &fixture, problems);
	AUTO(free) char *why = problems_format(problems, false);

	if (!set)
		fail_msg("%s", why);
	return set;
}

static bool count_match(void *ctx, const struct rule *rule)
{
	(*(int *)ctx)++;
	return true;
}

/* What the evaluator says; the index must agree. */
static enum truth ask(const char *when, const struct event *event)
{
	AUTO(rule_set_free) struct rule_set *set = load(when);
	struct rule_matcher *matcher = rule_matcher_new(set);
	enum truth truth = rule_test(matcher, rule_set_get(set, 0), event);
	int matches = 0;

	rule_match(matcher, event, count_match, &matches);
	assert_int_equal(matches, truth == TRUTH_TRUE);
	rule_matcher_free(matcher);
	return truth;
}

static void assert_time(const char *when, const char *utc, bool expected)
{
	struct event event = fixture_event(EVENT_KIND(CHILD_FILE_ADDED), "/a");

	assert_true(clock_parse(utc, &event.time_ms));
	if (ask(when, &event) != (expected ? TRUTH_TRUE : TRUTH_FALSE))
		fail_msg("%s at %s", when, utc);
}

static void depth_counts_the_components(void **state)
{
	struct event event = fixture_event(EVENT_KIND(CHILD_FILE_ADDED), "/a/b/c");

	assert_int_equal(ask("{depth: 3}", &event), TRUTH_TRUE);
	assert_int_equal(ask("{depth: [1, 2]}", &event), TRUTH_FALSE);
	assert_int_equal(ask("{depth: {over: 2}}", &event), TRUTH_TRUE);
	assert_int_equal(ask("{depth: {over: 3}}", &event), TRUTH_FALSE);
	assert_int_equal(ask("{depth: {under: 3}}", &event), TRUTH_FALSE);
	assert_int_equal(ask("{depth: {at_least: 3, at_most: 3}}", &event), TRUTH_TRUE);
	assert_int_equal(ask("{not: {depth: {at_most: 2}}}", &event), TRUTH_TRUE);
	event.path = TEXT("/");
	assert_int_equal(ask("{depth: 0}", &event), TRUTH_TRUE);
}

static void a_stream_is_known_by_its_name_and_the_content_has_none(void **state)
{
	struct event event = fixture_event(EVENT_KIND(CHILD_STREAM_ADDED), "/a");

	assert_int_equal(ask("{stream: ''}", &event), TRUTH_TRUE);
	assert_int_equal(ask("{stream: '*'}", &event), TRUTH_FALSE);
	event.stream = TEXT("Zone.Identifier");
	assert_int_equal(ask("{stream: ''}", &event), TRUTH_FALSE);
	assert_int_equal(ask("{stream: ['', 'zone.*']}", &event), TRUTH_TRUE);
	assert_int_equal(ask("{stream: other}", &event), TRUTH_FALSE);
}

static void watch_and_origin_are_compared_as_they_are(void **state)
{
	struct event event = fixture_event(EVENT_KIND(CHILD_FILE_ADDED), "/a");

	event.origin = ORIGIN_REPAIR;
	assert_int_equal(ask("{origin: [repair, scan]}", &event), TRUTH_TRUE);
	assert_int_equal(ask("{origin: live}", &event), TRUTH_FALSE);
	assert_int_equal(ask("{watch: main}", &event), TRUTH_UNKNOWN);
	event.watch = TEXT("main");
	assert_int_equal(ask("{watch: [archive, ma*]}", &event), TRUTH_TRUE);
	assert_int_equal(ask("{watch: MAIN}", &event), TRUTH_FALSE);
}

static void hours_end_before_their_end_and_go_over_midnight(void **state)
{
	static const char day[] = "{time: {hours: '8-17:30', zone: UTC}}";
	static const char night[] = "{time: {hours: 22:00-06:00, zone: UTC}}";

	assert_time(day, "2026-11-22T07:59:59Z", false);
	assert_time(day, "2026-11-22T08:00:00Z", true);
	assert_time(day, "2026-11-22T17:29:59Z", true);
	assert_time(day, "2026-11-22T17:30:00Z", false);
	assert_time(night, "2026-11-22T21:59:59Z", false);
	assert_time(night, "2026-11-22T22:00:00Z", true);
	assert_time(night, "2026-11-23T05:59:59Z", true);
	assert_time(night, "2026-11-23T06:00:00Z", false);
}

static void a_night_belongs_to_the_day_on_which_it_begins(void **state)
{
	/* The 20th of November 2026 is a Friday. */
	static const char night[] = "{time: {hours: 22:00-06:00, days: fri, zone: UTC}}";

	assert_time(night, "2026-11-20T05:00:00Z", false);
	assert_time(night, "2026-11-20T23:00:00Z", true);
	assert_time(night, "2026-11-21T05:00:00Z", true);
	assert_time(night, "2026-11-21T23:00:00Z", false);
}

static void days_are_ranges_and_names_and_may_cross_the_week(void **state)
{
	static const char week[] = "{time: {days: mon-fri, zone: UTC}}";
	static const char odd[] = "{time: {days: [Saturday-mon, wed], zone: UTC}}";

	assert_time(week, "2026-11-20T23:59:59Z", true);
	assert_time(week, "2026-11-21T00:00:00Z", false);
	assert_time(week, "2026-11-23T00:00:00Z", true);
	assert_time(odd, "2026-11-20T12:00:00Z", false);
	assert_time(odd, "2026-11-21T12:00:00Z", true);
	assert_time(odd, "2026-11-23T12:00:00Z", true);
	assert_time(odd, "2026-11-24T12:00:00Z", false);
	assert_time(odd, "2026-11-25T12:00:00Z", true);
}

static void an_hour_stays_the_same_by_the_clock_when_summer_comes_and_goes(void **state)
{
	static const char morning[] = "{time: {hours: 08:00-09:00, zone: Europe/Berlin}}";
	static const char twice[] = "{time: {hours: 02:00-03:00, zone: Europe/Berlin}}";

	assert_time(morning, "2026-03-28T07:30:00Z", true);
	assert_time(morning, "2026-03-29T06:30:00Z", true);
	assert_time(morning, "2026-03-29T07:30:00Z", false);
	assert_time(morning, "2026-10-24T06:30:00Z", true);
	assert_time(morning, "2026-10-25T07:30:00Z", true);
	/* The hour that comes twice in autumn and not at all in spring. */
	assert_time(twice, "2026-10-25T00:30:00Z", true);
	assert_time(twice, "2026-10-25T01:30:00Z", true);
	assert_time(twice, "2026-10-25T02:00:00Z", false);
	assert_time(twice, "2026-03-29T00:59:59Z", false);
	assert_time(twice, "2026-03-29T01:00:00Z", false);
}

static void alternatives_are_lists_and_negation_turns_them_round(void **state)
{
	static const char either[] = "{time: [{hours: [0-1, 4-5], zone: UTC}, {days: sun, zone: "
				     "UTC}]}";

	assert_time(either, "2026-11-20T00:30:00Z", true);
	assert_time(either, "2026-11-20T04:30:00Z", true);
	assert_time(either, "2026-11-20T02:30:00Z", false);
	assert_time(either, "2026-11-22T02:30:00Z", true);
	assert_time("{not: {time: {hours: 8-18, days: mon-fri, zone: UTC}}}",
		    "2026-11-22T12:00:00Z", true);
	assert_time("{time: {hours: 00:00-24:00, zone: UTC}}", "2026-11-22T23:59:59Z", true);
}

static void an_event_without_a_time_leaves_it_unknown(void **state)
{
	struct event event = fixture_event(EVENT_KIND(CHILD_FILE_ADDED), "/a");

	assert_int_equal(ask("{time: 8-18}", &event), TRUTH_UNKNOWN);
	assert_int_equal(ask("{time: 8-18, directory: /b}", &event), TRUTH_FALSE);
}

static void assert_refused(const char *when, const char *expected)
{
	AUTO(problems_free) struct problems *problems = problems_new();
	AUTO(free)
	char *text = str_format("watched_items:\n- name: r\n  when: %s\n  actions: [log]\n", when);
	AUTO(free) char *place = NULL;
	AUTO(free) char *said = NULL;

	assert_null(rule_set_parse("w.yml", text_of(text), &fixture, problems));
	said = problems_format(problems, false);
	place = str_format("w.yml:%s", expected);
	if (strncmp(said, place, strlen(place)) != 0)
		fail_msg("%s", said);
}

static void mistakes_are_told_with_what_is_expected(void **state)
{
	assert_refused("{depth: deep}", "3:17: depth 'deep': expected a whole number\n");
	assert_refused("{depth: {ovr: 3}}",
		       "3:18: 'depth' has no key 'ovr'; did you mean 'over'?\n");
	assert_refused("{depth: {over: 3, under: 4}}",
		       "3:17: depth: no number lies within these bounds\n");
	assert_refused("{depth: []}",
		       "3:17: depth: an empty list is never true; expected a value\n");
	assert_refused("{origin: liev}", "3:18: origin 'liev': did you mean 'live'?\n");
	assert_refused("{origin: here}",
		       "3:18: origin 'here': expected live, repair, expanded, scan or replay\n");
	assert_refused("{watch: ''}", "3:17: watch: expected a name, found an empty text\n");
	assert_refused("{stream: 'a['}", "3:18: stream 'a[': '[' without its ']'");
	assert_refused("{time: {hour: 8-18}}",
		       "3:17: 'time' has no key 'hour'; did you mean 'hours'?\n");
	assert_refused("{time: {zone: UTC}}",
		       "3:16: time without hours or days: expected {hours: 22:00-06:00}, {days: "
		       "mon-fri}, or both\n");
	assert_refused("{time: 8-25}", "3:16: hours '8-25': expected hours like 22:00-06:00\n");
	assert_refused("{time: 8-8}", "3:16: hours '8-8': nothing lies between the two; the whole "
				      "day is 00:00-24:00\n");
	assert_refused("{time: {days: mondya}}", "3:23: days 'mondya': did you mean 'monday'?\n");
	assert_refused("{time: {days: x}}",
		       "3:23: days 'x': expected a day like mon, or mon-fri\n");
	assert_refused("{time: {days: fri, zone: Europe/Berlim}}",
		       "3:34: zone 'Europe/Berlim': expected a time zone that this machine knows, "
		       "like Europe/Berlin, or UTC or local");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(depth_counts_the_components),
		cmocka_unit_test(a_stream_is_known_by_its_name_and_the_content_has_none),
		cmocka_unit_test(watch_and_origin_are_compared_as_they_are),
		cmocka_unit_test(hours_end_before_their_end_and_go_over_midnight),
		cmocka_unit_test(a_night_belongs_to_the_day_on_which_it_begins),
		cmocka_unit_test(days_are_ranges_and_names_and_may_cross_the_week),
		cmocka_unit_test(an_hour_stays_the_same_by_the_clock_when_summer_comes_and_goes),
		cmocka_unit_test(alternatives_are_lists_and_negation_turns_them_round),
		cmocka_unit_test(an_event_without_a_time_leaves_it_unknown),
		cmocka_unit_test(mistakes_are_told_with_what_is_expected),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
