/* run, watch, filter, act: the monitor itself, whole or one role of it. */
#include <stdio.h>

#include "app/daemon.h"
#include "cmd/command.h"

static int run_roles(const struct arguments *arguments, const char *command, unsigned roles)
{
	AUTO(settings_free) struct settings *settings = command_settings(arguments);

	if (!settings)
		return EXIT_WRONG;
	if (roles != CREW_ALL && settings_store_is_embedded(settings)) {
		fprintf(stderr,
			"cn_monitor %s: the store %s is for one process only. Run the whole "
			"monitor with `cn_monitor run`, or keep the store in Redis: [STORE] URL = "
			"redis://HOST\n",
			command, settings->store.shown);
		return EXIT_WRONG;
	}
	return daemon_run(settings, command, roles);
}

int run_run(const struct arguments *arguments)
{
	return run_roles(arguments, "run", CREW_ALL);
}

int watch_run(const struct arguments *arguments)
{
	return run_roles(arguments, "watch", CREW_ROLE(STORE_WATCH));
}

int filter_run(const struct arguments *arguments)
{
	return run_roles(arguments, "filter", CREW_ROLE(STORE_FILTER));
}

int act_run(const struct arguments *arguments)
{
	return run_roles(arguments, "act", CREW_ROLE(STORE_ACT));
}
