/* mode: POSIX modes as chmod takes them, "0640" or "u=rw,g-w,o=" or "a+X". */
#ifndef ACTION_MODE_H
#define ACTION_MODE_H

#include "base/error.h"
#include "base/text.h"

/* -1: text is no mode; with a sentence about what is wrong. */
MUST_CHECK int mode_check(const char *text, struct error *err);
/* What becomes of a mode; text was checked. A bit that no clause names stays as it is. */
unsigned mode_apply(const char *text, unsigned mode, bool is_directory);
/* Whether text sets the whole mode, whatever it was. */
bool mode_is_absolute(const char *text);

#endif
