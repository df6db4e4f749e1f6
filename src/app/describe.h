/* describe: how this process is, and how the monitor is of which it is a part. In the main loop. */
#ifndef APP_DESCRIBE_H
#define APP_DESCRIBE_H

#include <jansson.h>

#include "app/daemon.h"
#include "app/label.h"

/*
 * This process alone: host, pid, version, started, roles (by name: state, since, why), rules, and
 * of the roles that are at work watches, filter, act. What the members show each other.
 */
json_t *describe_process(const struct daemon *daemon);
/*
 * The whole, as far as it is known here without asking the store: version, pid, started, member and
 * rules of this process; watches and filter of whichever process is active, act of all of them
 * together; members: every process, with age_ms.
 */
json_t *describe_monitor(const struct daemon *daemon);
/* For the service manager; for free(). */
char *describe_in_a_line(const struct daemon *daemon);
/* What keeps this process from doing what it is there for, a sentence each; standing by is no
 * trouble. */
json_t *describe_troubles(const struct daemon *daemon);

/* By name: state, since, why. */
json_t *describe_roles(const struct daemon *daemon);

json_t *describe_time(int64_t ms); /* null for 0 */

#endif
