/* daemon: one process of the monitor: some or all of the roles, and the main thread beside them. */
#ifndef APP_DAEMON_H
#define APP_DAEMON_H

#include "app/crew.h"
#include "app/members.h"
#include "app/reload_all.h"
#include "app/settings_change.h"
#include "store/store.h"

struct daemon {
	const struct settings *settings;
	unsigned roles;            /* CREW_ROLE of each that this process has */
	char *name;                /* among the members: "host-1/watch/4711" */
	struct settings_live live; /* what a reload has changed of the settings */
	struct store *store;
	struct reload *reload;
	struct crew *crew;
	struct members *members;
	struct reload_all *reload_all;
	int64_t started_ms;
};

/*
 * Runs until SIGTERM or SIGINT; the return value is the process's exit status: 0, 1 after a
 * failure, 2 when files are wrong (rules, a password); both were logged. Problems of the rules are
 * printed to standard error. command: "run", "watch", "filter" or "act", which names the socket.
 */
int daemon_run(const struct settings *settings, const char *command, unsigned roles);

#endif
