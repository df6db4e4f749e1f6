/* webhook_body: what a web hook is told, in the form that its service wants. */
#ifndef ACTION_WEBHOOK_BODY_H
#define ACTION_WEBHOOK_BODY_H

#include "action/action.h"

enum webhook_preset { WEBHOOK_GENERIC, WEBHOOK_SLACK, WEBHOOK_TEAMS };

/* text: the template, or NULL. Result: JSON, for free(). */
MUST_CHECK int webhook_body(char **out, enum webhook_preset preset, const char *text,
			    const struct action_run *run, struct error *err);

#endif
