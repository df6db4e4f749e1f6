/* Conditions about what the cluster knows of a file, from YAML to the verdict. */
#include "check.h"

#include "base/clock.h"
#include "rule_fixture.h"

static char owner_type[16], owner_value[64];

static struct file_info info = { .type = FILE_REGULAR,
				 .size = 10 << 20,
				 .mode = 0640,
				 .owner = (char *)"12884902888",
				 .group = (char *)"513",
				 .owner_type = owner_type,
				 .owner_value = owner_value,
				 .group_type = (char *)"LOCAL_GROUP",
				 .group_value = (char *)"Users",
				 .creation_time = (char *)"2026-11-15T12:00:00Z",
				 .modification_time = (char *)"2026-11-22T11:00:00.5Z",
				 .num_links = 2 };
static struct file_facts facts = { .info = &info };

static enum truth ask_kind(const char *when, enum event_type type, const struct file_facts *file)
{
	AUTO(problems_free) struct problems *problems = problems_new();
	AUTO(free)
	char *text = str_format("watched_items:\n- name: r\n  when: %s\n  actions: [log]\n", when);
	AUTO(rule_set_free)
	struct rule_set *set = rule_set_parse("w.yml", text_of(text), &fixture, problems);
	AUTO(free) char *why = problems_format(problems, false);
	struct event event = fixture_event(EVENT_KIND(type), "/a");
	struct rule_matcher *matcher;
	enum truth truth;

	if (!set)
		fail_msg("%s", why);
	event.type = type;
	assert_true(clock_parse("2026-11-22T12:00:00Z", &event.time_ms));
	matcher = rule_matcher_new(set);
	truth = rule_test_with(matcher, rule_set_get(set, 0), &event, file);
	rule_matcher_free(matcher);
	return truth;
}

static enum truth ask(const char *when)
{
	assert_int_equal(ask_kind(when, CHILD_DATA_WRITTEN, NULL), TRUTH_UNKNOWN);
	return ask_kind(when, CHILD_DATA_WRITTEN, &facts);
}

static void is(const char *when)
{
	if (ask(when) != TRUTH_TRUE)
		fail_msg("%s is not", when);
}

static void is_not(const char *when)
{
	if (ask(when) != TRUTH_FALSE)
		fail_msg("%s is", when);
}

static void sizes_links_and_ages_lie_within_bounds(void **state)
{
	is("{size: {over: 9 MiB}}");
	is_not("{size: {over: 10 MiB}}");
	is("{size: {at_least: 10 MiB, under: 1 GB}}");
	is("{size: [0, 10 MiB]}");
	is("{links: {over: 1}}");
	is_not("{links: 1}");
	is("{age: {at_least: 7d}}");
	is_not("{age: {over: 7d}}");
	is("{modified: {under: 1h}}");
	is_not("{modified: {under: 30m}}");
	is_not("{not: {size: {over: 1}}}");
}

static void tags_are_there_or_match_a_pattern(void **state)
{
	struct file_tag items[] = { { (char *)"reviewed", (char *)"yes", 3 },
				    { (char *)"from", (char *)"/home/joe", 9 } };
	struct file_tags tags = { items, 2, NULL };

	assert_int_equal(ask("{tag: reviewed}"),
			 TRUTH_UNKNOWN); /* the file is known, they are not */
	facts.tags = &tags;
	is("{tag: reviewed}");
	is_not("{tag: Reviewed}");
	is("{tag: [missing, reviewed]}");
	is("{tag: {reviewed: '*'}}");
	is("{tag: {from: '*'}}");
	is("{tag: {from: /home/joe}}");
	is("{tag: {from: '/h*e'}}");
	is_not("{tag: {from: '/h?joe'}}");
	is("{tag: {reviewed: [no, 'y*']}}");
	is_not("{tag: {reviewed: no}}");
	is_not("{tag: {reviewed: yes, missing: '*'}}");
	is("{tag: {reviewed: yes, from: '*'}}");
	is("{tag: [{reviewed: no}, {from: '*', reviewed: 'y?s'}]}");
	is("{not: {tag: missing}}");
	tags.count = 1;
	facts.only_tag = "reviewed"; /* as after an action that set it */
	is("{tag: reviewed}");
	assert_int_equal(ask("{tag: from}"), TRUTH_UNKNOWN);
	is_not("{tag: {from: '*', reviewed: no}}");
	facts.tags = NULL;
	facts.only_tag = NULL;
}

static void modes_are_compared_whole_or_by_bits(void **state)
{
	is("{mode: '0640'}");
	is_not("{mode: '0644'}");
	is("{mode: ['0600', '640']}");
	is("{mode: {all: '0440', none: '0007'}}");
	is_not("{mode: {any: '0022'}}");
	is("{mode: {any: '0060'}}");
}

static void owners_are_known_by_name_number_or_sid(void **state)
{
	strcpy(owner_type, "LOCAL_USER");
	strcpy(owner_value, "alice");
	is("{owner: alice}");
	is("{owner: [bob, Alice]}");
	is_not("{owner: bob}");
	is_not("{owner: uid:1000}");
	is("{owner: auth_id:12884902888}");
	is("{group: users}");

	strcpy(owner_type, "NFS_UID");
	strcpy(owner_value, "1000");
	is("{owner: uid:1000}");
	is("{owner: 1000}");
	is_not("{owner: 1001}");
	assert_int_equal(ask("{owner: alice}"), TRUTH_UNKNOWN); /* nobody said who that is */

	static const char *const names[] = { "CORP\\alice", NULL };

	facts.owner_names = names;
	is("{owner: alice}");
	is("{owner: 'corp\\alice'}");
	is_not("{owner: 'OTHER\\alice'}");
	is_not("{owner: bob}");
	facts.owner_names = NULL;

	strcpy(owner_type, "SMB_SID");
	strcpy(owner_value, "S-1-5-21-1-2-3-500");
	is("{owner: S-1-5-21-1-2-3-500}");
	is_not("{owner: sid:S-1-5-21-1-2-3-501}");
}

