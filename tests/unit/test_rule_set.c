#include "check.h"

#include <stdio.h>

#include "base/buf.h"
#include "rule/rule_set.h"
#include "rule_fixture.h"

static struct rule_set *load(const char *text)
{
	AUTO(problems_free) struct problems *problems = problems_new();
	struct rule_set *set = rule_set_parse("rules.yml", text_of(text), &fixture, problems);
	AUTO(free) char *why = problems_format(problems, false);

	if (!set)
		fail_msg("%s", why);
	return set;
}

static bool add_name(void *ctx, const struct rule *rule)
{
	struct buf *names = ctx;

	assert_true(buf_print(names, "%s%s", names->size ? " " : "", rule->name));
	return true;
}

/* The names of the rules that are true, as one text. */
static char *matches(const struct rule_set *set, const struct event *event)
{
	AUTO(buf_free) struct buf *names = buf_new(1 << 20);
	struct rule_matcher *matcher = rule_matcher_new(set);

	rule_match(matcher, event, add_name, names);
	rule_matcher_free(matcher);
	return names->size ? buf_take(names) : str_copy("");
}

static void assert_matches(const char *rules, const struct event *event, const char *expected)
{
	struct rule_set *set = load(rules);
	AUTO(free) char *found = matches(set, event);

	assert_string_equal(found, expected);
	rule_set_free(set);
}

/* Whether one rule with these conditions is true for a created file at path. */
static bool holds(const char *when, const char *path)
{
	AUTO(free)
	char *text = str_format("watched_items:\n- name: r\n  when: %s\n  actions: [log]\n", when);
	struct rule_set *set = load(text);
	struct event event = fixture_event(EVENT_KIND(CHILD_FILE_ADDED), path);
	AUTO(free) char *found = matches(set, &event);

	rule_set_free(set);
	return *found;
}

static void a_directory_means_what_is_below_it_at_any_depth(void **state)
{
	assert_true(holds("{directory: /home}", "/home/a"));
	assert_true(holds("{directory: /home/}", "/home/a/b/c"));
	assert_false(holds("{directory: /home}", "/home"));
	assert_false(holds("{directory: /home}", "/home2/a"));
	assert_true(holds("{directory: /}", "/a"));
	assert_false(holds("{directory: /}", "/"));
}

static void an_extension_is_the_end_of_a_name_with_something_before_it(void **state)
{
	assert_true(holds("{extension: .jpg}", "/a/b.jpg"));
	assert_true(holds("{extension: jpg}", "/a/b.c.jpg"));
	assert_false(holds("{extension: .jpg}", "/a/.jpg"));
	assert_false(holds("{extension: .jpg}", "/a/b.JPG"));
	assert_true(holds("{extension: .tar.gz}", "/a/b.tar.gz"));
	assert_false(holds("{extension: .tar.gz}", "/a/b.gz"));
	assert_true(holds("{extension: ''}", "/a/b"));
	assert_true(holds("{extension: ''}", "/a/.profile"));
	assert_true(holds("{extension: ''}", "/a/b."));
	assert_false(holds("{extension: ''}", "/a/b.c"));
	assert_true(holds("{extension: ['', .c]}", "/a/b.c"));
	assert_true(holds("{extension: ['', .c]}", "/a/b"));
	assert_false(holds("{extension: ['', .c]}", "/a/b.d"));
}

static void keys_are_anded_and_lists_are_ored(void **state)
{
	const char *when = "{event: [created, removed], directory: [/a, /b], name: '*.c'}";

	assert_true(holds(when, "/a/x.c"));
	assert_true(holds(when, "/b/x.c"));
	assert_false(holds(when, "/c/x.c"));
	assert_false(holds(when, "/a/x.d"));
	assert_true(holds("[{directory: /a}, {name: x}]", "/b/x"));
	assert_true(holds("{directory: /a, not: {any: [{name: x}, {name: y}]}}", "/a/z"));
	assert_false(holds("{directory: /a, not: {any: [{name: x}, {name: y}]}}", "/a/y"));
	assert_false(holds("{not: [{name: x}, {name: y}]}", "/a/y"));
	assert_true(holds("{all: [{directory: /a}, {not: {directory: /a/b}}]}", "/a/c/b"));
}

static void an_expression_may_match_anywhere_in_the_path(void **state)
{
	assert_true(holds("{regex: 'b+/c'}", "/a/bbb/c"));
	assert_false(holds("{regex: '^b+/c'}", "/a/bbb/c"));
	assert_true(holds("{regex: ['^/x', 'c$']}", "/a/bbb/c"));
	assert_true(holds("{not: {regex: x}}", "/a"));
	assert_true(holds("{regex: 'x.y'}", "/x\ny"));
	assert_true(holds("{regex: '^/.$'}", "/\xc3\xa9"));
}

