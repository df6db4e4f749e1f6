/*
 * members: the processes of one monitor. Each shows the others once a second how it is, and each
 * can tell all of them something. In a thread of its own, because the store may let it wait.
 */
#ifndef APP_MEMBERS_H
#define APP_MEMBERS_H

#include <jansson.h>
#include <uv.h>

#include "base/error.h"
#include "store/store.h"

struct members;

#define MEMBER_FRESH_MS 10000 /* who has not been heard of for longer is gone, or cut off */

struct members_handler {
	void *ctx;
	/* Each second, in the loop: how this process is, as an object. */
	json_t *(*describe)(void *ctx);
	/* In the loop: what a process told all of them, perhaps this one. Borrowed. */
	void (*heard)(void *ctx, json_t *message);
};

MUST_CHECK int members_open(struct members **out, uv_loop_t *loop, struct store *store,
			    const struct members_handler *handler, struct error *err);
/* What waits to be told is told, if the store can be reached. */
void members_close(struct members *members);

/* To every process, this one included; from any thread. Takes message over. What the store cannot
 * take now waits. */
void members_tell(struct members *members, json_t *message);

/* In the loop: an array of {member, age_ms, status}, as it was a moment ago; borrowed. */
json_t *members_list(const struct members *members);
/* "" or why the store could not be reached a moment ago. In the loop; borrowed. */
const char *members_trouble(const struct members *members);

/* "host-1/watch/4711": of this process among the others. For free(). */
char *member_name(const char *role);

#endif
