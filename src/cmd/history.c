#include <stdio.h>

#include "cmd/jobs.h"

#define STANDARD_LINES 20

static void print_job(json_t *job)
{
	bool is_dead = strcmp(json_text_at(job, "state"), "dead") == 0;

	job_print_line(job, is_dead ? " (given up: a dead letter)" : "");
}

/* Two lists, newest first, become one; dead letters are ended jobs, too. */
static json_t *merge(json_t *done, json_t *dead, size_t most)
{
	json_t *all = json_array();
	size_t i = 0, k = 0;

	while (json_array_size(all) < most &&
	       (i < json_array_size(done) || k < json_array_size(dead))) {
		json_t *a = json_array_get(done, i), *b = json_array_get(dead, k);
		bool is_a = a &&
			    (!b || strcmp(json_text_at(a, "ended"), json_text_at(b, "ended")) >= 0);

		json_array_append(all, is_a ? a : b);
		i += is_a;
		k += !is_a;
	}
	return all;
}

static bool is_wanted(const struct arguments *arguments, const char *status)
{
	return !arguments->status || strcmp(arguments->status, status) == 0;
}

static int list(const struct arguments *arguments)
{
	AUTO(monitor_forget) struct monitor *monitor = monitor_find(arguments);
	size_t most = arguments->lines < 0 ? STANDARD_LINES : (size_t)arguments->lines;
	AUTO_ERROR err = { 0 };
	json_t *done, *dead = NULL, *all, *job;
	size_t index;

	if (!monitor)
		return EXIT_WRONG;
	done = is_wanted(arguments, "done") ? jobs_ask(monitor, "done", arguments, most, &err)
					    : json_array();
	if (done)
		dead = is_wanted(arguments, "dead")
			       ? jobs_ask(monitor, "dead", arguments, most, &err)
			       : json_array();
	if (!dead) {
		json_decref(done);
		fprintf(stderr, "cn_monitor history: %s\n", error_text(&err));
		return EXIT_FAILED;
	}
	all = merge(done, dead, most);
	json_decref(done);
	json_decref(dead);
	if (arguments->json) {
		json_dumpf(all, stdout, JSON_INDENT(2));
		putchar('\n');
	} else {
		json_array_foreach(all, index, job) print_job(job);
	}
	json_decref(all);
	return EXIT_FINE;
}

int history_run(const struct arguments *arguments)
{
	if (arguments->verify)
		return history_verify(arguments);
	if (arguments->head)
		return command_wrong("history", "--head belongs to --verify");
	return list(arguments);
}
