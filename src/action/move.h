/*
 * move: takes run->file to another place on the cluster: what quarantine and rename share.
 *
 * The cluster's rename takes its source by path only. So: expectations are stored first, the id of
 * what was moved is verified afterwards, and a stranger that was caught is put back.
 *
 * run->memory: {"source", "target"} of the request that went out last, and what stray.h keeps.
 * Results: {"path", "from", "change_time", "permissions"}.
 */
#ifndef ACTION_MOVE_H
#define ACTION_MOVE_H

#include "action/action.h"

enum move_collision { MOVE_FAIL, MOVE_SUFFIX, MOVE_REPLACE };

/* Settles what an attempt before this one left open. True: it took over, and will finish. */
MUST_CHECK bool move_resume(struct action_run *run);
/* run->is_over: puts right what an attempt before this one left where it does not belong: ends with
 * ACTION_CHANGED; ACTION_DONE: there was nothing. */
void move_put_right(struct action_run *run);
/* Makes target's directory if need be, and moves; leads to one action_finish. */
void move_start(struct action_run *run, const char *target, enum move_collision collision);
void move_cancel(struct action_run *run);

enum event_type move_from_type(bool is_directory); /* child_dir_moved_from, ... */
enum event_type move_to_type(bool is_directory);
/* name with the number before its extension, "a (2).jpg", no longer than a name may be. For
 * free(). */
char *move_numbered_name(const char *name, uint64_t number);
/* The place to try when `tries` ones (from 1) are taken; NULL: no more of them. For free(). */
char *move_next_place(const char *target, unsigned tries, uint64_t job);
/* NULL, or why the cluster will not have this path. For free(). */
char *move_check_target(const char *path);

#endif
