/*
 * repair_state: what the store knows of a watch's repairs (SPACE_REPAIR): the
 * state, the tasks of the repair under way, and how gaps were closed. Written
 * under the watch role's lease.
 */
#ifndef APP_REPAIR_STATE_H
#define APP_REPAIR_STATE_H

#include <jansson.h>

#include "base/list.h"
#include "store/store.h"

struct repair_snapshot {
	int64_t id;       /* -1: there is none */
	char source[128]; /* id of its directory */
	int64_t taken_ns; /* by the cluster's clock */
	int64_t sent_ms;  /* by ours: it was taken between these two */
	int64_t answered_ms;
	int64_t covers_ms; /* what happened since then and before it is told, or repaired */
	uint64_t seq;      /* the log's last record before it */
};

/* The last two are of no gap: a directory that was moved in, or that somebody asks for, is looked
 * through. */
enum repair_method { REPAIR_NONE, REPAIR_SNAPSHOT, REPAIR_SCAN, REPAIR_EXPAND, REPAIR_ASKED };
const char *
repair_method_name(enum repair_method method); /* "", "snapshot", "scan", "expand", .. */

/* Counts of the repair under way. */
struct repair_counts {
	uint64_t tasks;       /* done */
	uint64_t differences; /* written into the log */
	uint64_t known;       /* that the stream had told, too */
	uint64_t unreadable;  /* places that could not be looked at */
	uint64_t requests;
	uint64_t interruptions;
};

struct repair_state {
	char suffix[192]; /* of the names of our snapshots */
	struct repair_snapshot baseline;
	struct repair_snapshot candidate; /* taken, and not yet known to be good */
	uint64_t done_gap;                /* gaps up to this number are dealt with */

	enum repair_method method; /* of the repair under way; REPAIR_NONE: none is */
	struct repair_snapshot older, newer;
	int64_t from_ms, until_ms; /* the window of its gaps */
	int64_t begun_ms;
	uint64_t begun_seq; /* the log's last record before it */
	uint64_t last_gap;
	uint64_t next_task; /* falls, so that the newest comes first */
	char why[512];      /* this method and no other; "": it is the one that was asked
			       for */
	struct repair_counts counts;
};

/* A state that is not there is an empty one. */
MUST_CHECK int repair_state_load(struct repair_state *out, struct store *store, const char *watch,
				 struct error *err);
MUST_CHECK int repair_state_put(const struct repair_state *state, struct store_txn *txn,
				const char *watch, struct error *err);
MUST_CHECK int repair_state_save(const struct repair_state *state, struct store *store,
				 const char *watch, struct error *err);

enum task_kind {
	TASK_DIFFERENCE, /* a page of the difference */
	TASK_CAME,       /* a directory's entries in the newer snapshot: all of them came */
	TASK_WENT,       /* in the older one: all of them went */
	TASK_MOVED,      /* in the newer one: those that changed */
	TASK_LEFT,       /* in the older one: those that are not in the newer */
	TASK_SCAN,       /* as it is now: those whose times are in the window */
	TASK_INSIDE,     /* as it is now: all of them are told */
	TASK_RECHECK,    /* last: is what the stream told since the baseline still where
			    it was? */
	TASK_ASKED, /* one object as it is now, and what is in it; of one with an id the latter */
	TASK_KINDS
};
struct repair_task {
	struct list link;
	uint64_t number;
	enum task_kind kind;
	char *id;
	char *path;
	char *old_path;  /* TASK_MOVED: where it was */
	char *next;      /* page; NULL: the first */
	bool is_changed; /* the directory's own entries changed */
	bool is_saved;
	/* while it runs */
	void *work;
	size_t asking;
	struct list changes;
	struct list children;
};
struct repair_task *repair_task_new(enum task_kind kind, const char *id, const char *path);
void repair_task_free(struct repair_task *task);
AUTO_DEFINE(struct repair_task *, repair_task_free)

MUST_CHECK int repair_task_put(const struct repair_task *task, struct store_txn *txn,
			       const char *watch, struct error *err);
MUST_CHECK int repair_task_delete(uint64_t number, struct store_txn *txn, const char *watch,
				  struct error *err);
/* Appends to list, in order of their numbers, what has a number of at least
 * `from`, at most `most`. Answers how many. */
MUST_CHECK int64_t repair_tasks_load(struct list *list, struct store *store, const char *watch,
				     uint64_t from, size_t most, struct error *err);

/* A directory that was moved into the watched one, with things of which nobody was told. */
struct repair_moved_in {
	char *key; /* in the store */
	char *id, *path;
	uint64_t seq; /* of the record that told it */
};
void repair_moved_in_clear(struct repair_moved_in *moved_in);
/* For the filter, in the transaction in which it judges the event. */
MUST_CHECK int repair_moved_in_put(struct store_txn *txn, const struct event *event,
				   struct error *err);
/* The first that waits: 1, 0: none, -1. */
MUST_CHECK int repair_moved_in_next(struct repair_moved_in *out, struct store *store,
				    const char *watch, struct error *err);

/* How a gap was closed, as JSON for people:
 * {"state":"repaired"|"unrepaired"|"waiting"| "repairing"|"open",
 * "by":.., "differences":..,...}. */
MUST_CHECK int repair_outcome_put(struct store_txn *txn, uint64_t gap, const json_t *outcome,
				  struct error *err);
/* New reference; NULL: nothing is known about it. */
json_t *repair_outcome_get(struct store *store, uint64_t gap);
/* Drops outcomes of gaps older than first. */
MUST_CHECK int repair_outcomes_trim(struct store_txn *txn, uint64_t first, struct error *err);

#endif
