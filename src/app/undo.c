#include "app/undo.h"

#include <inttypes.h>

#include "base/buf.h"

static const char *text_at(const json_t *object, const char *name)
{
	return json_string_value(json_object_get(object, name));
}

static json_t *undo_list(const json_t *body)
{
	return json_object_get(body, "undo");
}

static void add(struct buf *list, const char *between, const char *text)
{
	if (!buf_print(list, "%s%s", list->size ? between : "", text))
		abort(); /* the limit is beyond memory */
}

/* ---- What can be taken back ---- */

static bool is_planned(const json_t *body)
{
	const char *mode = text_at(body, "mode");

	return mode && strcmp(mode, "dry_run") == 0;
}

char *undo_obstacle(const json_t *body)
{
	AUTO(free) char *rest = NULL;

	if (json_array_size(undo_list(body)))
		return NULL;
	if (is_planned(body))
		return str_copy("it was a dry run and did nothing");
	rest = undo_rest(body);
	return rest ? str_format("%s cannot be taken back", rest)
		    : str_copy("it changed nothing that could be taken back");
}

char *undo_what(const json_t *body)
{
	AUTO(buf_free) struct buf *text = buf_new(SIZE_MAX / 2);
	const json_t *list = undo_list(body);

	for (size_t i = json_array_size(list); i-- > 0;) {
		const char *what = text_at(json_array_get(list, i), "what");

		add(text, ", ", what ? what : "?");
	}
	return buf_take(text);
}

static bool is_undoable(const json_t *body, json_int_t step)
{
	const json_t *list = undo_list(body);

	for (size_t i = 0; i < json_array_size(list); i++)
		if (json_integer_value(json_object_get(json_array_get(list, i), "step")) == step)
			return true;
	return false;
}

/* A step that found nothing to do has left nothing to take back either. */
static bool has_done_something(const json_t *entry)
{
	const char *outcome = text_at(entry, "outcome"), *why = text_at(entry, "why");

	return outcome && strcmp(outcome, "done") == 0 &&
	       !(why && text_starts_with(text_of(why), TEXT("nothing to do")));
}

char *undo_rest(const json_t *body)
{
	AUTO(buf_free) struct buf *text = buf_new(SIZE_MAX / 2);
	const json_t *log = json_object_get(body, "log");

	for (size_t i = 0; i < json_array_size(log); i++) {
		const json_t *entry = json_array_get(log, i);
		const char *module = text_at(entry, "module");

		if (module && has_done_something(entry) &&
		    !is_undoable(body, json_integer_value(json_object_get(entry, "step"))))
			add(text, ", ", module);
	}
	return text->size ? buf_take(text) : NULL;
}

/* ---- The job ---- */

/* The event of the job, at the place where the file is by now. */
static json_t *event_at(const json_t *body, const char *path)
{
	json_t *event = json_deep_copy(json_object_get(body, "event"));

	if (path)
		json_object_set_new(event, "path", json_string(path));
	json_object_del(event, "parent_id"); /* most likely another one */
	json_object_del(event, "old_path");
	return event;
}

static json_t *steps_of(const json_t *list)
{
	json_t *steps = json_array();

	for (size_t i = json_array_size(list); i-- > 0;) {
		const json_t *undo = json_array_get(list, i);

		json_array_append_new(steps, json_pack("{s:O,s:O}", "module",
						       json_object_get(undo, "module"), "options",
						       json_object_get(undo, "options")));
	}
	return steps;
}

char *undo_body_new(const json_t *body, uint64_t job, bool anyway)
{
	const json_t *list = undo_list(body);
	const json_t *last = json_array_get(list, json_array_size(list) - 1);
	json_t *undoes = json_pack("{s:I}", "job", (json_int_t)job);
	json_t *undo = json_pack("{s:o,s:o,s:o,s:i,s:s}", "undoes", undoes, "steps", steps_of(list),
				 "event", event_at(body, text_at(last, "path")), "step", 0, "mode",
				 "enforce");
	static const char *const kept[] = { "rule", "rules", "watch" };
	static const char *const state[] = { "path", "change_time" };
	char *text;

	for (size_t i = 0; i < ARRAY_SIZE(kept); i++)
		json_object_set(undo, kept[i], json_object_get(body, kept[i]));
	for (size_t i = 0; i < ARRAY_SIZE(state) && !anyway; i++)
		if (json_object_get(last, state[i]))
			json_object_set(undoes, state[i], json_object_get(last, state[i]));
	text = json_dumps(undo, JSON_COMPACT);
	json_decref(undo);
	return text;
}

uint64_t undo_job(const json_t *body)
{
	return (uint64_t)json_integer_value(
		json_object_get(json_object_get(body, "undoes"), "job"));
}

char *undo_refusal(const struct job_body *body, const struct file_info *file)
{
	const json_t *undoes = json_object_get(body->json, "undoes");
	const char *path = text_at(undoes, "path"), *time = text_at(undoes, "change_time");

	/* Once it has begun, the changes are its own. */
	if (!undoes || body->step || json_object_size(body->memory))
		return NULL;
	if (path && strcmp(path, file->path) != 0)
		return str_format("job %" PRIu64 " left it at %s, and it is at %s now",
				  undo_job(body->json), path, file->path);
	if (time && *time && strcmp(time, file->change_time) != 0)
		return str_format("it was changed at %s, after job %" PRIu64
				  " (--force takes back what that job did all the same)",
				  file->change_time, undo_job(body->json));
	return NULL;
}
