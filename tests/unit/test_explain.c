#include "check.h"

#include "config/document.h"
#include "event/by_hand.h"
#include "rule/explain.h"
#include "rule_fixture.h"

/* The explanation of the first rule of text for an event given by hand; for free(). */
static char *explain(const char *text, const char *json, bool colour)
{
	AUTO(problems_free) struct problems *problems = problems_new();
	AUTO(rule_set_free)
	struct rule_set *set = rule_set_parse("w.yml", text_of(text), &fixture, problems);
	struct rule_matcher *matcher;
	struct explanation explanation;
	struct event *event;
	AUTO_ERROR err = { 0 };
	char *answer;

	assert_non_null(set);
	assert_int_equal(event_by_hand(&event, text_of(json), TEXT("/"), &err), 0);
	matcher = rule_matcher_new(set);
	explain_rule(&explanation, matcher, rule_set_get(set, 0), event);
	assert_int_equal(explanation.truth, rule_test(matcher, rule_set_get(set, 0), event));
	answer = explanation_format(&explanation, colour);
	explanation_clear(&explanation);
	rule_matcher_free(matcher);
	free(event);
	return answer;
}

static void explains(const char *rule, const char *json, const char *expected)
{
	AUTO(free)
	char *text = str_format("version: 1\nwatched_items:\n  - name: r\n%s"
				"    actions: [log]\n",
				rule);
	AUTO(free) char *answer = explain(text, json, false);

	assert_string_equal(answer, expected);
}

static const char nested[] = "    when:\n"
			     "      event: [created, renamed]\n"
			     "      directory: /home\n"
			     "      extension: [.zip, .mp4]\n"
			     "      not:\n"
			     "        any:\n"
			     "          - directory: /home/media\n"
			     "          - name: '*.tmp'\n";

static void a_nested_rule_says_at_each_node_what_it_saw(void **state)
{
	explains(nested, "{\"event\":\"created\",\"path\":\"/home/a.zip\"}",
		 "r (line 3): true\n"
		 "  true     all\n"
		 "  true       event child_file_added is one of created renamed\n"
		 "  true       directory /home/a.zip is below /home\n"
		 "  true       extension .zip is one of .zip .mp4\n"
		 "  true       not\n"
		 "  false        any\n"
		 "  false          directory /home/a.zip is not below /home/media\n"
		 "  false          name a.zip does not match *.tmp\n");
}

static void facts_say_what_was_seen_of_them(void **state)
{
	explains("    when:\n"
		 "      depth: {over: 2}\n"
		 "      stream: ['', x*]\n"
		 "      watch: archive\n"
		 "      origin: [live, scan]\n"
		 "      time: {hours: 22:00-06:00, days: fri, zone: UTC}\n",
		 "{\"event\":\"created\",\"path\":\"/home/a\",\"watch\":\"main\","
		 "\"time\":\"2026-11-20T23:05:00Z\"}",
		 "r (line 3): false\n"
		 "  false    all\n"
		 "  false      depth 2 of /home/a is not 'over 2'\n"
		 "  true       stream '' matches one of '' x*\n"
		 "  false      watch main does not match archive\n"
		 "  true       origin live is one of live scan\n"
		 "  true       time Fri 23:05 is within 'hours 22:00-06:00 days fri zone UTC'\n");
	explains("    when: {time: 8-18, watch: main}\n",
		 "{\"event\":\"created\",\"path\":\"/home/a\"}",
		 "r (line 3): unknown\n"
		 "  unknown  all\n"
		 "  unknown    time is not known well enough to compare with 8-18\n"
		 "  unknown    watch is not known well enough to compare with main\n");
}

static void what_only_the_cluster_knows_is_said_to_be_asked_of_it(void **state)
{
	explains("    when: {size: {over: 1 KiB}, owner: [alice, bob]}\n",
		 "{\"event\":\"created\",\"path\":\"/home/a\"}",
		 "r (line 3): unknown\n"
		 "  unknown  all\n"
		 "  unknown    size is asked of the cluster by the monitor, and compared with "
		 "'over 1 KiB'\n"
		 "  unknown    owner is asked of the cluster by the monitor, and compared with "
		 "alice bob\n");
	explains("    when: {type: directory}\n", "{\"event\":\"created\",\"path\":\"/home/a/\"}",
		 "r (line 3): true\n"
		 "  true     type is directory\n");
}

