/*
 * error: one sentence about what went wrong, for whoever decides what happens next.
 *
 *	struct error err = { 0 };
 *	if (file_read(&text, path, limit, &err) < 0)
 *		return error_prefix(&err, "rules");
 */
#ifndef BASE_ERROR_H
#define BASE_ERROR_H

#include "base/base.h"

struct error {
	char *text; /* NULL: nothing went wrong */
};

/* All three answer -1. A NULL err is fine: the sentence is then dropped. */
int error_set(struct error *err, const char *format, ...) PRINTF_LIKE(2, 3);
int error_prefix(struct error *err, const char *format, ...) PRINTF_LIKE(2, 3);
int error_errno(struct error *err, const char *format, ...) PRINTF_LIKE(2, 3); /* ": " + strerror */
const char *error_text(const struct error *err);                               /* never NULL */
void error_clear(struct error *err);

#define AUTO_ERROR __attribute__((cleanup(error_clear))) struct error

#endif
