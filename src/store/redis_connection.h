/*
 * redis_connection: one blocking connection to a Redis server: plain TCP, TLS or a Unix socket.
 *
 * hiredis formats requests and reads replies; the bytes go through our own socket, because Debian
 * 12's hiredis knows no TLS and because every call needs one deadline over all of its parts.
 */
#ifndef STORE_REDIS_CONNECTION_H
#define STORE_REDIS_CONNECTION_H

#include <hiredis/hiredis.h>

#include "store/redis_address.h"

struct redis_connection;

/* Reads the TLS files, and connects to nothing yet. address is borrowed. */
MUST_CHECK int redis_connection_new(struct redis_connection **out,
				    const struct redis_address *address, struct error *err);
void redis_connection_free(struct redis_connection *connection);
AUTO_DEFINE(struct redis_connection *, redis_connection_free)

enum redis_outcome {
	REDIS_ANSWERED, /* *out is there, for freeReplyObject: maybe an error of the server's */
	REDIS_NOT_SENT, /* certainly nothing happened */
	REDIS_LOST,     /* it may have happened: the connection went while the answer was awaited */
};
/* Connects if need be. until_ms: of clock_monotonic_ms, also under a held clock. */
MUST_CHECK enum redis_outcome redis_call(struct redis_connection *connection, size_t count,
					 const struct text *words, int64_t until_ms,
					 redisReply **out, struct error *err);
int64_t redis_now_ms(void); /* the steady clock itself: a deadline counts in a test too */
/* As soon as fd can be read, a call that waits fails, and so does each that would have to. */
void redis_interrupt_by(struct redis_connection *connection, int fd);
/* The next call connects anew. */
void redis_hang_up(struct redis_connection *connection);

#endif
