/* document: the memory of a node tree: given out in pieces, freed all at once. */
#ifndef CONFIG_DOCUMENT_H
#define CONFIG_DOCUMENT_H

#include "config/node.h"

struct block;

struct document {
	struct block *blocks;
	const char *file;
	struct node *root;
};

/* Both live as long as the document. */
void *document_alloc(struct document *document, size_t size);           /* zeroed */
struct text document_keep(struct document *document, struct text text); /* NUL-terminated copy */

#endif
