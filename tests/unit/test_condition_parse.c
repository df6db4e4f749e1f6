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
	rule_set_free(set);
	return problems_format(problems, false);
}

static void assert_said(const char *rules, const char *expected)
{
	AUTO(free) char *said = said_of(rules);

	assert_string_equal(said, expected);
}

/* One rule with these conditions is refused with this sentence in it. */
static void assert_when_refused(const char *before, const char *when, const char *expected)
{
	AUTO(free)
	char *text = str_format("%swatched_items:\n- name: r\n  when: %s\n  actions: [log]\n",
				before, when);
	AUTO(free) char *said = said_of(text);

	if (!strstr(said, expected))
		fail_msg("expected '%s' in:\n%s", expected, said);
}

static void values_that_mean_nothing_are_told_with_what_is_expected(void **state)
{
	assert_said("watched_items:\n"
		    "- name: r\n"
		    "  when: {event: [creatd, frobnicated]}\n"
		    "  actions: [log]\n",
		    "watched_items.yml:3:18: event 'creatd': did you mean 'created'?\n"
		    "    3 |   when: {event: [creatd, frobnicated]}\n"
		    "      |                  ^\n"
		    "watched_items.yml:3:26: event 'frobnicated': expected created, removed, "
		    "renamed, moved_in, moved_out, written, metadata, permissions, any, or a type "
		    "like child_file_added\n"
		    "    3 |   when: {event: [creatd, frobnicated]}\n"
		    "      |                          ^\n");
	assert_said(
		"watched_items:\n"
		"- name: r\n"
		"  when: {directory: home}\n"
		"  actions: [log]\n",
		"watched_items.yml:3:21: directory 'home': expected an absolute path, like /home\n"
		"    3 |   when: {directory: home}\n"
		"      |                     ^\n");
	assert_said(
		"watched_items:\n"
		"- name: r\n"
		"  when: {extension: [.jpg, '*.zip', a/b, .], file: a, directory: [], name: "
		"[[x]]}\n"
		"  actions: log\n",
		"watched_items.yml:3:28: extension '*.zip': expected something like .jpg or "
		".tar.gz\n"
		"    3 |   when: {extension: [.jpg, '*.zip', a/b, .], file: a, directory: [], "
		"name: [[x]]}\n"
		"      |                            ^\n"
		"watched_items.yml:3:37: extension 'a/b': expected something like .jpg or .tar.gz\n"
		"    3 |   when: {extension: [.jpg, '*.zip', a/b, .], file: a, directory: [], "
		"name: [[x]]}\n"
		"      |                                     ^\n"
		"watched_items.yml:3:42: extension '.': expected something like .jpg or .tar.gz\n"
		"    3 |   when: {extension: [.jpg, '*.zip', a/b, .], file: a, directory: [], "
		"name: [[x]]}\n"
		"      |                                          ^\n"
		"watched_items.yml:3:52: file 'a': expected an absolute path, like /a\n"
		"    3 |   when: {extension: [.jpg, '*.zip', a/b, .], file: a, directory: [], "
		"name: [[x]]}\n"
		"      |                                                    ^\n"
		"watched_items.yml:3:66: directory: an empty list is never true; expected a value\n"
		"    3 |   when: {extension: [.jpg, '*.zip', a/b, .], file: a, directory: [], "
		"name: [[x]]}\n"
		"      |                                                                  ^\n"
		"watched_items.yml:3:77: name: expected text or a list of texts, found a list\n"
		"    3 |   when: {extension: [.jpg, '*.zip', a/b, .], file: a, directory: [], "
		"name: [[x]]}\n"
		"      |                                                                           "
		"  ^\n");
	assert_said(
		"watched_items:\n"
		"- name: r\n"
		"  when: {any: [{event: created}, {any: [{event: any}, {regex: ''}]}]}\n"
		"  actions: log\n",
		"watched_items.yml:3:63: regex: expected text or a list of texts, found an empty "
		"text\n"
		"    3 |   when: {any: [{event: created}, {any: [{event: any}, {regex: ''}]}]}\n"
		"      |                                                               ^\n");
	assert_said(
		"watched_items:\n"
		"- name: r\n"
		"  when: {event: {created: yes}}\n"
		"  actions: log\n",
		"watched_items.yml:3:17: event: expected text or a list of texts, found a mapping\n"
		"    3 |   when: {event: {created: yes}}\n"
		"      |                 ^\n");
}

