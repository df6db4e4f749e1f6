/*
 * switches: what a real cluster does is not known in every point (API facts, section 21); each such
 * point is a switch, set by --switch NAME=VALUE or at run time by PUT /sim/switches.
 */
#ifndef SIMULATOR_SWITCHES_H
#define SIMULATOR_SWITCHES_H

#include <jansson.h>

#include "base/error.h"
#include "base/text.h"

enum switch_id {
	SWITCH_OVERFLOW,
	SWITCH_QUEUE_LIMIT,
	SWITCH_RECURSIVE_MODE,
	SWITCH_RECURSIVE_DISABLED,
	SWITCH_RECURSIVE_PRIVILEGE,
	SWITCH_MISMATCH_CLASS,
	SWITCH_MISSING_PRIVILEGE,
	SWITCH_BAD_PASSWORD,
	SWITCH_UNAUTHORIZED_BODY,
	SWITCH_KEEP_ALIVE,
	SWITCH_WATCHING_TEXT,
	SWITCH_SPINE,
	SWITCH_MEMBER_ORDER,
	SWITCH_MERGE,
	SWITCH_MESSAGE_EVENTS,
	SWITCH_PARENT_MTIME,
	SWITCH_NFS_CREATE_NOISE,
	SWITCH_SMB_ARCHIVE_NOISE,
	SWITCH_WATCHED_MOVED,
	SWITCH_EXPIRED_STREAM,
	SWITCH_NODE_REBOOT,
	SWITCH_SILENCE,
	SWITCH_WHILE_DOWN,
	SWITCH_BAD_NAMES,
	SWITCH_LOCKED_RENAME,
	SWITCH_RENAME_BY_ID,
	SWITCH_RESOLVE_DEAD,
	SWITCH_METADATA_VALUE,
	SWITCH_METADATA_EVENT,
	SWITCH_RATE_LIMIT,
	SWITCH_RETRY_AFTER,
	SWITCH_ID_SIZE,
	SWITCH_PAGING_END,
	SWITCH_PAGE_LIMIT,
	SWITCH_NO_SPACE,
	SWITCH_RENAME_PAIR,
	SWITCH_LINK_EVENTS,
	SWITCH_NOTIFY_SETTINGS,
	SWITCH_EVENT_DELAY,
	SWITCH_COPY_PIECE,
	SWITCH_EVENT_COPIES,
	SWITCH_EVENT_ORDER,
	SWITCH_EVENT_LOSS,
	SWITCH_SNAPSHOT_LIMIT,
	SWITCH_SNAPSHOT_RECORDS,
	SWITCH_SNAPSHOT_DELETE,
	SWITCH_SNAPSHOT_FILTER,
	SWITCH_NO_EXPIRATION,
	SWITCH_DIFF_ORDER,
	SWITCH_DIFF_PAGE_LIMIT,
	SWITCH_DIFF_REPLACED,
	SWITCH_COUNT
};

/* What the switches with names as values answer: the place in their list. */
enum { OVERFLOW_CLOSE, OVERFLOW_ERROR, OVERFLOW_END, OVERFLOW_NEXT_500 };
enum { RECURSIVE_ENABLED, RECURSIVE_DISABLED_ERROR, RECURSIVE_DISABLED_IGNORE };
enum { DISABLED_400, DISABLED_403, DISABLED_409, DISABLED_501, DISABLED_EMPTY };
enum { PRIVILEGE_BY_FULL_ACCESS, PRIVILEGE_BY_READ_ACCESS };
enum { MISSING_403, MISSING_401 };
enum { PASSWORD_401, PASSWORD_400, PASSWORD_EMPTY };
enum { SPINE_WATCHED, SPINE_ROOT, SPINE_ABSENT, SPINE_NULL };
enum { PAGING_EMPTY, PAGING_NULL, PAGING_ABSENT };
enum { PAIR_TOGETHER, PAIR_SEPARATE, PAIR_MIXED, PAIR_REVERSED };
enum { DIFF_BY_PATH, DIFF_REVERSE, DIFF_MIXED };
enum { DOWN_REFUSED, DOWN_CLOSED, DOWN_502, DOWN_503, DOWN_HTML, DOWN_TLS };
enum { BAD_NAMES_REPLACED, BAD_NAMES_RAW, BAD_NAMES_SURROGATES };
/* Switches whose values are two: the documented or likely side is 0, the other side 1. */
enum { USUAL_SIDE, OTHER_SIDE };

struct switches {
	int64_t value[SWITCH_COUNT]; /* choice, number, ms; -1 stands for "none" */
	char *text[SWITCH_COUNT];    /* as it was written; owned */
};

void switches_init(struct switches *switches);
void switches_clear(struct switches *switches);

/* "spine=root". The sentence in err names what is possible. */
MUST_CHECK int switches_set(struct switches *switches, struct text assignment, struct error *err);
MUST_CHECK int switches_put(struct switches *switches, struct text name, struct text value,
			    struct error *err);

static inline int64_t switch_value(const struct switches *switches, enum switch_id id)
{
	return switches->value[id];
}

const char *switch_name(enum switch_id id);
/* {"spine": "watched", ...} */
json_t *switches_json(const struct switches *switches);
/* The part of --help: names, values, defaults, meaning. For free(). */
char *switches_help(void);

#endif
