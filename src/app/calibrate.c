#include "app/calibrate.h"

#include <inttypes.h>
#include <unistd.h>

#include "action/action.h"
#include "app/connect.h"
#include "base/clock.h"
#include "base/list.h"
#include "event/decode.h"
#include "event/sse.h"
#include "qumulo/notify.h"

#define QUIET_MS 1000 /* after this long without an event, no more are waited for */
#define PATIENCE_MS 30000
#define EVENT_BYTES_MOST ((size_t)16 << 20)

struct heard_event {
	struct list link;
	enum event_type type;
	char *type_name;
	char *id;
	char *path;
};

struct effect {
	struct list link;
	enum event_type type;
	char *id;
	char *path; /* NULL: wherever the file is */
	bool is_lasting, is_met;
};

struct calibration {
	const struct watch_settings *watch;
	uv_loop_t loop;
	uv_timer_t timer; /* wakes the loop, and lets a module go on */
	struct http *http;
	struct connection *connection;
	const struct cluster *cluster;
	struct action_host host;
	struct notify *notify;
	struct sse *sse;
	struct decoder *decoder;
	const char *parent; /* which is watched: of ours something may be told, too */
	char *directory;    /* ours */
	char *directory_id;
	bool is_open, is_broken;
	char *broken;
	int64_t heard_ms; /* the last event, by the steady clock */
	struct list heard, effects;
	action_expected *go_on;
	void *go_on_ctx;
	bool is_finished;
	void (*found)(void *ctx, const struct calibrated *calibrated);
	void *ctx;
};

/* ---- Waiting ---- */

static void on_timer(uv_timer_t *timer)
{
	struct calibration *c = timer->data;
	action_expected *go_on = TAKE(c->go_on);

	if (go_on)
		go_on(c->go_on_ctx, NULL);
}

/* Turns the loop until *flag, or until the time is over; whether it was *flag. */
static bool wait_for(struct calibration *c, const bool *flag, int64_t most_ms)
{
	int64_t end_ms = clock_monotonic_ms() + most_ms;

	while (!*flag && clock_monotonic_ms() < end_ms)
		uv_run(&c->loop, UV_RUN_ONCE);
	return *flag;
}

/* Until the stream has been silent for a while. */
static void wait_for_quiet(struct calibration *c)
{
	int64_t end_ms = clock_monotonic_ms() + PATIENCE_MS;

	c->heard_ms = clock_monotonic_ms();
	while (!c->is_broken && clock_monotonic_ms() < end_ms &&
	       clock_monotonic_ms() - c->heard_ms < QUIET_MS)
		uv_run(&c->loop, UV_RUN_ONCE);
}

struct answer {
	bool is_there;
	enum file_result result;
	char *why;
	struct file_info info;
	struct file_info *infos;
	size_t count;
};

static void answered(void *ctx, const struct file_reply *reply)
{
	struct answer *answer = ctx;

	answer->is_there = true;
	answer->result = reply->result;
	answer->why = str_copy(reply->why ? reply->why : "");
	if (reply->info)
		file_info_copy(&answer->info, reply->info);
	answer->infos = mem_array(reply->info_count, sizeof(*answer->infos));
	answer->count = reply->info_count;
	for (size_t i = 0; i < answer->count; i++)
		file_info_copy(&answer->infos[i], &reply->infos[i]);
}

static void answer_clear(struct answer *answer)
{
	free(answer->why);
	file_info_clear(&answer->info);
	for (size_t i = 0; i < answer->count; i++)
		file_info_clear(&answer->infos[i]);
	free(answer->infos);
}

#define AUTO_ANSWER __attribute__((cleanup(answer_clear))) struct answer

/* The requests have time limits of their own. */
static bool wait_for_answer(struct calibration *c, struct answer *answer)
{
	while (!answer->is_there)
		uv_run(&c->loop, UV_RUN_ONCE);
	return answer->result == FILE_OK;
}

/* ---- The stream ---- */

static bool each_event(void *ctx, const struct event *event)
{
	struct calibration *c = ctx;
	struct heard_event *heard;

	/* Whatever else goes on there is not ours. */
	if (!text_is(event->path, c->directory) &&
	    !path_is_below(event->path, text_of(c->directory)))
		return true;
	heard = NEW(struct heard_event);
	heard->type = event->type;
	heard->type_name = text_copy(event->type_name);
	heard->id = text_copy(event->file_id);
	heard->path = text_copy(event->path);
	list_append(&c->heard, &heard->link);
	c->heard_ms = clock_monotonic_ms();
	return true;
}

