#include "check.h"

#include <stdio.h>

#include "base/buf.h"
#include "rule_fixture.h"

/* What loading these rules says, word for word. */
static char *said_of(const char *rules)
{
	AUTO(problems_free) struct problems *problems = problems_new();
	struct rule_set *set =
		rule_set_parse("watched_items.yml", text_of(rules), &fixture, problems);

	assert_int_equal(set == NULL, problems_error_count(problems) > 0);
	if (set)
		rule_set_test(set, problems);
	rule_set_free(set);
	return problems_format(problems, false);
}

static void assert_said(const char *rules, const char *expected)
{
	AUTO(free) char *said = said_of(rules);

	assert_string_equal(said, expected);
}

static void keys_that_nobody_knows_are_told_with_what_was_meant(void **state)
{
	assert_said("watched_items:\n"
		    "- name: r\n"
		    "  wen: {event: created}\n"
		    "  actions: [log]\n",
		    "watched_items.yml:3:3: a rule has no key 'wen'; did you mean 'when'?\n"
		    "    3 |   wen: {event: created}\n"
		    "      |   ^\n");
	assert_said("watched_items:\n"
		    "- name: r\n"
		    "  when: {evnt: created}\n"
		    "  actions: [log]\n",
		    "watched_items.yml:3:10: a condition has no key 'evnt'; did you mean 'event'?\n"
		    "    3 |   when: {evnt: created}\n"
		    "      |          ^\n");
	assert_said(
		"watched_items:\n"
		"- name: r\n"
		"  when: {event: created}\n"
		"  alarms: 3\n"
		"  actions: [log]\n",
		"watched_items.yml:4:3: a rule has no key 'alarms'; expected one of name, when, "
		"actions, settle, absent, threshold, throttle, limit, mode, on_own, ignore_case, "
		"stop, priority, accept, tests\n"
		"    4 |   alarms: 3\n"
		"      |   ^\n");
	assert_said(
		"watched_items:\n"
		"- name: r\n"
		"  when: {colour: red}\n"
		"  actions: [log]\n",
		"watched_items.yml:3:10: a condition has no key 'colour'; expected one of all, "
		"any, not, event, directory, path, file, name, extension, regex, depth, stream, "
		"watch, origin, time, type, size, owner, group, mode, age, modified, links, tag, "
		"old_directory, old_path, old_name, old_extension\n"
		"    3 |   when: {colour: red}\n"
		"      |          ^\n");
	assert_said("version: 2\n"
		    "include: x\n"
		    "alarms: 3\n"
		    "watched: 3\n",
		    "watched_items.yml:1:10: version '2': expected 1\n"
		    "    1 | version: 2\n"
		    "      |          ^\n"
		    "watched_items.yml:2:1: 'include' is for files; this is only a text\n"
		    "    2 | include: x\n"
		    "      | ^\n"
		    "watched_items.yml:3:9: 'alarms' is text: expected a list, each with "
		    "actions\n"
		    "    3 | alarms: 3\n"
		    "      |         ^\n"
		    "watched_items.yml:4:1: watched_items.yml has no key 'watched'; did you mean "
		    "'watched_items'?\n"
		    "    4 | watched: 3\n"
		    "      | ^\n");
}

static void a_rule_wants_a_name_of_its_own_conditions_and_actions(void **state)
{
	assert_said(
		"watched_items:\n"
		"- when: {event: created}\n"
		"  actions: [log]\n"
		"- name:\n"
		"  when: {event: created}\n"
		"  actions: [log]\n",
		"watched_items.yml:2:3: a rule without a name: expected name: and a word for it\n"
		"    2 | - when: {event: created}\n"
		"      |   ^\n"
		"watched_items.yml:4:3: name is nothing: expected a word for the rule\n"
		"    4 | - name:\n"
		"      |   ^\n");
	assert_said("watched_items:\n"
		    "- name: r\n"
		    "  actions: [log]\n"
		    "- name: s\n"
		    "  when: {event: created}\n",
		    "watched_items.yml:2:3: a rule without conditions: expected when:, like when: "
		    "{event: created}\n"
		    "    2 | - name: r\n"
		    "      |   ^\n"
		    "watched_items.yml:4:3: a rule without actions: expected actions:, like "
		    "actions: [log]\n"
		    "    4 | - name: s\n"
		    "      |   ^\n");
	assert_said("watched_items:\n"
		    "- name: r\n"
		    "  when: {event: created}\n"
		    "  actions: [log]\n"
		    "- name: r\n"
		    "  when: {event: created}\n"
		    "  actions: [log]\n",
		    "watched_items.yml:5:9: there is already a rule 'r', in line 2: expected "
		    "another name\n"
		    "    5 | - name: r\n"
		    "      |         ^\n");
	assert_said("watched_items:\n"
		    "- name: \"a\\tb\"\n"
		    "  when: {event: created}\n"
		    "  actions: log\n"
		    "  ignore_case: 7\n",
		    "watched_items.yml:2:9: name: expected at most 200 bytes without control "
		    "characters\n"
		    "    2 | - name: \"a\\tb\"\n"
		    "      |         ^\n"
		    "watched_items.yml:5:16: ignore_case '7': expected yes or no\n"
		    "    5 |   ignore_case: 7\n"
		    "      |                ^\n");
}

