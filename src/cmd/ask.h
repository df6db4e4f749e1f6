/* ask: one question to the running monitor over its socket, answered before the call returns. */
#ifndef CMD_ASK_H
#define CMD_ASK_H

#include <jansson.h>

#include "cmd/command.h"

struct monitor; /* the running one */

/* Finds its socket; prints why if it cannot. */
struct monitor *monitor_find(const struct arguments *arguments);
void monitor_forget(struct monitor *monitor);
AUTO_DEFINE(struct monitor *, monitor_forget)

/* The answer's JSON (json_decref it) or NULL with a sentence that says what to do. */
json_t *monitor_ask(struct monitor *monitor, const char *method, const char *path,
		    struct error *err);

#endif
