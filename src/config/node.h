/*
 * node: a parsed YAML document, small and plain: scalars, lists, mappings, each with its place.
 * JSON is YAML, so what is stored as JSON (a job's action options) comes back through the same
 * door.
 */
#ifndef CONFIG_NODE_H
#define CONFIG_NODE_H

#include "config/problem.h"

enum node_kind { NODE_SCALAR, NODE_LIST, NODE_MAPPING, NODE_NULL };

struct node {
	enum node_kind kind;
	struct place place;
	struct text text; /* a scalar's value, NUL-terminated; empty otherwise */
	bool is_quoted;   /* a scalar in quotes is text, whatever it looks like */
	bool is_single_quoted;
	struct node *key;   /* a mapping's child: its key, a scalar with its own place */
	struct node *first; /* children in order */
	struct node *next;
	size_t count; /* of children */
};

struct document; /* owns its nodes, their texts and its file name */

/*
 * Parses text; what is wrong (tabs, duplicate keys, a second document, anchors that nest too deep)
 * goes to problems. NULL if it is not YAML at all. file names the place in messages.
 */
struct document *document_parse(const char *file, struct text text, struct problems *problems);
/* The same for a file; one that cannot be read is a problem too. */
struct document *document_read(const char *path, struct problems *problems);
void document_free(struct document *document);
AUTO_DEFINE(struct document *, document_free)
const struct node *document_root(const struct document *document);

const struct node *node_get(const struct node *mapping, const char *key); /* NULL: not there */
const char *node_kind_name(enum node_kind kind);                          /* "a list" */
/* As JSON on one line; a scalar becomes a string, quoted or not. For free(). */
char *node_to_json(const struct node *node);

#define node_for_each(child, parent) \
	for (const struct node *child = (parent)->first; child; child = child->next)

#endif
