/* label_text: what the filter found out about a recorded event, for people. */
#ifndef CMD_LABEL_TEXT_H
#define CMD_LABEL_TEXT_H

#include <jansson.h>

#include "base/base.h"

/* Each with `before` in front of it, on standard output; label may be NULL. */
void label_print(const json_t *label, bool colour, const char *before);

#endif