static void a_rule_that_the_index_passed_over_says_by_what(void **state)
{
	explains(nested, "{\"event\":\"created\",\"path\":\"/home/a.jpg\"}",
		 "r (line 3): false\n"
		 "  not evaluated by the monitor: it is for files of other names\n"
		 "  false    all\n"
		 "  true       event child_file_added is one of created renamed\n"
		 "  true       directory /home/a.jpg is below /home\n"
		 "  false      extension .jpg is not one of .zip .mp4\n"
		 "  true       not\n"
		 "  false        any\n"
		 "  false          directory /home/a.jpg is not below /home/media\n"
		 "  false          name a.jpg does not match *.tmp\n");
	explains("    when: {directory: [/a, /b]}\n", "{\"event\":\"created\",\"path\":\"/c/x\"}",
		 "r (line 3): false\n"
		 "  not evaluated by the monitor: the path is not below /a /b\n"
		 "  false    directory /c/x is below none of /a /b\n");
	explains("    when: {event: removed, name: x}\n",
		 "{\"event\":\"created\",\"path\":\"/c/x\"}",
		 "r (line 3): false\n"
		 "  not evaluated by the monitor: it is for other types of events\n"
		 "  false    all\n"
		 "  false      event child_file_added is not removed\n"
		 "  true       name x matches x\n");
	explains("    when: {regex: '^/data'}\n", "{\"event\":\"created\",\"path\":\"/c/x\"}",
		 "r (line 3): false\n"
		 "  not evaluated by the monitor: no pattern of it was found in the path\n"
		 "  false    regex /c/x does not match ^/data\n");
}

static void a_rule_that_is_off_says_so_and_what_it_would_have_said(void **state)
{
	explains("    mode: off\n    when: {file: /c/x}\n",
		 "{\"event\":\"created\",\"path\":\"/c/x\"}",
		 "r (line 3): true\n"
		 "  not evaluated by the monitor: its mode is off\n"
		 "  true     file /c/x is /c/x\n");
}

static void no_extension_is_one_condition_as_in_the_file(void **state)
{
	explains("    when: {extension: ['', .c]}\n", "{\"event\":\"created\",\"path\":\"/c/x\"}",
		 "r (line 3): true\n"
		 "  true     extension '' is one of '' .c\n");
}

static void an_ending_of_two_parts_is_held_against_the_whole_name(void **state)
{
	explains("    ignore_case: true\n    when: {extension: .tar.gz}\n",
		 "{\"event\":\"created\",\"path\":\"/c/X.TAR.GZ\"}",
		 "r (line 3): true\n"
		 "  true     extension of X.TAR.GZ is .tar.gz\n");
}

static void conditions_on_the_old_path_say_when_there_is_none(void **state)
{
	const char *rule = "    when: {old_extension: [.doc, '']}\n";

	explains(rule, "{\"event\":\"renamed\",\"path\":\"/c/x\",\"old_path\":\"/c/y.doc\"}",
		 "r (line 3): true\n"
		 "  true     old_extension .doc is one of .doc ''\n");
	explains(rule, "{\"event\":\"created\",\"path\":\"/c/x\"}",
		 "r (line 3): false\n"
		 "  not evaluated by the monitor: it is for other types of events\n"
		 "  false    old_extension: there is no old path, for the event is not a rename\n");
}

static void of_many_values_the_first_are_shown(void **state)
{
	explains("    when: {name: [a, b, c, d, 'e f', g, h, i, j, k]}\n",
		 "{\"event\":\"created\",\"path\":\"/k\"}",
		 "r (line 3): true\n"
		 "  true     name k matches one of a b c d 'e f' g h i and 2 more\n");
}

static void a_name_cannot_start_a_line_or_colour_it(void **state)
{
	explains("    when: {event: created, name: y}\n",
		 "{\"event\":\"created\",\"path\":\"/a\\nb\\u001b[31m\"}",
		 "r (line 3): false\n"
		 "  not evaluated by the monitor: it is for files of other names\n"
		 "  false    all\n"
		 "  true       event child_file_added is created\n"
		 "  false      name a\\nb\\x1b[31m does not match y\n");
}

static void a_terminal_sees_the_truth_in_colour(void **state)
{
	AUTO(free)
	char *answer = explain("version: 1\nwatched_items:\n"
			       "  - {name: r, mode: dry_run, when: {name: x}, actions: [log]}\n",
			       "{\"event\":\"created\",\"path\":\"/x\"}", true);

	assert_string_equal(answer, "r (line 3): \033[32mtrue\033[0m, but only as a dry run\n"
				    "  \033[32mtrue   \033[0m  name x matches x\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_nested_rule_says_at_each_node_what_it_saw),
		cmocka_unit_test(facts_say_what_was_seen_of_them),
		cmocka_unit_test(what_only_the_cluster_knows_is_said_to_be_asked_of_it),
		cmocka_unit_test(a_rule_that_the_index_passed_over_says_by_what),
		cmocka_unit_test(a_rule_that_is_off_says_so_and_what_it_would_have_said),
		cmocka_unit_test(no_extension_is_one_condition_as_in_the_file),
		cmocka_unit_test(an_ending_of_two_parts_is_held_against_the_whole_name),
		cmocka_unit_test(conditions_on_the_old_path_say_when_there_is_none),
		cmocka_unit_test(of_many_values_the_first_are_shown),
		cmocka_unit_test(a_name_cannot_start_a_line_or_colour_it),
		cmocka_unit_test(a_terminal_sees_the_truth_in_colour),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
