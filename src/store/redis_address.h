/*
 * redis_address: where a Redis server is and how we show who we are, from [STORE]:
 *
 *	URL = redis://[user:password@]host[:6379][,host...][/database]
 *	URL = rediss://...                           the same over TLS
 *	URL = unix:/run/redis/redis.sock             or unix://user:password@/run/redis/redis.sock
 *
 * Several hosts are nodes of one Redis Cluster. With SENTINELS the host is the name that the
 * sentinels know the master by.
 */
#ifndef STORE_REDIS_ADDRESS_H
#define STORE_REDIS_ADDRESS_H

#include "base/text.h"
#include "store/store.h"

struct redis_host {
	char *name, *port;
};

struct redis_route;

struct redis_address {
	struct redis_host *hosts; /* none: path or master */
	size_t host_count;
	char *path;   /* of a Unix socket */
	char *master; /* as the sentinels know it */
	struct redis_host *sentinels;
	size_t sentinel_count;
	bool tls;
	char *user, *password;
	char *password_file; /* read again at each log-in */
	char *database;      /* NULL: 0 */
	char *prefix;        /* "main": keys begin with {cn:main}: */
	char *log;           /* the directory of the local log */
	char *ca, *cert, *key, *server_name;
	int64_t timeout_ms;        /* for a call, with all its tries */
	char *shown;               /* the URL without secrets, for messages */
	struct redis_route *route; /* which of the hosts is asked; shared by all connections */
	const char *wrong;         /* after a failure: the key of [STORE] that it is about */
};

/* Clear it also after a failure, whose sentence begins with a key. Messages never show the
 * password. */
MUST_CHECK int redis_address_init(struct redis_address *out, const struct store_settings *settings,
				  struct error *err);
void redis_address_clear(struct redis_address *address);

/* "host", "host:port", "[::1]:port". what: for messages. Clear it also after a failure. */
MUST_CHECK int redis_host_init(struct redis_host *out, struct text text, const char *standard_port,
			       const char *what, struct error *err);
/* "MOVED 3999 10.0.0.8:6381"; without a host it is another port of here. Likewise. */
MUST_CHECK int redis_host_moved(struct redis_host *out, struct text reply, const char *here,
				struct error *err);
void redis_host_clear(struct redis_host *host);
char *redis_host_show(const struct redis_host *host); /* for free() */

#endif
