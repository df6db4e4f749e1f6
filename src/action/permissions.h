/*
 * permissions: mode, owner, group and access control list of one object, and of all in a
 * directory.
 *
 * run->memory: {"old_mode", "old_owner", "old_group", "old_acl"} of the file that the rule is
 * about, as it was before the first attempt.
 */
#ifndef ACTION_PERMISSIONS_H
#define ACTION_PERMISSIONS_H

#include <jansson.h>

#include "action/action.h"

struct permissions_config {
	char *mode;
	char *owner;
	char *group;
	char *acl; /* JSON: acl.h */
	bool recursive;
};

struct permissions_run;

/* result: ACTION_DONE, or how it failed. info: what it is like now, or NULL if that is not known.
 */
typedef void object_done(struct permissions_run *state, enum action_result result,
			 int64_t retry_after_ms, const char *why, const struct file_info *info);

struct permissions_level;

/* One request at a time, and what it is about. */
struct permissions_run {
	struct action_run *run;
	const struct cluster *cluster;
	struct cluster_call *call;
	/* The object at hand: */
	struct file_info file;
	bool is_root; /* the one that the rule is about: it is remembered, and nobody may have
			 changed it meanwhile */
	struct file_change change;
	char mode[8];
	json_t *acl;    /* what it shall have; NULL: it has that, or none is asked for */
	char *acl_etag; /* of the list that was read */
	object_done *done;
	/* The directory: */
	struct permissions_level *levels; /* the innermost last */
	size_t level_count;
	size_t seen, changed, failed;
	char *first_failure;
};

/* Brings file into the state that is asked for. True: it is so already, as far as that can be said
 * at once; else done comes once, later. */
#define PERMISSIONS_ARE_SO "nothing to do: it is so already"
bool permissions_object(struct permissions_run *state, const struct file_info *file,
			object_done *done);
/* All below the directory at hand; leads to the end of the run. */
void permissions_tree(struct permissions_run *state);
void permissions_tree_clear(struct permissions_run *state);
void permissions_end(struct permissions_run *state, enum action_result result,
		     int64_t retry_after_ms, const char *why);

#endif