static void on_payload(void *ctx, struct text payload)
{
	struct calibration *c = ctx;
	AUTO_ERROR err = { 0 };
	size_t count;

	if (decode_message(c->decoder, payload, text_of(c->parent), each_event, c, &count, &err) ==
	    0)
		return;
	c->is_broken = true;
	free(c->broken);
	c->broken = str_copy(error_text(&err));
}

static void on_opened(void *ctx, const char *address)
{
	struct calibration *c = ctx;

	c->is_open = true;
}

static void on_data(void *ctx, const char *data, size_t size)
{
	struct calibration *c = ctx;
	AUTO_ERROR err = { 0 };

	if (sse_feed(c->sse, data, size, &err) < 0)
		c->is_broken = true;
}

static void on_ended(void *ctx, enum file_result result, int status, const char *why,
		     int64_t retry_after_ms)
{
	struct calibration *c = ctx;

	c->notify = NULL;
	c->is_open = c->is_broken = true;
	free(c->broken);
	c->broken = str_copy(why ? why : "the cluster ended the stream");
}

static int listen_to(struct calibration *c, struct error *err)
{
	const struct sse_handler payloads = { c, on_payload, NULL };
	const struct notify_handler handler = { c, on_opened, on_data, on_ended };

	c->sse = sse_new(&payloads, EVENT_BYTES_MOST);
	c->decoder = decoder_new();
	c->notify = notify_start(connection_client(c->connection), c->parent, true, NULL, &handler);
	if (!wait_for(c, &c->is_open, PATIENCE_MS))
		return error_set(err, "the stream does not open");
	if (c->is_broken)
		return error_set(err, "the stream does not open: %s", c->broken);
	return 0;
}

/* ---- What modules ask for ---- */

static const struct cluster *host_cluster(void *self, const char *watch)
{
	struct calibration *c = self;

	return c->cluster;
}

static void host_expect(void *self, struct action_run *run, const struct action_effect *effects,
			size_t count, action_expected *done, void *ctx)
{
	struct calibration *c = self;

	for (size_t i = 0; i < count; i++) {
		struct effect *effect = NEW(struct effect);

		effect->type = effects[i].type;
		effect->id = str_copy(effects[i].file_id);
		effect->path = effects[i].path ? str_copy(effects[i].path) : NULL;
		effect->is_lasting = effects[i].is_lasting;
		list_append(&c->effects, &effect->link);
	}
	c->go_on = done;
	c->go_on_ctx = ctx;
	uv_timer_start(&c->timer, on_timer, 0, 50);
}

static void host_astray(void *self, struct action_run *run, const char *file_id)
{
}

static void host_arrived(void *self, struct action_run *run, const char *file_id, const char *path,
			 bool is_directory)
{
}

static void host_withdraw(void *self, struct action_run *run)
{
}

static void host_finished(void *self, struct action_run *run)
{
	struct calibration *c = self;

	c->is_finished = true;
}

/* ---- Comparing ---- */

static bool fits(const struct effect *effect, const struct heard_event *heard)
{
	if (effect->type != heard->type || (effect->is_met && !effect->is_lasting))
		return false;
	if (!*effect->id)
		return strcmp(effect->path, heard->path) == 0;
	return strcmp(effect->id, heard->id) == 0 &&
	       (!effect->path || strcmp(effect->path, heard->path) == 0);
}

static bool meets_any(struct calibration *c, const struct heard_event *heard)
{
	struct effect *effect;

	list_for_each (effect, &c->effects, link) {
		if (!fits(effect, heard))
			continue;
		effect->is_met = true;
		return true;
	}
	return false;
}

/* Whether something was expected in this directory. */
static bool is_parent_of_any(struct calibration *c, const char *path)
{
	struct effect *effect;

	list_for_each (effect, &c->effects, link)
		if (effect->path && text_equal(path_parent(text_of(effect->path)), text_of(path)))
			return true;
	return false;
}

static bool is_of_file(struct calibration *c, const char *id)
{
	struct effect *effect;

	list_for_each (effect, &c->effects, link)
		if (strcmp(effect->id, id) == 0)
			return true;
	return false;
}

static void append_once(json_t *list, char *name)
{
	json_t *item, *new = json_string(name);
	size_t i;

	free(name);
	json_array_foreach(list, i, item)
	{
		if (json_equal(item, new)) {
			json_decref(new);
			return;
		}
	}
	json_array_append_new(list, new);
}

