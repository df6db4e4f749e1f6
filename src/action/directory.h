/* directory: reaches a directory on the cluster, making what is missing on the way, top down. */
#ifndef ACTION_DIRECTORY_H
#define ACTION_DIRECTORY_H

#include "action/action.h"

struct directory_walk;

struct directory_end {
	enum action_result result; /* ACTION_DONE, ACTION_RETRY or ACTION_REJECTED */
	const char *id;            /* with ACTION_DONE: of the directory */
	bool has_caused;           /* events of ours may be on their way, whatever the result */
	const char *why;
	int64_t retry_after_ms;
};

typedef void directory_done(void *ctx, const struct directory_end *end);

/* done comes once, unless cancelled, never inside the call; the walk is gone after either. */
struct directory_walk *directory_reach(struct action_run *run, const struct cluster *cluster,
				       const char *path, directory_done *done, void *ctx);
void directory_cancel(struct directory_walk *walk);

/* Whether path fits into a request's URL; if not, it must be reached by ids. */
bool directory_is_askable(struct text path);
/* "; the monitor's user needs ..." for a request that was denied, "" else. */
const char *directory_hint(const struct file_reply *reply);

#endif
