#include "event/by_hand.h"

#include <jansson.h>

#include "base/parse.h"

/* What a group's name stands for where only one type can be told. */
static const struct {
	const char *group, *file_type, *directory_type, *moved;
} guesses[] = {
	{ "created", "child_file_added", "child_dir_added", NULL },
	{ "removed", "child_file_removed", "child_dir_removed", NULL },
	{ "renamed", "child_file_moved_to", "child_dir_moved_to", "renamed" },
	{ "moved_in", "child_file_moved_to", "child_dir_moved_to", "moved_in" },
	{ "moved_out", "child_file_moved_from", "child_dir_moved_from", "moved_out" },
	{ "written", "child_data_written", "child_data_written", NULL },
	{ "metadata", "child_mtime_changed", "child_mtime_changed", NULL },
	{ "permissions", "child_acl_changed", "child_acl_changed", NULL },
};

static void free_json(json_t **place)
{
	json_decref(*place);
}

static int unknown_type(const char *name, struct error *err)
{
	const char *nearest = parse_nearest(text_of(name), event_kind_names());

	if (strcmp(name, "any") == 0)
		return error_set(err, "event 'any' is no event: name one, like created");
	if (nearest)
		return error_set(err, "event '%s': did you mean '%s'?", name, nearest);
	return error_set(err,
			 "event '%s': expected created, removed, renamed, moved_in, moved_out, "
			 "written, metadata, permissions, or a type like child_file_added",
			 name);
}

static int set_type(json_t *object, const char *name, bool is_directory, struct error *err)
{
	for (size_t i = 0; i < ARRAY_SIZE(guesses); i++) {
		if (strcmp(guesses[i].group, name) != 0)
			continue;
		json_object_set_new(object, "type",
				    json_string(is_directory ? guesses[i].directory_type
							     : guesses[i].file_type));
		if (guesses[i].moved)
			json_object_set_new(object, "moved", json_string(guesses[i].moved));
		return 0;
	}
	if (event_type_parse(text_of(name)) == EVENT_TYPE_UNKNOWN)
		return unknown_type(name, err);
	json_object_set_new(object, "type", json_string(name));
	return 0;
}

/* Makes a member that is a path absolute. */
static void set_path(json_t *object, const char *key, struct text directory)
{
	const char *path = json_string_value(json_object_get(object, key));
	AUTO(free) char *absolute = NULL;

	if (!path || !*path)
		return;
	absolute = path_join(*path == '/' ? TEXT("/") : directory, text_of(path));
	json_object_set_new(object, key, json_string(absolute));
}

static int complete(json_t *object, struct text directory, struct error *err)
{
	const char *name = json_string_value(json_object_get(object, "event"));
	const char *path = json_string_value(json_object_get(object, "path"));

	if (!name)
		name = json_string_value(json_object_get(object, "type"));
	if (!name || !*name)
		return error_set(err, "the event has no 'event': expected one like "
				      "{\"event\":\"created\",\"path\":\"/home/a.jpg\"}");
	if (!path || !*path)
		return error_set(err, "the event has no 'path': expected one like "
				      "{\"event\":\"created\",\"path\":\"/home/a.jpg\"}");
	if (set_type(object, name, path[strlen(path) - 1] == '/', err) < 0)
		return -1;
	set_path(object, "path", directory);
	set_path(object, "old_path", directory);
	return 0;
}

static int finish(struct event *event, struct error *err)
{
	const event_kinds pairing = EVENT_RENAMED | EVENT_MOVED_IN | EVENT_MOVED_OUT;

	if (event->kinds & EVENT_RENAMED && !event->old_path.size)
		return error_set(err, "a renamed file has an old path: expected a member "
				      "\"old_path\":\"/home/a.tmp\"");
	if (event->kinds & pairing)
		return 0;
	if (event_type_moved_from(event->type) != EVENT_TYPE_UNKNOWN)
		event->kinds |= EVENT_MOVED_IN;
	for (int type = 0; type < EVENT_TYPE_COUNT; type++)
		if (event_type_moved_from(type) == event->type)
			event->kinds |= EVENT_MOVED_OUT;
	return 0;
}

int event_by_hand(struct event **out, struct text json, struct text directory, struct error *err)
{
	json_error_t problem;
	__attribute__((cleanup(free_json))) json_t *whole =
		json_loadb(json.data ? json.data : "", json.size,
			   JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, &problem);
	json_t *object = whole;
	struct event *event;

	if (!whole)
		return error_set(err, "not JSON: %s at column %d", problem.text, problem.column);
	/* The cluster's messages are lists. */
	if (json_array_size(whole) == 1)
		object = json_array_get(whole, 0);
	if (!json_is_object(object))
		return error_set(err, "expected one event, like "
				      "{\"event\":\"created\",\"path\":\"/home/a.jpg\"}");
	if (complete(object, directory, err) < 0)
		return -1;

	AUTO(free) char *text = json_dumps(object, JSON_COMPACT);

	if (event_from_json(&event, text_of(text), err) < 0)
		return -1;
	if (finish(event, err) < 0) {
		free(event);
		return -1;
	}
	*out = event;
	return 0;
}
