#include "base/arena.h"

#include <string.h>

#include "base/mem.h"

#define CHUNK_SIZE ((size_t)256 << 10)
#define ALIGNMENT sizeof(void *)

struct arena_chunk {
	struct arena_chunk *before;
};

static char *align(char *at, size_t to)
{
	return at + (-(uintptr_t)at & (to - 1));
}

static void add_chunk(struct arena *arena, size_t size)
{
	size_t room = MAX(size, CHUNK_SIZE);
	struct arena_chunk *chunk = mem_array(1, sizeof(*chunk) + ARENA_LINE + room);

	chunk->before = arena->last;
	arena->last = chunk;
	arena->next = align((char *)(chunk + 1), ARENA_LINE);
	arena->end = arena->next + room;
}

void *arena_take(struct arena *arena, size_t size)
{
	char *at;

	size += -size & (ALIGNMENT - 1);
	if (!arena->last || size > (size_t)(arena->end - arena->next))
		add_chunk(arena, size);
	at = arena->next;
	arena->next += size;
	return at;
}

void arena_begin_line(struct arena *arena)
{
	if (arena->last)
		arena->next = MIN(align(arena->next, ARENA_LINE), arena->end);
}

struct text arena_move_text(struct arena *arena, struct text text)
{
	char *copy = arena_take(arena, text.size + 1);

	if (text.size)
		memcpy(copy, text.data, text.size);
	copy[text.size] = '\0';
	free((char *)text.data);
	return (struct text){ copy, text.size };
}

void arena_clear(struct arena *arena)
{
	while (arena->last) {
		struct arena_chunk *chunk = arena->last;

		arena->last = chunk->before;
		free(chunk);
	}
	*arena = (struct arena){ 0 };
}
