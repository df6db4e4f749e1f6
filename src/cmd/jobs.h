/* jobs: jobs as the running monitor tells about them, for dead and history. */
#ifndef CMD_JOBS_H
#define CMD_JOBS_H

#include "base/buf.h"
#include "cmd/ask.h"

/* Adds "name=value" to a path's query; value NULL: nothing. */
void query_add(struct buf *path, const char *name, const char *value);
/* The array of jobs in one state (json_decref it), newest first; NULL with a sentence. */
json_t *jobs_ask(struct monitor *monitor, const char *state, const struct arguments *arguments,
		 size_t most, struct error *err);
/* "TIME  job 12  rule: /home/joe/a.zip -> outcome", and what follows. */
void job_print_line(json_t *job, const char *behind);

const char *json_text_at(json_t *object, const char *name); /* "" if there is none */
long long json_number_at(json_t *object, const char *name); /* 0 if there is none */

#endif
