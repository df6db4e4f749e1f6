/* Rule files that include others, their defaults and their tests. */
#include "check.h"

#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "rule_fixture.h"

/* A directory of its own for each test; messages are told without it. */
struct folder {
	char dir[64];
	struct buf *watched;
};

static int setup(void **state)
{
	struct folder *folder = NEW(struct folder);

	snprintf(folder->dir, sizeof(folder->dir), "/tmp/cn_rule_files.XXXXXX");
	folder->watched = buf_new(1 << 20);
	*state = folder;
	return mkdtemp(folder->dir) ? 0 : -1;
}

static int clear(void **state)
{
	struct folder *folder = *state;
	AUTO(free) char *command = str_format("rm -r %s", folder->dir);
	int result = system(command);

	buf_free(folder->watched);
	free(folder);
	return result;
}

static void write_file(const struct folder *folder, const char *name, const char *text)
{
	AUTO(free) char *path = str_format("%s/%s", folder->dir, name);
	char *slash = strrchr(path, '/');
	FILE *file;

	*slash = '\0';
	if (mkdir(path, 0700) < 0)
		assert_int_equal(access(path, W_OK), 0);
	*slash = '/';
	file = fopen(path, "w");
	assert_non_null(file);
	assert_true(fputs(text, file) >= 0);
	assert_int_equal(fclose(file), 0);
}

static void note(void *ctx, const char *path)
{
	struct folder *folder = ctx;

	assert_true(buf_print(folder->watched, "%s ", path + strlen(folder->dir) + 1));
}

static struct rule_set *load(struct folder *folder, struct problems *problems)
{
	AUTO(free) char *path = str_format("%s/w.yml", folder->dir);

	buf_reset(folder->watched);
	return rule_set_load_with(path, &fixture, note, folder, problems);
}

/* What is said, the folder's name left out. */
static char *said(const struct folder *folder, const struct problems *problems)
{
	AUTO(free) char *text = problems_format(problems, false);
	AUTO(buf_free) struct buf *out = buf_new(1 << 20);
	size_t skip = strlen(folder->dir) + 1;

	for (const char *at = text; *at;) {
		if (strncmp(at, folder->dir, skip - 1) == 0)
			at += skip;
		else
			assert_true(buf_append(out, at++, 1));
	}
	return buf_take(out);
}

/* The rules in their order; watched, as it was told. */
static void assert_rules(struct folder *folder, const char *expected, const char *watched)
{
	AUTO(problems_free) struct problems *problems = problems_new();
	AUTO(rule_set_free) struct rule_set *set = load(folder, problems);
	AUTO(free) char *problem = said(folder, problems);
	AUTO(buf_free) struct buf *names = buf_new(1 << 20);

	if (!set || *problem)
		fail_msg("%s", problem);
	for (size_t i = 0; i < rule_set_count(set); i++)
		assert_true(buf_print(names, "%s ", rule_set_get(set, i)->name));
	assert_string_equal(names->data, expected);
	if (watched)
		assert_string_equal(folder->watched->data, watched);
}

static void assert_said(struct folder *folder, const char *expected)
{
	AUTO(problems_free) struct problems *problems = problems_new();
	AUTO(rule_set_free) struct rule_set *set = load(folder, problems);
	AUTO(free) char *problem = NULL;

	if (set)
		rule_set_test(set, problems);
	problem = said(folder, problems);
	assert_string_equal(problem, expected);
}

#define RULE(name) "- {name: " name ", when: {event: created}, actions: [log]}\n"

static void files_and_directories_are_read_in_their_order(void **state)
{
	struct folder *folder = *state;

	write_file(folder, "w.yml", "include: [team.yml, w.d/]\nwatched_items:\n" RULE("main"));
	write_file(folder, "team.yml", "include: sub/deep.yml\nwatched_items:\n" RULE("team"));
	write_file(folder, "sub/deep.yml", "watched_items:\n" RULE("deep"));
	write_file(folder, "w.d/20.yaml", "watched_items:\n" RULE("d20"));
	write_file(folder, "w.d/10.yml", "watched_items:\n" RULE("d10"));
	write_file(folder, "w.d/.hidden.yml", "watched_items:\n" RULE("hidden"));
	write_file(folder, "w.d/README", "no rules");
	assert_rules(folder, "main team deep d10 d20 ",
		     "w.yml team.yml sub/deep.yml w.d/. w.d/10.yml w.d/20.yaml ");
}

