#include "event/event.h"

#include <jansson.h>

#include "base/buf.h"
#include "base/clock.h"

static const struct text type_names[EVENT_TYPE_COUNT + 1] = {
	[CHILD_FILE_ADDED] = TEXT("child_file_added"),
	[CHILD_DIR_ADDED] = TEXT("child_dir_added"),
	[CHILD_FILE_REMOVED] = TEXT("child_file_removed"),
	[CHILD_DIR_REMOVED] = TEXT("child_dir_removed"),
	[CHILD_FILE_MOVED_FROM] = TEXT("child_file_moved_from"),
	[CHILD_FILE_MOVED_TO] = TEXT("child_file_moved_to"),
	[CHILD_DIR_MOVED_FROM] = TEXT("child_dir_moved_from"),
	[CHILD_DIR_MOVED_TO] = TEXT("child_dir_moved_to"),
	[CHILD_BTIME_CHANGED] = TEXT("child_btime_changed"),
	[CHILD_MTIME_CHANGED] = TEXT("child_mtime_changed"),
	[CHILD_ATIME_CHANGED] = TEXT("child_atime_changed"),
	[CHILD_SIZE_CHANGED] = TEXT("child_size_changed"),
	[CHILD_EXTRA_ATTRS_CHANGED] = TEXT("child_extra_attrs_changed"),
	[CHILD_ACL_CHANGED] = TEXT("child_acl_changed"),
	[CHILD_OWNER_CHANGED] = TEXT("child_owner_changed"),
	[CHILD_GROUP_CHANGED] = TEXT("child_group_changed"),
	[CHILD_DATA_WRITTEN] = TEXT("child_data_written"),
	[CHILD_STREAM_ADDED] = TEXT("child_stream_added"),
	[CHILD_STREAM_REMOVED] = TEXT("child_stream_removed"),
	[CHILD_STREAM_MOVED_FROM] = TEXT("child_stream_moved_from"),
	[CHILD_STREAM_MOVED_TO] = TEXT("child_stream_moved_to"),
	[CHILD_STREAM_SIZE_CHANGED] = TEXT("child_stream_size_changed"),
	[CHILD_STREAM_DATA_WRITTEN] = TEXT("child_stream_data_written"),
	[SELF_REMOVED] = TEXT("self_removed"),
	[EVENT_TYPE_UNKNOWN] = TEXT("unknown"),
};

/* Alternate data streams are in no group but `any`: who means them says so by the type's name. */
static const struct {
	struct text name;
	event_kinds kinds;
	const char *help;
} groups[] = {
	{ TEXT("created"), EVENT_KIND(CHILD_FILE_ADDED) | EVENT_KIND(CHILD_DIR_ADDED),
	  "a file or directory was created" },
	{ TEXT("removed"), EVENT_KIND(CHILD_FILE_REMOVED) | EVENT_KIND(CHILD_DIR_REMOVED),
	  "it was removed" },
	{ TEXT("renamed"), EVENT_RENAMED, "it was renamed, or moved within what is watched" },
	{ TEXT("moved_in"), EVENT_MOVED_IN, "it came from a place that is not watched" },
	{ TEXT("moved_out"), EVENT_MOVED_OUT, "it went to a place that is not watched" },
	{ TEXT("written"), EVENT_KIND(CHILD_DATA_WRITTEN) | EVENT_KIND(CHILD_SIZE_CHANGED),
	  "its content or its size changed" },
	{ TEXT("metadata"),
	  EVENT_KIND(CHILD_BTIME_CHANGED) | EVENT_KIND(CHILD_MTIME_CHANGED) |
		  EVENT_KIND(CHILD_ATIME_CHANGED) | EVENT_KIND(CHILD_EXTRA_ATTRS_CHANGED) |
		  EVENT_KIND(CHILD_ACL_CHANGED) | EVENT_KIND(CHILD_OWNER_CHANGED) |
		  EVENT_KIND(CHILD_GROUP_CHANGED),
	  "its times, attributes, owner, group or permissions changed" },
	{ TEXT("permissions"),
	  EVENT_KIND(CHILD_ACL_CHANGED) | EVENT_KIND(CHILD_OWNER_CHANGED) |
		  EVENT_KIND(CHILD_GROUP_CHANGED),
	  "its owner, group or permissions changed" },
	{ TEXT("any"), EVENT_ANY, "any event, also of a type that this version does not know" },
};

