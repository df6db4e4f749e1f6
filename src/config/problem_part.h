/* problem_part: what problem.c, which collects, and problem_format.c, which shows, share. */
#ifndef CONFIG_PROBLEM_PART_H
#define CONFIG_PROBLEM_PART_H

#include "config/problem.h"

enum {
	PROBLEMS_KEPT = 100,
	NOTES_KEPT = 20,    /* of one problem */
	MESSAGE_MAX = 1000, /* characters */
	SHOWN_MAX = 32,     /* bytes that one character may become */
};

struct source {
	char *file; /* NULL for problems that belong to no file */
	char *content;
	size_t size;
	struct source *next;
	size_t index; /* in order of the first mention */
};

struct kept {
	struct problem problem;
	size_t source;
	size_t order;
};

struct problems {
	struct source *sources;
	size_t source_count;
	struct kept kept[PROBLEMS_KEPT];
	size_t kept_count;
	struct kept *last; /* the one told last; NULL: it was not kept */
	struct problem_scope scope;
	size_t errors;
	size_t warnings;
	size_t accepted;
};

/*
 * One character, moved past, as it may be shown: its text in out (SHOWN_MAX bytes), its columns as
 * the answer. What could steer a terminal, reverse a line or hide itself is written as a number.
 * column: where on the screen it stands, for a tab; -1: it stands in a message.
 */
int problem_shown(struct text *rest, int column, char *out);
/* At most so many characters of it. For free(). */
char *problem_shown_text(struct text text, size_t most);

#endif