static void names_are_shared_by_all_files_and_unique_over_them(void **state)
{
	struct folder *folder = *state;

	write_file(folder, "w.yml",
		   "include: b.yml\n"
		   "conditions: {zip: {extension: .zip}}\n"
		   "actions: {tell: {email: {to: a}}}\n"
		   "watched_items:\n"
		   "- {name: a, when: here, actions: [tell]}\n");
	write_file(folder, "b.yml",
		   "conditions: {here: {all: [zip, {directory: /b}]}}\n"
		   "watched_items:\n"
		   "- {name: b, when: zip, actions: [tell]}\n");
	assert_rules(folder, "a b ", NULL);
	write_file(folder, "b.yml",
		   "conditions: {here: {directory: /b}, zip: {extension: .gz}}\n"
		   "actions: {tell: {email: {to: a}}}\n"
		   "watched_items:\n"
		   "- {name: a, when: zip, actions: [tell]}\n");
	assert_said(folder, "b.yml:1:37: there is already a condition 'zip', in line 2 of w.yml: "
			    "expected another name\n"
			    "    1 | conditions: {here: {directory: /b}, zip: {extension: .gz}}\n"
			    "      |                                     ^\n"
			    "b.yml:2:11: there is already an action 'tell', in line 3 of w.yml: "
			    "expected another name\n"
			    "    2 | actions: {tell: {email: {to: a}}}\n"
			    "      |           ^\n"
			    "b.yml:4:10: there is already a rule 'a', in line 5 of w.yml: expected "
			    "another name\n"
			    "    4 | - {name: a, when: zip, actions: [tell]}\n"
			    "      |          ^\n");
}

static void what_cannot_be_included_is_told_where_it_is_asked_for(void **state)
{
	struct folder *folder = *state;

	write_file(folder, "w.yml", "include:\n- none.yml\n- w.yml\n- b.yml\n- [x]\n- pipe\n");
	write_file(folder, "b.yml", "include: w.yml\nwatched_items:\n- {name: b}\n");

	AUTO(free) char *pipe = str_format("%s/pipe", folder->dir);

	assert_int_equal(mkfifo(pipe, 0600), 0);
	assert_said(folder,
		    "w.yml:2:3: include: none.yml: No such file or directory\n"
		    "    2 | - none.yml\n"
		    "      |   ^\n"
		    "w.yml:3:3: include: w.yml is read already: it is where reading begins\n"
		    "    3 | - w.yml\n"
		    "      |   ^\n"
		    "w.yml:5:3: include: expected the name of a file or directory\n"
		    "    5 | - [x]\n"
		    "      |   ^\n"
		    "w.yml:6:3: include: pipe is neither a file nor a directory\n"
		    "    6 | - pipe\n"
		    "      |   ^\n"
		    "b.yml:1:10: include: w.yml is read already: it is where reading begins\n"
		    "    1 | include: w.yml\n"
		    "      |          ^\n"
		    "b.yml:3:3: a rule without conditions: expected when:, like when: {event: "
		    "created}\n"
		    "    3 | - {name: b}\n"
		    "      |   ^\n"
		    "b.yml:3:3: a rule without actions: expected actions:, like actions: [log]\n"
		    "    3 | - {name: b}\n"
		    "      |   ^\n");
	/* What is missing is waited for. */
	assert_string_equal(folder->watched->data, "w.yml none.yml w.yml b.yml w.yml pipe ");
}

static void a_change_of_any_file_changes_the_digest(void **state)
{
	struct folder *folder = *state;
	AUTO(problems_free) struct problems *problems = problems_new();

	write_file(folder, "w.yml", "include: b.yml\n");
	write_file(folder, "b.yml", "watched_items:\n" RULE("b"));

	AUTO(rule_set_free) struct rule_set *before = load(folder, problems);
	AUTO(rule_set_free) struct rule_set *same = load(folder, problems);

	write_file(folder, "b.yml", "watched_items:\n" RULE("b") "# more\n");

	AUTO(rule_set_free) struct rule_set *after = load(folder, problems);

	assert_string_equal(rule_set_digest(before), rule_set_digest(same));
	assert_string_not_equal(rule_set_digest(before), rule_set_digest(after));
}