static const char *const origin_names[ORIGIN_COUNT] = { "live", "repair", "expanded", "scan",
							"replay" };

enum event_type event_type_parse(struct text name)
{
	/* One vendor page writes the singular. */
	if (text_is(name, "child_size_change"))
		return CHILD_SIZE_CHANGED;
	for (int type = 0; type < EVENT_TYPE_COUNT; type++)
		if (text_equal(type_names[type], name))
			return type;
	return EVENT_TYPE_UNKNOWN;
}

const char *event_type_name(enum event_type type)
{
	return type_names[type <= EVENT_TYPE_UNKNOWN ? type : EVENT_TYPE_UNKNOWN].data;
}

char *event_types_join(event_kinds kinds)
{
	AUTO(buf_free) struct buf *names = buf_new(4096);

	for (unsigned type = 0; type < EVENT_TYPE_COUNT; type++)
		if (kinds & EVENT_KIND(type))
			(void)!buf_print(names, "%s%s", names->size ? "," : "",
					 event_type_name(type));
	return text_copy(buf_text(names));
}

bool event_type_is_directory(enum event_type type)
{
	return type == CHILD_DIR_ADDED || type == CHILD_DIR_REMOVED ||
	       type == CHILD_DIR_MOVED_FROM || type == CHILD_DIR_MOVED_TO;
}

enum event_type event_type_moved_from(enum event_type moved_to)
{
	switch (moved_to) {
	case CHILD_FILE_MOVED_TO:
		return CHILD_FILE_MOVED_FROM;
	case CHILD_DIR_MOVED_TO:
		return CHILD_DIR_MOVED_FROM;
	case CHILD_STREAM_MOVED_TO:
		return CHILD_STREAM_MOVED_FROM;
	default:
		return EVENT_TYPE_UNKNOWN;
	}
}

event_kinds event_kinds_parse(struct text name)
{
	for (size_t i = 0; i < ARRAY_SIZE(groups); i++)
		if (text_equal(groups[i].name, name))
			return groups[i].kinds;

	enum event_type type = event_type_parse(name);

	return type == EVENT_TYPE_UNKNOWN ? 0 : EVENT_KIND(type);
}

void event_group_visit(void (*visit)(void *ctx, const char *name, event_kinds kinds,
				     const char *help),
		       void *ctx)
{
	for (size_t i = 0; i < ARRAY_SIZE(groups); i++)
		visit(ctx, groups[i].name.data, groups[i].kinds, groups[i].help);
}

const char *const *event_kind_names(void)
{
	static const char *const names[] = {
		"created",
		"removed",
		"renamed",
		"moved_in",
		"moved_out",
		"written",
		"metadata",
		"permissions",
		"any",
		"child_file_added",
		"child_dir_added",
		"child_file_removed",
		"child_dir_removed",
		"child_file_moved_from",
		"child_file_moved_to",
		"child_dir_moved_from",
		"child_dir_moved_to",
		"child_btime_changed",
		"child_mtime_changed",
		"child_atime_changed",
		"child_size_changed",
		"child_extra_attrs_changed",
		"child_acl_changed",
		"child_owner_changed",
		"child_group_changed",
		"child_data_written",
		"child_stream_added",
		"child_stream_removed",
		"child_stream_moved_from",
		"child_stream_moved_to",
		"child_stream_size_changed",
		"child_stream_data_written",
		"self_removed",
		NULL,
	};

	return names;
}

