/*
 * fingerprint: looks once more at a file whose permissions we changed. If somebody else changed it
 * in the same moment, the cluster may have merged both into one event, which was taken for our
 * echo. Then the file's change time is not the one we left behind, and the event that the other
 * change should have caused is handed to the filter (design, 9.3).
 *
 * In memory only: a crash before a check is over (two seconds, longer where changes of one file
 * repeat) forgets it.
 */
#ifndef APP_FINGERPRINT_H
#define APP_FINGERPRINT_H

#include <uv.h>

#include "action/cluster.h"
#include "store/store.h"

struct fingerprints;

struct fingerprints_host {
	void *self;
	uv_loop_t *loop;
	struct store *store;
	/* Whether a step of ours is under way on this file: then its change time says nothing. */
	bool (*is_busy)(void *self, const char *file_id);
};

/* By which a file's state is known again; borrowed. */
struct fingerprint_state {
	const char *change_time;
	const char *permissions; /* file_permissions(); NULL: not known */
};

/* What a step left behind; all borrowed. */
struct fingerprint {
	uint64_t job;
	unsigned step;
	const struct cluster *cluster;
	const struct event *event; /* of the job: file id and watch are taken from it */
	event_kinds kinds;         /* what was expected */
	struct fingerprint_state state;
	uint64_t after_seq; /* the log's last record before the request */
};

/* Which kinds are checked at all: of permissions, and what user metadata and locks may cause. */
#define FINGERPRINT_PERMISSIONS                                            \
	(EVENT_KIND(CHILD_ACL_CHANGED) | EVENT_KIND(CHILD_OWNER_CHANGED) | \
	 EVENT_KIND(CHILD_GROUP_CHANGED))
#define FINGERPRINT_KINDS (FINGERPRINT_PERMISSIONS | EVENT_KIND(CHILD_EXTRA_ATTRS_CHANGED))

struct fingerprints *fingerprints_open(const struct fingerprints_host *host);
void fingerprints_close(struct fingerprints *prints); /* in its loop */
void fingerprints_add(struct fingerprints *prints, const struct fingerprint *print);
/*
 * A step of ours left a file like print that it had found like `before` (NULL: not looked at). A
 * check that expects another state than `before` stays as it is: somebody else's change came
 * between.
 */
void fingerprints_renew(struct fingerprints *prints, const char *file_id,
			const struct file_info *before, const struct fingerprint *print);
void fingerprints_tick(struct fingerprints *prints); /* what the timer does */

#endif