static void a_type_may_be_told_by_the_event_alone(void **state)
{
	is("{type: file}");
	is_not("{type: [directory, symlink]}");
	assert_int_equal(ask_kind("{type: directory}", CHILD_DIR_ADDED, NULL), TRUTH_TRUE);
	assert_int_equal(ask_kind("{type: file}", CHILD_DIR_REMOVED, NULL), TRUTH_FALSE);
	assert_int_equal(ask_kind("{type: directory}", CHILD_FILE_ADDED, NULL), TRUTH_FALSE);
	/* A symlink is told as a file is. */
	assert_int_equal(ask_kind("{type: file}", CHILD_FILE_ADDED, NULL), TRUTH_UNKNOWN);
	assert_int_equal(ask_kind("{type: [file, symlink, other]}", CHILD_FILE_ADDED, NULL),
			 TRUTH_TRUE);
}

static void what_is_false_anyway_is_not_asked(void **state)
{
	assert_int_equal(ask_kind("{size: 0, directory: /b}", CHILD_FILE_ADDED, NULL), TRUTH_FALSE);
	assert_int_equal(ask_kind("{any: [{size: 0}, {event: created}]}", CHILD_FILE_ADDED, NULL),
			 TRUTH_TRUE);
}

static void assert_refused(const char *when, const char *expected)
{
	AUTO(problems_free) struct problems *problems = problems_new();
	AUTO(free)
	char *text = str_format("watched_items:\n- name: r\n  when: %s\n  actions: [log]\n", when);
	AUTO(free) char *said = NULL;

	assert_null(rule_set_parse("w.yml", text_of(text), &fixture, problems));
	said = problems_format(problems, false);
	if (!strstr(said, expected))
		fail_msg("%s", said);
}

static void mistakes_are_told_with_what_is_expected(void **state)
{
	assert_refused("{size: big}", "3:16: size 'big': expected a size like 4096");
	assert_refused("{size: {ovr: 1}}", "3:17: 'size' has no key 'ovr'; did you mean 'over'?");
	assert_refused("{age: 7d}", "3:15: age: expected bounds, like {over: 7d}");
	assert_refused("{age: {over: 7}}", "3:22: age '7': expected a duration");
	assert_refused("{type: dir}", "3:16: type 'dir': did you mean 'directory'?");
	assert_refused("{type: door}",
		       "3:16: type 'door': expected file, directory, symlink or other");
	assert_refused("{type: symlnk}", "3:16: type 'symlnk': did you mean 'symlink'?");
	assert_refused("{mode: rw}", "3:16: mode 'rw': expected");
	assert_refused("{mode: {some: '0640'}}", "3:17: 'mode' has no key 'some'");
	assert_refused("{owner: ''}", "3:17: owner: expected a name, like alice, or uid:1000");
	assert_refused("{tag: {}}", "3:15: tag: expected a key that the file must have");
	assert_refused("{tag: {a: ''}}", "3:19: tag: a: an empty value is never true");
	assert_refused("{tag: {a: []}}", "3:19: tag: a: an empty list is never true");
	assert_refused("{tag: {a: {b: c}}}", "tag: expected text or a list of texts");
	assert_refused("{tag: {a: '[x'}}", "tag: a '[x'");
}

static void tests_of_a_file_say_what_the_cluster_would(void **state)
{
	AUTO(problems_free) struct problems *problems = problems_new();
	static const char text[] =
		"watched_items:\n"
		"- {name: big, when: {event: created, size: {over: 1 MiB}}, actions: [log]}\n"
		"- {name: hers, when: {event: created, owner: alice}, actions: [log]}\n"
		"- {name: old, when: {age: {over: 7d}, mode: '0600', type: file}, actions: [log]}\n"
		"tests:\n"
		"- {event: created, path: /a, expect: []}\n"
		"- {event: created, path: /a, size: 2 MiB, expect: big}\n"
		"- {event: created, path: /a, owner: alice, links: 2, expect: hers}\n"
		"- {event: written, path: /a, age: 8d, mode: '0600', expect: old}\n";
	AUTO(rule_set_free)
	struct rule_set *set = rule_set_parse("w.yml", text_of(text), &fixture, problems);
	AUTO(free) char *said = NULL;

	assert_non_null(set);
	rule_set_test(set, problems);
	said = problems_format(problems, false);
	assert_string_equal(said, "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sizes_links_and_ages_lie_within_bounds),
		cmocka_unit_test(tags_are_there_or_match_a_pattern),
		cmocka_unit_test(modes_are_compared_whole_or_by_bits),
		cmocka_unit_test(owners_are_known_by_name_number_or_sid),
		cmocka_unit_test(a_type_may_be_told_by_the_event_alone),
		cmocka_unit_test(what_is_false_anyway_is_not_asked),
		cmocka_unit_test(mistakes_are_told_with_what_is_expected),
		cmocka_unit_test(tests_of_a_file_say_what_the_cluster_would),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