static void the_options_of_a_rule_are_checked_one_by_one(void **state)
{
	assert_said("watched_items:\n"
		    "- name: r\n"
		    "  when: {event: created}\n"
		    "  settle: 10 parsecs\n"
		    "  mode: enforced\n"
		    "  on_own: perhaps\n"
		    "  actions:\n"
		    "  - quarantine:\n"
		    "    to: /quarantine\n",
		    "watched_items.yml:4:11: settle '10 parsecs': expected a duration like 500ms, "
		    "10s, 5m, 2h or 7d\n"
		    "    4 |   settle: 10 parsecs\n"
		    "      |           ^\n"
		    "watched_items.yml:5:9: mode 'enforced': expected enforce, dry_run or off\n"
		    "    5 |   mode: enforced\n"
		    "      |         ^\n"
		    "watched_items.yml:6:11: on_own 'perhaps': expected yes or no\n"
		    "    6 |   on_own: perhaps\n"
		    "      |           ^\n"
		    "watched_items.yml:9:5: 'to' stands beside 'quarantine': expected the options "
		    "of a module further to the right\n"
		    "    9 |     to: /quarantine\n"
		    "      |     ^\n");
	assert_said("watched_items:\n"
		    "- name: r\n"
		    "  when: {event: created}\n"
		    "  settle: {max: 3, quiet: 5}\n"
		    "  actions:\n"
		    "  - quarantine: {to: /q}\n"
		    "    log:\n"
		    "  - [log]\n"
		    "  - {}\n",
		    "watched_items.yml:4:17: settle: max '3': expected a duration like 500ms, 10s, "
		    "5m, 2h or 7d\n"
		    "    4 |   settle: {max: 3, quiet: 5}\n"
		    "      |                 ^\n"
		    "watched_items.yml:4:27: settle '5': expected a duration like 500ms, 10s, 5m, "
		    "2h or 7d\n"
		    "    4 |   settle: {max: 3, quiet: 5}\n"
		    "      |                           ^\n"
		    "watched_items.yml:6:5: an action is a mapping of several modules: expected "
		    "one module with its options, like quarantine: {to: /quarantine}\n"
		    "    6 |   - quarantine: {to: /q}\n"
		    "      |     ^\n"
		    "watched_items.yml:8:5: an action is a list: expected one module with its "
		    "options, like quarantine: {to: /quarantine}\n"
		    "    8 |   - [log]\n"
		    "      |     ^\n"
		    "watched_items.yml:9:5: an action is a mapping without a module: expected one "
		    "module with its options, like quarantine: {to: /quarantine}\n"
		    "    9 |   - {}\n"
		    "      |     ^\n");
	assert_said("watched_items:\n"
		    "- name: r\n"
		    "  when: {event: created}\n"
		    "  settle: {}\n"
		    "  actions: [quarantine]\n",
		    "watched_items.yml:4:11: settle without 'quiet': expected how long a file must "
		    "have been quiet, like quiet: 5s\n"
		    "    4 |   settle: {}\n"
		    "      |           ^\n"
		    "watched_items.yml:5:13: quarantine needs 'to'\n"
		    "    5 |   actions: [quarantine]\n"
		    "      |             ^\n");
}

