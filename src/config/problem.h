/*
 * problem: what is wrong in a file that a person wrote: all of it at once, each with its place.
 *
 *	watched_items.yml:14:11: timeout '10 parsecs': expected a duration like 10s
 *	   14 |   timeout: 10 parsecs
 *	      |            ^
 */
#ifndef CONFIG_PROBLEM_H
#define CONFIG_PROBLEM_H

#include "base/buf.h"
#include "base/error.h"

struct place {
	const char *file; /* lives as long as its source: the problems, the node tree */
	int line;         /* from 1; 0: the whole file */
	int column;       /* from 1, in characters; 0: the whole line */
};

struct problem {
	struct place place;
	bool is_warning;
	char *message;
};

struct problems; /* at most 100 are kept; the rest are counted */

struct problems *problems_new(void);
void problems_free(struct problems *problems);
AUTO_DEFINE(struct problems *, problems_free)

/* The text of a file, for excerpts. Copied. */
void problems_add_source(struct problems *problems, const char *file, struct text content);
void problems_error(struct problems *problems, struct place place, const char *format, ...)
	PRINTF_LIKE(3, 4);
void problems_warning(struct problems *problems, struct place place, const char *format, ...)
	PRINTF_LIKE(3, 4);
size_t problems_error_count(const struct problems *problems);
size_t problems_warning_count(const struct problems *problems);
/* In order of file, line, column. */
void problems_visit(const struct problems *problems,
		    void (*visit)(void *ctx, const struct problem *problem), void *ctx);
/* All of them as text with excerpts and carets; colour for a terminal. For free(). */
char *problems_format(const struct problems *problems, bool colour);

#endif
