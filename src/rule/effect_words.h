/* effect_words: what an action causes, in words. For the files of rule/ only. */
#ifndef RULE_EFFECT_WORDS_H
#define RULE_EFFECT_WORDS_H

#include "event/event.h"

/* "renamed", "permissions", or up to three names of types. For free(), as the others. */
char *effect_kinds_text(event_kinds kinds);
char *effect_place_text(const struct event_effect *effect); /* " in /quarantine", or "" */
/* What would keep a rule from matching, as it would be written where that is known. */
char *effect_except_text(const struct event_effect *effect);

#endif