const char *origin_name(enum origin origin)
{
	return origin < ORIGIN_COUNT ? origin_names[origin] : "unknown";
}

bool origin_parse(struct text name, enum origin *out)
{
	for (int origin = 0; origin < ORIGIN_COUNT; origin++) {
		if (text_is(name, origin_names[origin])) {
			*out = origin;
			return true;
		}
	}
	return false;
}

struct event *event_copy(const struct event *event)
{
	struct event draft = *event;
	struct text *texts[] = { &draft.type_name, &draft.path,   &draft.old_path, &draft.file_id,
				 &draft.parent_id, &draft.stream, &draft.watch };
	size_t size = sizeof(draft);

	for (size_t i = 0; i < ARRAY_SIZE(texts); i++)
		size += texts[i]->size + 1;

	struct event *copy = mem_new(size);
	char *at = (char *)(copy + 1);

	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		if (texts[i]->size)
			memcpy(at, texts[i]->data, texts[i]->size);
		texts[i]->data = at;
		at += texts[i]->size + 1;
	}
	*copy = draft;
	return copy;
}

/* ---- JSON ---- */

static void add_text(json_t *object, const char *key, struct text value)
{
	if (value.size)
		json_object_set_new_nocheck(object, key,
					    json_stringn_nocheck(value.data, value.size));
}

/* What pairing found out: it cannot be told from the other members. */
static const char *move_name(event_kinds kinds)
{
	return kinds & EVENT_RENAMED     ? "renamed"
	       : kinds & EVENT_MOVED_IN  ? "moved_in"
	       : kinds & EVENT_MOVED_OUT ? "moved_out"
					 : NULL;
}

char *event_to_json(const struct event *event)
{
	json_t *object = json_object();
	const char *move = move_name(event->kinds);

	add_text(object, "type",
		 event->type_name.size ? event->type_name : text_of(event_type_name(event->type)));
	add_text(object, "path", event->path);
	add_text(object, "old_path", event->old_path);
	add_text(object, "file_id", event->file_id);
	add_text(object, "parent_id", event->parent_id);
	add_text(object, "stream", event->stream);
	if (move)
		json_object_set_new_nocheck(object, "moved", json_string_nocheck(move));
	if (event->path_is_lossy)
		json_object_set_new_nocheck(object, "path_is_lossy", json_true());
	add_text(object, "origin", text_of(origin_name(event->origin)));
	add_text(object, "watch", event->watch);
	if (event->seq) {
		json_object_set_new_nocheck(object, "seq", json_integer((json_int_t)event->seq));
		json_object_set_new_nocheck(object, "index", json_integer(event->index));
	}
	if (event->time_ms) {
		AUTO(free) char *time = clock_format(event->time_ms);

		add_text(object, "time", text_of(time));
	}

	char *text = json_dumps(object, JSON_COMPACT);

	json_decref(object);
	return text ? text : str_copy("{}");
}

static void free_json(json_t **place)
{
	json_decref(*place);
}

/* A member's text; empty if it is absent or null. -1: of another type. */
static int get_text(const json_t *object, const char *key, struct text *out, struct error *err)
{
	const json_t *value = json_object_get(object, key);

	*out = TEXT_NONE;
	if (!value || json_is_null(value))
		return 0;
	if (!json_is_string(value))
		return error_set(err, "member '%s' of the event: expected a string", key);
	*out = (struct text){ json_string_value(value), json_string_length(value) };
	return 0;
}

/* The cluster's spine: ids as strings, perhaps as numbers. *out for free(), NULL if there is none.
 */
static char *spine_id(const json_t *object, size_t from_end)
{
	const json_t *spine = json_object_get(object, "spine");
	size_t count = json_array_size(spine);

	if (count < from_end)
		return NULL;

	const json_t *id = json_array_get(spine, count - from_end);

	if (json_is_integer(id))
		return str_format("%" JSON_INTEGER_FORMAT, json_integer_value(id));
	return str_copy(json_string_value(id));
}

