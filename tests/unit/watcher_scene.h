/* watcher_scene: a watcher, a store, and a cluster that says exactly what it is told to. */
#ifndef TESTS_WATCHER_SCENE_H
#define TESTS_WATCHER_SCENE_H

#include <pthread.h>
#include <stdio.h>

#include "app/watcher.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/metric.h"
#include "raw_server.h"
#include "turn.h"

#define OPEN                                                                 \
	"HTTP/1.1 200 OK\r\nContent-Type: text/event-source\r\nConnection: " \
	"close\r\n\r\n: watching\n\n"

struct scene {
	uv_loop_t loop;
	char directory[32];
	char *url;
	struct store *store;
	int64_t max_bytes;
	struct http *http;
	struct qumulo_address address;
	struct qumulo_settings cluster;
	struct qumulo *qumulo;
	struct watch_settings settings;
	struct cluster_settings on;
	event_kinds needs;
	struct watcher *watcher;
	const char *token;
	/* the server */
	struct raw_server *server;
	void (*answer)(struct scene *scene, struct raw_peer *peer, struct text request);
	const char *mode; /* recursive_mode */
	struct raw_peer *peer;
	int asked_count;   /* for the stream */
	char *filters[64]; /* by question; NULL: all events */
	struct raw_peer *peers[64];
	uint64_t asked_ns;
	/* what is in the store */
	struct buf *records; /* payloads, a line each */
	struct gap gaps[8];
	int gap_count;
};

static struct buf *log_lines;
static struct store *told_store; /* looked into when the watcher says that it listens */
static bool was_noted_when_told;

static UNUSED void keep_line(enum log_level level, const char *who, const char *line)
{
	if (told_store && strncmp(line, "listening to", 12) == 0) {
		AUTO(free) char *note = NULL;
		AUTO_ERROR err = { 0 };

		assert_int_equal(store_note_get(told_store, "alive/main", &note, &err), 0);
		was_noted_when_told = note != NULL;
	}
	if (!buf_print(log_lines, "%s: %s\n", who, line))
		abort();
}

static UNUSED bool was_logged(const char *text)
{
	return log_lines->data && strstr(log_lines->data, text);
}

static UNUSED int credential(void *ctx, char **token, char **username, char **password,
			     struct error *err)
{
	*token = str_copy(((struct scene *)ctx)->token);
	return 0;
}

static UNUSED void open_stream(struct scene *scene, struct raw_peer *peer, struct text request)
{
	raw_say(peer, OPEN);
}

static UNUSED void note_question(struct scene *scene, struct raw_peer *peer, const char *request)
{
	static const char start[] = "GET /v1/files/%2Fhome/notify?recursive=true";
	const char *rest = strstr(request, start);

	assert_non_null(rest);
	rest += strlen(start);
	assert_true(scene->asked_count < (int)ARRAY_SIZE(scene->filters));
	free(scene->filters[scene->asked_count]);
	scene->filters[scene->asked_count] = strncmp(rest, "&filter=", 8) == 0
						     ? strndup(rest + 8, strcspn(rest + 8, " &"))
						     : NULL;
	assert_true(scene->filters[scene->asked_count] || strncmp(rest, " HTTP/1.1", 9) == 0);
	scene->peers[scene->asked_count++] = peer;
	scene->asked_ns = uv_hrtime();
	scene->peer = peer;
}

static UNUSED void asked(void *ctx, struct raw_peer *peer, struct text request)
{
	struct scene *scene = ctx;
	AUTO(free) char *text = text_copy(request);

	if (strstr(text, "/v1/file-system/settings/notify")) {
		AUTO(free) char *body = str_format("{\"recursive_mode\":\"%s\"}", scene->mode);

		return raw_answer(peer, "200 OK", "", body);
	}
	if (strstr(text, "/v1/session/who-am-i"))
		return raw_answer(peer, strstr(text, "Bearer good") ? "200 OK" : "401 Unauthorized",
				  "", "{}");
	note_question(scene, peer, text);
	scene->answer(scene, peer, request);
}

static UNUSED void store_up(struct scene *scene)
{
	struct store_settings settings = {
		.url = scene->url, .max_bytes = scene->max_bytes, .retention_ms = 0, .sync = true
	};
	AUTO_ERROR err = { 0 };

	assert_int_equal(store_open(&scene->store, &settings, &err), 0);
}

