/*
 * redis_address: where a Redis server is and how we show who we are, from a URL:
 *
 *	redis://[user:password@]host[:6379][/database][?option=value&...]
 *	rediss://...                  the same over TLS
 *	unix:/run/redis/redis.sock[?option=value&...]
 */
#ifndef STORE_REDIS_ADDRESS_H
#define STORE_REDIS_ADDRESS_H

#include "base/error.h"
#include "base/text.h"

struct redis_address {
	char *host, *port;
	char *path; /* of a Unix socket; NULL: host and port */
	bool tls;
	char *user, *password;
	char *database;
	/* Options */
	char *prefix; /* "main": keys begin with {cn:main}: */
	char *log;    /* the directory of the local log */
	char *ca, *cert, *key, *server_name;
	int64_t timeout_ms; /* for a call, with all its tries */
	char *shown;        /* without secrets, for messages */
};

/* Clear it also after a failure. Messages never show the password. */
MUST_CHECK int redis_address_init(struct redis_address *out, const char *url, struct error *err);
void redis_address_clear(struct redis_address *address);

#endif
