/*
 * source: the bytes of a file that a person wrote, read with a ceiling and checked to be text
 * before any parser sees them.
 */
#ifndef CONFIG_SOURCE_H
#define CONFIG_SOURCE_H

#include "config/problem.h"

/*
 * Reads path; on failure the problem is told and the answer is false. mode: the file's permissions,
 * as they were when it was opened; may be NULL.
 */
MUST_CHECK bool source_read(struct buf **out, const char *path, size_t limit_bytes, unsigned *mode,
			    struct problems *problems);
/* Cuts off a byte-order mark; refuses what is not UTF-8 or holds control characters. */
MUST_CHECK bool source_check(const char *file, struct text *text, struct problems *problems);

#endif
