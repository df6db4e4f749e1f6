#include "check.h"

#include <stdio.h>

#include "rule_fixture.h"

static char last[4096];
static unsigned warnings;

static void keep(void *ctx, const struct problem *problem)
{
	assert_true(problem->is_warning);
	snprintf(last, sizeof(last), "%d:%d: %s", problem->place.line, problem->place.column,
		 problem->message);
	warnings++;
}

/* The warnings' number; the last one is kept. */
static unsigned check(const char *text)
{
	AUTO(problems_free) struct problems *problems = problems_new();
	AUTO(rule_set_free)
	struct rule_set *set = rule_set_parse("rules.yml", text_of(text), &fixture, problems);

	if (!set) {
		AUTO(free) char *why = problems_format(problems, false);

		fail_msg("%s", why);
	}
	rule_set_check_loops(set, &fixture, problems);
	last[0] = 0;
	warnings = 0;
	problems_visit(problems, keep, NULL);
	return warnings;
}

/* One rule with these conditions and this action. */
static unsigned check_rule(const char *when, const char *action)
{
	AUTO(free)
	char *text = str_format("watched_items:\n"
				"- name: done\n"
				"  when: %s\n"
				"  actions:\n"
				"  - %s\n",
				when, action);

	return check(text);
}

static void a_rename_in_the_scope_of_its_own_rule_is_a_loop(void **state)
{
	assert_int_equal(
		check_rule("{event: [created, renamed], directory: /in}", "rename: {to: '*.done'}"),
		1);
	assert_string_equal(
		last, "5:5: rule 'done' may trigger itself: its action rename causes renamed "
		      "events in the same directory that its own conditions (line 3) may match; "
		      "cn_monitor recognises such echoes and ignores them, but not: {name: "
		      "'*.done'} would rule it out");
}

static void a_name_that_cannot_come_back_is_no_loop(void **state)
{
	const char *rename = "rename: {to: '*.done'}";

	assert_int_equal(check_rule("{directory: /in, name: '*.tmp'}", rename), 1);
	assert_non_null(strstr(last, "child_file_moved_from, child_dir_moved_from events at the "
				     "same file"));
	assert_int_equal(check_rule("{event: [created, renamed], name: '*.tmp'}", rename), 0);
	assert_int_equal(check_rule("{event: [created, renamed], extension: .tmp}", rename), 0);
	assert_int_equal(check_rule("{event: renamed, path: '/in/**/*.tmp'}", rename), 0);
	assert_int_equal(check_rule("{event: renamed, file: /in/a}", rename), 0);
	assert_int_equal(check_rule("{event: renamed, name: 'a*'}", rename), 1);
	assert_int_equal(check_rule("{event: renamed, not: {name: '*.done'}}", rename), 0);
	assert_int_equal(check_rule("{event: renamed, not: {extension: [.x, .done]}}", rename), 0);
	assert_int_equal(check_rule("{event: renamed, not: {extension: ''}}", rename), 1);
	assert_int_equal(check_rule("{event: renamed, extension: ''}", rename), 0);
	assert_int_equal(check_rule("{event: renamed, name: 'a*'}", "rename: {to: '*.*'}"), 1);
	assert_non_null(strstr(last, "but a condition that excludes them would rule it out"));
	assert_int_equal(check_rule("{event: created}", rename), 0);
	assert_int_equal(check_rule("{event: renamed, regex: '[.]tmp$'}", rename), 1);
}

