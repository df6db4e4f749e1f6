#include <stdio.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/escape.h"
#include "base/parse.h"
#include "cmd/jobs.h"

#define ASKED_AGAIN_US 200000
#define LINE_MS 10000 /* between two lines where no line can be written over */

static bool is_state(json_t *scan, const char *state)
{
	return strcmp(json_text_at(scan, "state"), state) == 0;
}

static bool is_open(json_t *scan)
{
	return is_state(scan, "waiting") || is_state(scan, "under way") ||
	       is_state(scan, "stopping");
}

/* "1,234 found in 12 directories, 3 are known to wait" */
static char *progress(json_t *scan)
{
	long long waiting = json_number_at(scan, "tasks_waiting");
	AUTO(free)
	char *rest = is_open(scan) && waiting
			     ? str_format(", %lld directories are known to wait", waiting)
			     : str_copy("");
	AUTO(free)
	char *unreadable =
		json_number_at(scan, "unreadable")
			? str_format(", %lld could not be read", json_number_at(scan, "unreadable"))
			: str_copy("");

	return str_format("%lld told, %lld requests%s%s", json_number_at(scan, "found"),
			  json_number_at(scan, "requests"), rest, unreadable);
}

static void print_scan(json_t *scan)
{
	AUTO(free) char *how = progress(scan);
	const char *why = json_text_at(scan, "why");
	AUTO(free)
	char *line = str_format("scan %lld of %s: %s%s%s; %s", json_number_at(scan, "number"),
				json_text_at(scan, "path"), json_text_at(scan, "state"),
				*why ? ": " : "", why, how);

	escape_print(stdout, line, ESCAPE_TEXT);
	putchar('\n');
}

static void print_json(json_t *json)
{
	json_dumpf(json, stdout, JSON_INDENT(2));
	putchar('\n');
}

/* ---- list ---- */

static int list(struct monitor *monitor, const struct arguments *arguments, struct error *err)
{
	json_t *answer = monitor_ask(monitor, "GET", "/v1/scan", err), *scan;
	json_t *scans = json_object_get(answer, "scans");
	size_t i;

	if (!answer)
		return -1;
	if (arguments->json)
		print_json(scans);
	else if (!json_array_size(scans))
		puts("No scan was asked for.");
	else
		json_array_foreach(scans, i, scan) print_scan(scan);
	json_decref(answer);
	return EXIT_FINE;
}

/* ---- stop ---- */

static int stop(struct monitor *monitor, const struct arguments *arguments, const char *number,
		struct error *err)
{
	AUTO(free) char *path = str_format("/v1/scan/stop?number=%s", number);
	json_t *answer = monitor_ask(monitor, "POST", path, err);

	if (!answer)
		return -1;
	if (arguments->json)
		print_json(answer);
	else
		printf("Scan %s is being stopped; what it has told is told.\n", number);
	json_decref(answer);
	return EXIT_FINE;
}

/* ---- scan ---- */

/* New reference; NULL with a sentence. */
static json_t *ask_about(struct monitor *monitor, long long number, struct error *err)
{
	json_t *answer = monitor_ask(monitor, "GET", "/v1/scan", err), *scan, *found = NULL;
	size_t i;

	json_array_foreach(json_object_get(answer, "scans"), i,
			   scan) if (json_number_at(scan, "number") == number) found =
		json_incref(scan);
	if (answer && !found)
		error_set(err, "scan %lld is not known any more", number);
	json_decref(answer);
	return found;
}

/* On a terminal one line that changes, else a line now and then. */
static void show(json_t *scan, bool is_terminal, int64_t *told_ms)
{
	AUTO(free) char *how = progress(scan);
	const char *why = json_text_at(scan, "why");

	if (!is_terminal && clock_monotonic_ms() - *told_ms < LINE_MS)
		return;
	*told_ms = clock_monotonic_ms();
	fprintf(stderr, "%s%s: %s%s%s%s", is_terminal ? "\r\033[K" : "",
		json_text_at(scan, "state"), how, *why ? "; waits: " : "", why,
		is_terminal ? "" : "\n");
}

