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

static int failed(const struct error *err)
{
	fprintf(stderr, "cn_monitor dead: %s\n", error_text(err));
	return EXIT_FAILED;
}

/* In the middle of a sentence. */
static char *of_rule(const struct arguments *arguments)
{
	return arguments->rule ? str_format(" of rule %s", arguments->rule) : str_copy("");
}

static void print_none(const struct arguments *arguments)
{
	AUTO(free) char *whose = of_rule(arguments);

	printf("There are no dead letters%s.\n", whose);
}

static int not_there(const char *job)
{
	fprintf(stderr, "cn_monitor dead: job %s is not a dead letter\n", job);
	return EXIT_FAILED;
}

/* ---- list ---- */

static int list(struct monitor *monitor, const struct arguments *arguments)
{
	AUTO_ERROR err = { 0 };
	json_t *jobs = jobs_ask(monitor, "dead", arguments, LISTED_MOST, &err);
	json_t *job;
	size_t index;

	if (!jobs)
		return failed(&err);
	if (arguments->json) {
		print_json(jobs);
	} else {
		json_array_foreach(jobs, index, job) job_print_line(job, "");
		if (!json_array_size(jobs))
			print_none(arguments);
	}
	json_decref(jobs);
	return EXIT_FINE;
}

/* ---- show ---- */

static void print_field(const char *name, const char *text)
{
	printf("%-9s ", name);
	escape_print(stdout, text, ESCAPE_TEXT);
	putchar('\n');
}

static void print_event(json_t *body)
{
	json_t *event = json_object_get(body, "event");
	const char *path = json_text_at(body, "path");
	AUTO(free)
	char *text = str_format("%s %s, file %s, heard %s by watch %s", json_text_at(event, "type"),
				json_text_at(event, "path"), json_text_at(event, "file_id"),
				json_text_at(event, "time"), json_text_at(body, "watch"));

	print_field("event", text);
	if (*path && strcmp(path, json_text_at(event, "path")) != 0)
		print_field("now at", path);
}

static json_t *log_of_step(json_t *body, size_t step)
{
	json_t *entry;
	size_t index;

	json_array_foreach(
		json_object_get(body, "log"), index,
		entry) if (json_number_at(entry, "step") == (long long)step &&
			   !json_is_true(json_object_get(entry, "on_error"))) return entry;
	return NULL;
}

/* The steps that followed the failure, each time. */
static void print_on_error(json_t *body)
{
	json_t *entry;
	size_t index;

	json_array_foreach(json_object_get(body, "log"), index, entry)
	{
		AUTO(free)
		char *text = str_format("%s: %s: %s (%s)", json_text_at(entry, "module"),
					json_text_at(entry, "outcome"), json_text_at(entry, "why"),
					json_text_at(entry, "time"));

		if (json_is_true(json_object_get(entry, "on_error")))
			print_field("on error", text);
	}
}

/* What is known about each step: done, failed, or never begun. */
static void print_steps(json_t *body)
{
	json_t *step;
	size_t index;

	json_array_foreach(json_object_get(body, "steps"), index, step)
	{
		json_t *entry = log_of_step(body, index);
		long long attempts = json_number_at(entry, "attempts");
		AUTO(free) char *name = str_format("step %zu", index + 1);
		AUTO(free)
		char *tried = attempts ? str_format(", %lld attempt%s", attempts,
						    attempts == 1 ? "" : "s")
				       : str_copy("");
		AUTO(free)
		char *text = entry ? str_format("%s: %s: %s (%s%s)", json_text_at(step, "module"),
						json_text_at(entry, "outcome"),
						json_text_at(entry, "why"),
						json_text_at(entry, "time"), tried)
				   : str_format("%s: not begun", json_text_at(step, "module"));

		print_field(name, text);
	}
	print_on_error(body);
}

static void print_dead(json_t *job)
{
	json_t *body = json_object_get(job, "body");
	AUTO(free)
	char *rule = str_format("%s (rules %s)", json_text_at(body, "rule"),
				json_text_at(body, "rules"));

	printf("%-9s %lld\n", "job", json_number_at(job, "id"));
	print_field("given up", json_text_at(job, "ended"));
	print_field("reason", json_text_at(job, "outcome"));
	print_field("rule", rule);
	print_event(body);
	print_steps(body);
}

