/* secret: a token or password from a file of its own. */
#ifndef BASE_SECRET_H
#define BASE_SECRET_H

#include "base/error.h"

/*
 * Refused when others than its owner (and root) can read it, unless group reading is all they can
 * do (Kubernetes mounts secrets 0440). White space at its end is cut off; log_hide is told. *out
 * for free().
 */
MUST_CHECK int secret_read(char **out, const char *path, struct error *err);

#endif
