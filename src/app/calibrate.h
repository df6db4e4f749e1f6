/*
 * calibrate: does each built-in change once, in a directory of its own on the cluster, and compares
 * what the stream tells of it with what the module expects. The modules are the real ones.
 */
#ifndef APP_CALIBRATE_H
#define APP_CALIBRATE_H

#include <jansson.h>

#include "app/settings.h"

/* Of one change. Borrowed. */
struct calibrated {
	const char *what;   /* "rename", "lock (lifted)" */
	const char *module; /* "lock" */
	const char *why;    /* why it was not done; NULL: it was */
	const json_t *told; /* names of events, in their order */
	const json_t
		*unexpected;   /* of these: "child_mtime_changed", "child_mtime_changed of
				  directory" (one in which something changed), "... of another" */
	const json_t *missing; /* expected, and not told within the time */
};

/* In `directory` of the watch's cluster, which must be there; what is made is removed again.
 * Blocks. -1: it could not be begun, or its own directory could not be removed. */
MUST_CHECK int calibrate_run(const struct settings *settings, const struct watch_settings *watch,
			     const char *directory,
			     void (*found)(void *ctx, const struct calibrated *calibrated),
			     void *ctx, struct error *err);

#endif