static void globs_and_expressions_are_told_at_the_character_to_blame(void **state)
{
	assert_said("watched_items:\n"
		    "- name: r\n"
		    "  when: {name: \"ab[c\", path: \"*.jpg\"}\n"
		    "  actions: [log]\n",
		    "watched_items.yml:3:19: name 'ab[c': '[' without its ']'; '\\[' is a bracket "
		    "itself\n"
		    "    3 |   when: {name: \"ab[c\", path: \"*.jpg\"}\n"
		    "      |                   ^\n"
		    "watched_items.yml:3:31: path '*.jpg': a path begins with '/'; expected "
		    "something like /home/*.jpg or **/*.jpg\n"
		    "    3 |   when: {name: \"ab[c\", path: \"*.jpg\"}\n"
		    "      |                               ^\n");
	assert_said(
		"watched_items:\n"
		"- name: r\n"
		"  when:\n"
		"    regex: a(b\n"
		"  actions: [log]\n",
		"watched_items.yml:4:13: regex 'a(b': missing close parenthesis for group started\n"
		"    4 |     regex: a(b\n"
		"      |             ^\n");
	assert_said(
		"watched_items:\n"
		"- name: r\n"
		"  when: {regex: ['a++b', '(?<=x)y', '(a)\\1', '[z-a]']}\n"
		"  actions: [log]\n",
		"watched_items.yml:3:18: regex 'a++b': possessive quantifiers are not supported\n"
		"    3 |   when: {regex: ['a++b', '(?<=x)y', '(a)\\1', '[z-a]']}\n"
		"      |                  ^\n"
		"watched_items.yml:3:27: regex '(?<=x)y': zero-width assertions are not supported\n"
		"    3 |   when: {regex: ['a++b', '(?<=x)y', '(a)\\1', '[z-a]']}\n"
		"      |                           ^\n"
		"watched_items.yml:3:37: regex '(a)\\1': back-references are unsupported\n"
		"    3 |   when: {regex: ['a++b', '(?<=x)y', '(a)\\1', '[z-a]']}\n"
		"      |                                     ^\n"
		"watched_items.yml:3:50: regex '[z-a]': range out of order in character class\n"
		"    3 |   when: {regex: ['a++b', '(?<=x)y', '(a)\\1', '[z-a]']}\n"
		"      |                                                  ^\n");
	assert_said("watched_items:\n"
		    "- name: r\n"
		    "  when: {event: created, name: \"a/b\", old_name: '{a', path: /x/}\n"
		    "  actions: log\n",
		    "watched_items.yml:3:34: name 'a/b': a name has no '/'; 'path' compares whole "
		    "paths\n"
		    "    3 |   when: {event: created, name: \"a/b\", old_name: '{a', path: /x/}\n"
		    "      |                                  ^\n"
		    "watched_items.yml:3:50: old_name '{a': '{' without its '}'; '\\{' is a brace "
		    "itself\n"
		    "    3 |   when: {event: created, name: \"a/b\", old_name: '{a', path: /x/}\n"
		    "      |                                                  ^\n"
		    "watched_items.yml:3:61: path '/x/': a path does not end with '/'; '/**' is "
		    "everything below\n"
		    "    3 |   when: {event: created, name: \"a/b\", old_name: '{a', path: /x/}\n"
		    "      |                                                             ^\n");
}

