/* arena: memory that is taken piece by piece, side by side, and given back as a whole. */
#ifndef BASE_ARENA_H
#define BASE_ARENA_H

#include "base/text.h"

#define ARENA_LINE 64 /* bytes that a processor's cache fetches at once */

/* Zeroed, it is empty. */
struct arena {
	struct arena_chunk *last;
	char *next, *end;
};

/* size bytes, right after those taken before if there is room; aligned for pointers. */
void *arena_take(struct arena *arena, size_t size);
/* What is taken next begins a line of the cache. */
void arena_begin_line(struct arena *arena);
/* The text there, ended by a NUL; what it was until now is freed. */
struct text arena_move_text(struct arena *arena, struct text text);
void arena_clear(struct arena *arena);

#endif
