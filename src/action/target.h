/* target: where a file goes, as a template says it: what rename and copy share. */
#ifndef ACTION_TARGET_H
#define ACTION_TARGET_H

#include "action/action.h"

/* The choices of `collision`, in the order of enum move_collision. */
extern const char *const target_collisions[];

/* As far as it can be said before the fields are filled in; module: for the sentences. */
void target_check(const char *module, const char *to, struct place place,
		  struct problems *problems);
/* Where the file goes, absolute; for free(). -1: what `to` came to is no name. */
MUST_CHECK int target_of(char **out, const char *to, const struct action_run *run,
			 struct error *err);
/* Where that is, in effect, as far as `to` says it; true: directories may be made on the way. */
bool target_effect(const char *to, struct event_effect *effect);

#endif
