#include "app/daemon.h"
#include "cmd/command.h"

int run_run(const struct arguments *arguments)
{
	AUTO(settings_free) struct settings *settings = command_settings(arguments);

	return settings ? daemon_run(settings) : EXIT_WRONG;
}
