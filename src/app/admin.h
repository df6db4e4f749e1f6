/*
 * admin: answers the sub-commands that ask a running monitor, over HTTP on its Unix socket:
 *
 *	GET  /v1/status                    of the whole monitor, whichever process is asked
 *	GET  /v1/tail?after=SEQ&limit=N    judged events after a record, with what was found out
 *	GET  /v1/jobs?state=done|dead|waiting|taken&limit=N&rule=NAME&path=PREFIX&since_ms=T
 *	                                   newest first; is_cut: there was more to look through than
 *a question may cost GET  /v1/jobs?state=dead&job=ID    that dead letter, or an empty list POST
 * /v1/dead/retry?job=ID         or all=1, perhaps with rule=NAME; answers the ids of those POST
 * /v1/dead/drop?job=ID          that were dead letters and are none any more POST /v1/reload in
 *every process; answers when all have GET  /metrics                      Prometheus text GET
 * /livez                        200 as long as this process answers at all GET  /readyz 200, or 503
 *and what keeps this process from its work; standing by is no trouble
 */
#ifndef APP_ADMIN_H
#define APP_ADMIN_H

#include "app/daemon.h"

struct admin;

MUST_CHECK int admin_open(struct admin **out, uv_loop_t *loop, const struct daemon *daemon,
			  const char *socket, struct error *err);
void admin_close(struct admin *admin); /* waits for what was asked of the store */

#endif
