/* digest_text: what was gathered ({"since_ms", "until_ms", "count", "kinds", "rules", "entries"}),
 * as people are told it. */
#ifndef ACTION_DIGEST_TEXT_H
#define ACTION_DIGEST_TEXT_H

#include <jansson.h>

#include "base/buf.h"

#define DIGEST_SHOWN 20 /* entries in the text; the others are in the list */

/* All for free(). */
char *digest_subject(const json_t *gathered); /* "532 events from 12:00 to 12:05 UTC (rule a)" */
char *digest_short(const json_t *gathered);   /* for a chat: the subject and a few entries */
char *digest_plain(const json_t *gathered);
char *digest_html(const json_t *gathered);
/* Every entry that was kept, as comma separated values with a line of names; NULL where the text
 * shows them all. */
char *digest_list(const json_t *gathered);

#endif
