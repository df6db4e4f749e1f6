#include "app/calibrate.h"

#include <stdio.h>

#include "base/buf.h"
#include "cmd/command.h"

struct printer {
	const struct arguments *arguments;
	json_t *all;   /* with --json */
	json_t *lines; /* for ALSO_CAUSED */
	unsigned unexpected, failed;
};

static void print_names(const char *before, const json_t *names)
{
	json_t *name;
	size_t i;

	if (!json_array_size(names))
		return;
	printf("%s", before);
	json_array_foreach(names, i, name) printf("%s%s", i ? ", " : "", json_string_value(name));
}

static void print_text(const struct calibrated *calibrated)
{
	printf("%-20s", calibrated->what);
	if (calibrated->why)
		printf("not done: %s\n", calibrated->why);
	else if (!json_array_size(calibrated->told))
		printf("nothing is told");
	print_names("", calibrated->told);
	print_names("\n                    NOT EXPECTED: ", calibrated->unexpected);
	print_names("\n                    expected, and not told: ", calibrated->missing);
	if (!calibrated->why || json_array_size(calibrated->told))
		printf("\n");
	fflush(stdout);
}

/* As [ACT] ALSO_CAUSED takes it; what is told of other objects it does not. */
static void keep_lines(struct printer *printer, const struct calibrated *calibrated)
{
	json_t *name;
	size_t i;

	json_array_foreach(calibrated->unexpected, i, name)
	{
		const char *text = json_string_value(name);
		AUTO(free) char *line = str_format("%s %s", calibrated->module, text);
		json_t *item, *new = json_string(line);
		bool is_known = text_ends_with(text_of(text), TEXT(" of another"));
		size_t k;

		json_array_foreach(printer->lines, k, item) is_known |= json_equal(item, new);
		if (!is_known)
			json_array_append(printer->lines, new);
		json_decref(new);
	}
}

static void print(void *ctx, const struct calibrated *calibrated)
{
	struct printer *printer = ctx;

	printer->unexpected += json_array_size(calibrated->unexpected) > 0;
	printer->failed += calibrated->why != NULL;
	keep_lines(printer, calibrated);
	if (!printer->all) {
		print_text(calibrated);
		return;
	}
	json_array_append_new(printer->all,
			      json_pack("{s:s,s:s,s:b,s:s?,s:O,s:O,s:O}", "what", calibrated->what,
					"module", calibrated->module, "done",
					calibrated->why == NULL, "why", calibrated->why, "told",
					calibrated->told, "unexpected", calibrated->unexpected,
					"missing", calibrated->missing));
}

static void print_end(const struct printer *printer)
{
	if (printer->all) {
		json_t *object = json_pack("{s:O,s:O}", "changes", printer->all, "also_caused",
					   printer->lines);

		json_dumpf(object, stdout, JSON_INDENT(2));
		putchar('\n');
		json_decref(object);
		return;
	}
	if (printer->unexpected && json_array_size(printer->lines)) {
		printf("\nThis cluster tells more of our own changes than is expected, and rules "
		       "would see it. In cn_monitor.conf:\n\n[ACT]\nALSO_CAUSED = ");
		print_names("", printer->lines);
		printf("\n");
	} else if (printer->unexpected) {
		printf("\nThis cluster tells more than is expected; rules would see it.\n");
	} else {
		printf("\nNothing unexpected is told of our own changes.\n");
	}
	if (printer->failed)
		printf("%u of them could not be done, so that nothing is known of these.\n",
		       printer->failed);
}

static const struct watch_settings *watch_of(const struct settings *settings, const char *name)
{
	for (size_t i = 0; i < settings->watch_count; i++)
		if (!name || strcmp(settings->watches[i].name, name) == 0)
			return &settings->watches[i];
	return NULL;
}

int calibrate_command(const struct arguments *arguments)
{
	AUTO(settings_free) struct settings *settings = NULL;
	struct printer printer = { .arguments = arguments };
	const struct watch_settings *watch;
	AUTO_ERROR err = { 0 };
	int rc;

	if (arguments->word_count != 1 || arguments->words[0][0] != '/')
		return command_wrong("calibrate", "expected a directory of the cluster, like "
						  "/scratch, which no rule cares about");
	if (!(settings = command_settings(arguments)))
		return EXIT_WRONG;
	if (!(watch = watch_of(settings, arguments->watch)))
		return command_wrong("calibrate", "--watch %s: there is no such watch",
				     arguments->watch);
	printer.lines = json_array();
	printer.all = arguments->json ? json_array() : NULL;
	rc = calibrate_run(settings, watch, arguments->words[0], print, &printer, &err);
	if (rc == 0)
		print_end(&printer);
	json_decref(printer.lines);
	json_decref(printer.all);
	if (rc == 0)
		return printer.unexpected ? EXIT_FAILED : EXIT_FINE;
	fprintf(stderr, "cn_monitor calibrate: %s\n", error_text(&err));
	return EXIT_FAILED;
}
