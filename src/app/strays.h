/*
 * strays: which files jobs of this process have moved by mistake, and are still to put back, or
 * have not stored yet that they did (action/stray.h). The files' own jobs wait for that.
 */
#ifndef APP_STRAYS_H
#define APP_STRAYS_H

#include "base/base.h"

struct strays;

struct strays *strays_new(void);
void strays_free(struct strays *strays);
/* The job has still to put this file back; NULL: no file any more. Nothing is kept of a job without
 * a number, or past the ceiling of 1,000 jobs: then nobody waits for it. */
void strays_note(struct strays *strays, uint64_t job, const char *file_id);
/* Whether another job has still to put the file back. */
bool strays_have(const struct strays *strays, uint64_t job, const char *file_id);

#endif