static void case_is_heeded_unless_the_rule_ignores_it(void **state)
{
	static const char rules[] =
		"conditions:\n"
		"  jpg: {extension: .jpg}\n"
		"watched_items:\n"
		"- {name: heeds, when: jpg, actions: [log]}\n"
		"- {name: ignores, when: jpg, ignore_case: yes, actions: [log]}\n"
		"- name: unicode\n"
		"  ignore_case: yes\n"
		"  when: {directory: /Stra\xc3\x9f"
		"e, name: '*\xc3\x89*'}\n"
		"  actions: [log]\n"
		"- name: regex\n"
		"  ignore_case: yes\n"
		"  when: {regex: 'STRASSE/'}\n"
		"  actions: [log]\n";
	struct event event = fixture_event(EVENT_KIND(CHILD_FILE_ADDED), "/x/A.JPG");

	assert_matches(rules, &event, "ignores");
	event.path = TEXT("/x/a.jpg");
	assert_matches(rules, &event, "heeds ignores");
	/* The accent as a character of its own (NFD), the sharp s as two. */
	event.path = TEXT("/STRASSE/cafe\xcc\x81");
	assert_matches(rules, &event, "unicode regex");
}

static void old_conditions_want_a_paired_rename(void **state)
{
	static const char rules[] =
		"watched_items:\n"
		"- {name: directory, when: {old_directory: /a}, actions: [log]}\n"
		"- {name: path, when: {old_path: '/a/*.tmp'}, actions: [log]}\n"
		"- {name: name, when: {old_name: '*.tmp', name: '*.c'}, actions: [log]}\n"
		"- {name: ext, when: {old_extension: [.tmp, .x]}, actions: [log]}\n"
		"- {name: none, when: {old_extension: ''}, actions: [log]}\n";
	struct event event =
		fixture_event(EVENT_KIND(CHILD_FILE_MOVED_TO) | EVENT_RENAMED, "/b/x.c");

	event.old_path = TEXT("/a/x.tmp");
	assert_matches(rules, &event, "directory path name ext");
	event.old_path = TEXT("/a/x");
	assert_matches(rules, &event, "directory none");
	event.old_path = TEXT_NONE;
	event.kinds = EVENT_KIND(CHILD_FILE_MOVED_TO) | EVENT_MOVED_IN;
	assert_matches(rules, &event, "");
}

static void a_rule_that_is_off_is_not_matched_and_can_be_tested(void **state)
{
	struct rule_set *set = load(
		"watched_items:\n- {name: r, mode: off, when: {event: any}, actions: [log]}\n");
	struct event event = fixture_event(EVENT_KIND(EVENT_TYPE_UNKNOWN), "/a");
	struct rule_matcher *matcher = rule_matcher_new(set);
	AUTO(free) char *found = matches(set, &event);

	assert_string_equal(found, "");
	assert_int_equal(rule_test(matcher, rule_set_find(set, "r"), &event), TRUTH_TRUE);
	assert_null(rule_set_find(set, "s"));
	rule_matcher_free(matcher);
	rule_set_free(set);
}

static void the_prototypes_lists_are_a_rule_that_logs(void **state)
{
	static const char rules[] = "PATHS:\n- home\n- /data/in/\nEXTENSIONS:\n- .jpg\n- zip\n";
	struct event event = fixture_event(EVENT_KIND(CHILD_FILE_ADDED), "/home/joe/a.zip");
	struct rule_set *set = load(rules);
	const struct rule *rule = rule_set_get(set, 0);

	assert_int_equal(rule_set_count(set), 1);
	assert_int_equal(rule->step_count, 1);
	assert_string_equal(rule->steps[0].module, "log");
	rule_set_free(set);
	assert_matches(rules, &event, "watched-files");
	event.path = TEXT("/data/in/b.jpg");
	assert_matches(rules, &event, "watched-files");
	event.path = TEXT("/data/b.jpg");
	assert_matches(rules, &event, "");
	event = fixture_event(EVENT_KIND(CHILD_FILE_REMOVED), "/home/joe/a.zip");
	assert_matches(rules, &event, "");
}

static void a_set_lives_until_its_last_owner_frees_it(void **state)
{
	static const char rules[] =
		"watched_items:\n- {name: r, when: {event: any}, actions: [log]}\n";
	struct rule_set *set = load(rules);
	struct rule_set *other = rule_set_share(set);

	rule_set_free(set);
	assert_string_equal(rule_set_get(other, 0)->name, "r");
	assert_int_equal(strlen(rule_set_digest(other)), 64);
	rule_set_free(other);
}

static void add_text(void *ctx, const char *name)
{
	assert_true(buf_print(ctx, "%s ", name));
}

