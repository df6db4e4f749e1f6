/*
 * copy: a copy of the file's data, which the cluster makes by itself, piece by piece. It grows in
 * the target's directory under a name of its own, readable by nobody else, and gets its name and
 * its permissions when it is whole; so nobody ever sees half of it.
 *
 * run->memory: {"to", "temporary", "copy_id", "source_etag", "offset", "target"}. An attempt goes
 * on where the one before it stopped, if the source is what it was. A job that ends otherwise
 * removes what it began.
 */
#ifndef ACTION_COPY_H
#define ACTION_COPY_H

#include "action/action.h"
#include "action/move.h"
#include "action/stray.h"

struct copy_config {
	char *to;
	int collision; /* enum move_collision */
	bool keep_permissions;
	char *remove;    /* id of a copy that is taken back; NULL: none */
	char *unchanged; /* its change time then */
};

struct copy {
	struct action_run *run;
	const struct cluster *cluster;
	struct directory_walk *walk;
	struct cluster_call *call;
	struct stray *stray;
	struct file_change change;
	char *target;    /* as asked for */
	char *place;     /* as tried: perhaps with a number */
	char *directory; /* id of the target's */
	char *temporary; /* path, until the copy is whole */
	char *id;        /* of the copy; NULL: not there yet */
	char *replaced;  /* id of what is at place and will be removed; NULL: nothing */
	int64_t offset;  /* how much is copied */
	unsigned tries;  /* of places */
	char mode[8];    /* of the source */
	/* How it ends when what it began is removed: */
	enum action_result result;
	char *why;
};

void copy_end(struct copy *copy, enum action_result result, int64_t retry_after_ms,
	      const char *why);
/* Removes what was begun, then ends. */
void copy_abandon(struct copy *copy, enum action_result result, const char *why);
/* An error of a request that has nothing to do with the copy as such. */
void copy_fail(struct copy *copy, const struct file_reply *reply, const char *what);
/* Who is at path, whose directory's id is known. */
void copy_look_at(struct copy *copy, const char *path, file_done *done);
/* The whole copy, at its temporary name, gets its place. */
void copy_place(struct copy *copy);
/* It is at its place. */
void copy_done(struct copy *copy, const struct file_info *info);
/* Deletes the copy of another job, which is taken back, unless somebody changed it since. */
void copy_take_back(struct copy *copy);

#endif
