#include "config/node.h"

#include <stdio.h>

const struct node *node_get(const struct node *mapping, const char *key)
{
	if (!mapping || mapping->kind != NODE_MAPPING)
		return NULL;
	node_for_each(child, mapping)
	{
		if (text_is(child->key->text, key))
			return child;
	}
	return NULL;
}

const char *node_kind_name(enum node_kind kind)
{
	switch (kind) {
	case NODE_SCALAR:
		return "text";
	case NODE_LIST:
		return "a list";
	case NODE_MAPPING:
		return "a mapping";
	case NODE_NULL:
		break;
	}
	return "nothing";
}

/*
 * Besides what JSON asks for, characters that a YAML file may not hold are written as numbers:
 * this text is read again by document_parse.
 */
static void json_text(struct buf *out, struct text text)
{
	(void)!buf_append(out, "\"", 1);
	for (size_t i = 0; i < text.size; i++) {
		unsigned char byte = text.data[i];
		unsigned char next = i + 1 < text.size ? text.data[i + 1] : 0;

		if (byte == '"' || byte == '\\') {
			(void)!buf_print(out, "\\%c", byte);
		} else if (byte < 0x20 || byte == 0x7f) {
			(void)!buf_print(out, "\\u%04x", byte);
		} else if (byte == 0xc2 && next >= 0x80 && next < 0xa0) {
			(void)!buf_print(out, "\\u%04x", next);
			i++;
		} else if (byte == 0xef && text.size - i > 2 &&
			   (memcmp(text.data + i, "\xef\xbb\xbf", 3) == 0 ||
			    memcmp(text.data + i, "\xef\xbf\xbe", 3) == 0 ||
			    memcmp(text.data + i, "\xef\xbf\xbf", 3) == 0)) {
			unsigned last = (unsigned char)text.data[i + 2];

			(void)!buf_print(out, "\\u%04x", next == 0xbb ? 0xfeff : 0xff40 + last);
			i += 2;
		} else {
			(void)!buf_append(out, text.data + i, 1);
		}
	}
	(void)!buf_append(out, "\"", 1);
}

/* Depth is bounded: document_parse refuses what nests deeper than a hundred levels. */
static void json_node(struct buf *out, const struct node *node)
{
	bool is_mapping = node->kind == NODE_MAPPING;

	if (node->kind == NODE_NULL) {
		(void)!buf_append(out, "null", 4);
		return;
	}
	if (node->kind == NODE_SCALAR) {
		json_text(out, node->text);
		return;
	}
	(void)!buf_append(out, is_mapping ? "{" : "[", 1);
	node_for_each(child, node)
	{
		if (child != node->first)
			(void)!buf_append(out, ", ", 2);
		if (is_mapping) {
			json_text(out, child->key->text);
			(void)!buf_append(out, ": ", 2);
		}
		json_node(out, child);
	}
	(void)!buf_append(out, is_mapping ? "}" : "]", 1);
}

char *node_to_json(const struct node *node)
{
	AUTO(buf_free) struct buf *out = buf_new(SIZE_MAX);

	json_node(out, node);
	return buf_take(out);
}
