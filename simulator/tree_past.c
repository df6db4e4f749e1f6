/* tree_past: keeping what changes for the snapshots that saw it, and finding it again. */
#include "simulator/tree_past.h"

#include <assert.h>
#include <inttypes.h>
#include <unistd.h>

#include "base/log.h"
#include "simulator/tree_snapshot.h"

#define RECORDS_MOST 2000000 /* unless tree_options says otherwise: about half a GiB */

/* ---- records ---- */

static bool is_needed(const struct past *past, uint64_t from, uint64_t to)
{
	size_t low = 0, high = past->count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (past->numbers[middle] <= from)
			low = middle + 1;
		else
			high = middle;
	}
	return low < past->count && past->numbers[low] <= to;
}

static struct past_object *object_find(const struct past *past, uint64_t id)
{
	struct past_object *object;

	HASH_FIND(by_id, past->objects, &id, sizeof(id), object);
	return object;
}

static struct past_object *object_of(struct past *past, uint64_t id)
{
	struct past_object *object = object_find(past, id);

	if (object)
		return object;
	object = NEW(struct past_object);
	object->id = id;
	list_init(&object->names);
	list_init(&object->entries);
	HASH_ADD(by_id, past->objects, id, sizeof(object->id), object);
	return object;
}

static void object_settle(struct past *past, struct past_object *object)
{
	if (object->states || !list_is_empty(&object->names) || !list_is_empty(&object->entries))
		return;
	HASH_DELETE(by_id, past->objects, object);
	free(object);
}

static void state_free(struct past *past, struct past_state *state)
{
	past->records--;
	side_free(state->side);
	free(state);
}

static void states_prune(struct past *past, struct past_object *object)
{
	struct past_state **place = &object->states, *state;

	while ((state = *place)) {
		if (is_needed(past, state->from, state->to)) {
			place = &state->older;
			continue;
		}
		*place = state->older;
		state_free(past, state);
	}
}

static size_t key_size(const struct past_link *link)
{
	return sizeof(uint64_t) + link->name_size;
}

static struct past_link *chain_find(const struct past *past, uint64_t directory, struct text name)
{
	char key[sizeof(directory) + TREE_NAME_MAX];
	struct past_link *link;

	if (name.size > TREE_NAME_MAX)
		return NULL;
	memcpy(key, &directory, sizeof(directory));
	memcpy(key + sizeof(directory), name.data, name.size);
	HASH_FIND(by_name, past->links, key, sizeof(directory) + name.size, link);
	return link;
}

static struct text past_link_name(const struct past_link *link)
{
	return (struct text){ link->key + sizeof(uint64_t), link->name_size };
}

static void past_link_free(struct past *past, struct past_link *link)
{
	struct past_link *first = chain_find(past, link->directory, past_link_name(link));

	if (first == link) {
		HASH_DELETE(by_name, past->links, link);
		if (link->older)
			HASH_ADD_KEYPTR(by_name, past->links, link->older->key,
					key_size(link->older), link->older);
	} else {
		while (first->older != link)
			first = first->older;
		first->older = link->older;
	}
	list_remove(&link->in_names);
	list_remove(&link->in_entries);
	past->records--;
	free(link);
}

static void past_prune(struct past *past)
{
	struct past_object *object, *next;
	struct past_link *link;

	HASH_ITER(by_id, past->objects, object, next)
	{
		states_prune(past, object);
		list_for_each (link, &object->names, in_names)
			if (!is_needed(past, link->from, link->to))
				past_link_free(past, link);
	}
	HASH_ITER(by_id, past->objects, object, next)
	object_settle(past, object);
}

/* ---- keeping ---- */

static void records_limit(struct tree *tree)
{
	size_t most = tree->options.past_most ? tree->options.past_most : RECORDS_MOST;

	while (tree->past->records > most && tree->past->count > 0) {
		log_warn("tree",
			 "more than %zu records of the past: snapshot %" PRIu64 " is let go", most,
			 tree->past->numbers[0]);
		tree_snapshot_drop(tree, tree->past->numbers[0]);
	}
}

