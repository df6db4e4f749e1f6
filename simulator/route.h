/* route: which handler serves which method and path, and what it asks of the caller. */
#ifndef SIMULATOR_ROUTE_H
#define SIMULATOR_ROUTE_H

#include "simulator/privilege.h"
#include "simulator/request.h"

enum route_flags {
	ROUTE_OPEN = 1,    /* no token needed */
	ROUTE_CHANGES = 2, /* kept in the journal */
	ROUTE_CONTROL = 4, /* the simulator's own: no token, no faults, not counted */
};

struct route {
	const char *method;
	const char *pattern; /* "/v1/files/{ref}/data": one segment for each {} */
	void (*run)(struct request *request);
	unsigned flags;
	privilege_set privilege;
};

/* Finds the route and fills the arguments; false: 404 or 405 was answered. */
bool route_find(struct request *request);
/* Checks token and privilege and runs the handler: afterwards there is an answer. */
void route_run(struct request *request);

/* The tables of the api_*.c files, each ended by a route without a method. */
extern const struct route routes_session[];
extern const struct route routes_cluster[];
extern const struct route routes_settings[];
extern const struct route routes_files[];
extern const struct route routes_entries[];
extern const struct route routes_data[];
extern const struct route routes_metadata[];
extern const struct route routes_acl[];
extern const struct route routes_streams[];
extern const struct route routes_notify[];
extern const struct route routes_snapshots[];
extern const struct route routes_nodes[];
extern const struct route routes_handles[];
extern const struct route routes_control[];

#endif
