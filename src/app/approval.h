/*
 * approval: steps that somebody has to approve. A job that comes to one is held: it goes to the
 * dead letters, so that nothing waits behind it, with
 *
 *	"held": {"until": "2026-11-26T08:00:00.000Z", "until_ms": .., "what": "would delete /a"}
 *
 * in its body. Approved, it goes on as a job of its own, from that step, with "approved": the step.
 */
#ifndef APP_APPROVAL_H
#define APP_APPROVAL_H

#include "app/job.h"

/* How long the step under way may wait for approval; 0: it need not be approved (any more). */
int64_t approval_wanted(const struct job_body *body);
/* Holds the job; answers the sentence about it, for free(). */
char *approval_hold(struct job_body *body, uint64_t job, const char *what, int64_t now_ms);

/* How the history says that a held job went on as another. */
#define APPROVAL_WENT_ON "approved: it goes on as job "

bool approval_is_held(const json_t *body);
/* Why a held job cannot be approved any more; NULL: it can. For free(). */
char *approval_obstacle(const json_t *body, int64_t now_ms);
/* The body of the job that goes on. For free(). */
char *approval_body_new(const json_t *body);

#endif
