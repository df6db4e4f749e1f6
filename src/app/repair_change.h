/* repair_change: what a repair found out about one object, and how the cluster
 * would have told it.
 */
#ifndef APP_REPAIR_CHANGE_H
#define APP_REPAIR_CHANGE_H

#include "app/repair_heard.h"
#include "base/buf.h"
#include "base/list.h"
#include "qumulo/walk.h"

enum change_what {
	CHANGE_CAME,    /* is new: added, and written if it holds data */
	CHANGE_WENT,    /* removed */
	CHANGE_MOVED,   /* from old_path */
	CHANGE_ARRIVED, /* moved here, nobody knows from where */
	CHANGE_LEFT,    /* moved to where nobody watches */
	CHANGE_ALTERED, /* kinds say how */
};

struct change {
	struct list link;
	enum change_what what;
	bool is_directory;
	bool has_data;
	bool is_untold; /* that is known already */
	bool is_linked; /* it has other names, too: what was told of its place may be one of those
			 */
	char *id;
	char *parent_id; /* NULL: not known */
	char *path;
	char *old_path;     /* CHANGE_MOVED; of others: where the stream may have told of
			       it. NULL */
	char *left_path;    /* which it was not told to leave, besides; or NULL */
	event_kinds kinds;  /* CHANGE_ALTERED, and of what moved what else happened to it */
	int64_t changed_ns; /* by the cluster's clock; WALK_NO_TIME: not known */
	int64_t modified_ns;
};

/* entry: the newest that is known of it; path is copied. */
struct change *change_new(enum change_what what, const struct walk_entry *entry, const char *path);
void change_free(struct change *change);

/* What live events would have told of the difference; bits of event_type.
 * is_moved: the change time says nothing by itself. */
event_kinds change_compare(const struct walk_entry *old, const struct walk_entry *now,
			   bool is_moved);

/* When changes can be taken for told. All by our clock. */
struct change_times {
	int64_t quiet_until_ms; /* what last changed by then was told */
	int64_t least_ms;       /* cluster's time to ours: at least, and at most, this is
				   added */
	int64_t most_ms;
};
/*
 * Takes out of change what the stream has told, and answers whether anything is
 * left. A change that came may become one that only was written.
 */
bool change_is_news(struct change *change, struct heard *heard, const struct change_times *times);

/* Appends its events to out, an array of a message without its brackets.
 * Answers how many. */
size_t change_print(const struct change *change, const char *watch_path, struct buf *out);

#endif
