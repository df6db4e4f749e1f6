#include "app/admin.h"

#include <jansson.h>
#include <unistd.h>

#include "app/admin_part.h"
#include "app/label.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/metric.h"
#include "base/parse.h"
#include "event/decode.h"
#include "io/http_server.h"
#include "store/echo.h"

#define EVENTS_MOST 1000
#define GAPS_SHOWN 10
#define DEAD_SHOWN 5

struct admin {
	const struct daemon *daemon;
	struct http_server *server;
	struct decoder *decoder;
};

void admin_answer(struct http_exchange *exchange, int status, json_t *body)
{
	AUTO(free) char *text = json_dumps(body, JSON_COMPACT);

	json_decref(body);
	if (!text)
		text = str_copy("{\"error\":\"the answer could not be put into words\"}");
	http_answer_with(exchange, status, "application/json", text_of(text));
}

void admin_answer_error(struct http_exchange *exchange, int status, const char *why)
{
	admin_answer(exchange, status, json_pack("{s:s}", "error", why));
}

json_t *admin_time(int64_t ms)
{
	AUTO(free) char *text = clock_format(ms);

	return ms ? json_string(text) : json_null();
}

/* ---- status ---- */

static json_t *watches_json(const struct daemon *daemon)
{
	static const char *const states[] = { "down", "connecting", "listening" };
	json_t *list = json_array();

	for (size_t i = 0; i < daemon->settings->watch_count; i++) {
		const struct watch_settings *watch = &daemon->settings->watches[i];
		struct watcher_status status = { 0 };

		watcher_get_status(daemon->watchers[i], &status);
		json_array_append_new(list,
				      json_pack("{s:s,s:s,s:s,s:s,s:s,s:o,s:o,s:I,s:I,s:I}", "name",
						watch->name, "cluster", watch->on->name, "path",
						watch->path, "state", states[status.state], "why",
						status.why, "since", admin_time(status.since_ms),
						"last_byte", admin_time(status.last_byte_ms),
						"messages", (json_int_t)status.messages, "bytes",
						(json_int_t)status.bytes, "reconnects",
						(json_int_t)status.reconnects));
	}
	return list;
}

static json_t *rules_json(const struct daemon *daemon)
{
	struct reload_status status;
	json_t *files = json_array();

	reload_get_status(daemon->reload, &status);
	for (size_t i = 0; i < daemon->settings->watch_count; i++) {
		const struct rule_set *set = reload_get(daemon->reload, i);

		json_array_append_new(files, json_pack("{s:s,s:s,s:I,s:s}", "watch",
						       daemon->settings->watches[i].name, "items",
						       daemon->settings->watches[i].items, "rules",
						       (json_int_t)rule_set_count(set), "digest",
						       rule_set_digest(set)));
	}
	return json_pack("{s:o,s:o,s:I,s:I,s:b,s:s}", "files", files, "loaded",
			 admin_time(status.loaded_ms), "reloads", (json_int_t)status.reloads,
			 "refused", (json_int_t)status.refused, "ok", status.last_is_ok,
			 "last_report", status.last_report);
}

static json_t *filter_json(const struct daemon *daemon)
{
	struct filter_status status = { 0 };

	filter_get_status(daemon->filter, &status);
	return json_pack("{s:I,s:I,s:I,s:I,s:I,s:I,s:s}", "cursor", (json_int_t)status.cursor,
			 "events", (json_int_t)status.events, "matches", (json_int_t)status.matches,
			 "echoes", (json_int_t)status.echoes, "jobs", (json_int_t)status.jobs,
			 "delay_ms", (json_int_t)status.delay_ms, "trouble", status.trouble);
}

static json_t *act_json(const struct daemon *daemon)
{
	struct deliver_status status = { 0 };

	deliver_get_status(daemon->deliver, &status);
	return json_pack("{s:I,s:I,s:I,s:I,s:s}", "running", (json_int_t)status.running, "done",
			 (json_int_t)status.done, "retried", (json_int_t)status.retried, "dead",
			 (json_int_t)status.dead, "trouble", status.trouble);
}

static void add_gap(void *ctx, const struct gap *gap)
{
	json_t *list = ctx;

	json_array_append_new(
		list, json_pack("{s:I,s:s,s:o,s:o,s:s,s:I}", "id", (json_int_t)gap->id, "watch",
				gap->watch, "from", admin_time(gap->from_ms), "until",
				admin_time(gap->until_ms), "reason", gap->reason ? gap->reason : "",
				"after_seq", (json_int_t)gap->after_seq));
	if (json_array_size(list) > GAPS_SHOWN)
		json_array_remove(list, 0);
}