static void defaults_hold_for_a_file_and_what_it_includes(void **state)
{
	struct folder *folder = *state;
	AUTO(problems_free) struct problems *problems = problems_new();

	write_file(folder, "w.yml",
		   "include: b.yml\n"
		   "defaults: {mode: dry_run, settle: 5s, ignore_case: yes, on_own: yes}\n"
		   "watched_items:\n" RULE("main") "- {name: own, when: {event: created}, mode: "
						   "enforce, actions: [log]}\n");
	write_file(folder, "b.yml",
		   "defaults: {settle: 1s}\n"
		   "watched_items:\n" RULE("b"));

	AUTO(rule_set_free) struct rule_set *set = load(folder, problems);

	assert_non_null(set);
	assert_int_equal(rule_set_find(set, "main")->mode, RULE_DRY_RUN);
	assert_int_equal(rule_set_find(set, "main")->settle_ms, 5000);
	assert_true(rule_set_find(set, "main")->on_own);
	assert_int_equal(rule_set_find(set, "own")->mode, RULE_ENFORCE);
	assert_int_equal(rule_set_find(set, "b")->mode, RULE_DRY_RUN);
	assert_int_equal(rule_set_find(set, "b")->settle_ms, 1000);
	write_file(folder, "b.yml", "defaults: {settl: 1s, mode: of, name: x}\n");
	assert_said(
		folder,
		"b.yml:1:12: 'defaults' has no key 'settl'; did you mean 'settle'?\n"
		"    1 | defaults: {settl: 1s, mode: of, name: x}\n"
		"      |            ^\n"
		"b.yml:1:29: mode 'of': expected enforce, dry_run or off\n"
		"    1 | defaults: {settl: 1s, mode: of, name: x}\n"
		"      |                             ^\n"
		"b.yml:1:33: 'defaults' has no key 'name'; expected one of settle, "
		"absent, threshold, throttle, limit, mode, on_own, ignore_case, stop, priority\n"
		"    1 | defaults: {settl: 1s, mode: of, name: x}\n"
		"      |                                 ^\n");
}

static void tests_in_the_file_say_what_rules_should_do(void **state)
{
	struct folder *folder = *state;

	write_file(folder, "w.yml",
		   "watched_items:\n"
		   "- {name: zip, when: {extension: .zip}, actions: [log]}\n"
		   "- {name: moved, when: {old_directory: /a}, actions: [log]}\n"
		   "tests:\n"
		   "- {event: created, path: /a.zip, expect: zip}\n"
		   "- {event: renamed, old_path: /a/x, path: /b/x.zip, expect: [zip, moved]}\n"
		   "- {event: created, path: /a.txt, expect: []}\n");
	assert_said(folder, "");
	write_file(folder, "w.yml",
		   "watched_items:\n"
		   "- {name: zip, when: {extension: .zip}, actions: [log]}\n"
		   "- {name: all, when: {event: any}, actions: [log]}\n"
		   "tests:\n"
		   "- {event: created, path: /a.txt, expect: zip}\n");
	assert_said(folder, "w.yml:5:3: this test fails: 'zip' should be true\n"
			    "    5 | - {event: created, path: /a.txt, expect: zip}\n"
			    "      |   ^\n"
			    "w.yml:5:3: this test fails: 'all' should not be true\n"
			    "    5 | - {event: created, path: /a.txt, expect: zip}\n"
			    "      |   ^\n");
}

