/*
 * crew: the roles of this process: what starts and stops them. A role that any number of processes
 * may have at work begins at once; of watch and filter over a store that several processes share
 * one is active, and the others are on standby until the lease is theirs.
 *
 * STANDBY -> STARTING -> ACTIVE -> STOPPING -> STANDBY
 *
 * All calls in the loop.
 */
#ifndef APP_CREW_H
#define APP_CREW_H

#include "app/post.h"
#include "app/reload.h"

struct crew;

#define CREW_ROLE(role) (1u << (role))
#define CREW_ALL (CREW_ROLE(STORE_WATCH) | CREW_ROLE(STORE_FILTER) | CREW_ROLE(STORE_ACT))

enum crew_state { CREW_ABSENT, CREW_STANDBY, CREW_STARTING, CREW_ACTIVE, CREW_STOPPING };

struct crew_status {
	enum crew_state state; /* ABSENT: this process does not have the role */
	int64_t since_ms;
	char why[400];      /* what keeps it on standby, or "" */
	bool is_in_trouble; /* it should be at work and is not */
};

/* roles: CREW_ROLE of each. setup and reload outlive it. */
MUST_CHECK int crew_open(struct crew **out, uv_loop_t *loop, unsigned roles,
			 const struct post_setup *setup, struct reload *reload, struct error *err);
void crew_close(struct crew *crew); /* stops all and gives up the leases; waits for both */

void crew_get_status(const struct crew *crew, enum store_role role, struct crew_status *out);
const char *crew_state_name(enum crew_state state);
/* NULL while the role is not at work here; borrowed until the loop's next turn. */
struct filter *crew_filter(const struct crew *crew);
struct deliver *crew_deliver(const struct crew *crew);
struct watcher *crew_watcher(const struct crew *crew, size_t watch);
/* NULL also where gaps are not repaired. */
struct repair *crew_repair(const struct crew *crew, size_t watch);
/* New rules for the roles that are at work; takes set over. */
void crew_offer(struct crew *crew, size_t watch, struct rule_set *set);

#endif