static void report(struct calibration *c, const char *what, const char *module, const char *id,
		   const char *why)
{
	json_t *told = json_array(), *unexpected = json_array(), *missing = json_array();
	struct heard_event *heard;
	struct effect *effect;

	list_for_each (heard, &c->heard, link) {
		json_array_append_new(told, json_string(heard->type_name));
		if (meets_any(c, heard))
			continue;
		append_once(unexpected,
			    str_format("%s%s", heard->type_name,
				       strcmp(heard->id, id) == 0 || is_of_file(c, heard->id) ? ""
				       : is_parent_of_any(c, heard->path) ? " of directory"
									  : " of another"));
	}
	list_for_each (effect, &c->effects, link)
		if (!effect->is_met && !effect->is_lasting && !why &&
		    !action_type_find(module)->may_be_silent)
			append_once(missing, str_copy(event_type_name(effect->type)));
	c->found(c->ctx, &(struct calibrated){ what, module, why, told, unexpected, missing });
	json_decref(told);
	json_decref(unexpected);
	json_decref(missing);
}

static void forget_all(struct calibration *c)
{
	struct heard_event *heard;
	struct effect *effect;

	list_for_each (heard, &c->heard, link) {
		list_remove(&heard->link);
		free(heard->type_name);
		free(heard->id);
		free(heard->path);
		free(heard);
	}
	list_for_each (effect, &c->effects, link) {
		list_remove(&effect->link);
		free(effect->id);
		free(effect->path);
		free(effect);
	}
}

/* ---- One change ---- */

static void run_to_the_end(struct calibration *c, struct action *action, struct action_run *run)
{
	c->is_finished = false;
	action->type->start(run);
	if (!wait_for(c, &c->is_finished, PATIENCE_MS)) {
		action->type->cancel(run);
		run->outcome = ACTION_RETRY;
		run->why = str_copy("it took too long");
	}
}

/* The file with this id; what the module found out about `key`, for free(), or NULL. */
static char *try_module(struct calibration *c, const char *what, const char *module,
			const char *options, const char *id, const char *key)
{
	AUTO(action_close) struct action *action = NULL;
	AUTO_ANSWER file = { 0 };
	AUTO_ERROR err = { 0 };
	struct event event = { .type = CHILD_FILE_ADDED,
			       .type_name = text_of(event_type_name(CHILD_FILE_ADDED)),
			       .watch = text_of(c->watch->name),
			       .time_ms = clock_now_ms() };
	struct action_run run = { .job = (uint64_t)getpid(),
				  .attempt = 1,
				  .rule = "calibrate",
				  .cluster_name = "",
				  .event = &event };
	const char *found;
	char *result = NULL;

	forget_all(c);
	c->cluster->get(c->cluster->self, id, answered, &file);
	if (!wait_for_answer(c, &file)) {
		report(c, what, module, id, file.why);
		return NULL;
	}
	if (action_open(&action, action_type_find(module), options, &c->host, &err) < 0) {
		report(c, what, module, id, error_text(&err));
		return NULL;
	}
	event.path = text_of(file.info.path);
	event.file_id = text_of(file.info.id);
	run.action = action;
	run.file = &file.info;
	run.memory = json_object();
	run.result = json_object();
	run_to_the_end(c, action, &run);
	wait_for_quiet(c);
	report(c, what, module, id,
	       run.outcome == ACTION_DONE ? NULL
	       : run.why                  ? run.why
					  : "it was not done");
	found = key ? json_string_value(json_object_get(run.result, key)) : NULL;
	if (found)
		result = str_copy(found);
	json_decref(run.memory);
	json_decref(run.result);
	free(run.why);
	return result;
}

static void try_all(struct calibration *c, const char *id)
{
	AUTO(free)
	char *quarantine = str_format("{\"to\":\"%s/q\",\"by_date\":\"no\"}", c->directory);
	AUTO(free) char *snapshot = str_format("{\"of\":\"%s\",\"expires\":\"1m\"}", c->directory);
	AUTO(free) char *copy = NULL;
	AUTO(free) char *taken = NULL;

	free(try_module(c, "tag", "tag", "{\"key\":\"cn_monitor\",\"value\":\"x\"}", id, NULL));
	free(try_module(c, "tag (removed)", "tag", "{\"key\":\"cn_monitor\",\"remove\":\"yes\"}",
			id, NULL));
	free(try_module(c, "permissions (mode)", "permissions", "{\"mode\":\"0604\"}", id, NULL));
	free(try_module(c, "permissions (acl)", "permissions", "{\"acl\":\"owner_only\"}", id,
			NULL));
	free(try_module(c, "rename", "rename", "{\"to\":\"renamed\"}", id, NULL));
	copy = try_module(c, "copy", "copy", "{\"to\":\"copied\"}", id, "id");
	free(try_module(c, "quarantine", "quarantine", quarantine, id, NULL));
	free(try_module(c, "lock", "lock", "{\"legal_hold\":\"yes\",\"confirm\":\"true\"}", id,
			NULL));
	free(try_module(c, "lock (lifted)", "lock", "{\"legal_hold\":\"no\",\"confirm\":\"true\"}",
			id, NULL));
	taken = try_module(c, "snapshot", "snapshot", snapshot, id, "id");
	if (taken) {
		AUTO(free) char *remove = str_format("{\"remove\":\"%s\"}", taken);

		free(try_module(c, "snapshot (removed)", "snapshot", remove, id, NULL));
	}
	free(try_module(c, "delete", "delete", "{\"confirm\":\"true\"}", copy ? copy : id, NULL));
}