void past_add_state(struct past *past, uint64_t id, const struct past_state *state)
{
	struct past_object *object = object_of(past, id);
	struct past_state **place = &object->states, *kept = mem_copy(state, sizeof(*state));

	while (*place && (*place)->from > kept->from)
		place = &(*place)->older;
	kept->older = *place;
	*place = kept;
	past->records++;
}

void past_keep(struct tree *tree, struct node *node)
{
	struct past *past = tree->past;

	assert(!node->frozen);
	if (node->since < past->newest && !node->ghost)
		past_add_state(past, node->id,
			       &(struct past_state){ .from = node->since,
						     .to = past->last,
						     .look = node->look,
						     .etag = node->etag,
						     .data_revision = node->data_revision,
						     .side = side_copy(node->side) });
	node->since = past->last;
	records_limit(tree);
}

void past_add_link(struct past *past, uint64_t directory, uint64_t node, struct text name,
		   uint64_t from, uint64_t to)
{
	size_t size = sizeof(directory) + name.size;
	struct past_link *kept = mem_new(sizeof(*kept) + size + 1), *older;

	kept->node = node;
	kept->directory = directory;
	kept->from = from;
	kept->to = to;
	kept->name_size = name.size;
	memcpy(kept->key, &directory, sizeof(directory));
	memcpy(kept->key + sizeof(directory), name.data, name.size);
	older = chain_find(past, directory, name);
	if (older)
		HASH_DELETE(by_name, past->links, older);
	kept->older = older;
	HASH_ADD_KEYPTR(by_name, past->links, kept->key, size, kept);
	list_append(&object_of(past, node)->names, &kept->in_names);
	list_append(&object_of(past, directory)->entries, &kept->in_entries);
	past->records++;
}

void past_keep_link(struct tree *tree, const struct link *link)
{
	struct past *past = tree->past;

	if (link->since >= past->newest || link->node->ghost)
		return;
	past_add_link(past, link->parent->id, link->node->id,
		      (struct text){ link_name(link), link->name_size }, link->since, past->last);
	records_limit(tree);
}

/* ---- snapshots ---- */

uint64_t tree_snapshot_take(struct tree *tree)
{
	struct past *past = tree->past;

	assert(!tree->busy);
	watch_drain(tree);
	if (tree->moving.count > 0)
		watch_settle(tree);
	if (past->count == past->room) {
		past->room = MAX(16, past->room * 2);
		past->numbers = mem_grow(past->numbers, past->room, sizeof(*past->numbers));
	}
	past->newest = ++past->last;
	past->numbers[past->count++] = past->newest;
	past_save_number(tree);
	return past->newest;
}

static size_t number_place(const struct past *past, uint64_t number)
{
	size_t place = 0;

	while (place < past->count && past->numbers[place] < number)
		place++;
	return place;
}

void tree_snapshot_drop(struct tree *tree, uint64_t number)
{
	struct past *past = tree->past;
	size_t place = number_place(past, number);

	if (!tree_snapshot_exists(tree, number))
		return;
	past->count--;
	memmove(&past->numbers[place], &past->numbers[place + 1],
		(past->count - place) * sizeof(*past->numbers));
	past->newest = past->count > 0 ? past->numbers[past->count - 1] : 0;
	view_clear(tree);
	past_prune(past);
}

bool tree_snapshot_exists(const struct tree *tree, uint64_t number)
{
	const struct past *past = tree->past;

	return is_needed(past, number - 1, number);
}

uint64_t tree_snapshot_next(const struct tree *tree, uint64_t number)
{
	const struct past *past = tree->past;
	size_t place = number_place(past, number + 1);

	return place < past->count ? past->numbers[place] : 0;
}

size_t tree_snapshot_count(const struct tree *tree)
{
	return tree->past->count;
}

size_t tree_snapshot_records(const struct tree *tree)
{
	return tree->past->records;
}

/* ---- looking ---- */

bool past_state_at(struct tree *tree, uint64_t id, uint64_t number, struct past_look *out)
{
	const struct node *node = node_find(tree, id);
	const struct past_object *object;
	const struct past_state *state;

	if (node && node->since < number) {
		*out = (struct past_look){ &node->look, node->etag, node->data_revision,
					   node->side };
		return !node->ghost && (node->links || node == tree->root);
	}
	object = object_find(tree->past, id);
	for (state = object ? object->states : NULL; state; state = state->older) {
		if (!past_covers(state->from, state->to, number))
			continue;
		*out = (struct past_look){ &state->look, state->etag, state->data_revision,
					   state->side };
		return true;
	}
	return false;
}

