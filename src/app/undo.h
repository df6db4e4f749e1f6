/*
 * undo: takes back what an ended job did to its file, as a job of its own. Its steps are those that
 * the modules left for it, the last first; so it is tried again, comes to the dead letters and into
 * the history, and its events are echoes, as of any job.
 *
 * It begins only if the file is as the job left it: in its body is
 *
 *	"undoes": {"job": 12, "path": "/q/a", "change_time": ".."}
 *
 * without the latter two if it was asked for whatever became of the file.
 */
#ifndef APP_UNDO_H
#define APP_UNDO_H

#include "app/job.h"
#include "event/file.h"

/* Why nothing of an ended job can be taken back, as a sentence; NULL: something can. For free(). */
char *undo_obstacle(const json_t *body);
/* What would be done, as a sentence that goes on after "would". For free(). */
char *undo_what(const json_t *body);
/* The steps that stay as they are, "exec, email"; NULL: none. For free(). */
char *undo_rest(const json_t *body);
/* The body of the job that takes back `job`, whose body this is. For free(). */
char *undo_body_new(const json_t *body, uint64_t job, bool anyway);

/* The job that a body takes back; 0: it is no undo. */
uint64_t undo_job(const json_t *body);
/* Why an undo must not begin with the file as it is; NULL: it may. For free(). */
char *undo_refusal(const struct job_body *body, const struct file_info *file);

#endif
