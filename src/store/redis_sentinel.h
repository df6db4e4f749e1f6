/*
 * redis_sentinel: asks the Sentinels of an address where its master is.
 *
 * A Sentinel that was cut off together with an old master still names that one. So more than half
 * of them are asked, as far as they answer, and who knows of the latest fail-over is believed
 * first; whether it is a master must be asked there.
 */
#ifndef STORE_REDIS_SENTINEL_H
#define STORE_REDIS_SENTINEL_H

#include "store/redis_wire.h"

struct redis_masters {
	struct {
		struct redis_host host;
		int64_t epoch; /* of the fail-over that made it the master */
	} * items;             /* the latest first, each once */
	size_t count;
};

/* wire is used for it, until its until_ms, and closed after it. Clear it also after a failure. */
MUST_CHECK int redis_masters_find(struct redis_masters *out, struct redis_wire *wire,
				  struct error *err);
void redis_masters_clear(struct redis_masters *masters);

#endif
