/* server: HTTP(S) on the loop; every request goes through route.c. */
#ifndef SIMULATOR_SERVER_H
#define SIMULATOR_SERVER_H

#include <sys/socket.h>

#include "base/list.h"
#include "simulator/sim.h"

struct server;

/*
 * cert and key are PEM texts; NULL: plain HTTP. listen_at: "HOST:PORT" for each address, ended by
 * NULL; control_at: one for /sim/... only, or NULL.
 */
MUST_CHECK int server_open(struct server **out, struct sim *sim, const char *const *listen_at,
			   const char *control_at, const char *cert, const char *key,
			   struct error *err);
/* Ends every connection. Before the loop ends. */
void server_close(struct server *server);
AUTO_DEFINE(struct server *, server_close)

/* To be called after MHD_resume_connection, which does not wake a loop of one's own. */
void server_wake(struct server *server);

/* A connection has come in. */
struct listener;
void server_accept(struct server *server, struct listener *listener, int fd,
		   const struct sockaddr *from, socklen_t from_size);
/* Connections have died: requests that wait for an answer are looked at again. */
void server_release(struct server *server);

struct list *server_listeners(struct server *server);    /* the nodes' */
const char *server_address(const struct server *server); /* the first: "127.0.0.1:43211" */
const char *server_control(const struct server *server); /* NULL: there is none */
size_t server_connections(const struct server *server);

#endif
