/*
 * service_manager: tells systemd how the service is doing: that it is ready, reads its files again
 * or stops, a line of status, and a sign of life for its watchdog. Where systemd did not start the
 * program, or was not there when it was built, there is no manager: NULL, which is fine everywhere.
 */
#ifndef IO_SERVICE_MANAGER_H
#define IO_SERVICE_MANAGER_H

#include <uv.h>

#include "base/base.h"

struct service_manager;

/* describe gives the line of status, for free(); it is asked every few seconds, in the loop. The
 * watchdog's sign of life comes from the loop too: one that is stuck gives none. */
struct service_manager *service_manager_open(uv_loop_t *loop, char *(*describe)(void *ctx),
					     void *ctx);
void service_manager_close(struct service_manager *manager);

void service_manager_ready(struct service_manager *manager); /* after start, and after a reload */
void service_manager_reloading(struct service_manager *manager);
void service_manager_stopping(struct service_manager *manager);

#endif