static void nothing_is_not_taken_for_everything(void **state)
{
	assert_said("watched_items:\n"
		    "- name: r\n"
		    "  when: {}\n"
		    "  actions: []\n",
		    "watched_items.yml:3:9: no condition: expected one, like event: created "
		    "(event: any is all of them)\n"
		    "    3 |   when: {}\n"
		    "      |         ^\n"
		    "watched_items.yml:4:12: no actions: expected at least one, like - log\n"
		    "    4 |   actions: []\n"
		    "      |            ^\n");
	assert_said("watched_items:\n"
		    "- name: r\n"
		    "  when:\n"
		    "  actions:\n",
		    "watched_items.yml:3:3: no condition: expected one, like event: created "
		    "(event: any is all of them)\n"
		    "    3 |   when:\n"
		    "      |   ^\n"
		    "watched_items.yml:4:3: no actions: expected at least one, like - log\n"
		    "    4 |   actions:\n"
		    "      |   ^\n");
	assert_said("watched_items:\n"
		    "- name: r\n"
		    "  when: {all: {event: created}, any: [], not: }\n"
		    "  actions: log\n",
		    "watched_items.yml:3:15: 'all' is a mapping: expected a list of conditions\n"
		    "    3 |   when: {all: {event: created}, any: [], not: }\n"
		    "      |               ^\n"
		    "watched_items.yml:3:38: an empty list: expected conditions\n"
		    "    3 |   when: {all: {event: created}, any: [], not: }\n"
		    "      |                                      ^\n"
		    "watched_items.yml:3:42: no condition: expected one, like event: created "
		    "(event: any is all of them)\n"
		    "    3 |   when: {all: {event: created}, any: [], not: }\n"
		    "      |                                          ^\n");
}

static void names_of_conditions_and_actions_must_be_there(void **state)
{
	assert_said(
		"watched_items:\n"
		"- name: r\n"
		"  when: office\n"
		"  actions: [quarantin, unknown-thing]\n",
		"watched_items.yml:3:9: there is no condition 'office': expected a name from "
		"'conditions:', or a mapping like {event: created}\n"
		"    3 |   when: office\n"
		"      |         ^\n"
		"watched_items.yml:4:13: there is no action 'quarantin'; did you mean "
		"'quarantine'?\n"
		"    4 |   actions: [quarantin, unknown-thing]\n"
		"      |             ^\n"
		"watched_items.yml:4:24: there is no action 'unknown-thing': expected a name from "
		"'actions:' or one of log, exec, quarantine, rename, permissions, email, webhook\n"
		"    4 |   actions: [quarantin, unknown-thing]\n"
		"      |                        ^\n");
	assert_said(
		"conditions:\n"
		"  office: {extension: .doc}\n"
		"  a: {all: [b]}\n"
		"  b: {not: a}\n"
		"actions:\n"
		"  tell: {log: {file: /x}}\n"
		"  log: {exec: x}\n"
		"watched_items:\n"
		"- name: r\n"
		"  when: ofice\n"
		"  actions: [tel]\n",
		"watched_items.yml:4:12: the condition 'a' (line 3) contains itself\n"
		"    4 |   b: {not: a}\n"
		"      |            ^\n"
		"watched_items.yml:7:3: 'log' is the name of a module: expected another name\n"
		"    7 |   log: {exec: x}\n"
		"      |   ^\n"
		"watched_items.yml:10:9: there is no condition 'ofice'; did you mean 'office'?\n"
		"   10 |   when: ofice\n"
		"      |         ^\n"
		"watched_items.yml:11:13: there is no action 'tel'; did you mean 'tell'?\n"
		"   11 |   actions: [tel]\n"
		"      |             ^\n");
}

static char *nested(unsigned depth)
{
	AUTO(buf_free) struct buf *text = buf_new(1 << 20);

	for (unsigned i = 0; i < depth; i++)
		assert_true(buf_append(text, "{not: ", 6));
	assert_true(buf_append(text, "{event: any}", 12));
	for (unsigned i = 0; i < depth; i++)
		assert_true(buf_append(text, "}", 1));
	return buf_take(text);
}

