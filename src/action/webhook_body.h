/* webhook_body: what a web hook is told, in the form that its service wants. */
#ifndef ACTION_WEBHOOK_BODY_H
#define ACTION_WEBHOOK_BODY_H

#include "action/action.h"

enum webhook_preset { WEBHOOK_GENERIC, WEBHOOK_SLACK, WEBHOOK_TEAMS, WEBHOOK_PAGERDUTY };

struct webhook_words {
	enum webhook_preset preset;
	const char *text;       /* the template, or NULL */
	const char *secret;     /* WEBHOOK_PAGERDUTY: the integration key */
	const char *severity;   /* the same */
	const json_t *gathered; /* what is told instead of the event; NULL: the event */
};

/* The same for every attempt, so that the other side can drop what comes twice. For free(). */
char *webhook_id(const struct action_run *run);
/* JSON, for free(). */
MUST_CHECK int webhook_body(char **out, const struct webhook_words *words,
			    const struct action_run *run, struct error *err);

#endif