static void a_quarantine_outside_of_the_scope_is_no_loop(void **state)
{
	const char *quarantine = "quarantine: {to: /quarantine}";

	assert_int_equal(check_rule("{event: [created, renamed], directory: /home}", quarantine),
			 0);
	assert_int_equal(check_rule("{event: [created, renamed]}", quarantine), 1);
	assert_non_null(strstr(last, "renamed events in /quarantine that"));
	assert_non_null(strstr(last, "not: {directory: /quarantine} would rule it out"));
	assert_int_equal(check_rule("{event: renamed, not: {directory: /quarantine/}}", quarantine),
			 0);
	assert_int_equal(check_rule("{event: renamed, directory: /quarantine/x}", quarantine), 1);
	assert_int_equal(check_rule("{event: renamed, path: '/quarantine2/**'}", quarantine), 0);
	assert_int_equal(check_rule("{event: renamed, path: '**/*.jpg'}", quarantine), 1);
	/* What is in /quarantine is not in /home, wherever it came from. */
	assert_int_equal(
		check_rule("{event: renamed, old_directory: /home, directory: /home}", quarantine),
		0);
}

static void permissions_on_permissions_are_a_loop(void **state)
{
	assert_int_equal(
		check_rule("{event: permissions, directory: /a}", "permissions: {mode: '0640'}"),
		1);
	assert_non_null(strstr(last, "causes child_acl_changed events at the same file"));
	assert_int_equal(check_rule("{event: created}", "permissions: {mode: '0640'}"), 0);
}

static void a_step_is_judged_where_the_step_before_it_left_the_file(void **state)
{
	static const char rules[] = "watched_items:\n"
				    "- name: r\n"
				    "  when: {event: [created, permissions], name: '*.tmp'}\n"
				    "  actions:\n"
				    "  - rename: {to: '*.done'}\n"
				    "  - permissions: {mode: '0640'}\n";

	assert_int_equal(check(rules), 0);
}

static void two_rules_that_answer_each_other_are_named_with_their_lines(void **state)
{
	static const char rules[] = "watched_items:\n"
				    "- name: there\n"
				    "  when: {event: renamed, name: '*.a'}\n"
				    "  actions: {rename: {to: '*.b'}}\n"
				    "- name: back\n"
				    "  when: {event: renamed, name: '*.b'}\n"
				    "  actions: {rename: {to: '*.a'}}\n";

	assert_int_equal(check(rules), 1);
	assert_string_equal(last, "4:13: rules 'there' and 'back' may trigger each other: action "
				  "rename causes renamed events in the same directory that 'back' "
				  "(line 6) may match, whose action rename (line 7) causes renamed "
				  "events in the same directory that 'there' (line 3) may match");
}

static void case_that_is_ignored_is_ignored_here_too(void **state)
{
	static const char rules[] = "watched_items:\n"
				    "- name: r\n"
				    "  ignore_case: %s\n"
				    "  when: {event: renamed, directory: /IN, name: '*.DONE'}\n"
				    "  actions: {rename: {to: '*.done'}}\n";
	AUTO(free) char *ignores = str_format(rules, "yes");
	AUTO(free) char *heeds = str_format(rules, "no");

	assert_int_equal(check(ignores), 1);
	assert_int_equal(check(heeds), 0);
}

static void a_rule_that_is_off_loops_with_nobody(void **state)
{
	assert_int_equal(
		check("watched_items:\n"
		      "- {name: r, mode: off, when: {event: any}, actions: {rename: {to: x}}}\n"),
		0);
	assert_int_equal(
		check("watched_items:\n"
		      "- {name: r, on_own: yes, when: {event: any}, actions: {rename: {to: x}}}\n"),
		1);
	assert_non_null(strstr(last, "on_own lets it see them"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_rename_in_the_scope_of_its_own_rule_is_a_loop),
		cmocka_unit_test(a_name_that_cannot_come_back_is_no_loop),
		cmocka_unit_test(a_quarantine_outside_of_the_scope_is_no_loop),
		cmocka_unit_test(permissions_on_permissions_are_a_loop),
		cmocka_unit_test(a_step_is_judged_where_the_step_before_it_left_the_file),
		cmocka_unit_test(two_rules_that_answer_each_other_are_named_with_their_lines),
		cmocka_unit_test(case_that_is_ignored_is_ignored_here_too),
		cmocka_unit_test(a_rule_that_is_off_loops_with_nobody),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
