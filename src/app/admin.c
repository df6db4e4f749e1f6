#include "app/admin.h"

#include <sys/stat.h>

#include "app/admin_part.h"
#include "app/describe.h"
#include "base/clock.h"
#include "base/parse.h"

#define AT_ONCE 2 /* questions to the store; the loop's workers have other things to do, too */

struct admin {
	const struct daemon *daemon;
	uv_loop_t *loop;
	struct http_server *server;
	struct list waiting;   /* questions that no worker has begun with */
	struct list under_way; /* others */
	size_t under_way_count;
};

/* ---- Answers ---- */

static void answer(struct http_exchange *exchange, int status, json_t *body)
{
	AUTO(free) char *text = json_dumps(body, JSON_COMPACT);

	json_decref(body);
	if (!text)
		text = str_copy("{\"error\":\"the answer could not be put into words\"}");
	http_answer_with(exchange, status, "application/json", text_of(text));
}

static void answer_error(struct http_exchange *exchange, int status, const char *why)
{
	answer(exchange, status, json_pack("{s:s}", "error", why));
}

void admin_reply(struct admin_question *question, json_t *body)
{
	question->status = 200;
	question->body = body;
}

void admin_refuse(struct admin_question *question, int status, const char *why)
{
	question->status = status;
	question->body = json_pack("{s:s}", "error", why);
}

/* ---- Questions that the store may let wait ---- */

const char *admin_text(const struct admin_question *question, const char *name)
{
	return json_string_value(json_object_get(question->query, name));
}

uint64_t admin_number(const struct admin_question *question, const char *name, uint64_t standard)
{
	const char *text = admin_text(question, name);
	int64_t value;

	if (!text || parse_number(text_of(text), 0, INT64_MAX, &value, NULL) < 0)
		return standard;
	return (uint64_t)value;
}

static json_t *copy_query(const struct http_ask *ask)
{
	static const char *const names[] = { "after", "last",    "limit", "rules", "state",
					     "job",   "all",     "rule",  "path",  "since_ms",
					     "force", "dry_run", "watch", "number" };
	json_t *query = json_object();

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		const char *value = http_ask_query(ask, names[i]);

		if (value)
			json_object_set_new(query, names[i], json_string(value));
	}
	return query;
}

static void question_answer(struct admin_question *question)
{
	if (question->text)
		http_answer_with(question->exchange, question->status, "text/plain; version=0.0.4",
				 buf_text(question->text));
	else
		answer(question->exchange, question->status, TAKE(question->body));
	list_remove(&question->link);
	json_decref(question->query);
	json_decref(question->known);
	buf_free(question->text);
	free(question);
}

static void begin_next(struct admin *admin);

static void work(uv_work_t *work)
{
	struct admin_question *question = work->data;

	question->answer(question);
}

static void work_done(uv_work_t *work, int status)
{
	struct admin_question *question = work->data;
	struct admin *admin = question->admin;

	question_answer(question);
	admin->under_way_count--;
	begin_next(admin);
}

static void begin_next(struct admin *admin)
{
	while (admin->under_way_count < AT_ONCE && !list_is_empty(&admin->waiting)) {
		struct admin_question *question =
			list_entry(admin->waiting.next, struct admin_question, link);

		list_remove(&question->link);
		list_append(&admin->under_way, &question->link);
		admin->under_way_count++;
		uv_queue_work(admin->loop, &question->work, work, work_done);
	}
}

static void note_store_trouble(const struct admin *admin, json_t *known)
{
	const char *trouble = members_trouble(admin->daemon->members);

	if (*trouble)
		json_object_set_new(known, "store_trouble", json_string(trouble));
}

/* Takes known over. */
static void ask_store(struct admin *admin, const struct http_ask *ask,
		      void (*how)(struct admin_question *question), json_t *known)
{
	struct admin_question *question = NEW(struct admin_question);

	question->settings = admin->daemon->settings;
	question->store = admin->daemon->store;
	question->answer = how;
	question->query = copy_query(ask);
	question->known = known;
	question->work.data = question;
	question->admin = admin;
	question->exchange = ask->exchange;
	note_store_trouble(admin, known);
	list_append(&admin->waiting, &question->link);
	begin_next(admin);
}

/* ---- What the main loop knows by itself ---- */

static void answer_ready(const struct admin *admin, const struct http_ask *ask)
{
	json_t *troubles = describe_troubles(admin->daemon);
	AUTO(buf_free) struct buf *words = buf_new(SIZE_MAX / 2);
	bool is_fine = !json_array_size(troubles);
	size_t i;
	json_t *trouble;

	json_array_foreach(troubles, i, trouble)(void) !buf_print(words, "%s%s", i ? "; " : "",
								  json_string_value(trouble));

	json_t *body = json_pack("{s:b,s:s,s:o,s:o}", "ok", is_fine, "member", admin->daemon->name,
				 "troubles", troubles, "roles", describe_roles(admin->daemon));

	if (!is_fine)
		json_object_set_new(body, "error",
				    json_stringn(words->data ? words->data : "", words->size));
	answer(ask->exchange, is_fine ? 200 : 503, body);
}

