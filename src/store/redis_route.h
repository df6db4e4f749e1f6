/*
 * redis_route: which of several servers is asked next: the nodes of a Redis Cluster. What one
 * connection learns, where the master of our keys went and which nodes there are, is known to all
 * connections that share the route.
 */
#ifndef STORE_REDIS_ROUTE_H
#define STORE_REDIS_ROUTE_H

#include "base/text.h"

struct redis_host;
struct redis_route;

/* Begins with these, of which the first is asked first; copies them. With none there is nothing to
 * pick. */
struct redis_route *redis_route_new(const struct redis_host *hosts, size_t count);
void redis_route_free(struct redis_route *route);
/* What connections may wait for an answer of one is less than the whole time if there are others.
 */
bool redis_route_has_others(struct redis_route *route);
void redis_route_pick(struct redis_route *route, struct redis_host *out); /* redis_host_clear it */
/* It does not answer, or cannot say where our keys are: if it would be picked, another will be. */
void redis_route_avoid(struct redis_route *route, const struct redis_host *host);
/* A node says that the master of our keys is here. */
void redis_route_move(struct redis_route *route, const struct redis_host *host);
/* There is such a node; of those, the last hundred are kept. */
void redis_route_learn(struct redis_route *route, const struct redis_host *host);
/* A server that said it knows of no others need not be asked again. */
void redis_route_set_alone(struct redis_route *route);
bool redis_route_is_alone(const struct redis_route *route);

#endif