uint64_t past_entry_at(struct tree *tree, uint64_t directory, struct text name, uint64_t number)
{
	const struct link *link = link_find(tree, directory, name.data, name.size);
	const struct past_link *past_link;
	struct past_look seen;
	uint64_t id = 0;

	if (link && link->since < number) {
		id = link->node->id;
	} else {
		for (past_link = chain_find(tree->past, directory, name); past_link && !id;
		     past_link = past_link->older)
			if (past_covers(past_link->from, past_link->to, number))
				id = past_link->node;
	}
	return id && past_state_at(tree, id, number, &seen) ? id : 0;
}

void past_each_name(struct tree *tree, uint64_t id, uint64_t number, past_visit *visit, void *ctx)
{
	const struct node *node = node_find(tree, id);
	const struct past_object *object = object_find(tree->past, id);
	const struct past_link *past_link;

	for (const struct link *link = node ? node->links : NULL; link; link = link->next)
		if (link->since < number)
			visit(ctx, link->parent->id,
			      (struct text){ link_name(link), link->name_size }, id);
	if (!object)
		return;
	list_for_each (past_link, &object->names, in_names)
		if (past_covers(past_link->from, past_link->to, number))
			visit(ctx, past_link->directory, past_link_name(past_link), id);
}

void past_each_entry(struct tree *tree, uint64_t directory, uint64_t number, past_visit *visit,
		     void *ctx)
{
	const struct node *node = node_find(tree, directory);
	const struct past_object *object = object_find(tree->past, directory);
	const struct past_link *past_link;
	const struct link *link;
	struct past_look seen;

	if (node && node->dir)
		list_for_each (link, &node->dir->children, siblings)
			if (link->since < number &&
			    past_state_at(tree, link->node->id, number, &seen))
				visit(ctx, directory,
				      (struct text){ link_name(link), link->name_size },
				      link->node->id);
	if (!object)
		return;
	list_for_each (past_link, &object->entries, in_entries)
		if (past_covers(past_link->from, past_link->to, number) &&
		    past_state_at(tree, past_link->node, number, &seen))
			visit(ctx, directory, past_link_name(past_link), past_link->node);
}

static void take_first_place(void *ctx, uint64_t directory, struct text name, uint64_t node)
{
	struct past_place *place = ctx;

	if (place->directory == 0)
		*place = (struct past_place){ directory, name };
}

bool past_place_at(struct tree *tree, uint64_t id, uint64_t number, struct past_place *out)
{
	*out = (struct past_place){ 0 };
	past_each_name(tree, id, number, take_first_place, out);
	return out->directory != 0;
}

char *past_path_at(struct tree *tree, uint64_t directory, struct text name, bool is_directory,
		   uint64_t number)
{
	struct past_place place = { directory, name };
	size_t size = is_directory;
	char *path;

	do
		size += 1 + place.name.size;
	while (past_place_at(tree, place.directory, number, &place));
	path = mem_new(size + 1);
	if (is_directory)
		path[--size] = '/';
	place = (struct past_place){ directory, name };
	do {
		size -= place.name.size;
		memcpy(path + size, place.name.data, place.name.size);
		path[--size] = '/';
	} while (past_place_at(tree, place.directory, number, &place));
	return path;
}

/* ---- life ---- */

void past_open(struct tree *tree)
{
	tree->past = NEW(struct past);
	tree->past->number_fd = -1;
}

void past_clear(struct past *past)
{
	past->count = past->newest = 0;
	past_prune(past);
	assert(past->records == 0 && !past->objects && !past->links);
}

void past_forget(struct tree *tree)
{
	view_clear(tree);
	past_clear(tree->past);
}

void past_close(struct tree *tree)
{
	struct past *past = tree->past;

	if (past->number_fd >= 0)
		close(past->number_fd);
	free(past->numbers);
	free(past);
	tree->past = NULL;
}
