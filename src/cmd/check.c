#include <stdio.h>
#include <unistd.h>

#include "app/modules.h"
#include "cmd/command.h"

struct tally {
	size_t rules, tests;
};

/* Reads one rule file; what there is to say goes to problems. */
static struct tally check_items(const char *path, struct problems *problems)
{
	AUTO(rule_set_free) struct rule_set *set = rule_set_load(path, &app_modules, problems);

	if (!set)
		return (struct tally){ 0 };
	rule_set_check_loops(set, &app_modules, problems);
	return (struct tally){ rule_set_count(set), rule_set_test(set, problems) };
}

static void print_verdict(const char *path, struct tally tally, size_t errors, size_t warnings)
{
	printf("%s: ", path);
	if (errors)
		printf("%zu error%s", errors, errors == 1 ? "" : "s");
	else
		printf("%zu rule%s, no errors", tally.rules, tally.rules == 1 ? "" : "s");
	if (tally.tests)
		printf(", %zu test%s passed", tally.tests, tally.tests == 1 ? "" : "s");
	if (warnings)
		printf(", %zu warning%s", warnings, warnings == 1 ? "" : "s");
	putchar('\n');
}

static bool check_file(const char *path, bool colour)
{
	AUTO(problems_free) struct problems *problems = problems_new();
	struct tally tally = check_items(path, problems);
	AUTO(free) char *text = problems_format(problems, colour);
	size_t errors = problems_error_count(problems);

	fputs(text, stdout);
	print_verdict(path, tally, errors, problems_warning_count(problems));
	return errors == 0;
}

/* Several watches may share a rule file: it is checked once. */
static bool is_checked_before(const struct settings *settings, size_t watch)
{
	for (size_t i = 0; i < watch; i++)
		if (strcmp(settings->watches[i].items, settings->watches[watch].items) == 0)
			return true;
	return false;
}

int check_run(const struct arguments *arguments)
{
	if (arguments->reference) {
		settings_print_reference();
		return EXIT_FINE;
	}
	if (arguments->items)
		return check_file(arguments->items, arguments->colour) ? EXIT_FINE : EXIT_WRONG;

	AUTO(settings_free) struct settings *settings = command_settings(arguments);

	if (!settings)
		return EXIT_WRONG;

	bool is_fine = true;

	printf("%s: %zu cluster%s, %zu watch%s, no errors\n", settings->file,
	       settings->cluster_count, settings->cluster_count == 1 ? "" : "s",
	       settings->watch_count, settings->watch_count == 1 ? "" : "es");
	for (size_t i = 0; i < settings->watch_count; i++)
		if (!is_checked_before(settings, i))
			is_fine &= check_file(settings->watches[i].items, arguments->colour);
	return is_fine ? EXIT_FINE : EXIT_WRONG;
}
