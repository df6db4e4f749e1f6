#include "cmd/jobs.h"

#include <stdio.h>

#include "base/clock.h"
#include "base/escape.h"

const char *json_text_at(json_t *object, const char *name)
{
	const char *text = json_string_value(json_object_get(object, name));

	return text ? text : "";
}

long long json_number_at(json_t *object, const char *name)
{
	return json_integer_value(json_object_get(object, name));
}

static bool is_unreserved(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	       strchr("-._~/", c);
}

void query_add(struct buf *path, const char *name, const char *value)
{
	bool fits;

	if (!value)
		return;
	fits = buf_print(path, "%c%s=", strchr(path->data, '?') ? '&' : '?', name);
	for (const char *at = value; *at; at++)
		fits = fits &&
		       buf_print(path, is_unreserved(*at) ? "%c" : "%%%02X", (unsigned char)*at);
	if (!fits)
		abort(); /* the limit is beyond memory */
}

json_t *jobs_ask(struct monitor *monitor, const char *state, const struct arguments *arguments,
		 size_t most, struct error *err)
{
	AUTO(buf_free) struct buf *path = buf_new(SIZE_MAX / 2);
	AUTO(free) char *limit = str_format("%zu", most);
	AUTO(free)
	char *since =
		arguments->since_ms < 0
			? NULL
			: str_format("%lld", (long long)(clock_now_ms() - arguments->since_ms));
	json_t *answer, *jobs;

	if (!buf_print(path, "/v1/jobs"))
		abort();
	query_add(path, "state", state);
	query_add(path, "limit", limit);
	query_add(path, "rule", arguments->rule);
	query_add(path, "path", arguments->path);
	query_add(path, "since_ms", since);
	if (!(answer = monitor_ask(monitor, "GET", path->data, err)))
		return NULL;
	if (json_is_true(json_object_get(answer, "is_cut")))
		fputs("cn_monitor: the history is too long to look through all of it at once: what "
		      "is\nolder is not shown\n",
		      stderr);
	jobs = json_incref(json_object_get(answer, "jobs"));
	json_decref(answer);
	return jobs ? jobs : json_array();
}

void job_print_line(json_t *job, const char *behind)
{
	json_t *body = json_object_get(job, "body");
	long long undone = json_number_at(json_object_get(body, "undoes"), "job");
	AUTO(free)
	char *undo = undone ? str_format("undo of job %lld, ", undone) : str_copy("");
	AUTO(free)
	char *line = str_format("%s  job %lld  %s%s: %s -> %s%s", json_text_at(job, "ended"),
				json_number_at(job, "id"), undo, json_text_at(body, "rule"),
				json_text_at(json_object_get(body, "event"), "path"),
				json_text_at(job, "outcome"), behind);

	escape_print(stdout, line, ESCAPE_TEXT);
	putchar('\n');
}
