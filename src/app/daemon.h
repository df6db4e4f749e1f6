/* daemon: cn_monitor run: the three roles as threads of one process over the embedded store. */
#ifndef APP_DAEMON_H
#define APP_DAEMON_H

#include "app/deliver.h"
#include "app/filter.h"
#include "app/reload.h"
#include "app/settings.h"
#include "app/watcher.h"
#include "store/store.h"

struct daemon {
	const struct settings *settings;
	struct store *store;
	struct reload *reload;
	struct filter *filter;
	struct deliver *deliver;
	struct watcher **watchers; /* one a watch; NULL while they are not up */
	int64_t started_ms;
};

/*
 * Runs until SIGTERM or SIGINT; the return value is the process's exit status: 0, 1 after a
 * failure, 2 when files are wrong (rules, a password); both were logged. Problems of the rules are
 * printed to standard error.
 */
int daemon_run(const struct settings *settings);

#endif
