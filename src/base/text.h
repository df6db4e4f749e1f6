/* text: a borrowed piece of bytes, not ended by NUL. Whoever needs it longer copies it. */
#ifndef BASE_TEXT_H
#define BASE_TEXT_H

#include <string.h>

#include "base/mem.h"

struct text {
	const char *data;
	size_t size;
};

#define TEXT(literal) ((struct text){ "" literal, sizeof(literal) - 1 })
#define TEXT_NONE ((struct text){ NULL, 0 })
/* For printf: "%.*s", TEXT_ARGS(text) */
#define TEXT_ARGS(text) (int)(text).size, (text).data ? (text).data : ""

static inline struct text text_of(const char *string)
{
	return (struct text){ string, string ? strlen(string) : 0 };
}

static inline bool text_equal(struct text a, struct text b)
{
	return a.size == b.size && (a.size == 0 || memcmp(a.data, b.data, a.size) == 0);
}

static inline bool text_is(struct text text, const char *string)
{
	return text_equal(text, text_of(string));
}

static inline char *text_copy(struct text text)
{
	return str_copy_n(text.data, text.size);
}

bool text_starts_with(struct text text, struct text start);
bool text_ends_with(struct text text, struct text end);
struct text text_trim(struct text text);          /* white space at both ends */
struct text text_cut(struct text *rest, char at); /* up to `at`; rest follows it */
int text_compare(struct text a, struct text b);   /* by bytes, as strcmp */

/* Slash-separated absolute paths, by bytes. "/" has the name "" and the parent "/". */
struct text path_name(struct text path);
struct text path_parent(struct text path);
struct text path_extension(struct text path); /* with its dot; "" for "a", ".a" and "a." */
bool path_is_below(struct text path, struct text directory); /* at any depth, not itself */
/* directory + "/" + relative with doubled slashes collapsed and no slash at the end. */
char *path_join(struct text directory, struct text relative);

#endif
