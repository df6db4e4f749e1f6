/* tree_stream: named streams and user metadata: what hangs on an object besides its data. */
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "simulator/tree_model.h"

/* ---- streams ---- */

static void stream_show(const struct kept_stream *kept, struct tree_stream *out)
{
	*out = (struct tree_stream){ kept->id, kept->name, kept->size, kept->data_revision };
}

size_t tree_stream_count(const struct node *node)
{
	return node->side ? node->side->stream_count : 0;
}

bool tree_stream_at(const struct node *node, size_t index, struct tree_stream *out)
{
	if (index >= tree_stream_count(node))
		return false;
	stream_show(&node->side->streams[index], out);
	return true;
}

bool tree_stream_find(const struct node *node, uint64_t stream, struct tree_stream *out)
{
	const struct kept_stream *kept = side_stream(node, stream);

	if (kept)
		stream_show(kept, out);
	return kept;
}

/* The node for a change, or NULL with *out_result set; the name, if one is given, is checked. */
static struct node *begin(struct tree *tree, struct node *node, const struct text *name,
			  char *plain, enum tree_result *out_result, struct error *err)
{
	node = change_begin(tree, node);
	if (!node) {
		*out_result = change_refused(err, TREE_NO_NODE, "the object is gone");
		return NULL;
	}
	*out_result = check_unlocked(node, err);
	if (*out_result == TREE_OK && name)
		*out_result = check_name(*name, plain, err);
	for (size_t i = 0; *out_result == TREE_OK && name && i < tree_stream_count(node); i++)
		if (text_is(*name, node->side->streams[i].name))
			*out_result =
				change_refused(err, TREE_EXISTS, "the stream %s exists", plain);
	if (*out_result != TREE_OK)
		return NULL;
	past_keep(tree, node);
	return node;
}

static enum tree_result end(struct tree *tree, struct node *node, struct error *err)
{
	enum tree_result result;

	side_touch(tree, node);
	result = side_save(tree, node, err) < 0 ? TREE_FAILED : TREE_OK;
	change_end(tree);
	return result;
}

enum tree_result tree_stream_add(struct tree *tree, struct node *node, struct text name,
				 uint64_t *out, struct error *err)
{
	char plain[TREE_NAME_MAX + 1];
	enum tree_result result;
	struct kept_stream *stream;
	struct side *side;
	int fd;

	node = begin(tree, node, &name, plain, &result, err);
	if (!node)
		return result;
	side = side_of(tree, node);
	fd = side_stream_open(tree, node, side->last_stream + 1, O_RDWR | O_TRUNC);
	if (fd < 0)
		return change_failed(err, "stream %s", plain);
	close(fd);
	side->streams = mem_grow(side->streams, side->stream_count + 1, sizeof(*side->streams));
	stream = &side->streams[side->stream_count++];
	*stream = (struct kept_stream){ .id = ++side->last_stream, .name = str_copy(plain) };
	*out = stream->id;
	emit_node(tree, CHILD_STREAM_ADDED, node, plain);
	return end(tree, node, err);
}

enum tree_result tree_stream_rename(struct tree *tree, struct node *node, uint64_t stream,
				    struct text name, struct error *err)
{
	char plain[TREE_NAME_MAX + 1];
	struct kept_stream *kept;
	enum tree_result result;

	node = begin(tree, node, &name, plain, &result, err);
	if (!node)
		return result;
	kept = side_stream(node, stream);
	if (!kept)
		return change_refused(err, TREE_NO_STREAM, "no such stream");
	emit_node(tree, CHILD_STREAM_MOVED_FROM, node, kept->name);
	free(kept->name);
	kept->name = str_copy(plain);
	emit_node(tree, CHILD_STREAM_MOVED_TO, node, kept->name);
	return end(tree, node, err);
}

enum tree_result tree_stream_remove(struct tree *tree, struct node *node, uint64_t stream,
				    struct error *err)
{
	struct kept_stream *kept;
	enum tree_result result;
	struct side *side;

	node = begin(tree, node, NULL, NULL, &result, err);
	if (!node)
		return result;
	kept = side_stream(node, stream);
	if (!kept)
		return change_refused(err, TREE_NO_STREAM, "no such stream");
	side = node->side;
	emit_node(tree, CHILD_STREAM_REMOVED, node, kept->name);
	side_stream_remove(tree, node, stream);
	free(kept->name);
	side->stream_count--;
	memmove(kept, kept + 1, (side->streams + side->stream_count - kept) * sizeof(*kept));
	return end(tree, node, err);
}

/* ---- user metadata ---- */

static const char *const kinds[] = { "GENERIC", "S3" };

static const json_t *keys_of(const struct node *node, const char *kind)
{
	return node->side ? json_object_get(node->side->tags, kind) : NULL;
}

size_t tree_tag_count(const struct node *node)
{
	size_t count = 0;

	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++)
		count += json_object_size(keys_of(node, kinds[i]));
	return count;
}

static int by_text(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

bool tree_tag_at(const struct node *node, size_t index, struct tree_tag *out)
{
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		const json_t *keys = keys_of(node, kinds[i]);
		size_t count = json_object_size(keys), at = 0;
		const char *key, **sorted;
		json_t *value;

		if (index >= count) {
			index -= count;
			continue;
		}
		sorted = mem_array(count, sizeof(*sorted));
		json_object_foreach((json_t *)keys, key, value) sorted[at++] = key;
		qsort(sorted, count, sizeof(*sorted), by_text);
		*out = (struct tree_tag){ kinds[i], sorted[index],
					  json_string_value(json_object_get(keys, sorted[index])) };
		free(sorted);
		return true;
	}
	return false;
}

const char *tree_tag_get(const struct node *node, const char *kind, struct text key)
{
	AUTO(free) char *plain = text_copy(key);

	return json_string_value(json_object_get(keys_of(node, kind), plain));
}

enum tree_result tree_tag_set(struct tree *tree, struct node *node, const char *kind,
			      struct text key, const char *value, enum tree_tag_mode mode,
			      struct error *err)
{
	AUTO(free) char *plain = text_copy(key);
	enum tree_result result;
	struct side *side;
	json_t *keys;

	node = begin(tree, node, NULL, NULL, &result, err);
	if (!node)
		return result;
	if (key.size == 0 || strlen(plain) != key.size || !value[0])
		return change_refused(err, TREE_INVALID, "user metadata needs a key and a value");
	if (mode == TREE_TAG_ADD && tree_tag_get(node, kind, key))
		return change_refused(err, TREE_EXISTS, "the key %s exists", plain);
	side = side_of(tree, node);
	if (!side->tags)
		side->tags = json_object();
	keys = json_object_get(side->tags, kind);
	if (!keys) {
		keys = json_object();
		json_object_set_new(side->tags, kind, keys);
	}
	if (json_object_set_new(keys, plain, json_string(value)) < 0)
		return change_refused(err, TREE_INVALID, "user metadata is UTF-8");
	side->tag_revision++;
	emit_metadata(tree, node);
	return end(tree, node, err);
}

enum tree_result tree_tag_remove(struct tree *tree, struct node *node, const char *kind,
				 struct text key, struct error *err)
{
	AUTO(free) char *plain = text_copy(key);
	enum tree_result result;

	node = begin(tree, node, NULL, NULL, &result, err);
	if (!node)
		return result;
	if (!tree_tag_get(node, kind, key))
		return change_refused(err, TREE_NO_KEY, "no such key: %s", plain);
	json_object_del(json_object_get(node->side->tags, kind), plain);
	node->side->tag_revision++;
	emit_metadata(tree, node);
	return end(tree, node, err);
}
