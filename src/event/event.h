/*
 * event: one change in the cluster's file system, as a rule sees it.
 *
 * Types and their meaning: the 24 of Qumulo's Change Notify API (API facts, 17.5).
 */
#ifndef EVENT_EVENT_H
#define EVENT_EVENT_H

#include "base/error.h"
#include "base/text.h"

enum event_type {
	CHILD_FILE_ADDED,
	CHILD_DIR_ADDED,
	CHILD_FILE_REMOVED,
	CHILD_DIR_REMOVED,
	CHILD_FILE_MOVED_FROM,
	CHILD_FILE_MOVED_TO,
	CHILD_DIR_MOVED_FROM,
	CHILD_DIR_MOVED_TO,
	CHILD_BTIME_CHANGED,
	CHILD_MTIME_CHANGED,
	CHILD_ATIME_CHANGED,
	CHILD_SIZE_CHANGED,
	CHILD_EXTRA_ATTRS_CHANGED,
	CHILD_ACL_CHANGED,
	CHILD_OWNER_CHANGED,
	CHILD_GROUP_CHANGED,
	CHILD_DATA_WRITTEN,
	CHILD_STREAM_ADDED,
	CHILD_STREAM_REMOVED,
	CHILD_STREAM_MOVED_FROM,
	CHILD_STREAM_MOVED_TO,
	CHILD_STREAM_SIZE_CHANGED,
	CHILD_STREAM_DATA_WRITTEN,
	SELF_REMOVED,
	EVENT_TYPE_COUNT,
	EVENT_TYPE_UNKNOWN = EVENT_TYPE_COUNT /* a newer cluster's; kept, matched by `any` only */
};

/*
 * What an event is, as bits: bit n for type n, plus what pairing found out about a move. A rule's
 * `event` condition is a mask of these and is true when the two meet.
 */
typedef uint32_t event_kinds;
#define EVENT_KIND(type) ((event_kinds)1 << (type))
#define EVENT_RENAMED ((event_kinds)1 << 25)   /* a moved_to whose moved_from is known */
#define EVENT_MOVED_IN ((event_kinds)1 << 26)  /* a moved_to without moved_from */
#define EVENT_MOVED_OUT ((event_kinds)1 << 27) /* a moved_from without moved_to */
#define EVENT_ANY UINT32_MAX
#define EVENT_TYPES (EVENT_KIND(EVENT_TYPE_COUNT) - 1) /* all that are known */

enum origin {
	ORIGIN_LIVE,
	ORIGIN_REPAIR,
	ORIGIN_EXPANDED,
	ORIGIN_SCAN,
	ORIGIN_REPLAY,
	ORIGIN_COUNT
};

/* All texts are borrowed and valid UTF-8. */
struct event {
	enum event_type type;
	struct text type_name; /* as the cluster wrote it */
	event_kinds kinds;
	enum origin origin;
	struct text path;     /* absolute, without a slash at the end; "/" is the root */
	struct text old_path; /* of a paired rename, else empty */
	struct text file_id;  /* decimal, up to 39 digits: text, never a number; empty if unknown */
	struct text parent_id; /* empty if unknown */
	struct text stream;    /* empty: the default stream */
	struct text watch;     /* name of the watch that heard it */
	uint64_t seq;          /* of its record; 0 if it has none */
	uint32_t index;        /* in its message, from 0 */
	int64_t time_ms;       /* of receipt */
	bool path_is_lossy; /* had bytes that are not UTF-8, shown as U+FFFD: address by id only */
};

enum event_type event_type_parse(struct text name); /* EVENT_TYPE_UNKNOWN if it is none */
const char *event_type_name(enum event_type type);
/* Names of the types among kinds, with commas. For free(). */
char *event_types_join(event_kinds kinds);
bool event_type_is_directory(enum event_type type);              /* child_dir_* */
enum event_type event_type_moved_from(enum event_type moved_to); /* the other half, or UNKNOWN */

/*
 * The groups of watched_items.yml: created removed renamed moved_in moved_out written metadata
 * permissions any; or one type's full name. 0: no such name.
 */
event_kinds event_kinds_parse(struct text name);
/* Each group with what it means. */
void event_group_visit(void (*visit)(void *ctx, const char *name, event_kinds kinds,
				     const char *help),
		       void *ctx);
/* Every name event_kinds_parse knows, ended by NULL. */
const char *const *event_kind_names(void);

/*
 * Events that an action would cause, for the static loop check: of these kinds, at a place that is
 * known as far as the members say.
 */
struct event_effect {
	event_kinds kinds;
	char *path; /* for free() by the asker: events at or below this path; NULL: anywhere */
	bool same_directory; /* in the directory of the file that the rule matched */
	bool same_file;      /* at the path of the file that the rule matched */
	char *name;          /* the new last component, perhaps a glob like "*.done"; NULL: unknown.
				For free() */
	bool keeps_name;     /* the last component stays the matched file's */
	bool by_program;     /* unlike a module's own changes, these are not recognised as echoes */
	bool changes_tags;   /* user metadata of the file.. */
	char *tag_key;       /* ..of this key; NULL: unknown. For free() */
	char *tag_value;     /* which it has then; NULL: none. For free() */
};

const char *origin_name(enum origin origin);
bool origin_parse(struct text name, enum origin *out);

/* A deep copy in one piece of memory; free with free(). */
struct event *event_copy(const struct event *event);
/* {"type":..,"path":..,"old_path":..,"file_id":..,"parent_id":..,"stream":..,"origin":..,
 * "moved":"renamed"/"moved_in"/"moved_out","path_is_lossy":true,"watch":..,"seq":..,"index":..,
 * "time":"2026-..."}; what is empty is left out. For free(). */
char *event_to_json(const struct event *event);
/* From event_to_json's form, or from the cluster's own (relative path, spine). For free(). */
MUST_CHECK int event_from_json(struct event **out, struct text json, struct error *err);

#endif