static void a_file_of_another_shape_is_told_what_shape_it_should_have(void **state)
{
	assert_said("- name: r\n", "watched_items.yml:1:1: the file holds a list: expected "
				   "watched_items: and a list of rules\n"
				   "    1 | - name: r\n"
				   "      | ^\n");
	assert_said("watched_items:\n"
		    "  name: r\n",
		    "watched_items.yml:2:3: 'watched_items' is a mapping: expected a list of "
		    "rules, each beginning with '- name:'\n"
		    "    2 |   name: r\n"
		    "      |   ^\n");
	assert_said("watched_items:\n"
		    "- r\n",
		    "watched_items.yml:2:3: a rule is text: expected a mapping with name, when and "
		    "actions\n"
		    "    2 | - r\n"
		    "      |   ^\n");
	assert_said("PATHS: []\n"
		    "EXTENSIONS: {a: b}\n",
		    "watched_items.yml:1:8: PATHS: expected a list of texts, like - /home\n"
		    "    1 | PATHS: []\n"
		    "      |        ^\n");
	assert_said("conditions: [a]\n"
		    "actions: 5\n"
		    "watched_items: 7\n",
		    "watched_items.yml:1:13: 'conditions' is a list: expected a mapping of names "
		    "to conditions\n"
		    "    1 | conditions: [a]\n"
		    "      |             ^\n"
		    "watched_items.yml:2:10: 'actions' is text: expected a mapping of names to "
		    "actions\n"
		    "    2 | actions: 5\n"
		    "      |          ^\n"
		    "watched_items.yml:3:16: 'watched_items' is text: expected a list of rules, "
		    "each beginning with '- name:'\n"
		    "    3 | watched_items: 7\n"
		    "      |                ^\n");
}

static void what_may_be_accepted_has_a_name_that_is_known(void **state)
{
	assert_said("accept: [unused, wildcard, emty, [x]]\n"
		    "watched_items:\n"
		    "- name: r\n"
		    "  when: {event: created}\n"
		    "  accept: {loop: yes}\n"
		    "  actions: [log]\n",
		    "watched_items.yml:1:28: accept: there is no warning 'emty'; did you mean "
		    "'empty'?\n"
		    "    1 | accept: [unused, wildcard, emty, [x]]\n"
		    "      |                            ^\n"
		    "watched_items.yml:1:34: accept: expected names of warnings, like [loop], "
		    "found a list\n"
		    "    1 | accept: [unused, wildcard, emty, [x]]\n"
		    "      |                                  ^\n"
		    "watched_items.yml:5:11: accept: expected names of warnings, like [loop], "
		    "found a mapping\n"
		    "    5 |   accept: {loop: yes}\n"
		    "      |           ^\n");
	assert_said(
		"watched_items:\n"
		"- {name: r, when: {event: created}, accept: everything, actions: [log]}\n",
		"watched_items.yml:2:45: accept: there is no warning 'everything'; expected "
		"one of loop, never, shadowed, duplicate, target, field, unused, wildcard, empty, "
		"action\n"
		"    2 | - {name: r, when: {event: created}, accept: everything, actions: "
		"[log]}\n"
		"      |                                             ^\n");
}

static void what_is_accepted_is_not_said(void **state)
{
	assert_said("accept: [unused, wildcard]\n"
		    "conditions:\n"
		    "  office: {extension: .doc}\n"
		    "actions:\n"
		    "  tell: {log: {file: /x}}\n"
		    "watched_items:\n"
		    "- {name: r, when: {directory: '/a*'}, actions: [log]}\n",
		    "");
	assert_said("watched_items:\n"
		    "- {name: r, when: {directory: '/a*'}, accept: wildcard, actions: [log]}\n"
		    "- {name: s, when: {directory: '/a*'}, actions: [log]}\n",
		    "watched_items.yml:3:34: warning: '*' has no meaning in directory, which is "
		    "compared as it is; 'path' takes patterns [wildcard]\n"
		    "    3 | - {name: s, when: {directory: '/a*'}, actions: [log]}\n"
		    "      |                                  ^\n");
}

static void what_is_odd_but_works_is_a_warning(void **state)
{
	assert_said("conditions:\n"
		    "  office: {extension: .doc}\n"
		    "actions:\n"
		    "  tell: {log: {file: /x}}\n"
		    "watched_items:\n"
		    "- name: r\n"
		    "  when: {event: created}\n"
		    "  actions: [log]\n",
		    "watched_items.yml:2:3: warning: no rule uses the condition 'office' [unused]\n"
		    "    2 |   office: {extension: .doc}\n"
		    "      |   ^\n"
		    "watched_items.yml:4:3: warning: no rule uses the action 'tell' [unused]\n"
		    "    4 |   tell: {log: {file: /x}}\n"
		    "      |   ^\n");
	assert_said("watched_items: []\n",
		    "watched_items.yml:1:16: warning: no watched items: nothing will ever happen "
		    "[empty]\n"
		    "    1 | watched_items: []\n"
		    "      |                ^\n");
	assert_said("watched_items:\n"
		    "- name: r\n"
		    "  when: {directory: '/home/*'}\n"
		    "  actions: log\n",
		    "watched_items.yml:3:28: warning: '*' has no meaning in directory, which is "
		    "compared as it is; 'path' takes patterns [wildcard]\n"
		    "    3 |   when: {directory: '/home/*'}\n"
		    "      |                            ^\n");
}

