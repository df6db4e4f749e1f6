/* store_redis_forwarding: what the parts of the forwarding thread share. */
#ifndef STORE_STORE_REDIS_FORWARDING_H
#define STORE_STORE_REDIS_FORWARDING_H

#include "store/store_redis_forward.h"

#define HELD_STEPS 7 /* see hold_on */

/* A note or a gap that Redis does not have. */
struct redis_forward_item {
	UT_hash_handle hh;
	uint64_t after; /* records up to here go first */
	size_t key_size;
	char key[];
};

struct redis_forward {
	struct store_redis *store;
	struct redis_link link;
	pthread_t thread;
	bool is_running;

	pthread_mutex_t lock; /* of what follows */
	pthread_cond_t changed;
	uint64_t began;               /* what the local log had when it was opened */
	uint64_t appended, committed; /* in the local log */
	bool is_known;                /* forwarded was asked */
	uint64_t forwarded;           /* the server has that many of them */
	struct redis_forward_item *items;
	bool is_sending; /* an item */
	bool is_poked;   /* look again at once */
	char *trouble;   /* why it does not go on; NULL */
	uint64_t refused, lost;

	/* The thread's own: */
	char *source;
	struct chunk_writer *writer;
	bool is_single;   /* chunks of one record: some are to be refused */
	uint64_t reached; /* the log's last number when `forwarded` became what it is */
	struct {
		int64_t at_ms;
		uint64_t seq;
	} held[HELD_STEPS];
};

/* Under the lock. */
struct redis_forward_item *redis_forward_find(struct redis_forward *forward, struct text key);
void redis_forward_add(struct redis_forward *forward, struct text key, uint64_t after);

/* store_redis_send.c, all in the thread */
/* Finds out what the server has, and whether that is less than before. */
MUST_CHECK int redis_send_ask(struct redis_forward *forward, struct error *err);
/* A batch of records. 1: something was sent; 0: there is nothing to send. */
MUST_CHECK int redis_send_records(struct redis_forward *forward, struct error *err);
/* Notes and gaps whose records are there. */
MUST_CHECK int redis_send_items(struct redis_forward *forward, struct error *err);

#endif