static void reload_done(void *ctx, bool is_ok, const char *report, json_t *outcomes)
{
	answer(ctx, 200,
	       json_pack("{s:b,s:s,s:O}", "ok", is_ok, "report", report, "members", outcomes));
}

/* ---- Routes ---- */

static bool get_asked(struct admin *admin, const struct http_ask *ask)
{
	if (strcmp(ask->path, "/v1/status") == 0)
		ask_store(admin, ask, admin_status, describe_monitor(admin->daemon));
	else if (strcmp(ask->path, "/v1/tail") == 0)
		ask_store(admin, ask, admin_tail, json_object());
	else if (strcmp(ask->path, "/v1/jobs") == 0)
		ask_store(admin, ask, admin_jobs, json_object());
	else if (strcmp(ask->path, "/metrics") == 0)
		ask_store(admin, ask, admin_metrics, json_object());
	else if (strcmp(ask->path, "/v1/scan") == 0)
		ask_store(admin, ask, admin_scans, json_object());
	else if (strcmp(ask->path, "/livez") == 0)
		answer(ask->exchange, 200,
		       json_pack("{s:b,s:s,s:o}", "ok", true, "member", admin->daemon->name,
				 "roles", describe_roles(admin->daemon)));
	else if (strcmp(ask->path, "/readyz") == 0 || strcmp(ask->path, "/healthz") == 0)
		answer_ready(admin, ask);
	else
		return false;
	return true;
}

static bool post_asked(struct admin *admin, const struct http_ask *ask)
{
	if (strcmp(ask->path, "/v1/dead/retry") == 0)
		ask_store(admin, ask, admin_dead_retry, json_object());
	else if (strcmp(ask->path, "/v1/dead/drop") == 0)
		ask_store(admin, ask, admin_dead_drop, json_object());
	else if (strcmp(ask->path, "/v1/approve") == 0)
		ask_store(admin, ask, admin_approve, json_object());
	else if (strcmp(ask->path, "/v1/scan") == 0)
		ask_store(admin, ask, admin_scan, json_object());
	else if (strcmp(ask->path, "/v1/scan/stop") == 0)
		ask_store(admin, ask, admin_scan_stop, json_object());
	else if (strcmp(ask->path, "/v1/undo") == 0)
		ask_store(admin, ask, admin_undo, json_object());
	else if (strcmp(ask->path, "/v1/reload") == 0)
		reload_all_ask(admin->daemon->reload_all, reload_done, ask->exchange);
	else
		return false;
	return true;
}

static void asked(void *ctx, const struct http_ask *ask)
{
	struct admin *admin = ctx;
	bool is_known = strcmp(ask->method, "GET") == 0    ? get_asked(admin, ask)
			: strcmp(ask->method, "POST") == 0 ? post_asked(admin, ask)
							   : false;

	if (!is_known)
		answer_error(ask->exchange, 404, "there is no such page");
}

/* ---- Life ---- */

/* Where it cannot be made, the server says that it is not there. */
static void make_directory(const char *socket)
{
	const char *slash = strrchr(socket, '/');
	AUTO(free) char *directory = NULL;

	if (!slash || slash == socket)
		return;
	directory = str_copy_n(socket, (size_t)(slash - socket));
	(void)!mkdir(directory, 0755);
}

int admin_open(struct admin **out, uv_loop_t *loop, const struct daemon *daemon, const char *socket,
	       struct error *err)
{
	struct admin *admin = NEW(struct admin);
	AUTO(free) char *address = str_format("unix:%s", socket);

	make_directory(socket);
	admin->daemon = daemon;
	admin->loop = loop;
	list_init(&admin->waiting);
	list_init(&admin->under_way);
	if (http_server_open(&admin->server, loop, address, asked, admin, err) < 0) {
		admin_close(admin);
		return error_prefix(err, "[ADMIN] SOCKET %s", socket);
	}
	*out = admin;
	return 0;
}

void admin_close(struct admin *admin)
{
	struct admin_question *question;

	if (!admin)
		return;
	list_for_each (question, &admin->waiting, link) {
		admin_refuse(question, 503, "cn_monitor is stopping");
		question_answer(question);
	}
	http_server_close(admin->server);
	/* The workers use the store, which is closed after us. */
	while (admin->under_way_count)
		uv_run(admin->loop, UV_RUN_ONCE);
	free(admin);
}
