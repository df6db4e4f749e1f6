/*
 * lease: holds the lease of a role of which one process at a time is active: takes it as soon as
 * nobody else has it, renews it each second, and tells the loop when that changes. In a thread of
 * its own, because the store may let it wait.
 *
 * STANDBY <-> ACTIVE. While the store cannot be asked nothing changes: a watch that is active goes
 * on listening, and a filter's commits are fenced, so that neither does harm if another took over.
 */
#ifndef APP_LEASE_H
#define APP_LEASE_H

#include <uv.h>

#include "store/store.h"

struct lease;

enum lease_state { LEASE_STANDBY, LEASE_ACTIVE };

struct lease_status {
	enum lease_state state;
	uint64_t token;    /* while active; another one: somebody else had it in between */
	char holder[128];  /* while on standby: who is active; "" if nobody is known to be */
	char trouble[256]; /* "" or why the store could not be asked */
};

/* name: of the role, for log lines. changed: in the loop, when the status has changed. */
MUST_CHECK int lease_open(struct lease **out, uv_loop_t *loop, struct store *store,
			  enum store_role role, const char *name, void (*changed)(void *ctx),
			  void *ctx, struct error *err);
void lease_get_status(struct lease *lease, struct lease_status *out);
/* Gives it up, and does not ask for it for so long: this process cannot do the role's work. */
void lease_yield(struct lease *lease, int64_t away_ms);
/* Gives it up for good, so that a standby need not wait for its end; waits for the store. */
void lease_close(struct lease *lease);

#endif
