/* past_echoes: which recorded events were echoes of our own actions, as the filter labelled them.
 */
#ifndef APP_PAST_ECHOES_H
#define APP_PAST_ECHOES_H

#include "app/rename.h"

struct past_echoes;

struct past_echoes *past_echoes_new(struct store *store);
void past_echoes_free(struct past_echoes *echoes);
AUTO_DEFINE(struct past_echoes *, past_echoes_free)

/* Events come in about the order of the log; those of one record may come again. */
MUST_CHECK int past_echoes_find(struct past_echoes *echoes, const struct event *event,
				struct echo *out, struct error *err);

#endif
