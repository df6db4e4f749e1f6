#include "app/job.h"

#include "base/buf.h"
#include "base/clock.h"

static void free_json(json_t **place)
{
	json_decref(*place);
}

#define AUTO_JSON __attribute__((cleanup(free_json))) json_t

static json_t *text_json(const char *text)
{
	return json_string(text ? text : "");
}

static json_t *load(const char *text)
{
	return text ? json_loads(text, JSON_DECODE_ANY, NULL) : NULL;
}

char *job_body_new(const struct rule *rule, const char *rules_digest, const struct event *event)
{
	return job_body_new_with(rule, rules_digest, event, rule->mode, NULL, NULL);
}

static json_t *steps_json(const struct rule *rule, size_t after);

static json_t *step_of_rule(const struct rule *rule, size_t index)
{
	const struct rule_step *from = &rule->steps[index];
	json_t *options = load(from->options);
	json_t *step = json_object();

	json_object_set_new(step, "module", text_json(from->module));
	if (from->name)
		json_object_set_new(step, "name", text_json(from->name));
	json_object_set_new(step, "options", options ? options : json_object());
	if (from->dry_run)
		json_object_set_new(step, "dry_run", json_true());
	if (from->approve_ms)
		json_object_set_new(step, "approve_ms", json_integer(from->approve_ms));
	if (from->attempts)
		json_object_set_new(step, "attempts", json_integer(from->attempts));
	if (from->back_off_ms)
		json_object_set_new(step, "back_off_ms", json_integer(from->back_off_ms));
	if (from->concurrency)
		json_object_set_new(step, "concurrency", json_integer(from->concurrency));
	if (from->on_error == STEP_CONTINUE)
		json_object_set_new(step, "on_error", json_string("continue"));
	else if (from->on_error == STEP_STEPS)
		json_object_set_new(step, "on_error", steps_json(rule, index + 1));
	return step;
}

/* after: STEP_OF_THE_RULE, or the number of the step whose failure they follow. */
static json_t *steps_json(const struct rule *rule, size_t after)
{
	json_t *steps = json_array();

	for (size_t i = 0; i < rule->step_count; i++)
		if (rule->steps[i].after == after)
			json_array_append_new(steps, step_of_rule(rule, i));
	return steps;
}

char *job_body_new_with(const struct rule *rule, const char *rules_digest,
			const struct event *event, enum rule_mode mode, json_t *results,
			const char *stopped)
{
	AUTO_JSON *body = json_object();
	AUTO(free) char *event_text = event_to_json(event);

	json_object_set_new(body, "rule", text_json(rule->name));
	json_object_set_new(body, "rules", text_json(rules_digest));
	json_object_set_new(
		body, "watch",
		json_stringn(event->watch.data ? event->watch.data : "", event->watch.size));
	json_object_set_new(body, "mode",
			    json_string(mode == RULE_DRY_RUN ? "dry_run" : "enforce"));
	json_object_set_new(body, "event", load(event_text));
	json_object_set_new(body, "steps", steps_json(rule, STEP_OF_THE_RULE));
	json_object_set_new(body, "step", json_integer(0));
	if (json_object_size(results))
		json_object_set(body, "results", results);
	if (stopped)
		json_object_set_new(body, "stopped", text_json(stopped));
	return json_dumps(body, JSON_COMPACT);
}

char *job_body_take_stop(struct job_body *body)
{
	char *why = str_copy(json_string_value(json_object_get(body->json, "stopped")));

	json_object_del(body->json, "stopped");
	return why;
}

/* ---- Reading ---- */

/* A member that is an object, made if it is absent. */
static json_t *member_object(json_t *json, const char *name)
{
	json_t *object = json_object_get(json, name);

	if (!json_is_object(object)) {
		object = json_object();
		json_object_set_new(json, name, object);
	}
	return object;
}

static int read_body(struct job_body *body, struct error *err)
{
	AUTO(free) char *event = NULL;
	json_t *steps = json_object_get(body->json, "steps");
	json_int_t step = json_integer_value(json_object_get(body->json, "step"));

	if (!json_is_object(body->json))
		return error_set(err, "not a JSON object");
	body->rule = json_string_value(json_object_get(body->json, "rule"));
	body->watch = json_string_value(json_object_get(body->json, "watch"));
	if (!body->rule || !body->watch || !json_is_array(steps))
		return error_set(err, "expected the members rule, watch and steps");
	body->step_count = json_array_size(steps);
	if (step < 0 || (size_t)step > body->step_count)
		return error_set(err, "step %lld of %zu", (long long)step, body->step_count);
	body->step = (unsigned)step;
	for (size_t i = 0; i < body->step_count; i++)
		if (!json_is_string(json_object_get(json_array_get(steps, i), "module")))
			return error_set(err, "step %zu has no module", i);
	body->is_dry_run =
		json_is_string(json_object_get(body->json, "mode")) &&
		strcmp(json_string_value(json_object_get(body->json, "mode")), "dry_run") == 0;
	event = json_dumps(json_object_get(body->json, "event"), JSON_COMPACT);
	if (event_from_json(&body->event, text_of(event), err) < 0)
		return error_prefix(err, "event");
	body->memory = member_object(body->json, "memory");
	body->results = member_object(body->json, "results");
	return 0;
}

