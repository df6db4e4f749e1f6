#include <stdio.h>

#include "base/escape.h"
#include "base/parse.h"
#include "cmd/jobs.h"

#define LISTED_MOST 10000

static void print_json(json_t *json)
{
	json_dumpf(json, stdout, JSON_INDENT(2));
	putchar('\n');
}

/* ---- list ---- */

static void print_held(json_t *job)
{
	json_t *body = json_object_get(job, "body"), *held = json_object_get(body, "held");
	AUTO(free)
	char *line = str_format("%s  job %lld  %s: %s: %s, until %s", json_text_at(job, "ended"),
				json_number_at(job, "id"), json_text_at(body, "rule"),
				json_text_at(json_object_get(body, "event"), "path"),
				json_text_at(held, "what"), json_text_at(held, "until"));

	escape_print(stdout, line, ESCAPE_TEXT);
	putchar('\n');
}

static int list(struct monitor *monitor, const struct arguments *arguments, struct error *err)
{
	json_t *jobs = jobs_ask(monitor, "dead", arguments, LISTED_MOST, err), *job;
	json_t *held = json_array();
	size_t index;

	json_array_foreach(jobs, index, job) if (json_is_object(json_object_get(
							 json_object_get(job, "body"), "held")))
		json_array_append(held, job);
	if (jobs && arguments->json)
		print_json(held);
	else if (jobs && !json_array_size(held))
		puts("No job waits for approval.");
	else
		json_array_foreach(held, index, job) print_held(job);
	json_decref(held);
	json_decref(jobs);
	return jobs ? EXIT_FINE : -1;
}

/* ---- approve ---- */

static void print_answer(const struct arguments *arguments, json_t *answer)
{
	json_t *entry;
	size_t index;

	if (arguments->json) {
		print_json(answer);
		return;
	}
	json_array_foreach(json_object_get(answer, "approved"), index, entry)
		printf("Job %lld is approved and goes on as job %lld.\n",
		       json_number_at(entry, "job"), json_number_at(entry, "by"));
	json_array_foreach(json_object_get(answer, "cannot"), index, entry)
		printf("Job %lld is not approved: %s.\n", json_number_at(entry, "job"),
		       json_text_at(entry, "why"));
}

/* job NULL: all. */
static int approve(struct monitor *monitor, const struct arguments *arguments, const char *job,
		   struct error *err)
{
	AUTO(buf_free) struct buf *path = buf_new(SIZE_MAX / 2);
	json_t *answer;
	size_t approved, cannot;

	if (!buf_print(path, "/v1/approve"))
		abort(); /* the limit is beyond memory */
	query_add(path, "job", job);
	query_add(path, "all", job ? NULL : "1");
	query_add(path, "rule", arguments->rule);
	if (!(answer = monitor_ask(monitor, "POST", path->data, err)))
		return -1;
	print_answer(arguments, answer);
	approved = json_array_size(json_object_get(answer, "approved"));
	cannot = json_array_size(json_object_get(answer, "cannot"));
	json_decref(answer);
	if (!approved && !cannot && !arguments->json) {
		if (job)
			printf("Job %s does not wait for approval.\n", job);
		else
			puts("No job waits for approval.");
	}
	return cannot || (job && !approved) ? EXIT_FAILED : EXIT_FINE;
}

/* ---- The command line ---- */

static int check(const struct arguments *arguments, bool is_list, const char *job)
{
	int64_t number;

	if (arguments->word_count > 1)
		return command_wrong("approve", "'%s': no more arguments are expected",
				     arguments->words[1]);
	if (arguments->all && arguments->word_count)
		return command_wrong("approve", "--all goes without a job");
	if (job && arguments->rule)
		return command_wrong("approve", "--rule goes with list, or with --all");
	if (!is_list && job && parse_number(text_of(job), 1, INT64_MAX, &number, NULL) < 0)
		return command_wrong("approve", "'%s': expected the number of a job, or list", job);
	return 0;
}

int approve_run(const struct arguments *arguments)
{
	AUTO(monitor_forget) struct monitor *monitor = NULL;
	const char *word = arguments->word_count ? arguments->words[0] : NULL;
	bool is_list = !arguments->all && (!word || strcmp(word, "list") == 0);
	const char *job = is_list ? NULL : word;
	AUTO_ERROR err = { 0 };
	int status = check(arguments, is_list, job);

	if (status)
		return status;
	if (!(monitor = monitor_find(arguments)))
		return EXIT_WRONG;
	status = is_list ? list(monitor, arguments, &err) : approve(monitor, arguments, job, &err);
	if (status < 0) {
		fprintf(stderr, "cn_monitor approve: %s\n", error_text(&err));
		return EXIT_FAILED;
	}
	return status;
}
