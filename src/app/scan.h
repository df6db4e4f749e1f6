/*
 * scan: what is already there below a path is told as if it had just come, with the origin `scan`,
 * because somebody asked for it (app/scan_item.h). One scan of a watch at a time, in the thread of
 * repairs and with their tasks: after a kill it goes on. It asks at a bounded rate, and waits while
 * the filter is behind.
 */
#ifndef APP_SCAN_H
#define APP_SCAN_H

#include "app/settings.h"
#include "qumulo/client.h"
#include "store/store.h"

struct scan_role;

struct scan_role *scan_role_new(uv_loop_t *loop, struct qumulo *cluster,
				const struct watch_settings *watch, struct store *store);
void scan_role_free(struct scan_role *scan); /* in its loop; the next one goes on */

#endif