int job_body_read(struct job_body *out, const char *text, struct error *err)
{
	struct job_body body = { .json = load(text) };

	if (read_body(&body, err) < 0) {
		job_body_clear(&body);
		return error_prefix(err, "the job's body cannot be read");
	}
	*out = body;
	return 0;
}

void job_body_clear(struct job_body *body)
{
	json_decref(body->json);
	free(body->event);
	*body = (struct job_body){ 0 };
}

char *job_body_text(const struct job_body *body)
{
	return json_dumps(body->json, JSON_COMPACT);
}

static json_t *step_json(const struct job_body *body)
{
	return json_array_get(json_object_get(body->json, "steps"), body->step);
}

const char *job_body_module(const struct job_body *body)
{
	return json_string_value(json_object_get(step_json(body), "module"));
}

char *job_body_options(const struct job_body *body)
{
	json_t *options = json_object_get(step_json(body), "options");
	/* Sorted, so that equal options are one entry of the cache of open actions. */
	char *text = options ? json_dumps(options, JSON_COMPACT | JSON_ENCODE_ANY | JSON_SORT_KEYS)
			     : NULL;

	return text ? text : str_copy("{}");
}

/* ---- Progress ---- */

static json_t *log_of(struct job_body *body)
{
	json_t *log = json_object_get(body->json, "log");

	if (!json_is_array(log)) {
		log = json_array();
		json_object_set_new(body->json, "log", log);
	}
	return log;
}

void job_body_note(struct job_body *body, const char *outcome, const char *why, unsigned attempts,
		   int64_t now_ms)
{
	json_t *log = log_of(body);
	size_t count = json_array_size(log);
	json_t *last = json_array_get(log, count ? count - 1 : 0);
	AUTO(free) char *time = clock_format(now_ms);
	json_t *entry = json_object();

	json_object_set_new(entry, "step", json_integer(body->step));
	json_object_set_new(entry, "module", text_json(job_body_module(body)));
	json_object_set_new(entry, "outcome", text_json(outcome));
	if (why)
		json_object_set_new(entry, "why", text_json(why));
	json_object_set_new(entry, "attempts", json_integer(attempts));
	if (job_body_failure(body))
		json_object_set_new(entry, "on_error", json_true());
	json_object_set_new(entry, "time", text_json(time));
	if (last && json_integer_value(json_object_get(last, "step")) == body->step)
		json_array_set_new(log, count - 1, entry);
	else
		json_array_append_new(log, entry);
}

static void set_step(struct job_body *body, unsigned step)
{
	body->step = step;
	json_object_set_new(body->json, "step", json_integer(step));
}

static void keep_undo(struct job_body *body, json_t *result)
{
	json_t *undo = json_object_get(result, "undo"), *list = json_object_get(body->json, "undo");
	json_t *change_time = json_object_get(result, "change_time");

	if (!undo)
		return;
	json_object_set_new(undo, "step", json_integer(body->step));
	json_object_set_new(undo, "path", json_string(job_body_path(body)));
	if (change_time)
		json_object_set(undo, "change_time", change_time);
	if (!list)
		json_object_set_new(body->json, "undo", list = json_array());
	json_array_append(list, undo);
	json_object_del(result, "undo");
}

void job_body_next_step(struct job_body *body, json_t *result)
{
	keep_undo(body, result);
	json_object_set(body->results, job_body_module(body), result);
	json_object_set_new(body->json, "memory", json_object());
	body->memory = json_object_get(body->json, "memory");
	set_step(body, body->step + 1);
	job_body_end_waits(body);
}

char *job_body_summary(const struct job_body *body)
{
	AUTO(buf_free) struct buf *text = buf_new(SIZE_MAX / 2);
	json_t *log = json_object_get(body->json, "log");

	for (size_t i = 0; i < json_array_size(log); i++) {
		json_t *entry = json_array_get(log, i);
		const char *module = json_string_value(json_object_get(entry, "module"));
		const char *why = json_string_value(json_object_get(entry, "why"));

		if (!buf_print(text, "%s%s: %s", i ? "; " : "", module ? module : "?",
			       why ? why : "done"))
			abort(); /* the limit is beyond memory */
	}
	return buf_take(text);
}

/* ---- Steps that fail ---- */

bool job_body_is_step_dry_run(const struct job_body *body)
{
	return body->is_dry_run || json_is_true(json_object_get(step_json(body), "dry_run"));
}