static bool add_dead(void *ctx, const struct job *job)
{
	json_t *body = json_loads(job->body ? job->body : "{}", 0, NULL);
	const char *rule = json_string_value(json_object_get(body, "rule"));
	const char *path =
		json_string_value(json_object_get(json_object_get(body, "event"), "path"));

	json_array_append_new(ctx, json_pack("{s:I,s:o,s:s,s:s,s:s}", "job", (json_int_t)job->id,
					     "ended", admin_time(job->ended_ms), "rule",
					     rule ? rule : "", "path", path ? path : "", "outcome",
					     job->outcome ? job->outcome : ""));
	json_decref(body);
	return true;
}

static json_t *store_json(const struct daemon *daemon, struct error *err)
{
	struct store_counts counts;
	AUTO(json_decref) json_t *gaps = json_array();
	AUTO(json_decref) json_t *dead = json_array();
	int64_t expected = echo_count(daemon->store, err);

	if (expected < 0 || store_count(daemon->store, &counts, err) < 0 ||
	    store_gap_visit(daemon->store, add_gap, gaps, err) < 0 ||
	    store_job_visit(daemon->store, JOB_DEAD, DEAD_SHOWN, add_dead, dead, err) < 0)
		return NULL;
	return json_pack(
		"{s:s,s:I,s:I,s:I,s:I,s:I,s:I,s:I,s:I,s:I,s:I,s:O,s:O}", "url",
		daemon->settings->store.url, "first_seq", (json_int_t)counts.first_seq, "last_seq",
		(json_int_t)counts.last_seq, "log_bytes", (json_int_t)counts.log_bytes,
		"state_bytes", (json_int_t)counts.state_bytes, "jobs_waiting",
		(json_int_t)counts.jobs_waiting, "jobs_taken", (json_int_t)counts.jobs_taken,
		"jobs_done", (json_int_t)counts.jobs_done, "jobs_dead",
		(json_int_t)counts.jobs_dead, "expected_echoes", (json_int_t)expected, "gap_count",
		(json_int_t)counts.gaps, "gaps", gaps, "dead", dead);
}

static void answer_status(struct admin *admin, const struct http_ask *ask)
{
	const struct daemon *daemon = admin->daemon;
	AUTO_ERROR err = { 0 };
	json_t *store = store_json(daemon, &err);

	if (!store) {
		admin_answer_error(ask->exchange, 500, error_text(&err));
		return;
	}
	admin_answer(ask->exchange, 200,
		     json_pack("{s:s,s:I,s:o,s:o,s:o,s:o,s:o,s:o}", "version", CN_VERSION, "pid",
			       (json_int_t)getpid(), "started", admin_time(daemon->started_ms),
			       "watches", watches_json(daemon), "rules", rules_json(daemon),
			       "filter", filter_json(daemon), "act", act_json(daemon), "store",
			       store));
}

/* ---- tail ---- */

struct tail {
	struct admin *admin;
	json_t *events;
	uint64_t until; /* the last record that is judged */
	uint64_t next;  /* the last record that is in events, or was passed over */
	const struct record *record;
};

static struct text watch_path(const struct daemon *daemon, struct text name)
{
	for (size_t i = 0; i < daemon->settings->watch_count; i++)
		if (text_is(name, daemon->settings->watches[i].name))
			return text_of(daemon->settings->watches[i].path);
	return TEXT("/");
}

static bool tail_event(void *ctx, const struct event *decoded)
{
	struct tail *tail = ctx;
	struct event event = *decoded;
	char key[LABEL_KEY_SIZE];
	AUTO(free) char *label = NULL;

	event.seq = tail->record->seq;
	event.time_ms = tail->record->time_ms;
	event.origin = tail->record->origin;
	event.watch = tail->record->watch;

	AUTO(free) char *text = event_to_json(&event);
	json_t *object = json_loads(text, 0, NULL);

	label_key(key, event.seq, event.index);
	if (store_peek(tail->admin->daemon->store, SPACE_LABELS, (struct text){ key, sizeof(key) },
		       &label, NULL) == 0 &&
	    label)
		json_object_set_new(object, "label", json_loads(label, 0, NULL));
	json_array_append_new(tail->events, object);
	return true;
}

static bool tail_record(void *ctx, const struct record *record)
{
	struct tail *tail = ctx;
	size_t count;
	AUTO_ERROR err = { 0 };

	if (record->seq > tail->until)
		return false;
	tail->record = record;
	tail->next = record->seq;
	if (decode_message(tail->admin->decoder, record->bytes,
			   watch_path(tail->admin->daemon, record->watch), tail_event, tail, &count,
			   &err) < 0)
		json_array_append_new(tail->events,
				      json_pack("{s:I,s:s}", "seq", (json_int_t)record->seq,
						"trouble", error_text(&err)));
	return json_array_size(tail->events) < EVENTS_MOST;
}

