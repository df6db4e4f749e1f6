#include "cmd/ask.h"

#include <stdio.h>

#include "io/http_client.h"

#define PATIENCE_MS 30000

#define SOCKETS_MOST 4

struct monitor {
	/* Where it may answer, in this order; NULL ends them. The next question begins where the
	 * last one was answered. */
	char *sockets[SOCKETS_MOST + 1];
	size_t socket;
	uv_loop_t loop;
	struct http *http;
	/* Of the question under way: */
	json_t *answer;
	struct error err;
	bool is_nobody; /* nobody listens at that socket */
};

/* One name for all processes, or one for each role. */
static void find_sockets(struct monitor *monitor, const struct arguments *arguments,
			 const struct settings *settings)
{
	static const char *const roles[SOCKETS_MOST] = { "run", "watch", "filter", "act" };
	size_t count = 0;

	if (arguments->socket) {
		monitor->sockets[0] = str_copy(arguments->socket);
		return;
	}
	for (size_t i = 0; i < SOCKETS_MOST; i++) {
		char *path = settings_socket(settings, roles[i]);

		if (count && strcmp(path, monitor->sockets[0]) == 0)
			free(path);
		else
			monitor->sockets[count++] = path;
	}
}

struct monitor *monitor_find(const struct arguments *arguments)
{
	AUTO(settings_free) struct settings *settings = NULL;
	AUTO_ERROR err = { 0 };

	if (!arguments->socket) {
		settings = command_settings(arguments);
		if (!settings)
			return NULL;
	}

	struct monitor *monitor = NEW(struct monitor);

	find_sockets(monitor, arguments, settings);
	uv_loop_init(&monitor->loop);
	if (http_open(&monitor->http, &monitor->loop, &err) < 0) {
		fprintf(stderr, "cn_monitor: %s\n", error_text(&err));
		monitor_forget(monitor);
		return NULL;
	}
	return monitor;
}

void monitor_forget(struct monitor *monitor)
{
	if (!monitor)
		return;
	http_close(monitor->http);
	uv_run(&monitor->loop, UV_RUN_DEFAULT);
	uv_loop_close(&monitor->loop);
	error_clear(&monitor->err);
	for (size_t i = 0; i < SOCKETS_MOST; i++)
		free(monitor->sockets[i]);
	free(monitor);
}

/* Of several it is not told what is wrong with each: most of them are not there. */
static void tell_nobody(struct monitor *monitor, const char *why)
{
	AUTO(buf_free) struct buf *list = buf_new(SIZE_MAX / 2);

	for (size_t i = 0; monitor->sockets[1] && monitor->sockets[i]; i++)
		(void)!buf_print(list, "%s%s", i ? ", " : "at ", monitor->sockets[i]);
	error_set(&monitor->err,
		  "no monitor answers%s%.*s; is `cn_monitor run` up with this configuration, and "
		  "may you read its socket?",
		  list->size ? " " : ": ", (int)(list->size ? list->size : strlen(why)),
		  list->size ? list->data : why);
}

static void answered(void *ctx, const struct http_answer *answer)
{
	struct monitor *monitor = ctx;
	const char *socket = monitor->sockets[monitor->socket];

	uv_stop(&monitor->loop);
	if (answer->failure == HTTP_NOT_SENT) {
		monitor->is_nobody = true;
		tell_nobody(monitor, answer->why);
		return;
	}
	if (answer->failure != HTTP_ANSWERED) {
		error_set(&monitor->err, "the monitor at %s did not answer: %s", socket,
			  answer->why);
		return;
	}
	monitor->answer = json_loadb(answer->body.data ? answer->body.data : "", answer->body.size,
				     JSON_ALLOW_NUL, NULL);
	if (answer->status >= 300) {
		const char *why = json_string_value(json_object_get(monitor->answer, "error"));

		error_set(&monitor->err, "the monitor answered %d: %s", answer->status,
			  why ? why : "no reason given");
		json_decref(TAKE(monitor->answer));
	} else if (!monitor->answer) {
		error_set(&monitor->err, "the answer of %s is not JSON", socket);
	}
}

static void ask_one(struct monitor *monitor, const char *method, const char *url)
{
	const struct http_request request = {
		.method = method,
		.url = url,
		.unix_socket = monitor->sockets[monitor->socket],
		.timeout_ms = PATIENCE_MS,
		.limit_bytes = 256u << 20,
		.done = answered,
		.ctx = monitor,
	};

	error_clear(&monitor->err);
	monitor->is_nobody = false;
	http_start(monitor->http, &request);
	uv_run(&monitor->loop, UV_RUN_DEFAULT);
}

json_t *monitor_ask(struct monitor *monitor, const char *method, const char *path,
		    struct error *err)
{
	AUTO(free) char *url = str_format("http://localhost%s", path);
	size_t first = monitor->socket;

	do {
		ask_one(monitor, method, url);
		if (monitor->answer)
			return TAKE(monitor->answer);
		if (!monitor->is_nobody)
			break;
		if (!monitor->sockets[++monitor->socket])
			monitor->socket = 0;
	} while (monitor->socket != first);
	error_set(err, "%s", error_text(&monitor->err));
	return NULL;
}
