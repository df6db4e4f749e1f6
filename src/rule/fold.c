#include "rule/fold.h"

#include <utf8proc.h>

static void make_room(struct fold *fold, size_t size)
{
	if (size <= fold->room)
		return;
	fold->room = size * 2;
	fold->data = mem_grow(fold->data, fold->room, 1);
}

/* Lowers A to Z; false if there was anything beyond ASCII. */
static bool fold_ascii(char *to, struct text text)
{
	unsigned char seen = 0;

	for (size_t i = 0; i < text.size; i++) {
		unsigned char c = text.data[i];

		seen |= c;
		to[i] = c >= 'A' && c <= 'Z' ? c + ('a' - 'A') : c;
	}
	return seen < 0x80;
}

struct text fold_text(struct fold *fold, struct text text)
{
	make_room(fold, text.size + 1);
	if (fold_ascii(fold->data, text))
		return (struct text){ fold->data, text.size };

	utf8proc_uint8_t *folded = NULL;
	utf8proc_ssize_t size =
		utf8proc_map((const utf8proc_uint8_t *)text.data, text.size, &folded,
			     UTF8PROC_STABLE | UTF8PROC_COMPOSE | UTF8PROC_CASEFOLD);

	if (size < 0)
		return (struct text){ fold->data, text.size };
	make_room(fold, size + 1);
	memcpy(fold->data, folded, size);
	free(folded);
	return (struct text){ fold->data, size };
}

void fold_clear(struct fold *fold)
{
	free(fold->data);
	*fold = (struct fold){ 0 };
}
