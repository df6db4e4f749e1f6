/*
 * doctor: tries what a configuration needs of its clusters, and changes nothing there: connection,
 * credential, privileges, each watch (by really opening its stream), each action of the rules.
 */
#ifndef APP_DOCTOR_H
#define APP_DOCTOR_H

#include "app/settings.h"

enum finding_level { FINDING_OK, FINDING_WARNING, FINDING_FAILURE };

struct finding {
	enum finding_level level;
	const char *about; /* "cluster default", "watch main", "rule quarantine-media" */
	const char *what;  /* what was found */
	const char *cure;  /* what to do about it; NULL: nothing */
};

/* Blocks while it asks. Each finding is handed out as it is made; borrowed. */
MUST_CHECK int doctor_examine(const struct settings *settings,
			      void (*found)(void *ctx, const struct finding *finding), void *ctx,
			      struct error *err);

#endif
