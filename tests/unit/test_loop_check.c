#include "check.h"

#include <stdio.h>

#include "rule_fixture.h"

static char last[4096];
static unsigned warnings, accepted;

static void keep(void *ctx, const struct problem *problem)
{
	assert_true(problem->is_warning);
	int size = snprintf(last, sizeof(last), "%d:%d: %s", problem->place.line,
			    problem->place.column, problem->message);

	for (size_t i = 0; i < problem->note_count; i++)
		size += snprintf(last + size, sizeof(last) - size, "\n%s:%d:%d: %s",
				 problem->notes[i].place.file, problem->notes[i].place.line,
				 problem->notes[i].place.column, problem->notes[i].message);
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
	rule_set_check(set, &fixture, NULL, problems);
	accepted = problems_accepted_count(problems);
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
	assert_string_equal(
		last, "4:13: rules may trigger each other: there -> back -> there; cn_monitor "
		      "recognises such echoes and ignores them where a rule does not say on_own\n"
		      "rules.yml:4:13: 'there': its action rename causes renamed events in the "
		      "same directory that 'back' (line 6) may match\n"
		      "rules.yml:7:13: 'back': its action rename causes renamed events in the same "
		      "directory that 'there' (line 3) may match");
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
	assert_non_null(
		strstr(last, "on_own lets it see them, up to [ACT] MAX_DEPTH in a row, but"));
}

/* Rules that hand a file round: each renames what it matches to what the next one matches. */
static char *ring_of(unsigned count, const char *options)
{
	AUTO(buf_free) struct buf *text = buf_new(SIZE_MAX);

	(void)!buf_print(text, "watched_items:\n");
	for (unsigned i = 0; i < count; i++)
		(void)!buf_print(text,
				 "- {name: r%u, when: {event: renamed, extension: .e%u}%s, "
				 "actions: {rename: {to: '*.e%u'}}}\n",
				 i, i, options, (i + 1) % count);
	return buf_take(text);
}

static void a_ring_of_rules_is_named_once_with_each_of_its_lines(void **state)
{
	AUTO(free) char *three = ring_of(3, "");
	AUTO(free) char *many = ring_of(300, "");

	assert_int_equal(check(three), 1);
	assert_non_null(strstr(last, "2:64: rules may trigger each other: r0 -> r1 -> r2 -> r0;"));
	assert_non_null(strstr(last,
			       "\nrules.yml:2:64: 'r0': its action rename causes renamed "
			       "events in the same directory that 'r1' (line 3) may match\n"));
	assert_non_null(strstr(last, "\nrules.yml:4:64: 'r2': its action"));
	assert_int_equal(check(many), 1);
	assert_non_null(strstr(last, "r6 -> r7 -> (292 more) -> r0;"));
}

static void a_chain_that_does_not_come_back_is_no_loop(void **state)
{
	AUTO(free) char *ring = ring_of(3, "");

	memcpy(strstr(ring, "'*.e0'"), "'*.ex'", 6);
	assert_int_equal(check(ring), 0);
}

static void a_ring_in_which_all_see_echoes_is_told_to_be_one(void **state)
{
	AUTO(free) char *all = ring_of(2, ", on_own: yes");
	AUTO(free) char *some = ring_of(2, ", on_own: yes");

	assert_int_equal(check(all), 1);
	assert_non_null(strstr(last, "each sees what the one before it causes (on_own, or a "
				     "program), until [ACT] bounds it"));
	memcpy(strstr(some, "yes"), "no ", 3);
	assert_int_equal(check(some), 1);
	assert_non_null(strstr(last, "ignores them where a rule does not say on_own"));
}

/* A program says itself what it changes, and where. */
static void what_a_program_is_said_to_cause_is_no_echo(void **state)
{
#define EXEC                                                                           \
	"{name: a, when: {event: written, directory: /in}, actions: {exec: {command: " \
	"/bin/true%s}}}"
	static const char one[] = "watched_items:\n- " EXEC "\n";
	AUTO(free) char *silent = str_format(one, "");
	AUTO(free) char *itself = str_format(one, ", causes: written");
	AUTO(free) char *renames = str_format(one, ", causes: renamed");
	AUTO(free) char *inside = str_format(one, ", causes: written, causes_in: /in/report");
	AUTO(free) char *outside = str_format(one, ", causes: written, causes_in: /out");
	AUTO(free)
	char *ring = str_format("watched_items:\n- " EXEC
				"\n- {name: b, when: {event: created, directory: /out}, "
				"actions: {exec: {command: /bin/true, causes: written, "
				"causes_in: /in}}}\n",
				", causes: created, causes_in: /out");

	assert_int_equal(check(silent), 0);
	assert_int_equal(check(itself), 1);
	assert_non_null(strstr(last, "its action exec causes written events at the same "
				     "file that its own conditions (line 2) may match; "));
	assert_non_null(strstr(last, "what a program changes counts as somebody else's, but an "
				     "'event' condition without them would rule it out"));
	assert_int_equal(check(renames), 0);
	assert_int_equal(check(inside), 1);
	assert_non_null(strstr(last, "not: {directory: /in/report} would rule it out"));
	assert_int_equal(check(outside), 0);
	assert_int_equal(check(ring), 1);
	assert_non_null(strstr(last, "a -> b -> a; each sees what the one before it causes"));
}