/* ---- Its directory ---- */

static int make_scene(struct calibration *c, const char *parent, char **out_id, struct error *err)
{
	AUTO_ANSWER made = { 0 };
	AUTO_ANSWER file = { 0 };
	AUTO(free)
	char *name = str_format(".cn_calibrate_%" PRId64 "_%ld", clock_wall_ms(), (long)getpid());

	c->cluster->make_directory(c->cluster->self, parent, name, answered, &made);
	if (!wait_for_answer(c, &made))
		return error_set(err, "no directory can be made in %s: %s", parent, made.why);
	c->directory = path_join(text_of(parent), text_of(name));
	c->directory_id = str_copy(made.info.id ? made.info.id : c->directory);
	if (listen_to(c, err) < 0)
		return -1;
	c->cluster->make_file(c->cluster->self, c->directory_id, "file", answered, &file);
	if (!wait_for_answer(c, &file))
		return error_set(err, "no file can be made in %s: %s", c->directory, file.why);
	*out_id = str_copy(file.info.id);
	wait_for_quiet(c);
	return 0;
}

/* Everything below, then the directory itself: there are few, and not deep. */
static int remove_all(struct calibration *c, const char *id, struct error *err)
{
	AUTO_ANSWER listed = { 0 };
	AUTO_ANSWER removed = { 0 };

	c->cluster->list(c->cluster->self, id, NULL, answered, &listed);
	if (wait_for_answer(c, &listed))
		for (size_t i = 0; i < listed.count; i++)
			if (remove_all(c, listed.infos[i].id, err) < 0)
				return -1;
	c->cluster->remove(c->cluster->self, id, answered, &removed);
	if (!wait_for_answer(c, &removed) && removed.result != FILE_GONE)
		return error_set(err, "%s could not be removed and is left to you: %s",
				 c->directory, removed.why);
	return 0;
}

/* ---- All of it ---- */

static int open_all(struct calibration *c, struct error *err)
{
	uv_loop_init(&c->loop);
	uv_timer_init(&c->loop, &c->timer);
	c->timer.data = c;
	uv_timer_start(&c->timer, on_timer, 50, 50);
	list_init(&c->heard);
	list_init(&c->effects);
	if (http_open(&c->http, &c->loop, err) < 0)
		return -1;
	c->connection = connection_new(c->http, c->watch->on);
	c->cluster = connection_cluster(c->connection);
	c->host = (struct action_host){
		.self = c,
		.loop = &c->loop,
		.cluster = host_cluster,
		.expect = host_expect,
		.astray = host_astray,
		.arrived = host_arrived,
		.withdraw = host_withdraw,
		.finished = host_finished,
		.http = c->http,
	};
	return 0;
}

static void close_all(struct calibration *c)
{
	notify_cancel(c->notify);
	sse_free(c->sse);
	decoder_free(c->decoder);
	forget_all(c);
	connection_free(c->connection);
	if (c->http)
		http_close(c->http);
	uv_close((uv_handle_t *)&c->timer, NULL);
	uv_run(&c->loop, UV_RUN_DEFAULT);
	uv_loop_close(&c->loop);
	free(c->directory);
	free(c->directory_id);
	free(c->broken);
}

int calibrate_run(const struct settings *settings, const struct watch_settings *watch,
		  const char *directory,
		  void (*found)(void *ctx, const struct calibrated *calibrated), void *ctx,
		  struct error *err)
{
	struct calibration c = { .watch = watch, .parent = directory, .found = found, .ctx = ctx };
	AUTO(free) char *id = NULL;
	AUTO_ERROR left = { 0 };
	int rc = open_all(&c, err);

	if (rc == 0)
		rc = make_scene(&c, directory, &id, err);
	if (rc == 0)
		try_all(&c, id);
	if (rc == 0 && c.is_broken)
		rc = error_set(err, "the stream broke: %s",
			       c.broken ? c.broken : "too much at once");
	if (c.directory_id && remove_all(&c, c.directory_id, &left) < 0)
		rc = error_set(err, "%s%s%s", error_text(err), rc < 0 ? "; " : "",
			       error_text(&left));
	close_all(&c);
	return rc;
}