/* New reference: how it ended. */
static json_t *wait_for(struct monitor *monitor, long long number, bool is_quiet, struct error *err)
{
	bool is_terminal = isatty(STDERR_FILENO);
	int64_t told_ms = clock_monotonic_ms();

	for (;;) {
		json_t *scan = ask_about(monitor, number, err);

		if (!scan || !is_open(scan)) {
			if (is_terminal && !is_quiet)
				fputs("\r\033[K", stderr);
			return scan;
		}
		if (!is_quiet)
			show(scan, is_terminal, &told_ms);
		json_decref(scan);
		usleep(ASKED_AGAIN_US);
	}
}

static int scan(struct monitor *monitor, const struct arguments *arguments, const char *path,
		struct error *err)
{
	AUTO(buf_free) struct buf *question = buf_new(SIZE_MAX / 2);
	json_t *answer, *end;
	int status;

	if (!buf_print(question, "/v1/scan"))
		abort(); /* the limit is beyond memory */
	query_add(question, "path", path);
	query_add(question, "watch", arguments->watch);
	answer = monitor_ask(monitor, "POST", question->data, err);
	if (!answer)
		return -1;
	if (!arguments->json)
		fprintf(stderr,
			"Scan %lld begins; it goes on in the monitor if this display ends "
			"(cn_monitor scan stop %lld).\n",
			json_number_at(answer, "number"), json_number_at(answer, "number"));
	end = wait_for(monitor, json_number_at(answer, "number"), arguments->json, err);
	json_decref(answer);
	if (!end)
		return -1;
	if (arguments->json)
		print_json(end);
	else
		print_scan(end);
	status = is_state(end, "done") ? EXIT_FINE : EXIT_FAILED;
	json_decref(end);
	return status;
}

/* ---- The command line ---- */

static int check(const struct arguments *arguments, const char *word, bool is_list, bool is_stop)
{
	int64_t number;
	size_t expected = is_stop ? 2 : 1;

	if (arguments->word_count > expected)
		return command_wrong("scan", "'%s': no more arguments are expected",
				     arguments->words[expected]);
	if (is_stop && (arguments->word_count < 2 || parse_number(text_of(arguments->words[1]), 1,
								  INT64_MAX, &number, NULL) < 0))
		return command_wrong("scan", "stop: expected the number of a scan (cn_monitor scan "
					     "lists them)");
	if ((arguments->watch || arguments->dry_run) && (is_list || is_stop))
		return command_wrong("scan", "--watch and --dry-run go with a path");
	if (arguments->items && !arguments->dry_run)
		return command_wrong("scan",
				     "--items goes with --dry-run: what the monitor does, its "
				     "own rules say");
	if (!is_list && !is_stop && word[0] != '/')
		return command_wrong("scan",
				     "'%s': expected a path that begins with /, as the cluster has "
				     "it, list or stop",
				     word);
	return 0;
}

int scan_run(const struct arguments *arguments)
{
	AUTO(monitor_forget) struct monitor *monitor = NULL;
	const char *word = arguments->word_count ? arguments->words[0] : "list";
	bool is_list = strcmp(word, "list") == 0, is_stop = strcmp(word, "stop") == 0;
	AUTO_ERROR err = { 0 };
	int status = check(arguments, word, is_list, is_stop);

	if (status)
		return status;
	if (arguments->dry_run)
		return scan_dry_run(arguments, word);
	if (!(monitor = monitor_find(arguments)))
		return EXIT_WRONG;
	status = is_list   ? list(monitor, arguments, &err)
		 : is_stop ? stop(monitor, arguments, arguments->words[1], &err)
			   : scan(monitor, arguments, word, &err);
	if (status < 0) {
		fprintf(stderr, "cn_monitor scan: %s\n", error_text(&err));
		return EXIT_FAILED;
	}
	return status;
}
