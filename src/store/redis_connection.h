/*
 * redis_connection: one blocking connection to whoever is the master of our keys: a server alone,
 * the master that the Sentinels know, or the node of a Redis Cluster that has our slot. Finds it,
 * logs in, and follows when it is sent elsewhere.
 */
#ifndef STORE_REDIS_CONNECTION_H
#define STORE_REDIS_CONNECTION_H

#include "store/redis_wire.h"

struct redis_connection;

/* Reads the TLS files, and connects to nothing yet. address is borrowed; connections to the same
 * one share what they learn about it, and belong to a thread each. */
MUST_CHECK int redis_connection_new(struct redis_connection **out,
				    const struct redis_address *address, struct error *err);
void redis_connection_free(struct redis_connection *connection);
AUTO_DEFINE(struct redis_connection *, redis_connection_free)

enum redis_outcome {
	REDIS_ANSWERED, /* *out is there, for freeReplyObject: maybe an error of the server's */
	REDIS_NOT_SENT, /* certainly nothing happened */
	REDIS_LOST,     /* it may have happened: the connection went while the answer was awaited */
	REDIS_REFUSED,  /* nothing happened, and nothing will until somebody changes a setting */
};
/*
 * Connects if need be. until_ms: of redis_now_ms. Redirections of a Redis Cluster are followed, a
 * few of them; that a slot is being moved is an answer like "ASK" or "TRYAGAIN".
 */
MUST_CHECK enum redis_outcome redis_call(struct redis_connection *connection, size_t count,
					 const struct text *words, int64_t until_ms,
					 redisReply **out, struct error *err);
/* As soon as fd can be read, a call that waits fails, and so does each that would have to. */
void redis_interrupt_by(struct redis_connection *connection, int fd);
/* The next call connects anew. */
void redis_hang_up(struct redis_connection *connection);
/* Whether there may be somebody else to ask if this server does not answer. */
bool redis_has_others(const struct redis_connection *connection);
/* Grows with each connecting: another server may be there, or the same with other settings. */
uint64_t redis_connection_serial(const struct redis_connection *connection);

/* Whether an error of the server's will pass: it starts, is being replaced, or keys are moved. */
bool redis_will_pass(const redisReply *reply);

#endif
