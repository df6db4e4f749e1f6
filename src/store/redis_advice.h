/* redis_advice: what a Redis server should be set to otherwise, because jobs could get lost. */
#ifndef STORE_REDIS_ADVICE_H
#define STORE_REDIS_ADVICE_H

#include <pthread.h>

#include "store/redis_connection.h"

#define REDIS_ADVICE_MAX 8

struct redis_advice {
	pthread_mutex_t lock; /* of the sentences */
	char *sentences[REDIS_ADVICE_MAX];
	size_t count;
	uint64_t serial; /* of the connection whose server was looked at */
};

void redis_advice_init(struct redis_advice *advice);
void redis_advice_clear(struct redis_advice *advice);
/* Looks at the server's settings if the connection is new; max_bytes: that log and state may
 * take. */
void redis_advice_look(struct redis_advice *advice, const struct redis_address *address,
		       struct redis_connection *connection, int64_t max_bytes);
void redis_advice_visit(struct redis_advice *advice, void (*visit)(void *ctx, const char *sentence),
			void *ctx);

#endif