uint64_t admin_number(const struct http_ask *ask, const char *name, uint64_t standard)
{
	const char *text = http_ask_query(ask, name);
	int64_t value;

	if (!text || parse_number(text_of(text), 0, INT64_MAX, &value, NULL) < 0)
		return standard;
	return (uint64_t)value;
}

/* after: a record; or last: so many records before the end. limit: at most so many records. */
static void answer_tail(struct admin *admin, const struct http_ask *ask)
{
	struct filter_status filter = { 0 };
	AUTO_ERROR err = { 0 };

	filter_get_status(admin->daemon->filter, &filter);

	uint64_t last = admin_number(ask, "last", 0);
	uint64_t after = http_ask_query(ask, "after") ? admin_number(ask, "after", 0)
			 : filter.cursor > last       ? filter.cursor - last
						      : 0;
	size_t limit = (size_t)MIN(admin_number(ask, "limit", EVENTS_MOST), EVENTS_MOST);
	struct tail tail = { admin, json_array(), filter.cursor, after, NULL };

	if (store_log_read(admin->daemon->store, after, limit, 4u << 20, tail_record, &tail, &err) <
	    0) {
		json_decref(tail.events);
		admin_answer_error(ask->exchange, 500, error_text(&err));
		return;
	}
	admin_answer(ask->exchange, 200,
		     json_pack("{s:o,s:I,s:I}", "events", tail.events, "next",
			       (json_int_t)tail.next, "cursor", (json_int_t)filter.cursor));
}

/* ---- reload, metrics ---- */

static void reload_done(void *ctx, bool is_ok, const char *report)
{
	admin_answer(ctx, 200, json_pack("{s:b,s:s}", "ok", is_ok, "report", report));
}

static void add_metric(void *ctx, const struct metric *metric)
{
	static const char *const kinds[] = { "counter", "gauge" };
	struct buf *text = ctx;
	struct text rest = text_of(metric->name);
	struct text name = text_cut(&rest, '{');
	AUTO(free)
	char *about = str_format("# HELP %.*s %s\n# TYPE %.*s %s\n", TEXT_ARGS(name), metric->help,
				 TEXT_ARGS(name), kinds[metric->kind]);

	/* Metrics come in order of their names, so those of one family stand together. */
	if (!text->data || !strstr(text->data, about))
		(void)!buf_append(text, about, strlen(about));
	(void)!buf_print(text, "%s %lld\n", metric->name, (long long)metric->value);
}

static void answer_metrics(const struct http_ask *ask)
{
	AUTO(buf_free) struct buf *text = buf_new(4u << 20);

	metric_visit(add_metric, text);
	http_answer_with(ask->exchange, 200, "text/plain; version=0.0.4", buf_text(text));
}

static void asked(void *ctx, const struct http_ask *ask)
{
	struct admin *admin = ctx;
	bool is_get = strcmp(ask->method, "GET") == 0;
	bool is_post = strcmp(ask->method, "POST") == 0;

	if (is_get && strcmp(ask->path, "/v1/status") == 0)
		answer_status(admin, ask);
	else if (is_get && strcmp(ask->path, "/v1/tail") == 0)
		answer_tail(admin, ask);
	else if (is_get && strcmp(ask->path, "/v1/jobs") == 0)
		admin_jobs(admin->daemon->store, ask);
	else if (is_get && strcmp(ask->path, "/metrics") == 0)
		answer_metrics(ask);
	else if (is_get && strcmp(ask->path, "/livez") == 0)
		http_answer_with(ask->exchange, 200, "text/plain", TEXT("alive\n"));
	else if (is_post && strcmp(ask->path, "/v1/dead/retry") == 0)
		admin_dead(admin->daemon->store, ask, DEAD_RETRY);
	else if (is_post && strcmp(ask->path, "/v1/dead/drop") == 0)
		admin_dead(admin->daemon->store, ask, DEAD_DROP);
	else if (is_post && strcmp(ask->path, "/v1/reload") == 0)
		reload_now(admin->daemon->reload, "asked to", reload_done, ask->exchange);
	else
		admin_answer_error(ask->exchange, 404, "there is no such page");
}

int admin_open(struct admin **out, uv_loop_t *loop, const struct daemon *daemon, struct error *err)
{
	struct admin *admin = NEW(struct admin);
	AUTO(free) char *address = str_format("unix:%s", daemon->settings->admin.socket);

	admin->daemon = daemon;
	admin->decoder = decoder_new();
	if (http_server_open(&admin->server, loop, address, asked, admin, err) < 0) {
		admin_close(admin);
		return error_prefix(err, "[ADMIN] SOCKET %s", daemon->settings->admin.socket);
	}
	*out = admin;
	return 0;
}

void admin_close(struct admin *admin)
{
	if (!admin)
		return;
	http_server_close(admin->server);
	decoder_free(admin->decoder);
	free(admin);
}
