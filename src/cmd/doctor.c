#include "app/doctor.h"

#include <jansson.h>
#include <stdio.h>

#include "cmd/command.h"

struct printer {
	const struct arguments *arguments;
	json_t *all; /* with --json */
	unsigned warnings;
	unsigned failures;
};

static const char *const words[] = { "ok", "warning", "failure" };

static void print_text(const struct printer *printer, const struct finding *finding)
{
	static const char *const colours[] = { "\033[32m", "\033[33m", "\033[1;31m" };
	bool colour = printer->arguments->colour;

	printf("%s%-8s%s %s: %s\n", colour ? colours[finding->level] : "", words[finding->level],
	       colour ? "\033[0m" : "", finding->about, finding->what);
	if (finding->cure)
		printf("         -> %s\n", finding->cure);
	fflush(stdout);
}

static void print_finding(void *ctx, const struct finding *finding)
{
	struct printer *printer = ctx;

	printer->warnings += finding->level == FINDING_WARNING;
	printer->failures += finding->level == FINDING_FAILURE;
	if (printer->all)
		json_array_append_new(printer->all,
				      json_pack("{s:s,s:s,s:s,s:s?}", "level",
						words[finding->level], "about", finding->about,
						"what", finding->what, "cure", finding->cure));
	else
		print_text(printer, finding);
}

int doctor_run(const struct arguments *arguments)
{
	AUTO(settings_free) struct settings *settings = command_settings(arguments);
	struct printer printer = { .arguments = arguments };
	AUTO_ERROR err = { 0 };

	if (!settings)
		return EXIT_WRONG;
	if (arguments->json)
		printer.all = json_array();
	if (doctor_examine(settings, print_finding, &printer, &err) < 0) {
		fprintf(stderr, "cn_monitor doctor: %s\n", error_text(&err));
		return EXIT_FAILED;
	}
	if (printer.all) {
		json_dumpf(printer.all, stdout, JSON_INDENT(2));
		putchar('\n');
		json_decref(printer.all);
	} else if (printer.failures) {
		printf("\n%u thing%s will not work", printer.failures,
		       printer.failures == 1 ? "" : "s");
		printf(printer.warnings ? ", %u to think about.\n" : ".\n", printer.warnings);
	} else if (printer.warnings) {
		printf("\nEverything will work; %u thing%s to think about.\n", printer.warnings,
		       printer.warnings == 1 ? "" : "s");
	} else {
		printf("\nEverything will work.\n");
	}
	return printer.failures ? EXIT_FAILED : EXIT_FINE;
}
