/*
 * listener: an address of the cluster: its socket, and the connections that came in through it.
 *
 * Each address is a node's. It can go away for a while (the node reboots), or move to another node:
 * then the connections through it die, with a reset or in silence.
 */
#ifndef SIMULATOR_LISTENER_H
#define SIMULATOR_LISTENER_H

#include <microhttpd.h>
#include <sys/socket.h>

#include "base/list.h"
#include "simulator/sim.h"

/* A connection. */
struct wire {
	struct list link; /* in its listener's, once it has begun */
	struct listener *listener;
	int fd;
	bool has_begun;
	bool silent;     /* nothing is answered any more, nor even acknowledged... */
	int64_t over_ms; /* ...until then (monotonic), and then comes a reset */
	bool over;       /* it was reset */
};

struct listener {
	struct list link;
	struct sim *sim;
	char *address; /* "127.0.0.1:43211" */
	int number;    /* 1, 2, ... in the order of --listen; 0: --control */
	int node;      /* whose it is now; at first the one of the same number */
	struct sockaddr_storage at;
	socklen_t at_size;
	int reserve;     /* bound, never listening: the port stays ours while the socket is away */
	uv_poll_t *poll; /* NULL: the socket is away */
	int fd;
	uv_timer_t *timer; /* until it is back */
	bool is_down;
	struct list wires;
	size_t wire_count;
	void (*on_back)(struct listener *listener); /* once, when it is back; may be NULL */
};

/* "HOST:PORT", port 0 picks one. */
MUST_CHECK int listener_open(struct listener **out, struct sim *sim, const char *listen_at,
			     int number, struct error *err);
/* Takes no more connections; listener_free() when the last wire is gone. */
void listener_stop(struct listener *listener);
void listener_free(struct listener *listener); /* when the loop turns */

/* Nobody is served for a while, as the switch while-down says, and all connections die. */
void listener_down(struct listener *listener, int64_t down_ms, const struct wire *spared);
/* Back before its time. */
void listener_up(struct listener *listener);
/* Its connections (but for `spared`, which may be NULL) die as the switch node-reboot says: with a
 * reset, or in silence. */
void listener_cut(struct listener *listener, const struct wire *spared);

/* Resets what has been silent for long enough; false: nothing is silent any more. */
bool listener_look(struct listener *listener);

struct wire *wire_new(struct listener *listener, int fd); /* in no list */
/* The one with this descriptor in a list of those that have not begun; NULL: none. */
struct wire *wire_waiting(struct list *waiting, int fd);
void wire_begin(struct wire *wire);
void wire_free(struct wire *wire); /* NULL is fine */

#endif
