/*
 * redis_wire: bytes to and replies from one server that speaks the protocol of Redis: plain TCP,
 * TLS or a Unix socket, blocking, with one deadline over all parts of a call.
 *
 * hiredis formats requests and reads replies; the bytes go through our own socket, because Debian
 * 12's hiredis knows no TLS.
 */
#ifndef STORE_REDIS_WIRE_H
#define STORE_REDIS_WIRE_H

#include <hiredis/hiredis.h>
#include <openssl/ssl.h>

#include "store/redis_address.h"

AUTO_DEFINE(redisReply *, freeReplyObject)

struct redis_wire {
	const struct redis_address *address;
	SSL_CTX *tls;     /* NULL: plain */
	char *place;      /* "redis://10.0.0.7:6379", for messages */
	int fd;           /* -1: not connected */
	int interrupt_fd; /* -1: none. When it can be read, nothing is waited for any more */
	int64_t until_ms; /* of redis_now_ms */
	bool is_refused;  /* the last failure will be the same at the next try */

	SSL *ssl;
	BIO *tls_in, *tls_out; /* belong to ssl: what was received and what is to be sent */
	redisReader *reader;
};

/* Reads the TLS files, and connects to nothing yet. address is borrowed. */
MUST_CHECK int redis_wire_init(struct redis_wire *out, const struct redis_address *address,
			       struct error *err);
void redis_wire_clear(struct redis_wire *wire);

/* Hangs up first. host NULL: the Unix socket of the address. */
MUST_CHECK int redis_wire_open(struct redis_wire *wire, const struct redis_host *host,
			       struct error *err);
void redis_wire_close(struct redis_wire *wire);
/* A server that went away has said so by now; that a request then certainly did not arrive is worth
 * the look. */
bool redis_wire_is_gone(const struct redis_wire *wire);
/* One request and its reply, for freeReplyObject: maybe an error of the server's. */
MUST_CHECK int redis_wire_ask(struct redis_wire *wire, size_t count, const struct text *words,
			      redisReply **out, struct error *err);
/* The same; an error of the server's is a failure. */
MUST_CHECK int redis_wire_demand(struct redis_wire *wire, size_t count, const struct text *words,
				 redisReply **out, struct error *err);

int64_t redis_now_ms(void); /* the steady clock itself: a deadline counts in a test too */
/* Whether it is an error of the server's that begins with this word. */
bool redis_is_error(const redisReply *reply, const char *word);

#endif
