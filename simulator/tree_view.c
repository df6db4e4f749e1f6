/*
 * tree_view: the objects of one snapshot as nodes, made when they are asked for.
 *
 * One view is kept, that of the snapshot that was asked for last: pages of one listing follow each
 * other. It is made anew when it has grown too large.
 */
#include <inttypes.h>

#include "simulator/tree_past.h"
#include "simulator/tree_snapshot.h"

#define VIEW_MOST 50000 /* nodes and entries */

struct frozen_entry {
	uint64_t hash;
	uint64_t id;
	char *name;
	size_t name_size;
};

/* What makes a node one of a snapshot. */
struct frozen {
	uint64_t number;
	struct frozen_entry *entries; /* of a directory, sorted; made when it is listed */
	size_t count, room;
	bool listed;
};

struct past_view {
	uint64_t number;
	struct node *nodes;
	size_t size;
};

static void frozen_node_free(struct node *node)
{
	struct link *link;

	while ((link = node->links)) {
		node->links = link->next;
		free(link);
	}
	for (size_t i = 0; i < node->frozen->count; i++)
		free(node->frozen->entries[i].name);
	free(node->frozen->entries);
	free(node->frozen);
	free(node->dir);
	side_free(node->side);
	free(node);
}

void view_clear(struct tree *tree)
{
	struct past_view *view = TAKE(tree->past->view);
	struct node *node, *next;

	if (!view)
		return;
	HASH_ITER(by_id, view->nodes, node, next)
	{
		HASH_DELETE(by_id, view->nodes, node);
		frozen_node_free(node);
	}
	free(view);
}

static struct past_view *view_at(struct tree *tree, uint64_t number)
{
	struct past *past = tree->past;

	if (past->view && (past->view->number != number || past->view->size > VIEW_MOST))
		view_clear(tree);
	if (!past->view) {
		past->view = NEW(struct past_view);
		past->view->number = number;
	}
	return past->view;
}

/* Without its names; NULL: it was not there. */
static struct node *view_bare(struct tree *tree, struct past_view *view, uint64_t id)
{
	struct past_look seen;
	struct node *node;

	HASH_FIND(by_id, view->nodes, &id, sizeof(id), node);
	if (node || !past_state_at(tree, id, view->number, &seen))
		return node;
	node = NEW(struct node);
	node->id = id;
	node->look = *seen.look;
	node->etag = seen.etag;
	node->data_revision = seen.data_revision;
	node->side = side_copy(seen.side);
	node->frozen = NEW(struct frozen);
	node->frozen->number = view->number;
	if (node_is_directory(node)) {
		node->dir = NEW(struct directory);
		node->dir->node = node;
		node->dir->watch = -1;
		list_init(&node->dir->children);
	}
	HASH_ADD(by_id, view->nodes, id, sizeof(node->id), node);
	view->size++;
	return node;
}

struct naming {
	struct tree *tree;
	struct past_view *view;
	struct node *node;
};

static void add_name(void *ctx, uint64_t directory, struct text name, uint64_t id)
{
	struct naming *naming = ctx;
	struct node *parent = view_bare(naming->tree, naming->view, directory);
	struct link **last = &naming->node->links, *link;

	if (!parent)
		return;
	link = mem_new(sizeof(*link) + sizeof(uint64_t) + name.size + 1);
	link->node = naming->node;
	link->parent = parent;
	link->name_size = name.size;
	memcpy(link->key, &directory, sizeof(uint64_t));
	memcpy(link->key + sizeof(uint64_t), name.data, name.size);
	while (*last)
		last = &(*last)->next;
	*last = link;
}

/* With the way up to the root; NULL: it was not there. */
static struct node *view_node(struct tree *tree, struct past_view *view, uint64_t id)
{
	struct node *node = view_bare(tree, view, id), *up;

	for (up = node; up && up->id != TREE_ROOT_ID && !up->links; up = up->links->parent) {
		struct naming naming = { tree, view, up };

		past_each_name(tree, up->id, view->number, add_name, &naming);
		if (!up->links)
			return NULL;
	}
	return node;
}

