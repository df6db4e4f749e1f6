/*
 * heartbeat: proves that the stream of one watch lives and reaches below its directory: touches a
 * file of its own in a private directory every so often, and awaits the event.
 *
 * In the loop of its watcher. What it causes is left out before any rule (heartbeat_is_own()).
 */
#ifndef APP_HEARTBEAT_H
#define APP_HEARTBEAT_H

#include "app/settings.h"
#include "event/event.h"
#include "qumulo/client.h"

struct heartbeat;

enum heartbeat_state {
	HEARTBEAT_OFF,    /* not asked for, or the stream is down */
	HEARTBEAT_ASKED,  /* the first beat of this stream is under way */
	HEARTBEAT_HEARD,  /* the last beat came */
	HEARTBEAT_FAILED, /* the file cannot be touched; of the stream that says nothing */
	HEARTBEAT_DEAF,   /* several streams in a row have told of no beat */
};

struct heartbeat_status {
	enum heartbeat_state state;
	char why[256];    /* of HEARTBEAT_FAILED and HEARTBEAT_DEAF */
	int64_t heard_ms; /* the wall's clock; 0: none yet */
	int64_t delay_ms; /* of the last beat, from the request to its event */
};

struct heartbeat_handler {
	void *ctx;
	/* A beat did not come: what was not heard since since_ms (the wall's clock) may be missing.
	 */
	void (*lost)(void *ctx, int64_t since_ms, const char *why);
	void (*changed)(void *ctx, const struct heartbeat_status *status);
};

/* NULL: the settings want none. */
struct heartbeat *heartbeat_new(uv_loop_t *loop, struct qumulo *cluster,
				const struct watch_settings *watch, const char *who,
				const struct heartbeat_handler *handler);
void heartbeat_free(struct heartbeat *heartbeat); /* its timer closes in the loop; NULL: nothing */

/* All of these take NULL, too. */
void heartbeat_start(struct heartbeat *heartbeat); /* the stream listens */
void heartbeat_stop(struct heartbeat *heartbeat);  /* it does not any more */
/* One message of the stream. Cheap while no beat is awaited. */
void heartbeat_hear(struct heartbeat *heartbeat, struct text message);
/* Messages are not read now, because the store is full, or are again: no beat is missed. */
void heartbeat_pause(struct heartbeat *heartbeat, bool is_paused);

const char *heartbeat_state_name(enum heartbeat_state state);
/* The private directory of a watch, absolute; for free(). NULL: no heartbeat. */
char *heartbeat_directory(const struct watch_settings *watch);
/*
 * Whether a heartbeat causes such an event, whichever process has it: of the private directory, or
 * of a heartbeat's file in it, that it was made or its time was set. What else happens there is
 * somebody else's. directory: the watch's.
 */
bool heartbeat_is_own(struct text directory, const struct event *event);

#endif
