/*
 * settings_change: what another reading of cn_monitor.conf changes while the monitor runs: the
 * limits of the store, and how much is logged. Whatever else is new in it needs a restart, and is
 * named.
 */
#ifndef APP_SETTINGS_CHANGE_H
#define APP_SETTINGS_CHANGE_H

#include "app/settings.h"

struct settings_live {
	int64_t max_bytes, retention_ms;
	int log_level; /* enum log_level */
};

struct settings_live settings_live_of(const struct settings *settings);
/*
 * live: what is at work; started: what the process began with; later: as it was read again. Puts to
 * work what can be. Answers a line for each thing that changed or could not, "" for none; for
 * free().
 */
char *settings_change(struct settings_live *live, const struct settings *started,
		      const struct settings *later, struct store *store);

#endif