static UNUSED void scene_open(struct scene *scene)
{
	AUTO_ERROR err = { 0 };

	*scene = (struct scene){ .directory = "/tmp/cn-watcher-XXXXXX",
				 .max_bytes = 64 << 20,
				 .token = "good",
				 .mode = "ENABLED",
				 .needs = EVENT_ANY,
				 .answer = open_stream };
	assert_non_null(mkdtemp(scene->directory));
	scene->url = str_format("embedded:%s/store", scene->directory);
	scene->records = buf_new(64 << 20);
	log_lines = buf_new(1 << 20);
	log_redirect(keep_line);
	uv_loop_init(&scene->loop);
	assert_int_equal(http_open(&scene->http, &scene->loop, &err), 0);
	scene->server = raw_server_new(&scene->loop, asked, scene);
	scene->address =
		(struct qumulo_address){ "127.0.0.1", raw_server_port(scene->server), true, "" };
	scene->cluster = (struct qumulo_settings){ .name = "default",
						   .addresses = &scene->address,
						   .address_count = 1,
						   .credential = credential,
						   .ctx = scene,
						   .timeout_ms = 5000 };
	scene->qumulo = qumulo_new(scene->http, &scene->cluster);
	scene->on.token_file = (char *)"/etc/cn_monitor/token";
	scene->settings = (struct watch_settings){ .name = (char *)"main",
						   .on = &scene->on,
						   .path = (char *)"/home",
						   .recursive = true,
						   .silence_ms = 20000 };
	store_up(scene);
}

static UNUSED void scene_watch(struct scene *scene)
{
	AUTO_ERROR err = { 0 };

	assert_int_equal(watcher_open(&scene->watcher, &scene->loop, scene->qumulo,
				      &scene->settings, scene->needs, COMMIT_BATCH, scene->store,
				      &err),
			 0);
}

/* The end of a run; what is left is the store's directory. */
static UNUSED void scene_stop(struct scene *scene)
{
	watcher_close(TAKE(scene->watcher));
	store_close(TAKE(scene->store));
}

static UNUSED void scene_restart(struct scene *scene)
{
	scene_stop(scene);
	store_up(scene);
	scene_watch(scene);
}

static UNUSED void forget_gaps(struct scene *scene)
{
	for (int i = 0; i < scene->gap_count; i++)
		free(scene->gaps[i].reason);
	scene->gap_count = 0;
}

static UNUSED void scene_close(struct scene *scene)
{
	AUTO(free) char *remove = str_format("rm -r %s", scene->directory);

	scene_stop(scene);
	qumulo_free(scene->qumulo);
	http_close(scene->http);
	raw_server_free(scene->server);
	assert_true(turn_out(&scene->loop));
	assert_int_equal(system(remove), 0);
	forget_gaps(scene);
	for (size_t i = 0; i < ARRAY_SIZE(scene->filters); i++)
		free(scene->filters[i]);
	free(scene->url);
	buf_free(scene->records);
	log_redirect(NULL);
	buf_free(TAKE(log_lines));
}

static UNUSED bool keep_record(void *ctx, const struct record *record)
{
	struct scene *scene = ctx;

	assert_true(text_is(record->watch, "main"));
	assert_int_equal(record->origin, ORIGIN_LIVE);
	assert_true(buf_append(scene->records, record->bytes.data, record->bytes.size));
	assert_true(buf_append(scene->records, "\n", 1));
	return true;
}

static UNUSED const char *records(struct scene *scene)
{
	AUTO_ERROR err = { 0 };

	buf_reset(scene->records);
	assert_true(store_log_read(scene->store, 0, 100000, 64 << 20, keep_record, scene, &err) >=
		    0);
	return scene->records->data ? scene->records->data : "";
}

static UNUSED void keep_gap(void *ctx, const struct gap *gap)
{
	struct scene *scene = ctx;

	assert_true(scene->gap_count < (int)ARRAY_SIZE(scene->gaps));
	scene->gaps[scene->gap_count] = *gap;
	scene->gaps[scene->gap_count++].reason = str_copy(gap->reason);
}

static UNUSED int gaps(struct scene *scene)
{
	AUTO_ERROR err = { 0 };

	forget_gaps(scene);
	assert_int_equal(store_gap_visit(scene->store, keep_gap, scene, &err), 0);
	return scene->gap_count;
}

static UNUSED enum watcher_state state_of(struct scene *scene)
{
	struct watcher_status status;

	watcher_get_status(scene->watcher, &status);
	return status.state;
}

#define AWAIT(scene, condition) assert_true(TURN_UNTIL(&(scene).loop, condition, 10000))
#define LISTENS(scene) (state_of(&(scene)) == WATCHER_LISTENING)

#endif
