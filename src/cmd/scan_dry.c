/* scan --dry-run: which rules would be true for what is there. */
#include <jansson.h>
#include <stdio.h>
#include <unistd.h>

#include "app/modules.h"
#include "app/scan_trial.h"
#include "base/escape.h"
#include "cmd/command.h"

static const struct watch_settings *watch_for(const struct settings *settings, const char *name,
					      const char *path)
{
	for (size_t i = 0; i < settings->watch_count; i++) {
		const struct watch_settings *watch = &settings->watches[i];

		if ((!name || strcmp(name, watch->name) == 0) &&
		    (strcmp(path, watch->path) == 0 ||
		     path_is_below(text_of(path), text_of(watch->path))))
			return watch;
	}
	return NULL;
}

static void show(void *ctx, const struct scan_trial_result *so_far, const char *trouble)
{
	const struct arguments *arguments = ctx;

	if (!arguments->json && isatty(STDERR_FILENO))
		fprintf(stderr, "\r\033[K%llu looked at, %llu requests%s%s",
			(unsigned long long)so_far->entries, (unsigned long long)so_far->requests,
			*trouble ? "; waits: " : "", trouble);
}

static void print_rule(const struct scan_trial_rule *rule)
{
	AUTO(free)
	char *line = str_format("%s: %llu", rule->rule->name, (unsigned long long)rule->sure);
	AUTO(free)
	char *perhaps =
		rule->perhaps ? str_format(", perhaps %llu more", (unsigned long long)rule->perhaps)
			      : str_copy("");

	escape_print(stdout, line, ESCAPE_TEXT);
	puts(perhaps);
	for (size_t i = 0; i < rule->example_count; i++) {
		fputs("    ", stdout);
		escape_print(stdout, rule->examples[i], ESCAPE_TEXT);
		putchar('\n');
	}
	if (rule->sure + rule->perhaps > rule->example_count)
		puts("    ...");
}

static void print_text(const struct scan_trial_result *result)
{
	size_t silent = 0;

	printf("%llu looked at, %llu requests; nothing was done.\n",
	       (unsigned long long)result->entries, (unsigned long long)result->requests);
	if (result->unreadable)
		printf("%llu directories could not be read.\n",
		       (unsigned long long)result->unreadable);
	for (size_t i = 0; i < result->rule_count; i++) {
		if (result->rules[i].sure + result->rules[i].perhaps)
			print_rule(&result->rules[i]);
		else
			silent++;
	}
	if (silent)
		printf("%zu rule%s true for none of it.\n", silent, silent == 1 ? " is" : "s are");
}

static void print_json(const struct scan_trial_result *result)
{
	json_t *rules = json_array();
	json_t *all;

	for (size_t i = 0; i < result->rule_count; i++) {
		const struct scan_trial_rule *rule = &result->rules[i];
		json_t *examples = json_array();

		for (size_t j = 0; j < rule->example_count; j++)
			json_array_append_new(examples, json_string(rule->examples[j]));
		json_array_append_new(rules,
				      json_pack("{s:s,s:I,s:I,s:o}", "rule", rule->rule->name,
						"sure", (json_int_t)rule->sure, "perhaps",
						(json_int_t)rule->perhaps, "examples", examples));
	}
	all = json_pack("{s:I,s:I,s:I,s:o}", "entries", (json_int_t)result->entries, "requests",
			(json_int_t)result->requests, "unreadable", (json_int_t)result->unreadable,
			"rules", rules);
	json_dumpf(all, stdout, JSON_INDENT(2));
	putchar('\n');
	json_decref(all);
}

static struct rule_set *load(const char *items)
{
	AUTO(problems_free) struct problems *problems = problems_new();
	struct rule_set *set = rule_set_load(items, &app_modules, problems);
	AUTO(free) char *text = problems_format(problems, isatty(STDERR_FILENO));

	fputs(text, stderr);
	return set;
}

int scan_dry_run(const struct arguments *arguments, const char *path)
{
	AUTO(settings_free) struct settings *settings = command_settings(arguments);
	const struct watch_settings *watch;
	AUTO(rule_set_free) struct rule_set *set = NULL;
	struct scan_trial_result result = { 0 };
	AUTO(free) char *tidy = path_join(text_of(path), TEXT_NONE);
	AUTO_ERROR err = { 0 };
	int status;

	if (!settings)
		return EXIT_WRONG;
	watch = watch_for(settings, arguments->watch, tidy);
	if (!watch)
		return command_wrong("scan", "%s lies in none of the watched directories", tidy);
	if (!(set = load(arguments->items ? arguments->items : watch->items)))
		return EXIT_WRONG;
	status = scan_trial_run(watch, set, tidy, show, (void *)arguments, &result, &err);
	if (!arguments->json && isatty(STDERR_FILENO))
		fputs("\r\033[K", stderr);
	if (status < 0)
		fprintf(stderr, "cn_monitor scan: %s\n", error_text(&err));
	else if (arguments->json)
		print_json(&result);
	else
		print_text(&result);
	scan_trial_clear(&result);
	return status < 0 ? EXIT_FAILED : EXIT_FINE;
}
