/* snapshots: the snapshots of the API (section 15): names, expiry, deletion; the tree has the rest.
 */
#ifndef SIMULATOR_SNAPSHOTS_H
#define SIMULATOR_SNAPSHOTS_H

#include "base/list.h"
#include "simulator/request.h"
#include "simulator/tree_snapshot.h"

struct snapshot {
	struct list link;
	uint64_t id; /* and the tree's number for it */
	char *name;
	uint64_t source; /* the directory's id */
	char *source_path;
	int64_t taken_ns;
	int64_t expires_ns; /* TREE_TIME_NONE: never */
	int64_t gone_at_ms; /* deletion goes on until then (monotonic); 0: not deleted */
	uint64_t version;   /* for its ETag */
};

struct snapshots {
	struct list list; /* oldest first */
	size_t count;
	struct {
		uint64_t older, newer; /* 0: none */
		int64_t order, replaced;
		struct tree_diff *diff;
	} last; /* the difference asked for last: its pages follow each other */
};

struct snapshots *snapshots_new(void);
void snapshots_free(struct snapshots *snapshots);
/* Over a restart: in `server/snapshots.json` below the state folder. After tree_open. */
void snapshots_load(struct sim *sim);
void snapshots_save(struct sim *sim); /* before tree_close */

/* Takes away what has expired or has been deleted for long enough. */
void snapshots_settle(struct sim *sim);
/* NULL: there is none, or it has expired by now. One in deletion is still found. */
struct snapshot *snapshot_find(struct sim *sim, uint64_t id);
/* The same, by its number as text, for reading; NULL: 400 or 404 was answered. */
struct snapshot *snapshot_named(struct request *request, const char *text);
struct snapshot *snapshot_take(struct sim *sim, const char *suffix, uint64_t source,
			       const char *source_path, int64_t expires_ns);
void snapshot_delete(struct sim *sim, struct snapshot *snapshot);

/* In the order and form that the switches say. Borrowed. */
const struct tree_diff *snapshots_diff(struct sim *sim, const struct snapshot *older,
				       const struct snapshot *newer);

#endif