static void conditions_nest_to_a_ceiling_also_through_names(void **state)
{
	AUTO(free) char *deepest = nested(63), *deeper = nested(64), *half = nested(40);
	AUTO(free) char *named = str_format("conditions:\n  half: %s\n", half);
	AUTO(free) char *on_half = str_format("{not: {not: {not: half}}}");
	AUTO(free)
	char *fine = str_format("%swatched_items:\n- name: r\n  ignore_case: yes\n"
				"  when: %s\n  actions: [log]\n- name: s\n  when: %s\n"
				"  actions: [log]\n",
				named, on_half, deepest);

	assert_said(fine, "");
	assert_when_refused("", deeper, "conditions nest deeper than 64 levels");

	AUTO(buf_free) struct buf *both = buf_new(1 << 20);

	for (unsigned i = 0; i < 30; i++)
		assert_true(buf_print(both, "{not: "));
	assert_true(buf_print(both, "half"));
	for (unsigned i = 0; i < 30; i++)
		assert_true(buf_print(both, "}"));
	assert_when_refused(named, both->data, "conditions nest deeper than 64 levels");
}

static void names_that_multiply_each_other_are_refused(void **state)
{
	AUTO(buf_free) struct buf *text = buf_new(1 << 20);

	assert_true(buf_print(text, "conditions:\n  c0: {event: any}\n"));
	for (unsigned i = 1; i < 30; i++)
		assert_true(buf_print(text, "  c%u: [c%u, c%u, c%u]\n", i, i - 1, i - 1, i - 1));
	assert_when_refused(text->data, "c29",
			    "with all that it names, this is more than 100000 conditions");
}

static void a_condition_that_names_itself_is_refused(void **state)
{
	assert_when_refused("conditions:\n  a: a\n", "a",
			    "the condition 'a' (line 2) contains itself");
}

/* Each name stands for the next one; in the file they come one way round or the other. */
static char *chain_of(unsigned count, bool is_backward)
{
	AUTO(buf_free) struct buf *text = buf_new(SIZE_MAX);

	(void)!buf_print(text, "conditions:\n");
	for (unsigned i = 0; i <= count; i++) {
		unsigned n = is_backward ? count - i : i;

		if (n < count)
			(void)!buf_print(text, "  c%u: c%u\n", n, n + 1);
		else
			(void)!buf_print(text, "  c%u: {event: created}\n", n);
	}
	(void)!buf_print(text, "watched_items:\n- {name: x, ignore_case: yes, when: c0, actions: "
			       "[log]}\n");
	return buf_take(text);
}

static void names_that_stand_for_names_end_somewhere(void **state)
{
	for (int is_backward = 0; is_backward <= 1; is_backward++) {
		AUTO(free) char *fine = chain_of(60, is_backward);
		AUTO(free) char *deep = chain_of(20000, is_backward);
		AUTO(problems_free) struct problems *problems = problems_new();
		AUTO(rule_set_free)
		struct rule_set *set =
			rule_set_parse("rules.yml", text_of(deep), &fixture, problems);
		AUTO(free) char *said = problems_format(problems, false);

		assert_null(set);
		assert_non_null(strstr(said, "names of conditions stand for each other more than "
					     "64 times"));
		assert_said(fine, "");
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(values_that_mean_nothing_are_told_with_what_is_expected),
		cmocka_unit_test(globs_and_expressions_are_told_at_the_character_to_blame),
		cmocka_unit_test(nothing_is_not_taken_for_everything),
		cmocka_unit_test(names_of_conditions_and_actions_must_be_there),
		cmocka_unit_test(conditions_nest_to_a_ceiling_also_through_names),
		cmocka_unit_test(names_that_multiply_each_other_are_refused),
		cmocka_unit_test(a_condition_that_names_itself_is_refused),
		cmocka_unit_test(names_that_stand_for_names_end_somewhere),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