static void steps_carry_their_options_as_json(void **state)
{
	static const char rules[] =
		"actions:\n"
		"  tell: {email: {to: [a@example.com, b], subject: \"{rule}\"}}\n"
		"watched_items:\n"
		"- name: r\n"
		"  settle: {quiet: 5s}\n"
		"  mode: dry_run\n"
		"  on_own: yes\n"
		"  when: {event: created}\n"
		"  actions: [tell, log, {quarantine: /q}, {exec: {command: [x]}}]\n";
	AUTO(problems_free) struct problems *problems = problems_new();
	AUTO(rule_set_free)
	struct rule_set *set = rule_set_parse("rules.yml", text_of(rules), &fixture, problems);
	const struct rule *rule = rule_set_find(set, "r");

	assert_int_equal(rule->settle_ms, 5000);
	assert_int_equal(rule->mode, RULE_DRY_RUN);
	assert_true(rule->on_own);
	assert_int_equal(rule->step_count, 4);
	assert_string_equal(rule->steps[0].module, "email");
	assert_string_equal(rule->steps[0].name, "tell");
	assert_string_equal(rule->steps[0].options,
			    "{\"to\": [\"a@example.com\", \"b\"], \"subject\": \"{rule}\"}");
	assert_string_equal(rule->steps[1].options, "{}");
	assert_null(rule->steps[1].name);
	assert_string_equal(rule->steps[2].options, "\"/q\"");
	assert_int_equal(rule->steps[2].place.line, 9);
}

static void the_longest_time_to_settle_is_longer_than_the_quiet_time(void **state)
{
	assert_said("watched_items:\n"
		    "- name: r\n"
		    "  when: {event: created}\n"
		    "  settle: {max: 4s, quiet: 5s}\n"
		    "  actions: [log]\n",
		    "watched_items.yml:4:17: settle: max is shorter than quiet: expected the "
		    "longest time to wait for a file that does not become quiet\n"
		    "    4 |   settle: {max: 4s, quiet: 5s}\n"
		    "      |                 ^\n");
}

static void what_is_absent_wants_an_event_and_a_time(void **state)
{
	assert_said("watched_items:\n"
		    "- name: r\n"
		    "  when: {event: created}\n"
		    "  absent: {event: [written, remved], within: soon}\n"
		    "  settle: 1s\n"
		    "  actions: [log]\n"
		    "- name: s\n"
		    "  when: {event: created}\n"
		    "  absent: written\n"
		    "  actions: [log]\n",
		    "watched_items.yml:4:29: absent: event 'remved': did you mean 'removed'?\n"
		    "    4 |   absent: {event: [written, remved], within: soon}\n"
		    "      |                             ^\n"
		    "watched_items.yml:4:46: absent: within 'soon': expected a duration like "
		    "500ms, 10s, 5m, 2h or 7d\n"
		    "    4 |   absent: {event: [written, remved], within: soon}\n"
		    "      |                                              ^\n"
		    "watched_items.yml:9:11: absent: expected what should follow and how soon, "
		    "like {event: written, within: 1h}\n"
		    "    9 |   absent: written\n"
		    "      |           ^\n");
	assert_said("watched_items:\n"
		    "- name: r\n"
		    "  when: {event: created}\n"
		    "  absent: {event: written, within: 1h}\n"
		    "  settle: 1s\n"
		    "  actions: [log]\n",
		    "watched_items.yml:4:11: a rule either settles or waits for what is absent, "
		    "not both\n"
		    "    4 |   absent: {event: written, within: 1h}\n"
		    "      |           ^\n");
}

