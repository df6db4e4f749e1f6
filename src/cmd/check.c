#include <jansson.h>
#include <stdio.h>
#include <unistd.h>

#include "app/modules.h"
#include "cmd/command.h"

/* What one file led to. */
struct verdict {
	struct problems *problems;
	size_t rules, tests;
};

/* All that is checked, and how it went. */
struct checking {
	const struct arguments *arguments;
	json_t *files; /* with --json */
	size_t errors, warnings, accepted;
};

/* Reads one rule file; what there is to say goes to problems. */
static void check_items(const char *path, const struct settings *settings, struct verdict *verdict)
{
	AUTO(rule_set_free)
	struct rule_set *set = rule_set_load(path, &app_modules, verdict->problems);

	if (!set)
		return;
	modules_check_rules(set, path, settings, verdict->problems);
	verdict->rules = rule_set_count(set);
	verdict->tests = rule_set_test(set, verdict->problems);
}

static void print_count(size_t count, const char *what)
{
	printf("%zu %s%s", count, what, count == 1 ? "" : "s");
}

static void print_verdict(const char *path, const struct verdict *verdict)
{
	size_t errors = problems_error_count(verdict->problems);
	size_t warnings = problems_warning_count(verdict->problems);
	size_t accepted = problems_accepted_count(verdict->problems);

	printf("%s: ", path);
	if (errors)
		print_count(errors, "error");
	else
		print_count(verdict->rules, "rule");
	if (!errors)
		printf(", no errors");
	if (verdict->tests) {
		printf(", ");
		print_count(verdict->tests, "test");
		printf(" passed");
	}
	if (warnings) {
		printf(", ");
		print_count(warnings, "warning");
	}
	if (accepted) {
		printf(", ");
		print_count(accepted, "warning");
		printf(" accepted");
	}
	putchar('\n');
}

static void add_problem(void *ctx, const struct problem *problem)
{
	json_array_append_new(ctx, problem_to_json(problem));
}

static json_t *problems_json(const struct problems *problems)
{
	json_t *list = json_array();

	problems_visit(problems, add_problem, list);
	problems_visit_accepted(problems, add_problem, list);
	return list;
}

/* {"file", "rules", "tests", "errors", "warnings", "accepted", "problems": [..]} */
static json_t *verdict_json(const char *path, const struct verdict *verdict)
{
	const struct problems *problems = verdict->problems;
	json_t *file = json_string(path);

	return json_pack("{s:o,s:I,s:I,s:I,s:I,s:I,s:o}", "file", file ? file : json_null(),
			 "rules", (json_int_t)verdict->rules, "tests", (json_int_t)verdict->tests,
			 "errors", (json_int_t)problems_error_count(problems), "warnings",
			 (json_int_t)problems_warning_count(problems), "accepted",
			 (json_int_t)problems_accepted_count(problems), "problems",
			 problems_json(problems));
}

static void print_file(const struct arguments *arguments, const char *path,
		       const struct verdict *verdict)
{
	AUTO(free) char *text = problems_format(verdict->problems, arguments->colour);
	AUTO(free) char *accepted = problems_format_accepted(verdict->problems);

	fputs(text, stdout);
	if (arguments->verbose)
		fputs(accepted, stdout);
	print_verdict(path, verdict);
}

static void count(struct checking *checking, const struct problems *problems)
{
	checking->errors += problems_error_count(problems);
	checking->warnings += problems_warning_count(problems);
	checking->accepted += problems_accepted_count(problems);
}

/* settings: who uses it; NULL: nobody knows. */
static void check_file(struct checking *checking, const char *path, const struct settings *settings)
{
	AUTO(problems_free) struct problems *problems = problems_new();
	struct verdict verdict = { .problems = problems };

	check_items(path, settings, &verdict);
	count(checking, problems);
	if (checking->files)
		json_array_append_new(checking->files, verdict_json(path, &verdict));
	else
		print_file(checking->arguments, path, &verdict);
}

/* Several watches may share a rule file: it is checked once. */
static bool is_checked_before(const struct settings *settings, size_t watch)
{
	for (size_t i = 0; i < watch; i++)
		if (strcmp(settings->watches[i].items, settings->watches[watch].items) == 0)
			return true;
	return false;
}

static void report_settings(struct checking *checking, const struct settings *settings,
			    const struct problems *problems)
{
	AUTO(free)
	char *text = problems_format(problems, isatty(STDERR_FILENO) && !getenv("NO_COLOR"));

	count(checking, problems);
	if (checking->files) {
		json_t *file = json_pack("{s:s,s:I,s:I,s:o}", "file",
					 settings ? settings->file : "cn_monitor.conf", "errors",
					 (json_int_t)problems_error_count(problems), "warnings",
					 (json_int_t)problems_warning_count(problems), "problems",
					 problems_json(problems));

		json_array_append_new(checking->files, file);
		return;
	}
	fputs(text, stderr);
	if (settings)
		printf("%s: %zu cluster%s, %zu watch%s, no errors\n", settings->file,
		       settings->cluster_count, settings->cluster_count == 1 ? "" : "s",
		       settings->watch_count, settings->watch_count == 1 ? "" : "es");
}

static void check_all(struct checking *checking)
{
	AUTO(problems_free) struct problems *problems = problems_new();
	AUTO(settings_free)
	struct settings *settings = settings_load(checking->arguments->config, problems);

	report_settings(checking, settings, problems);
	for (size_t i = 0; settings && i < settings->watch_count; i++)
		if (!is_checked_before(settings, i))
			check_file(checking, settings->watches[i].items, settings);
}

static void print_json(const struct checking *checking)
{
	json_t *answer =
		json_pack("{s:b,s:I,s:I,s:I,s:O}", "ok", checking->errors == 0, "errors",
			  (json_int_t)checking->errors, "warnings", (json_int_t)checking->warnings,
			  "accepted", (json_int_t)checking->accepted, "files", checking->files);

	json_dumpf(answer, stdout, JSON_INDENT(2));
	json_decref(answer);
	putchar('\n');
}

static void print_hints(const struct checking *checking)
{
	if (checking->warnings)
		puts("What is meant as it is, the rule can say by the name in brackets: "
		     "accept: [loop]");
	if (checking->accepted && !checking->arguments->verbose)
		puts("-v lists the warnings that are accepted.");
}

int check_run(const struct arguments *arguments)
{
	struct checking checking = { .arguments = arguments };

	if (arguments->reference) {
		settings_print_reference();
		return EXIT_FINE;
	}
	if (arguments->language) {
		language_print();
		return EXIT_FINE;
	}
	if (arguments->json)
		checking.files = json_array();
	if (arguments->items)
		check_file(&checking, arguments->items, NULL);
	else
		check_all(&checking);
	if (checking.files)
		print_json(&checking);
	else
		print_hints(&checking);
	json_decref(checking.files);
	if (checking.errors)
		return EXIT_WRONG;
	return arguments->strict && checking.warnings ? EXIT_FAILED : EXIT_FINE;
}
