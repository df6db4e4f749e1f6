/*
 * source: the bytes of a file that a person wrote, read with a ceiling and checked to be text
 * before any parser sees them.
 */
#ifndef CONFIG_SOURCE_H
#define CONFIG_SOURCE_H

#include "config/problem.h"

/*
 * Reads path; on failure the problem is told and the answer is false. others_may_read says whether
 * the file's mode lets the group write or others read it; it may be NULL.
 */
MUST_CHECK bool source_read(struct buf **out, const char *path, size_t limit_bytes,
			    bool *others_may_read, struct problems *problems);
/*
 * Hands the text to problems for excerpts, cuts off a byte-order mark, and refuses what is not
 * UTF-8 or holds control characters.
 */
MUST_CHECK bool source_check(const char *file, struct text *text, struct problems *problems);

#endif