static void tests_in_a_rule_are_about_this_rule(void **state)
{
	struct folder *folder = *state;

	write_file(folder, "w.yml",
		   "watched_items:\n"
		   "- {name: all, when: {event: any}, actions: [log]}\n"
		   "- name: zip\n"
		   "  when: {extension: .zip}\n"
		   "  actions: [log]\n"
		   "  tests:\n"
		   "  - {event: created, path: /a.zip}\n"
		   "  - {event: created, path: /a.txt, expect: []}\n"
		   "  - {event: created, path: /a.zip, expect: [zip, all]}\n");
	assert_said(folder, "");
	write_file(folder, "w.yml",
		   "watched_items:\n"
		   "- name: zip\n"
		   "  when: {extension: .zip}\n"
		   "  actions: [log]\n"
		   "  tests:\n"
		   "  - {event: created, path: /a.txt}\n"
		   "  - {event: created, path: /a.zip, expect: []}\n");
	assert_said(folder, "w.yml:6:5: this test fails: 'zip' should be true\n"
			    "    6 |   - {event: created, path: /a.txt}\n"
			    "      |     ^\n"
			    "w.yml:7:5: this test fails: 'zip' should not be true\n"
			    "    7 |   - {event: created, path: /a.zip, expect: []}\n"
			    "      |     ^\n");
}

static void tests_that_mean_nothing_are_told(void **state)
{
	struct folder *folder = *state;

	write_file(folder, "w.yml",
		   "watched_items:\n" RULE("zips") "tests:\n"
						   "- {event: creatd, path: /a, expect: zips}\n"
						   "- {event: created, path: /a, expect: zisp}\n"
						   "- {event: created, path: /a}\n"
						   "- {event: created, paht: /a, expect: []}\n"
						   "- {event: [created], path: /a, expect: {}}\n");
	assert_said(folder, "w.yml:4:3: event 'creatd': did you mean 'created'?\n"
			    "    4 | - {event: creatd, path: /a, expect: zips}\n"
			    "      |   ^\n"
			    "w.yml:5:38: there is no rule 'zisp'; did you mean 'zips'?\n"
			    "    5 | - {event: created, path: /a, expect: zisp}\n"
			    "      |                                      ^\n"
			    "w.yml:6:3: a test without expect: expected the names of the rules "
			    "that are true, or [] for none\n"
			    "    6 | - {event: created, path: /a}\n"
			    "      |   ^\n"
			    "w.yml:7:20: a test has no key 'paht'; did you mean 'path'?\n"
			    "    7 | - {event: created, paht: /a, expect: []}\n"
			    "      |                    ^\n"
			    "w.yml:8:11: event: expected text, found a list\n"
			    "    8 | - {event: [created], path: /a, expect: {}}\n"
			    "      |           ^\n"
			    "w.yml:8:40: expect: expected a rule's name, or [] for none\n"
			    "    8 | - {event: [created], path: /a, expect: {}}\n"
			    "      |                                        ^\n");
}

static void priority_orders_the_rules_and_stop_ends_the_list(void **state)
{
	struct folder *folder = *state;

	write_file(folder, "w.yml",
		   "watched_items:\n"
		   "- {name: last, when: {event: any}, priority: -1, actions: [log]}\n"
		   "- {name: one, when: {event: any}, actions: [log]}\n"
		   "- {name: two, when: {extension: .b}, stop: yes, actions: [log]}\n"
		   "- {name: first, when: {extension: .a}, stop: yes, priority: 10, actions: "
		   "[log]}\n"
		   "tests:\n"
		   "- {event: created, path: /x.a, expect: first}\n"
		   "- {event: created, path: /x.b, expect: [one, two]}\n"
		   "- {event: created, path: /x.c, expect: [one, last]}\n");
	assert_rules(folder, "first one two last ", NULL);
	assert_said(folder, "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, clear)
		TEST(files_and_directories_are_read_in_their_order),
		TEST(names_are_shared_by_all_files_and_unique_over_them),
		TEST(what_cannot_be_included_is_told_where_it_is_asked_for),
		TEST(a_change_of_any_file_changes_the_digest),
		TEST(defaults_hold_for_a_file_and_what_it_includes),
		TEST(tests_in_the_file_say_what_rules_should_do),
		TEST(tests_in_a_rule_are_about_this_rule),
		TEST(tests_that_mean_nothing_are_told),
		TEST(priority_orders_the_rules_and_stop_ends_the_list),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
