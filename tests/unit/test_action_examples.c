/* What examples/ and docs/actions.md show must be accepted, without a warning but for programs. */
#include "check.h"

#include <glob.h>
#include <stdio.h>

#include "action/action.h"
#include "rule/rule.h"

static void check(void *ctx, const char *module, const struct node *options, struct place place,
		  struct problems *problems)
{
	action_check(action_type_find(module), options, place, problems);
}

static size_t effects(void *ctx, const char *module, const char *options, struct event_effect *out,
		      size_t max)
{
	return action_effects(action_type_find(module), options, out, max);
}

static struct rule_modules modules(const char **names)
{
	for (size_t i = 0; action_types[i]; i++)
		names[i] = action_types[i]->name;
	return (struct rule_modules){ .names = names, .check = check, .effects = effects };
}

static const char *root(void)
{
	return getenv("SOURCE_ROOT") ? getenv("SOURCE_ROOT") : ".";
}

static void only_missing_programs(void *ctx, const struct problem *problem)
{
	/* To set right what was changed is to cause the same event: an echo, and nothing else. */
	bool is_fine = strstr(problem->message, "is not found here") ||
		       strstr(problem->message, "recognises such echoes and ignores them");

	if (!problem->is_warning || !is_fine)
		fail_msg("%s:%d: %s", problem->place.file, problem->place.line, problem->message);
}

/* Answers how many tests the files carry. */
static size_t accepted_tests(const char *folder)
{
	const char *names[32] = { NULL };
	struct rule_modules all = modules(names);
	AUTO(free) char *pattern = str_format("%s/examples/%s/*.yml", root(), folder);
	size_t tests = 0;
	glob_t found;

	assert_int_equal(glob(pattern, 0, NULL, &found), 0);
	for (size_t i = 0; i < found.gl_pathc; i++) {
		AUTO(problems_free) struct problems *problems = problems_new();
		AUTO(rule_set_free)
		struct rule_set *set = rule_set_load(found.gl_pathv[i], &all, problems);

		problems_visit(problems, only_missing_programs, NULL);
		assert_non_null(set);
		rule_set_check(set, &all, NULL, problems);
		tests += rule_set_test(set, problems);
		problems_visit(problems, only_missing_programs, NULL);
	}
	globfree(&found);
	return tests;
}

/* Warnings about rules of this text. */
static size_t warnings(const char *when, const char *step)
{
	const char *names[32] = { NULL };
	struct rule_modules all = modules(names);
	AUTO(problems_free) struct problems *problems = problems_new();
	AUTO(free)
	char *text =
		str_format("watched_items:\n- {name: r, when: %s, actions: [%s]}\n", when, step);
	AUTO(rule_set_free)
	struct rule_set *set = rule_set_parse("w.yml", text_of(text), &all, problems);

	assert_non_null(set);
	rule_set_check(set, &all, NULL, problems);
	return problems_warning_count(problems);
}

static void a_rule_that_excludes_the_tag_it_sets_is_no_loop(void **state)
{
	const char *set = "{tag: {key: seen, value: yes}}";

	assert_int_equal(warnings("{event: metadata}", set), 1);
	assert_int_equal(warnings("{event: metadata, not: {tag: seen}}", set), 0);
	assert_int_equal(warnings("{event: metadata, not: {tag: {seen: yes}}}", set), 0);
	assert_int_equal(warnings("{event: metadata, not: {tag: {seen: no}}}", set), 1);
	assert_int_equal(warnings("{event: metadata, not: {tag: other}}", set), 1);
	assert_int_equal(
		warnings("{event: metadata, tag: seen}", "{tag: {key: seen, remove: yes}}"), 0);
	assert_int_equal(warnings("{event: metadata, not: {tag: seen}}",
				  "{tag: {key: '{name}', value: yes}}"),
			 1);
	assert_int_equal(warnings("{event: created, not: {tag: seen}}", set), 0);
}

static void every_example_is_accepted(void **state)
{
	accepted_tests("actions");
}

static void every_ready_made_file_is_accepted_and_passes_its_tests(void **state)
{
	assert_true(accepted_tests("rules") > 20);
}

static void every_module_has_an_example(void **state)
{
	for (size_t i = 0; action_types[i]; i++) {
		AUTO(problems_free) struct problems *problems = problems_new();
		AUTO(free)
		char *path =
			str_format("%s/examples/actions/%s.yml", root(), action_types[i]->name);
		AUTO(document_free) struct document *document = document_read(path, problems);

		assert_non_null(document);
	}
}

/* A line of docs/actions.md that begins "- module:" in a yaml block is a step as rules have it. */
static void check_block(struct text block, const char *file)
{
	AUTO(problems_free) struct problems *problems = problems_new();
	AUTO(document_free) struct document *document = document_parse(file, block, problems);

	assert_non_null(document);
	node_for_each(step, document_root(document))
	{
		const struct node *options = step->first;
		AUTO(free) char *module = text_copy(options->key->text);

		assert_non_null(action_type_find(module));
		action_check(action_type_find(module), options, step->place, problems);
	}
	problems_visit(problems, only_missing_programs, NULL);
}

static void every_step_of_the_manual_is_accepted(void **state)
{
	AUTO(free) char *path = str_format("%s/docs/actions.md", root());
	FILE *file = fopen(path, "r");
	char *text = mem_new(200000);
	size_t blocks = 0;

	assert_non_null(file);
	assert_true(fread(text, 1, 199999, file) > 0);
	fclose(file);
	for (char *at = text; (at = strstr(at, "```yaml\n"));) {
		char *end;

		at += strlen("```yaml\n");
		end = strstr(at, "```");
		assert_non_null(end);
		check_block((struct text){ at, end - at }, "actions.md");
		at = end + 3;
		blocks++;
	}
	free(text);
	assert_true(blocks >= 7);
}

static void every_option_is_in_the_manual(void **state)
{
	AUTO(free) char *path = str_format("%s/docs/actions.md", root());
	FILE *file = fopen(path, "r");
	AUTO(free) char *text = mem_new(200000);

	assert_non_null(file);
	assert_true(fread(text, 1, 199999, file) > 0);
	fclose(file);
	for (size_t i = 0; action_types[i]; i++) {
		AUTO(free) char *heading = str_format("\n## %s\n", action_types[i]->name);
		char *start = strstr(text, heading);
		char *end = start ? strstr(start + 1, "\n## ") : NULL;

		assert_non_null(start);
		AUTO(free) char *section = str_copy_n(start, end ? end - start : strlen(start));
		for (const struct config_key *key = action_types[i]->keys; key->name; key++) {
			AUTO(free) char *row = str_format("| `%s` |", key->name);

			if (!strstr(section, row) && strcmp(key->name, "digest") != 0)
				fail_msg("%s: '%s' is missing", action_types[i]->name, key->name);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_rule_that_excludes_the_tag_it_sets_is_no_loop),
		cmocka_unit_test(every_example_is_accepted),
		cmocka_unit_test(every_ready_made_file_is_accepted_and_passes_its_tests),
		cmocka_unit_test(every_module_has_an_example),
		cmocka_unit_test(every_step_of_the_manual_is_accepted),
		cmocka_unit_test(every_option_is_in_the_manual),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