struct node *tree_snapshot_node(struct tree *tree, uint64_t number, uint64_t id)
{
	return view_node(tree, view_at(tree, number), id);
}

enum tree_result tree_snapshot_lookup(struct tree *tree, uint64_t number, struct text path,
				      struct node **out, struct error *err)
{
	struct text rest = path, part;
	struct past_look seen;
	uint64_t id = TREE_ROOT_ID;

	if (path.size > TREE_PATH_MAX)
		return change_refused(err, TREE_LONG_PATH, "a path of %zu bytes", path.size);
	if (path.size == 0 || path.data[0] != '/')
		return change_refused(err, TREE_NO_PATH, "not an absolute path: %.*s",
				      TEXT_ARGS(path));
	while (rest.size > 0) {
		part = text_cut(&rest, '/');
		if (part.size == 0)
			continue;
		while (rest.size > 0 && rest.data[0] == '/')
			text_cut(&rest, '/');
		id = past_entry_at(tree, id, part, number);
		if (id && (rest.size == 0 ||
			   (past_state_at(tree, id, number, &seen) && S_ISDIR(seen.look->mode))))
			continue;
		if (rest.size == 0)
			return change_refused(err, TREE_NO_ENTRY, "no such entry then: %.*s",
					      TEXT_ARGS(path));
		return change_refused(err, TREE_NO_PATH, "no such directory then: %.*s",
				      TEXT_ARGS(part));
	}
	*out = tree_snapshot_node(tree, number, id);
	return *out ? TREE_OK : change_refused(err, TREE_NO_ENTRY, "not there then");
}

bool tree_snapshot_covers(struct tree *tree, uint64_t number, uint64_t directory, uint64_t id)
{
	struct past_place place;

	while (id != directory) {
		if (!past_place_at(tree, id, number, &place))
			return false;
		id = place.directory;
	}
	return true;
}

/* ---- listing ---- */

static void add_entry(void *ctx, uint64_t directory, struct text name, uint64_t id)
{
	struct frozen *frozen = ctx;

	if (frozen->count == frozen->room) {
		frozen->room = MAX(16, frozen->room * 2);
		frozen->entries = mem_grow(frozen->entries, frozen->room, sizeof(*frozen->entries));
	}
	frozen->entries[frozen->count++] =
		(struct frozen_entry){ name_hash(name), id, text_copy(name), name.size };
}

static int by_hash(const void *a, const void *b)
{
	const struct frozen_entry *x = a, *y = b;

	if (x->hash != y->hash)
		return x->hash < y->hash ? -1 : 1;
	return strcmp(x->name, y->name);
}

static void list_entries(struct tree *tree, struct node *directory)
{
	struct frozen *frozen = directory->frozen;

	if (frozen->listed)
		return;
	frozen->listed = true;
	past_each_entry(tree, directory->id, frozen->number, add_entry, frozen);
	if (frozen->count > 0)
		qsort(frozen->entries, frozen->count, sizeof(*frozen->entries), by_hash);
	tree->past->view->size += frozen->count;
}

size_t view_child_count(struct tree *tree, const struct node *node)
{
	struct node *directory = (struct node *)node;

	if (node->dir)
		list_entries(tree, directory);
	return node->frozen->count;
}

size_t view_list(struct tree *tree, struct node *directory, uint64_t after, size_t limit,
		 struct tree_entry *out, bool *out_more)
{
	const struct frozen *frozen = directory->frozen;
	size_t count = 0, low = 0, high;

	list_entries(tree, directory);
	for (high = frozen->count; low < high;) {
		size_t middle = low + (high - low) / 2;

		if (frozen->entries[middle].hash <= after)
			low = middle + 1;
		else
			high = middle;
	}
	for (; low < frozen->count; low++) {
		const struct frozen_entry *entry = &frozen->entries[low];
		struct node *node;

		if (count == limit) {
			*out_more = true;
			break;
		}
		node = view_node(tree, tree->past->view, entry->id);
		if (node)
			out[count++] = (struct tree_entry){ node,
							    { entry->name, entry->name_size },
							    entry->hash };
	}
	return count;
}
