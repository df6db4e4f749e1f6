/* history_verify: `history --verify`, which reads the store by itself, also while the monitor is at
 * work. */
#include <inttypes.h>
#include <stdio.h>

#include <jansson.h>

#include "base/log.h"
#include "cmd/command.h"
#include "store/chain.h"

#define TOLD_MOST 50

static void keep_sentence(void *ctx, const char *sentence)
{
	json_array_append_new(ctx, json_string(sentence));
}

static void show_json(const struct chain_report *report, const char *head, json_t *wrong)
{
	json_t *object = json_pack("{s:b,s:I,s:I,s:I,s:I,s:I,s:O}", "intact", report->wrong == 0,
				   "links", (json_int_t)report->links, "jobs",
				   (json_int_t)report->entries, "unsealed",
				   (json_int_t)report->unsealed, "older", (json_int_t)report->older,
				   "wrong", (json_int_t)report->wrong, "problems", wrong);

	if (report->head.number)
		json_object_set_new(object, "head", json_string(head));
	json_dumpf(object, stdout, JSON_INDENT(2));
	putchar('\n');
	json_decref(object);
}

static void show(const struct chain_report *report, const char *head, json_t *wrong)
{
	json_t *sentence;
	size_t i;

	json_array_foreach(wrong, i, sentence) printf("%s\n", json_string_value(sentence));
	if (report->wrong > json_array_size(wrong))
		printf("and %" PRIu64 " more\n", report->wrong - json_array_size(wrong));
	if (!report->head.number && !report->wrong) {
		printf("There is no chain yet: no job has ended since there are chains.\n");
		return;
	}
	printf("%s: %" PRIu64 " links, %" PRIu64 " jobs",
	       report->wrong ? "The history was changed" : "The history is as it was written",
	       report->links, report->entries);
	if (report->unsealed)
		printf(", %" PRIu64 " of them so new that they have no link yet", report->unsealed);
	if (report->older)
		printf(", %" PRIu64 " of them older than the chain", report->older);
	printf(".\nNewest link: %s\n", head);
}

int history_verify(const struct arguments *arguments)
{
	AUTO(settings_free) struct settings *settings = NULL;
	AUTO(store_close) struct store *store = NULL;
	struct store_settings store_settings;
	struct chain_head known = { 0 };
	struct chain_report report;
	json_t *wrong;
	AUTO_ERROR err = { 0 };
	int rc;

	if (arguments->head && !chain_parse_head(arguments->head, &known))
		return command_wrong("history",
				     "--head %s: expected a link as --verify and the log show it, "
				     "a number, a colon and 64 digits of 0-9 and a-f",
				     arguments->head);
	if (!(settings = command_settings(arguments)))
		return EXIT_WRONG;
	store_settings = settings_of_store(settings);
	store_settings.reads_only = true;
	wrong = json_array();
	rc = store_open(&store, &store_settings, &err);
	if (rc == 0)
		rc = chain_verify(store, settings->store.retention_ms, &known, keep_sentence, wrong,
				  TOLD_MOST, &report, &err);
	if (rc < 0) {
		json_decref(wrong);
		fprintf(stderr, "cn_monitor history: %s\n", error_text(&err));
		return EXIT_FAILED;
	}
	AUTO(free) char *head = str_format("%" PRIu64 ":%s", report.head.number, report.head.hex);
	(arguments->json ? show_json : show)(&report, head, wrong);
	json_decref(wrong);
	return report.wrong ? EXIT_FAILED : EXIT_FINE;
}