/* Of two rings that share a rule, both are told: each rule of a ring is named at least once. */
static void every_rule_of_a_ring_is_named(void **state)
{
	static const char rules[] =
		"watched_items:\n"
		"- {name: hub, when: {event: renamed, extension: [.a, .b]},\n"
		"   actions: [rename: {to: '*.x'}, rename: {to: '*.y'}]}\n"
		"- {name: x, when: {event: renamed, extension: .x}, actions: {rename: {to: "
		"'*.a'}}}\n"
		"- {name: y, when: {event: renamed, extension: .y}, actions: {rename: {to: "
		"'*.b'}}}\n";

	assert_int_equal(check(rules), 2);
	assert_non_null(strstr(last, "y -> hub -> y"));
}

static void a_loop_is_accepted_when_each_of_its_rules_says_so(void **state)
{
	AUTO(free) char *all = ring_of(3, ", accept: [loop]");
	AUTO(free) char *some = ring_of(3, ", accept: [loop]");
	AUTO(free) char *file = str_format("accept: loop\n%s", strstr(all, "watched"));

	assert_int_equal(check(all), 0);
	assert_int_equal(accepted, 1);
	/* The rule that does not say so has no `accept` to which "nothing to accept" applies. */
	memcpy(strstr(some, ", accept: [loop]"), "                ", 16);
	assert_int_equal(check(some), 1);
	assert_int_equal(accepted, 0);
	assert_non_null(strstr(last, "r0 -> r1 -> r2 -> r0"));
	assert_int_equal(check(file), 0);
	assert_int_equal(accepted, 1);
}

static void what_is_accepted_and_does_not_come_is_a_warning(void **state)
{
	assert_int_equal(check("watched_items:\n"
			       "- name: r\n"
			       "  when: {event: created}\n"
			       "  accept: [action, loop]\n"
			       "  actions: [log]\n"),
			 1);
	assert_string_equal(
		last, "4:20: accept: no warning 'loop' comes from here any more: this can go");
	assert_int_equal(check("accept: unused\n"
			       "watched_items:\n"
			       "- {name: r, when: {event: created}, actions: [log]}\n"),
			 1);
	assert_non_null(strstr(last, "1:9: accept: no warning 'unused' comes from here"));
	/* A rule that is off is not looked at. */
	assert_int_equal(check("watched_items:\n"
			       "- {name: r, mode: off, accept: loop, when: {event: created}, "
			       "actions: [log]}\n"),
			 0);
}

/* ---- Where files are put ---- */

static const char *with_quarantine(const char *other)
{
	static char text[1000];

	snprintf(text, sizeof(text),
		 "watched_items:\n"
		 "- name: away\n"
		 "  when: {event: created, directory: /home, extension: .exe}\n"
		 "  actions: [quarantine: {to: /quarantine}]\n"
		 "- name: other\n"
		 "  when: %s\n"
		 "  actions: [permissions: {mode: '0600'}]\n",
		 other);
	return text;
}

static void a_quarantine_where_a_rule_changes_files_is_told_with_that_rule(void **state)
{
	assert_int_equal(check(with_quarantine("{event: written}")), 1);
	assert_string_equal(
		last, "4:13: rule 'away' puts files in /quarantine, where rule 'other' may match "
		      "and change them again, when somebody works on them; not: {directory: "
		      "/quarantine} in its conditions would rule it out\n"
		      "rules.yml:6:3: these conditions of 'other' do not exclude /quarantine");
	assert_int_equal(check(with_quarantine("{event: written, not: {directory: /quarantine}}")),
			 0);
	assert_int_equal(check(with_quarantine("{event: written, directory: /home}")), 0);
	/* What comes there keeps its name. */
	assert_int_equal(check(with_quarantine("{event: written, extension: .jpg}")), 0);
	assert_int_equal(check(with_quarantine("{event: written, extension: .exe}")), 1);
}

static void a_rule_that_only_tells_may_look_into_a_quarantine(void **state)
{
	char *rules = (char *)with_quarantine("{event: written}");

	memcpy(strstr(rules, "[permissions: {mode: '0600'}]"), "[log: {file: /log, a: bbbbb}]", 29);
	assert_int_equal(check(rules), 0);
}

static void a_rule_that_quarantines_into_its_own_scope_is_told_so(void **state)
{
	const char *quarantine = "quarantine: {to: /quarantine}";

	assert_int_equal(check_rule("{event: written, extension: .exe}", quarantine), 1);
	assert_non_null(strstr(last, "rule 'done' puts files in /quarantine, where rule 'done' "
				     "may match"));
	assert_int_equal(check_rule("{event: written, extension: .exe, not: {directory: "
				    "/quarantine}}",
				    quarantine),
			 0);
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
		cmocka_unit_test(a_ring_of_rules_is_named_once_with_each_of_its_lines),
		cmocka_unit_test(a_chain_that_does_not_come_back_is_no_loop),
		cmocka_unit_test(a_ring_in_which_all_see_echoes_is_told_to_be_one),
		cmocka_unit_test(what_a_program_is_said_to_cause_is_no_echo),
		cmocka_unit_test(every_rule_of_a_ring_is_named),
		cmocka_unit_test(a_loop_is_accepted_when_each_of_its_rules_says_so),
		cmocka_unit_test(what_is_accepted_and_does_not_come_is_a_warning),
		cmocka_unit_test(a_quarantine_where_a_rule_changes_files_is_told_with_that_rule),
		cmocka_unit_test(a_rule_that_only_tells_may_look_into_a_quarantine),
		cmocka_unit_test(a_rule_that_quarantines_into_its_own_scope_is_told_so),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
