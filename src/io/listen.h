/* listen: a socket that listens, from an address as people write it. */
#ifndef IO_LISTEN_H
#define IO_LISTEN_H

#include "base/error.h"

struct listener {
	int fd;
	int port;   /* TCP; 0 for a Unix socket */
	char *path; /* of a Unix socket; NULL for TCP */
	dev_t device;
	ino_t inode; /* what was bound: not what somebody else put in its place */
};

/* "unix:/run/cn_monitor/admin.sock" (mode 0600) or "127.0.0.1:9180", "[::1]:9180". */
MUST_CHECK int listener_open(struct listener *out, const char *address, struct error *err);
void listener_close(struct listener *listener); /* removes a Unix socket's file */

#endif
