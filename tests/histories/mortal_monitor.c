/*
 * cn_monitor that dies at a point of the store's work, as by a power cut: CN_DIE_AT="NAME N" names
 * the point, and how often it is reached before; NAME may be *.
 */
#include <stdatomic.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/text.h"
#include "cmd/command.h"
#include "store/store.h"

#define KILLED 99

static const char *fatal_point;
static atomic_int left;

static void die_at_point(const char *point)
{
	if ((*fatal_point == '*' || strncmp(point, fatal_point, strcspn(fatal_point, " ")) == 0) &&
	    atomic_fetch_sub(&left, 1) == 0)
		_exit(KILLED);
}

int main(int argc, char **argv)
{
	const char *number;

	fatal_point = getenv("CN_DIE_AT");
	if (fatal_point && (number = strchr(fatal_point, ' '))) {
		left = atoi(number);
		store_on_point(die_at_point);
	}
	return command_main(argc, argv);
}