static int show(struct monitor *monitor, const struct arguments *arguments, const char *job)
{
	AUTO(free) char *path = str_format("/v1/jobs?state=dead&job=%s", job);
	AUTO_ERROR err = { 0 };
	json_t *answer = monitor_ask(monitor, "GET", path, &err);
	json_t *found = json_array_get(json_object_get(answer, "jobs"), 0);
	int status = EXIT_FINE;

	if (!answer)
		return failed(&err);
	if (!found)
		status = not_there(job);
	else if (arguments->json)
		print_json(found);
	else
		print_dead(found);
	json_decref(answer);
	return status;
}

/* ---- retry, drop ---- */

static void print_decided(const struct arguments *arguments, json_t *jobs, bool is_retry)
{
	AUTO(free) char *whose = of_rule(arguments);
	size_t count = json_array_size(jobs);

	if (count == 1)
		printf("Job %lld is %s.\n", (long long)json_integer_value(json_array_get(jobs, 0)),
		       is_retry ? "tried again" : "dropped; it is in the history now");
	else if (count)
		printf("%zu dead letters%s are %s.\n", count, whose,
		       is_retry ? "tried again" : "dropped; they are in the history now");
	else
		print_none(arguments);
}

/* job NULL: all. */
static int decide(struct monitor *monitor, const struct arguments *arguments, const char *choice,
		  const char *job)
{
	AUTO(buf_free) struct buf *path = buf_new(SIZE_MAX / 2);
	AUTO_ERROR err = { 0 };
	json_t *answer, *jobs;
	int status = EXIT_FINE;

	if (!buf_print(path, "/v1/dead/%s", choice))
		abort(); /* the limit is beyond memory */
	query_add(path, "job", job);
	query_add(path, "all", job ? NULL : "1");
	query_add(path, "rule", arguments->rule);
	if (!(answer = monitor_ask(monitor, "POST", path->data, &err)))
		return failed(&err);
	jobs = json_object_get(answer, "jobs");
	if (job && !json_array_size(jobs))
		status = not_there(job);
	else if (arguments->json)
		print_json(answer);
	else
		print_decided(arguments, jobs, strcmp(choice, "retry") == 0);
	json_decref(answer);
	return status;
}

/* ---- The command line ---- */

static int check_job(const char *what, const char *job)
{
	int64_t number;

	if (!job)
		return command_wrong("dead",
				     "%s: expected the number of a job (cn_monitor dead list "
				     "shows them)",
				     what);
	if (parse_number(text_of(job), 1, INT64_MAX, &number, NULL) < 0)
		return command_wrong("dead", "'%s': expected the number of a job", job);
	return 0;
}

static int check(const struct arguments *arguments, const char *what, const char *job)
{
	static const char *const choices[] = { "list", "show", "retry", "drop", NULL };
	bool decides = strcmp(what, "retry") == 0 || strcmp(what, "drop") == 0;
	bool is_known = false;

	for (size_t i = 0; choices[i]; i++)
		is_known |= strcmp(what, choices[i]) == 0;
	if (!is_known)
		return command_wrong("dead", "'%s': expected list, show, retry or drop", what);
	if (arguments->word_count > 2)
		return command_wrong("dead", "'%s': no more arguments are expected",
				     arguments->words[2]);
	if (arguments->all && (!decides || job))
		return command_wrong("dead", "--all goes with retry or drop, instead of a job");
	if (arguments->rule && (strcmp(what, "show") == 0 || (decides && !arguments->all)))
		return command_wrong("dead", "--rule goes with list, or with --all");
	if (strcmp(what, "list") != 0)
		return arguments->all ? 0 : check_job(what, job);
	return job ? command_wrong("dead", "'%s': no more arguments are expected", job) : 0;
}

int dead_run(const struct arguments *arguments)
{
	AUTO(monitor_forget) struct monitor *monitor = NULL;
	const char *what = arguments->word_count ? arguments->words[0] : "list";
	const char *job = arguments->word_count > 1 ? arguments->words[1] : NULL;
	int status = check(arguments, what, job);

	if (status)
		return status;
	if (!(monitor = monitor_find(arguments)))
		return EXIT_WRONG;
	if (strcmp(what, "list") == 0)
		return list(monitor, arguments);
	if (strcmp(what, "show") == 0)
		return show(monitor, arguments, job);
	return decide(monitor, arguments, what, job);
}
