/*
 * admin: answers the sub-commands that ask a running monitor, over HTTP on its Unix socket.
 *
 *	GET  /v1/status      the whole monitor, whichever process is asked
 *	GET  /v1/tail        judged events: after=SEQ limit=N
 *	GET  /v1/jobs        newest first: state=done|dead|waiting|taken limit=N
 *			     rule=NAME path=PREFIX since_ms=T; dead: job=ID;
 *			     is_cut: a question may not cost more
 *	POST /v1/dead/retry  job=ID, or all=1, perhaps rule=NAME: the ids of
 *	POST /v1/dead/drop   those that were dead letters and are none any more
 *	POST /v1/approve     job=ID, or all=1, perhaps rule=NAME: held jobs go on
 *	GET  /v1/scan        scans that wait, are under way, and have ended
 *	POST /v1/scan        path=PATH, perhaps watch=NAME: what is there is told and judged
 *	POST /v1/scan/stop   number=N
 *	POST /v1/undo        job=ID, or rule=NAME since_ms=T, perhaps path=PREFIX;
 *			     force=1 dry_run=1: jobs that take others back
 *	POST /v1/reload      in every process; answers when all have
 *	GET  /metrics        Prometheus text
 *	GET  /livez          200 as long as this process answers at all
 *	GET  /readyz         200, or 503 and what keeps it from its work
 */
#ifndef APP_ADMIN_H
#define APP_ADMIN_H

#include "app/daemon.h"

struct admin;

MUST_CHECK int admin_open(struct admin **out, uv_loop_t *loop, const struct daemon *daemon,
			  const char *socket, struct error *err);
void admin_close(struct admin *admin); /* waits for what was asked of the store */

#endif
