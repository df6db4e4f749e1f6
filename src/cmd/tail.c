#include <stdio.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/escape.h"
#include "cmd/ask.h"
#include "cmd/label_text.h"

#define PAUSE_MS 200
#define JOBS_ASKED 200

/* The jobs of one state that were shown: they come newest first and end out of order of ids. */
struct seen {
	const char *state;
	char *ended; /* when the last one shown had ended */
	json_t *ids; /* of those shown that ended in that millisecond */
};

/* What is remembered between two questions. */
struct tail {
	const struct arguments *arguments;
	struct monitor *monitor;
	long long next; /* the last record shown */
	struct seen done, dead;
};

static const char *text_at(json_t *object, const char *name)
{
	const char *text = json_string_value(json_object_get(object, name));

	return text ? text : "";
}

static const char *colour(const struct tail *tail, const char *code)
{
	return tail->arguments->colour ? code : "";
}

static void print_safe(const char *text)
{
	escape_print(stdout, text, ESCAPE_TEXT);
}

static void print_event(const struct tail *tail, json_t *event)
{
	if (tail->arguments->json) {
		json_dumpf(event, stdout, JSON_COMPACT);
		putchar('\n');
		return;
	}
	if (*text_at(event, "trouble")) {
		printf("%srecord %lld: ", colour(tail, "\033[31m"),
		       (long long)json_integer_value(json_object_get(event, "seq")));
		print_safe(text_at(event, "trouble"));
		printf("%s\n", colour(tail, "\033[0m"));
		return;
	}
	AUTO(free)
	char *place = str_format("%lld.%lld",
				 (long long)json_integer_value(json_object_get(event, "seq")),
				 (long long)json_integer_value(json_object_get(event, "index")));

	printf("%s  %s%-8s%s  %s%-24s%s ", text_at(event, "time"), colour(tail, "\033[2m"), place,
	       colour(tail, "\033[0m"), colour(tail, "\033[36m"), text_at(event, "type"),
	       colour(tail, "\033[0m"));
	print_safe(text_at(event, "path"));
	if (strcmp(text_at(event, "origin"), "live") != 0 && *text_at(event, "origin"))
		printf("  (%s)", text_at(event, "origin"));
	label_print(json_object_get(event, "label"), tail->arguments->colour, "  ");
	putchar('\n');
}

static void print_job(const struct tail *tail, json_t *job)
{
	bool is_done = strcmp(text_at(job, "state"), "done") == 0;

	if (tail->arguments->json) {
		json_t *line = json_pack("{s:O}", "job", job);

		json_dumpf(line, stdout, JSON_COMPACT);
		json_decref(line);
		putchar('\n');
		return;
	}
	printf("%s  %sjob %lld %s%s  %s: ", text_at(job, "ended"),
	       colour(tail, is_done ? "\033[32m" : "\033[31m"),
	       (long long)json_integer_value(json_object_get(job, "id")), text_at(job, "state"),
	       colour(tail, "\033[0m"), text_at(json_object_get(job, "body"), "rule"));
	print_safe(text_at(job, "outcome"));
	putchar('\n');
}

static int show_events(struct tail *tail, const char *query, struct error *err)
{
	AUTO(free) char *path = str_format("/v1/tail?%s", query);
	json_t *answer = monitor_ask(tail->monitor, "GET", path, err);
	size_t index;
	json_t *event;

	if (!answer)
		return -1;
	json_array_foreach(json_object_get(answer, "events"), index, event)
		print_event(tail, event);
	tail->next = json_integer_value(json_object_get(answer, "next"));
	json_decref(answer);
	return 0;
}

static struct seen seen_from_now(const char *state)
{
	return (struct seen){ state, clock_format(clock_now_ms()), json_object() };
}

static void seen_clear(struct seen *seen)
{
	free(seen->ended);
	json_decref(seen->ids);
}

/* Whether this job was not shown before; from now on it was. */
static bool is_new(struct seen *seen, json_t *job)
{
	AUTO(free)
	char *id = str_format("%lld", (long long)json_integer_value(json_object_get(job, "id")));
	int order = strcmp(text_at(job, "ended"), seen->ended);

	if (order < 0 || (order == 0 && json_object_get(seen->ids, id)))
		return false;
	if (order > 0) {
		free(seen->ended);
		seen->ended = str_copy(text_at(job, "ended"));
		json_object_clear(seen->ids);
	}
	json_object_set_new(seen->ids, id, json_true());
	return true;
}

static int show_jobs(struct tail *tail, struct seen *seen, struct error *err)
{
	AUTO(free) char *path = str_format("/v1/jobs?state=%s&limit=%d", seen->state, JOBS_ASKED);
	json_t *answer = monitor_ask(tail->monitor, "GET", path, err);

	if (!answer)
		return -1;

	json_t *jobs = json_object_get(answer, "jobs");

	for (size_t i = json_array_size(jobs); i-- > 0;)
		if (is_new(seen, json_array_get(jobs, i)))
			print_job(tail, json_array_get(jobs, i));
	json_decref(answer);
	return 0;
}

static int follow(struct tail *tail, struct error *err)
{
	for (;;) {
		AUTO(free) char *query = str_format("after=%lld", tail->next);

		if (show_events(tail, query, err) < 0 || show_jobs(tail, &tail->done, err) < 0 ||
		    show_jobs(tail, &tail->dead, err) < 0)
			return -1;
		fflush(stdout);
		if (ferror(stdout))
			return 0; /* whoever read our output is gone */
		usleep(PAUSE_MS * 1000);
	}
}

int tail_run(const struct arguments *arguments)
{
	AUTO(monitor_forget) struct monitor *monitor = monitor_find(arguments);
	AUTO_ERROR err = { 0 };

	if (!monitor)
		return EXIT_WRONG;

	struct tail tail = { arguments, monitor, 0, seen_from_now("done"), seen_from_now("dead") };
	AUTO(free)
	char *query =
		str_format("last=%lld", (long long)(arguments->lines < 0 ? 10 : arguments->lines));
	int result = show_events(&tail, query, &err);

	if (result == 0 && !arguments->once)
		result = follow(&tail, &err);
	seen_clear(&tail.done);
	seen_clear(&tail.dead);
	if (result < 0) {
		fprintf(stderr, "cn_monitor tail: %s\n", error_text(&err));
		return EXIT_FAILED;
	}
	return EXIT_FINE;
}