static void the_names_that_rules_give_to_owners_are_told_once(void **state)
{
	struct rule_set *set = load(
		"conditions:\n"
		"  known: {owner: [alice, 'uid:7'], group: staff}\n"
		"watched_items:\n"
		"- {name: a, when: {not: {owner: [bob, alice]}, any: [known]}, actions: [log]}\n"
		"- {name: b, ignore_case: yes, when: known, actions: [log]}\n"
		"- {name: c, when: {group: [bob, '1000']}, actions: [log]}\n");
	AUTO(buf_free) struct buf *names = buf_new(SIZE_MAX);

	rule_set_visit_names(set, add_text, names);
	assert_string_equal(names->data, "alice bob staff ");
	rule_set_free(set);
}

/* Of many rules for names of that beginning, a number and that end: how many are evaluated. */
static size_t count_candidates(const char *start, const char *end, const char *path)
{
	AUTO(buf_free) struct buf *text = buf_new(1 << 20);
	struct event event = fixture_event(EVENT_KIND(CHILD_FILE_ADDED), path);
	struct rule_matcher *matcher;
	struct subject subject;
	struct rule_set *set;
	size_t count;

	assert_true(buf_print(text, "watched_items:\n"));
	for (unsigned i = 0; i < 300; i++) {
		assert_true(buf_print(text,
				      "- {name: r%u, when: {name: \"%s%03u%s\"}, actions: [log]}\n",
				      i, start, i, end));
	}
	set = load(text->data);
	matcher = rule_matcher_new(set);
	rule_matcher_start(matcher, &event, &subject);
	count = rule_matcher_candidates(matcher, &subject)->count;
	rule_matcher_free(matcher);
	rule_set_free(set);
	return count;
}

static void names_are_looked_up_by_the_end_of_them_that_fewer_rules_share(void **state)
{
	assert_int_equal(count_candidates("invoice-", "-*.docx", "/a/invoice-007-x.docx"), 1);
	assert_int_equal(count_candidates("invoice-", "-*.docx", "/a/invoice-x.docx"), 0);
	assert_int_equal(count_candidates("scan*.", "", "/a/scan-x.007"), 1);
	assert_int_equal(count_candidates("scan*.", "", "/a/scan-x.tif"), 0);
}

static bool may_match(const char *when, const char *options, const char *directory)
{
	AUTO(free)
	char *rules = str_format("watched_items:\n- {name: r, when: %s, actions: [log]%s}\n", when,
				 options);
	struct rule_set *set = load(rules);
	bool may = rule_set_may_match_below(set, text_of(directory),
					    EVENT_KIND(CHILD_FILE_ADDED) |
						    EVENT_KIND(CHILD_DATA_WRITTEN));

	rule_set_free(set);
	return may;
}

static void what_lies_below_a_directory_may_concern_a_rule_or_cannot(void **state)
{
	assert_true(may_match("{event: created}", "", "/home"));
	assert_true(may_match("{event: created, directory: /home/joe}", "", "/home"));
	assert_true(may_match("{event: created, directory: /home}", "", "/home/joe"));
	assert_true(may_match("{event: written, name: '*.jpg', size: {over: 1 MiB}}", "", "/home"));
	assert_false(may_match("{event: created, directory: /projects}", "", "/home"));
	assert_false(may_match("{event: removed}", "", "/home"));
	assert_false(may_match("{event: created, not: {directory: /home}}", "", "/home/joe"));
	assert_false(may_match("{event: created}", ", mode: off", "/home"));
	assert_true(may_match("{event: created, directory: /HOME}", ", ignore_case: yes", "/home"));
	assert_false(
		may_match("{event: removed, directory: /HOME}", ", ignore_case: yes", "/home"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_directory_means_what_is_below_it_at_any_depth),
		cmocka_unit_test(an_extension_is_the_end_of_a_name_with_something_before_it),
		cmocka_unit_test(keys_are_anded_and_lists_are_ored),
		cmocka_unit_test(an_expression_may_match_anywhere_in_the_path),
		cmocka_unit_test(case_is_heeded_unless_the_rule_ignores_it),
		cmocka_unit_test(old_conditions_want_a_paired_rename),
		cmocka_unit_test(a_rule_that_is_off_is_not_matched_and_can_be_tested),
		cmocka_unit_test(the_prototypes_lists_are_a_rule_that_logs),
		cmocka_unit_test(a_set_lives_until_its_last_owner_frees_it),
		cmocka_unit_test(the_names_that_rules_give_to_owners_are_told_once),
		cmocka_unit_test(names_are_looked_up_by_the_end_of_them_that_fewer_rules_share),
		cmocka_unit_test(what_lies_below_a_directory_may_concern_a_rule_or_cannot),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
