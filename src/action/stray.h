/*
 * stray: an object that was moved by mistake, because it had taken the place of the file that was
 * meant, and is put back where it was.
 *
 * It is kept in run->memory as "stray": {"id", "from", "to", "is_directory"}, so that a crash does
 * not leave it where it does not belong.
 */
#ifndef ACTION_STRAY_H
#define ACTION_STRAY_H

#include "action/action.h"

struct stray;

/* The id of the one that is still to be put back, as a run remembers it; NULL: there is none. */
const char *stray_in(const json_t *memory);

/* result: ACTION_CHANGED, ACTION_RETRY or ACTION_REJECTED; why: a sentence. The stray is gone. */
typedef void stray_done(void *ctx, enum action_result result, int64_t retry_after_ms,
			const char *why);

/* moved is at `to` now and was at `from`. done comes once, never inside the call. */
void stray_put_back(struct stray **out, struct action_run *run, const struct cluster *cluster,
		    const struct file_info *moved, const char *from, const char *to,
		    stray_done *done, void *ctx);
/* Goes on where an attempt before this one stopped; false: it left none. done as above. */
MUST_CHECK bool stray_resume(struct stray **out, struct action_run *run,
			     const struct cluster *cluster, stray_done *done, void *ctx);
/*
 * After a request to move whose answer nobody heard, when the file turns out not to be where it was
 * going (run->memory: {"source", "target", "sent_ms"}): an object that is there since then, and
 * whose old place is free, was moved by mistake, and is put back. done as above, or with
 * ACTION_DONE: there is none.
 */
void stray_search(struct stray **out, struct action_run *run, const struct cluster *cluster,
		  stray_done *done, void *ctx);
void stray_cancel(struct stray *stray); /* NULL is fine */

#endif
