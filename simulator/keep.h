/* keep: small files in the state folder that stay the same after a restart. */
#ifndef SIMULATOR_KEEP_H
#define SIMULATOR_KEEP_H

#include "base/error.h"

/* Makes the directory and its parents. */
MUST_CHECK int keep_folder(const char *path, struct error *err);
/* The whole of a text file of at most 1 MiB, without a line break at its end; for free(). */
MUST_CHECK int keep_read(char **out, const char *path, struct error *err);
/* The same; if there is no such file, it is written with what `make` gives, readable by us only. */
MUST_CHECK int keep_text(char **out, const char *path, char *(*make)(void), struct error *err);

#endif
