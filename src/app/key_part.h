/* key_part: keys of the store made of several texts, each ended by a NUL. */
#ifndef APP_KEY_PART_H
#define APP_KEY_PART_H

#include "base/buf.h"

#define KEY_PARTS_MAX 3 /* long ones fit together into a key of the store */

/* An empty key with room for what the store takes. */
struct buf *key_new(char kind);
/* A long part is shown by its digest. */
void key_add(struct buf *key, struct text part);

#endif
