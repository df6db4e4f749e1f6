/*
 * problem: what is wrong in a file that a person wrote: all of it at once, each with its place.
 *
 *	watched_items.yml:14:11: timeout '10 parsecs': expected a duration like 10s
 *	   14 |   timeout: 10 parsecs
 *	      |            ^
 */
#ifndef CONFIG_PROBLEM_H
#define CONFIG_PROBLEM_H

#include <jansson.h>

#include "base/buf.h"
#include "base/error.h"

struct place {
	const char *file; /* lives as long as its source: the problems, the node tree */
	int line;         /* from 1; 0: the whole file */
	int column;       /* from 1, in characters; 0: the whole line */
};

/* Another place that a problem is about. */
struct problem_note {
	struct place place;
	char *message;
};

struct problem {
	struct place place;
	bool is_warning;
	bool is_accepted; /* a warning, and whoever wrote the file has said that it is meant so */
	const char *name; /* of a warning that can be accepted: "loop"; NULL for all others */
	char *message;
	struct problem_note *notes;
	size_t note_count;
};

struct problems; /* at most 100 are kept; the rest are counted */

/* What holds for the warnings that come from now on. */
struct problem_scope {
	/* Whether a warning of this name is accepted at this place; NULL: none is. */
	bool (*accepts)(void *ctx, const char *name, struct place place);
	void *ctx;
	const char *unnamed; /* the name of those that come without one; static, or NULL */
};

struct problems *problems_new(void);
void problems_free(struct problems *problems);
AUTO_DEFINE(struct problems *, problems_free)

/* The text of a file, for excerpts. Copied. */
void problems_add_source(struct problems *problems, const char *file, struct text content);
void problems_error(struct problems *problems, struct place place, const char *format, ...)
	PRINTF_LIKE(3, 4);
void problems_warning(struct problems *problems, struct place place, const char *format, ...)
	PRINTF_LIKE(3, 4);
/* A warning that can be accepted by its name, which is static. */
void problems_warn(struct problems *problems, struct place place, const char *name,
		   const char *format, ...) PRINTF_LIKE(4, 5);
/* Belongs to the problem told last. */
void problems_note(struct problems *problems, struct place place, const char *format, ...)
	PRINTF_LIKE(3, 4);
/* Copied; NULL: warnings have the names that they come with, and none is accepted. */
void problems_set_scope(struct problems *problems, const struct problem_scope *scope);
size_t problems_error_count(const struct problems *problems);
size_t problems_warning_count(const struct problems *problems); /* without those accepted */
size_t problems_accepted_count(const struct problems *problems);
/* In order of file, line, column; those accepted have a visit of their own. */
void problems_visit(const struct problems *problems,
		    void (*visit)(void *ctx, const struct problem *problem), void *ctx);
void problems_visit_accepted(const struct problems *problems,
			     void (*visit)(void *ctx, const struct problem *problem), void *ctx);
/* All of them as text with excerpts and carets; colour for a terminal. For free(). */
char *problems_format(const struct problems *problems, bool colour);
/* Those accepted, a line each. For free(). */
char *problems_format_accepted(const struct problems *problems);
/* {"file", "line", "column", "severity": "error", "warning" or "accepted", "name", "message",
 * "notes": [{"file", "line", "column", "message"}]}; what there is not is left out. */
json_t *problem_to_json(const struct problem *problem);
/* The message with its name, on one line: "rule 'a' may trigger itself [loop]". For free(). */
char *problem_sentence(const struct problem *problem);

#endif
