/* store_redis_forward: the thread of a watching process that copies the local log into Redis. */
#ifndef STORE_STORE_REDIS_FORWARD_H
#define STORE_STORE_REDIS_FORWARD_H

#include "store/store_redis.h"

/* Of the local store: notes and gaps, as they are here (store_redis_notes.c). */
#define REDIS_ITEMS SPACE_INBOX

/* *out also after a failure, for redis_forward_close. The store's log is open. */
MUST_CHECK int redis_forward_open(struct redis_forward **out, struct store_redis *store,
				  struct error *err);
MUST_CHECK int redis_forward_start(struct redis_forward *forward, struct error *err);
/* The store is over: the thread ends, and what it did not send stays in the local log. */
void redis_forward_close(struct redis_forward *forward);

/* The local log has got so far. */
void redis_forward_appended(struct redis_forward *forward, uint64_t seq);
uint64_t redis_forward_end(struct redis_forward *forward);
void redis_forward_committed(struct redis_forward *forward, uint64_t seq);
/* A note or a gap was stored. */
void redis_forward_item(struct redis_forward *forward, struct text key);
/* It is here only. */
bool redis_forward_has_item(struct redis_forward *forward, struct text key);
/* Something changed that may let it go on. */
void redis_forward_poke(struct redis_forward *forward);
/* Lets the local log drop all that was forwarded. 1: that is more than before. */
MUST_CHECK int redis_forward_make_room(struct redis_forward *forward, struct error *err);
/* 1: all is there; 0: not within wait_ms. */
int redis_forward_drain(struct redis_forward *forward, int64_t wait_ms);
uint64_t redis_forward_behind(struct redis_forward *forward);
void redis_forward_advice(struct redis_forward *forward,
			  void (*visit)(void *ctx, const char *sentence), void *ctx);

/* A note or a gap as it is kept. */
struct redis_item {
	bool is_gap;
	uint64_t token;
	struct gap gap;          /* without its texts */
	struct text name, value; /* of a note; of a gap: watch and reason */
};
struct redis_item redis_item_read(struct text key, struct text value);
char *redis_source_name(struct store_redis *store); /* a new one, for free() */

#endif