static void what_is_counted_wants_a_count_and_a_time(void **state)
{
	assert_said("watched_items:\n"
		    "- name: r\n"
		    "  when: {event: created}\n"
		    "  threshold: {count: 0, within: 1m, per: dir, distinct: name}\n"
		    "  throttle: {count: 3}\n"
		    "  limit: {count: 3, within: 1w, per: file}\n"
		    "  actions: [log]\n",
		    "watched_items.yml:4:22: threshold: count '0': expected a number from 1 to "
		    "1000\n"
		    "    4 |   threshold: {count: 0, within: 1m, per: dir, distinct: name}\n"
		    "      |                      ^\n"
		    "watched_items.yml:4:42: threshold: per 'dir': expected one of rule, "
		    "directory, file, extension\n"
		    "    4 |   threshold: {count: 0, within: 1m, per: dir, distinct: name}\n"
		    "      |                                          ^\n"
		    "watched_items.yml:4:57: threshold: distinct 'name': expected one of file, "
		    "directory\n"
		    "    4 |   threshold: {count: 0, within: 1m, per: dir, distinct: name}\n"
		    "      |                                                         ^\n"
		    "watched_items.yml:5:13: throttle without 'within': expected a count and a "
		    "time, like {count: "
		    "50, within: 1m}\n"
		    "    5 |   throttle: {count: 3}\n"
		    "      |             ^\n"
		    "watched_items.yml:6:33: limit has no key 'per'; expected one of count, "
		    "within\n"
		    "    6 |   limit: {count: 3, within: 1w, per: file}\n"
		    "      |                                 ^\n");
}

static char *read_source(const char *name)
{
	AUTO(free) char *path = str_format("%s/%s", getenv("SOURCE_ROOT"), name);
	AUTO(buf_free) struct buf *text = buf_new(1 << 20);
	FILE *file = fopen(path, "r");

	assert_non_null(file);
	assert_true(buf_reserve(text, 1 << 19));
	text->size = fread(text->data, 1, 1 << 19, file);
	text->data[text->size] = 0;
	fclose(file);
	return buf_take(text);
}

static void the_example_file_says_nothing_wrong(void **state)
{
	AUTO(free) char *text = read_source("examples/watched_items.yml");

	assert_said(text, "");
}

/* A block that is not a file of its own is the conditions of a rule. */
static void assert_block_is_right(char *block)
{
	AUTO(buf_free) struct buf *text = buf_new(1 << 20);
	struct text rest = text_of(block);

	if (strncmp(block, "include:", 8) == 0) {
		assert_said(block, "watched_items.yml:1:1: 'include' is for files; this is only a "
				   "text\n"
				   "    1 | include:\n"
				   "      | ^\n");
		return;
	}
	if (strncmp(block, "when:", 5) != 0) {
		assert_said(block, "");
		return;
	}
	assert_true(buf_print(text, "watched_items:\n- name: r\n  actions: [log]\n"));
	while (rest.size) {
		struct text line = text_cut(&rest, '\n');

		assert_true(buf_print(text, "  %.*s\n", TEXT_ARGS(line)));
	}
	assert_said(text->data, "");
}

static void every_example_of_the_guide_is_right(void **state)
{
	AUTO(free) char *text = read_source("docs/rules.md");
	unsigned count = 0;

	for (char *block = strstr(text, "```yaml\n"); block; count++) {
		char *end = strstr(block + 8, "```");

		assert_non_null(end);
		*end = 0;
		assert_block_is_right(block + 8);
		block = strstr(end + 3, "```yaml\n");
	}
	assert_true(count > 5);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(keys_that_nobody_knows_are_told_with_what_was_meant),
		cmocka_unit_test(a_rule_wants_a_name_of_its_own_conditions_and_actions),
		cmocka_unit_test(the_options_of_a_rule_are_checked_one_by_one),
		cmocka_unit_test(the_longest_time_to_settle_is_longer_than_the_quiet_time),
		cmocka_unit_test(what_is_absent_wants_an_event_and_a_time),
		cmocka_unit_test(what_is_counted_wants_a_count_and_a_time),
		cmocka_unit_test(a_file_of_another_shape_is_told_what_shape_it_should_have),
		cmocka_unit_test(what_may_be_accepted_has_a_name_that_is_known),
		cmocka_unit_test(what_is_accepted_is_not_said),
		cmocka_unit_test(what_is_odd_but_works_is_a_warning),
		cmocka_unit_test(steps_carry_their_options_as_json),
		cmocka_unit_test(the_example_file_says_nothing_wrong),
		cmocka_unit_test(every_example_of_the_guide_is_right),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
