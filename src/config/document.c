#include "config/document.h"

enum { BLOCK_SIZE = 65536 };

struct block {
	struct block *next;
	size_t used;
	size_t size;
	_Alignas(max_align_t) char data[];
};

void *document_alloc(struct document *document, size_t size)
{
	struct block *block = document->blocks;
	void *piece;

	size = (size + 15) & ~(size_t)15;
	if (!block || block->size - block->used < size) {
		size_t room = MAX((size_t)BLOCK_SIZE, size);

		block = mem_new(sizeof(*block) + room);
		block->size = room;
		block->next = document->blocks;
		document->blocks = block;
	}
	piece = block->data + block->used;
	block->used += size;
	return piece;
}

struct text document_keep(struct document *document, struct text text)
{
	char *copy = document_alloc(document, text.size + 1);

	if (text.size)
		memcpy(copy, text.data, text.size);
	copy[text.size] = 0;
	return (struct text){ copy, text.size };
}

void document_free(struct document *document)
{
	if (!document)
		return;
	while (document->blocks) {
		struct block *block = document->blocks;

		document->blocks = block->next;
		free(block);
	}
	free(document);
}

const struct node *document_root(const struct document *document)
{
	return document->root;
}
