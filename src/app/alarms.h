/*
 * alarms: once a second, the process whose filter is active looks for troubles of the whole
 * monitor, and puts jobs for those that `alarms:` names: once when one has lasted, once when it is
 * over. What was told is in the store, so that a restart or a takeover tells nothing twice.
 */
#ifndef APP_ALARMS_H
#define APP_ALARMS_H

#include "app/daemon.h"

struct alarms;

struct alarms *alarms_open(uv_loop_t *loop, const struct daemon *daemon);
/* Waits for what is being stored. */
void alarms_close(struct alarms *alarms);

#endif
