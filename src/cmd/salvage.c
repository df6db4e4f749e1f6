#include "store/salvage.h"

#include <jansson.h>
#include <stdio.h>

#include "base/clock.h"
#include "cmd/command.h"

static bool is_whole(const struct salvage_report *report)
{
	for (size_t i = 0; i < report->count; i++)
		if (!report->counts[i].is_whole)
			return false;
	return true;
}

static void print_text(const struct salvage_report *report, const char *store)
{
	if (report->is_resumed)
		printf("%s: what was saved by an earlier call, which was interrupted, is in its "
		       "place now.\n",
		       store);
	else if (is_whole(report))
		printf("%s: nothing of it was damaged; all of it is in a new store in its place.\n",
		       store);
	else
		printf("%s: what could be read is in a new store in its place.\n", store);
	for (size_t i = 0; i < report->count; i++) {
		const struct salvage_count *count = &report->counts[i];

		if (count->saved || !count->is_whole)
			printf("  %-22s %8llu saved%s\n", count->what,
			       (unsigned long long)count->saved,
			       count->is_whole ? "" : "; some were damaged");
	}
	if (report->gap_ms) {
		AUTO(free) char *since = clock_format(report->gap_ms);

		printf("What was heard since %s may be lost: the next start takes that time for a "
		       "gap (GAP_REPAIR).\n",
		       since);
	}
	if (report->is_cursor_lost)
		puts("Which events were judged is not known: those of the last 10 minutes that "
		     "are stored are judged again.");
	printf("The files as they were are in %s; remove them when nobody needs them any more.\n",
	       report->kept);
}

static void print_json(const struct salvage_report *report)
{
	json_t *counts = json_object(), *all;
	AUTO(free) char *since = report->gap_ms ? clock_format(report->gap_ms) : NULL;

	for (size_t i = 0; i < report->count; i++)
		json_object_set_new(counts, report->counts[i].what,
				    json_pack("{s:I,s:b}", "saved",
					      (json_int_t)report->counts[i].saved, "whole",
					      report->counts[i].is_whole));
	all = json_pack("{s:o,s:s,s:s?,s:b,s:b}", "counts", counts, "damaged_files", report->kept,
			"gap_since", since, "judged_again", report->is_cursor_lost, "resumed",
			report->is_resumed);
	json_dumpf(all, stdout, JSON_INDENT(2));
	putchar('\n');
	json_decref(all);
}

int salvage_run(const struct arguments *arguments)
{
	AUTO(settings_free) struct settings *settings = command_settings(arguments);
	AUTO_ERROR err = { 0 };
	const char **watches;
	int saved;
	struct salvage_report report;
	struct store_settings store;

	if (!settings)
		return EXIT_WRONG;
	store = settings_of_store(settings);
	watches = mem_array(settings->watch_count + 1, sizeof(*watches));
	for (size_t i = 0; i < settings->watch_count; i++)
		watches[i] = settings->watches[i].name;
	saved = store_salvage(&store, watches, &report, &err);
	free(watches);
	if (saved < 0) {
		fprintf(stderr, "cn_monitor salvage: %s\n", error_text(&err));
		salvage_report_clear(&report);
		return EXIT_FAILED;
	}
	if (arguments->json)
		print_json(&report);
	else
		print_text(&report, settings->store.shown);
	salvage_report_clear(&report);
	return EXIT_FINE;
}