static int get_move(const json_t *object, struct event *event, struct error *err)
{
	struct text moved;

	if (get_text(object, "moved", &moved, err) < 0)
		return -1;
	if (moved.size) {
		event_kinds kinds = event_kinds_parse(moved);

		if (!move_name(kinds) || kinds == EVENT_ANY)
			return error_set(err,
					 "member 'moved': expected renamed, moved_in or moved_out, "
					 "not '%.*s'",
					 TEXT_ARGS(moved));
		event->kinds |= kinds;
	} else if (event->old_path.size &&
		   event_type_moved_from(event->type) != EVENT_TYPE_UNKNOWN) {
		event->kinds |= EVENT_RENAMED;
	}
	return 0;
}

static int get_place(const json_t *object, struct event *event, struct error *err)
{
	const json_t *seq = json_object_get(object, "seq");
	const json_t *index = json_object_get(object, "index");
	struct text origin, time;

	if ((seq && (!json_is_integer(seq) || json_integer_value(seq) < 0)) ||
	    (index && (!json_is_integer(index) || json_integer_value(index) < 0 ||
		       json_integer_value(index) > UINT32_MAX)))
		return error_set(err, "members 'seq' and 'index': expected whole numbers");
	event->seq = (uint64_t)json_integer_value(seq);
	event->index = (uint32_t)json_integer_value(index);
	if (get_text(object, "origin", &origin, err) < 0 ||
	    get_text(object, "time", &time, err) < 0)
		return -1;
	if (origin.size && !origin_parse(origin, &event->origin))
		return error_set(err, "member 'origin': '%.*s' is none", TEXT_ARGS(origin));
	if (time.size && !clock_parse(time.data, &event->time_ms))
		return error_set(err, "member 'time': expected a time like 2026-11-22T17:08:09Z");
	return 0;
}

static int from_object(struct event **out, const json_t *object, struct error *err)
{
	struct event event = { 0 };
	struct text path;

	if (!json_is_object(object))
		return error_set(err, "expected an event: a JSON object");
	if (get_text(object, "type", &event.type_name, err) < 0 ||
	    get_text(object, "path", &path, err) < 0 ||
	    get_text(object, "old_path", &event.old_path, err) < 0 ||
	    get_text(object, "file_id", &event.file_id, err) < 0 ||
	    get_text(object, "parent_id", &event.parent_id, err) < 0 ||
	    get_text(object, "stream", &event.stream, err) < 0 ||
	    get_text(object, "watch", &event.watch, err) < 0)
		return -1;
	if (!event.stream.size && get_text(object, "stream_name", &event.stream, err) < 0)
		return -1;
	if (!event.type_name.size)
		return error_set(err, "the event has no type");

	AUTO(free) char *absolute = path_join(TEXT("/"), path);
	AUTO(free) char *id = spine_id(object, 1);
	AUTO(free) char *parent = spine_id(object, 2);

	event.path = text_of(absolute);
	if (!event.file_id.size)
		event.file_id = text_of(id);
	if (!event.parent_id.size)
		event.parent_id = text_of(parent);
	event.type = event_type_parse(event.type_name);
	event.kinds = EVENT_KIND(event.type);
	event.path_is_lossy = json_is_true(json_object_get(object, "path_is_lossy"));
	if (get_move(object, &event, err) < 0 || get_place(object, &event, err) < 0)
		return -1;
	*out = event_copy(&event);
	return 0;
}

int event_from_json(struct event **out, struct text json, struct error *err)
{
	json_error_t problem;
	__attribute__((cleanup(free_json))) json_t *object =
		json_loadb(json.data ? json.data : "", json.size, 0, &problem);

	if (!object)
		return error_set(err, "not JSON: %s", problem.text);
	return from_object(out, object, err);
}
