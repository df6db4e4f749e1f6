/* tree_model: nodes and links in memory, and the tables that find them. */
#include "simulator/tree_past.h"

#include <assert.h>

#include "base/clock.h"

/* FNV-1a, well stirred. */
uint64_t name_hash(struct text name)
{
	uint64_t hash = UINT64_C(14695981039346656037);

	for (size_t i = 0; i < name.size; i++)
		hash = (hash ^ (unsigned char)name.data[i]) * UINT64_C(1099511628211);
	hash ^= hash >> 31;
	return hash ? hash : 1;
}

void places_add(struct places *places, uint64_t directory, const char *name)
{
	if (places->count == places->room) {
		places->room = MAX(16, places->room * 2);
		places->items = mem_grow(places->items, places->room, sizeof(*places->items));
	}
	places->items[places->count++] =
		(struct place){ .directory = directory, .name = str_copy(name) };
}

bool places_pop(struct places *places, struct place *out)
{
	if (places->count == 0)
		return false;
	*out = places->items[--places->count];
	return true;
}

void places_remove(struct places *places, size_t index)
{
	free(places->items[index].name);
	places->count--;
	memmove(&places->items[index], &places->items[index + 1],
		(places->count - index) * sizeof(*places->items));
}

void places_clear(struct places *places)
{
	for (size_t i = 0; i < places->count; i++)
		free(places->items[i].name);
	free(places->items);
	*places = (struct places){ 0 };
}

struct node *node_new(struct tree *tree, const struct look *look, uint64_t id)
{
	struct node *node = NEW(struct node);

	node->id = id;
	node->since = tree->past->last;
	node->look = *look;
	HASH_ADD(by_id, tree->by_id, id, sizeof(node->id), node);
	if (S_ISDIR(look->mode)) {
		node->dir = NEW(struct directory);
		node->dir->node = node;
		node->dir->watch = -1;
		list_init(&node->dir->children);
	}
	return node;
}

void node_set_identity(struct tree *tree, struct node *node, const struct look *look)
{
	/* Only now does it exist, for a snapshot too. */
	node->since = tree->past->last;
	for (struct link *link = node->links; link; link = link->next)
		link->since = tree->past->last;
	node->look = *look;
	node->ghost = false;
	HASH_ADD(by_identity, tree->by_identity, look.identity, sizeof(node->look.identity), node);
	/* Time as the counters' start: so they grow over a restart without being kept anywhere. */
	node->etag = look->ctime_ns;
	node->data_revision = look->ctime_ns;
}

void node_changed(struct tree *tree, struct node *node)
{
	past_keep(tree, node);
	node->etag = MAX(node->etag + 1, (uint64_t)node->look.ctime_ns);
}

void node_data_changed(struct tree *tree, struct node *node)
{
	past_keep(tree, node);
	node->data_revision = MAX(node->data_revision + 1, (uint64_t)node->look.ctime_ns);
	node_changed(tree, node);
}

void node_take(struct tree *tree, struct node *node, const struct look *look)
{
	/* The host's clock ticks every few milliseconds: two changes may have one time. */
	bool changed = look->ctime_ns != node->look.ctime_ns || look->size != node->look.size ||
		       look->mode != node->look.mode || look->uid != node->look.uid ||
		       look->gid != node->look.gid;

	assert(identity_is(node, look));
	if (memcmp(look, &node->look, sizeof(*look)) == 0)
		return;
	past_keep(tree, node);
	node->look = *look;
	if (changed)
		node_changed(tree, node);
}

struct node *node_find(struct tree *tree, uint64_t id)
{
	struct node *node;

	HASH_FIND(by_id, tree->by_id, &id, sizeof(id), node);
	return node;
}

struct node *node_by_identity(struct tree *tree, const struct look *look)
{
	struct node *node;

	HASH_FIND(by_identity, tree->by_identity, &look->identity, sizeof(look->identity), node);
	return node;
}

struct link *link_find(struct tree *tree, uint64_t directory, const char *name, size_t size)
{
	char key[sizeof(directory) + TREE_NAME_MAX];
	struct link *link;

	if (size > TREE_NAME_MAX)
		return NULL;
	memcpy(key, &directory, sizeof(directory));
	memcpy(key + sizeof(directory), name, size);
	HASH_FIND(by_name, tree->links, key, sizeof(directory) + size, link);
	return link;
}

struct link *link_find_at(struct tree *tree, const struct node *directory, const char *name)
{
	return link_find(tree, directory->id, name, strlen(name));
}

static void directory_changed(struct directory *dir)
{
	free(TAKE(dir->sorted));
}

struct link *link_add(struct tree *tree, struct node *node, struct node *directory,
		      const char *name, size_t name_size)
{
	struct link *link = mem_new(sizeof(*link) + sizeof(uint64_t) + name_size + 1);
	struct link **last = &node->links;

	link->node = node;
	link->parent = directory;
	link->name_size = name_size;
	link->since = tree->past->last;
	link->seen = tree->slurps;
	link->mark = tree->mark;
	memcpy(link->key, &directory->id, sizeof(uint64_t));
	memcpy(link->key + sizeof(uint64_t), name, name_size);
	HASH_ADD_KEYPTR(by_name, tree->links, link->key, sizeof(uint64_t) + name_size, link);
	list_append(&directory->dir->children, &link->siblings);
	directory->dir->count++;
	directory_changed(directory->dir);
	while (*last)
		last = &(*last)->next;
	*last = link;
	return link;
}

void link_free(struct tree *tree, struct link *link)
{
	struct link **place = &link->node->links;

	past_keep_link(tree, link);
	while (*place != link)
		place = &(*place)->next;
	*place = link->next;
	HASH_DELETE(by_name, tree->links, link);
	list_remove(&link->siblings);
	link->parent->dir->count--;
	directory_changed(link->parent->dir);
	free(link);
}

void node_free(struct tree *tree, struct node *node)
{
	assert(!node->links);
	past_keep(tree, node);
	if (!node->ghost)
		HASH_DELETE(by_identity, tree->by_identity, node);
	HASH_DELETE(by_id, tree->by_id, node);
	if (node->dir) {
		assert(list_is_empty(&node->dir->children));
		watch_forget(tree, node->dir);
		dir_forget(tree, node);
		directory_changed(node->dir);
	}
	node->next_dead = tree->dead;
	tree->dead = node;
}

void dead_free(struct tree *tree)
{
	struct node *node;

	while ((node = tree->dead)) {
		tree->dead = node->next_dead;
		free(node->dir);
		side_free(node->side);
		free(node);
	}
}

void model_clear(struct tree *tree)
{
	struct link *link, *next_link;
	struct node *node, *next_node;

	HASH_ITER(by_name, tree->links, link, next_link)
	link_free(tree, link);
	HASH_ITER(by_id, tree->by_id, node, next_node)
	node_free(tree, node);
	tree->root = NULL;
	dead_free(tree);
}