static int64_t step_number(const struct job_body *body, const char *name, int64_t standard)
{
	json_int_t number = json_integer_value(json_object_get(step_json(body), name));

	return number > 0 ? number : standard;
}

int64_t job_body_attempts(const struct job_body *body, int64_t standard)
{
	return step_number(body, "attempts", standard);
}

int64_t job_body_back_off(const struct job_body *body, int64_t standard)
{
	return step_number(body, "back_off_ms", standard);
}

int64_t job_body_concurrency(const struct job_body *body)
{
	return step_number(body, "concurrency", 0);
}

enum step_on_error job_body_on_error(const struct job_body *body)
{
	const json_t *on_error = json_object_get(step_json(body), "on_error");

	if (json_is_array(on_error))
		return STEP_STEPS;
	return json_is_string(on_error) ? STEP_CONTINUE : STEP_STOP;
}

void job_body_fail(struct job_body *body, const char *why, unsigned attempts)
{
	json_t *steps = json_object_get(body->json, "steps");
	json_t *after = json_incref(json_object_get(step_json(body), "on_error"));
	const char *module = job_body_module(body);
	json_t *error = json_pack("{s:s,s:s}", "module", module ? module : "?", "why", why);
	json_t *failed =
		json_pack("{s:i,s:s,s:i,s:O,s:O}", "step", (int)body->step, "why", why, "attempts",
			  (int)attempts, "steps", steps, "memory", body->memory);
	json_t *all = json_array();

	/* What was done before keeps its place in the list, and so in the log. */
	for (size_t i = 0; i <= body->step; i++)
		json_array_append(all, json_array_get(steps, i));
	json_array_extend(all, after);
	json_decref(after);
	json_object_set_new(body->json, "failed", failed);
	json_object_set_new(body->json, "steps", all);
	json_object_set_new(body->results, "error", error);
	body->step_count = json_array_size(all);
	json_object_set_new(body->json, "memory", json_object());
	body->memory = json_object_get(body->json, "memory");
	set_step(body, body->step + 1);
	job_body_end_waits(body);
}

const char *job_body_failure(const struct job_body *body)
{
	return json_string_value(json_object_get(json_object_get(body->json, "failed"), "why"));
}

unsigned job_body_back_to_failure(struct job_body *body)
{
	json_t *failed = json_incref(json_object_get(body->json, "failed"));
	unsigned attempts = (unsigned)json_integer_value(json_object_get(failed, "attempts"));
	json_t *steps = json_object_get(failed, "steps");

	json_object_set(body->json, "steps", steps);
	json_object_set(body->json, "memory", json_object_get(failed, "memory"));
	body->memory = json_object_get(body->json, "memory");
	body->step_count = json_array_size(steps);
	set_step(body, (unsigned)json_integer_value(json_object_get(failed, "step")));
	json_object_del(body->json, "failed");
	json_decref(failed);
	return attempts;
}

/* ---- Where the file is ---- */

const char *job_body_path(const struct job_body *body)
{
	const char *path = json_string_value(json_object_get(body->json, "path"));

	/* A copied event's texts are ended by NUL only by chance, hence from the JSON. */
	if (!path)
		path = json_string_value(
			json_object_get(json_object_get(body->json, "event"), "path"));
	return path ? path : "";
}

void job_body_set_path(struct job_body *body, const char *path)
{
	json_object_set_new(body->json, "path", text_json(path));
}

const char *job_body_first_path(const struct job_body *body)
{
	return json_string_value(json_object_get(body->json, "first_path"));
}

void job_body_move_event(struct job_body *body, const char *path)
{
	struct event moved = *body->event;
	AUTO(free) char *text = NULL;

	if (!job_body_first_path(body))
		json_object_set_new(body->json, "first_path",
				    json_stringn(moved.path.data, moved.path.size));
	moved.path = text_of(path);
	moved.parent_id = TEXT_NONE; /* most likely another one */
	text = event_to_json(&moved);
	json_object_set_new(body->json, "event", load(text));
	struct event *fresh = event_copy(&moved); /* moved still points into the old one */

	free(body->event);
	body->event = fresh;
	job_body_set_path(body, path);
}

bool job_body_remembers(const struct job_body *body, const char *text)
{
	const char *key;
	json_t *value;

	json_object_foreach(body->memory, key,
			    value) if (json_is_string(value) &&
				       strcmp(json_string_value(value), text) == 0) return true;
	return false;
}

unsigned job_body_count_wait(struct job_body *body)
{
	json_int_t waits = json_integer_value(json_object_get(body->json, "waits")) + 1;

	json_object_set_new(body->json, "waits", json_integer(waits));
	return (unsigned)waits;
}

void job_body_end_waits(struct job_body *body)
{
	json_object_del(body->json, "waits");
}
