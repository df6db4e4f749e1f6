#include "cmd/ask.h"

#include <stdio.h>

#include "io/http_client.h"

#define PATIENCE_MS 30000

struct monitor {
	char *socket;
	uv_loop_t loop;
	struct http *http;
	/* Of the question under way: */
	json_t *answer;
	struct error err;
};

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

	monitor->socket = str_copy(arguments->socket ? arguments->socket : settings->admin.socket);
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
	free(monitor->socket);
	free(monitor);
}

static void answered(void *ctx, const struct http_answer *answer)
{
	struct monitor *monitor = ctx;

	uv_stop(&monitor->loop);
	if (answer->failure == HTTP_NOT_SENT) {
		error_set(&monitor->err,
			  "no monitor answers: %s; is `cn_monitor run` up with this "
			  "configuration, and may you read its socket?",
			  answer->why);
		return;
	}
	if (answer->failure != HTTP_ANSWERED) {
		error_set(&monitor->err, "the monitor at %s did not answer: %s", monitor->socket,
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
		error_set(&monitor->err, "the answer of %s is not JSON", monitor->socket);
	}
}

json_t *monitor_ask(struct monitor *monitor, const char *method, const char *path,
		    struct error *err)
{
	AUTO(free) char *url = str_format("http://localhost%s", path);
	const struct http_request request = {
		.method = method,
		.url = url,
		.unix_socket = monitor->socket,
		.timeout_ms = PATIENCE_MS,
		.limit_bytes = 256u << 20,
		.done = answered,
		.ctx = monitor,
	};

	error_clear(&monitor->err);
	http_start(monitor->http, &request);
	uv_run(&monitor->loop, UV_RUN_DEFAULT);
	if (!monitor->answer) {
		error_set(err, "%s", error_text(&monitor->err));
		return NULL;
	}
	return TAKE(monitor->answer);
}
