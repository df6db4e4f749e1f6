/*
 * tree_diff: what is different between two snapshots, from the records of what changed between
 * them.
 *
 * Only directories that both snapshots have at the same place are looked into: "common" ones. What
 * came into one or left it is told, with nothing of what is below.
 */
#include "simulator/tree_past.h"
#include "simulator/tree_snapshot.h"

/* What is known about an object. */
struct verdict {
	UT_hash_handle by_id;
	uint64_t id;
	bool judged; /* whether common is known */
	bool common;
	bool touched; /* entries came or went */
	bool told;
};

struct differ {
	struct tree *tree;
	uint64_t older, newer, source;
	struct verdict *verdicts;
	struct tree_diff *diff;
};

static struct verdict *verdict_of(struct differ *differ, uint64_t id)
{
	struct verdict *verdict;

	HASH_FIND(by_id, differ->verdicts, &id, sizeof(id), verdict);
	if (verdict)
		return verdict;
	verdict = NEW(struct verdict);
	verdict->id = id;
	HASH_ADD(by_id, differ->verdicts, id, sizeof(verdict->id), verdict);
	return verdict;
}

/* The directory above, if the object is there under the same name in both; else 0. */
static uint64_t same_place(struct differ *differ, uint64_t id)
{
	struct past_place old, new;

	if (!past_place_at(differ->tree, id, differ->newer, &new) ||
	    !past_place_at(differ->tree, id, differ->older, &old))
		return 0;
	return old.directory == new.directory &&text_equal(old.name, new.name) ? new.directory : 0;
}

/* Whether the directory has the same path below the source in both. Trees may be very deep. */
static bool is_common(struct differ *differ, uint64_t directory)
{
	struct verdict *verdict, **way = NULL;
	size_t count = 0, room = 0;
	uint64_t id = directory;
	bool common;

	for (;;) {
		verdict = verdict_of(differ, id);
		if (verdict->judged) {
			common = verdict->common;
			break;
		}
		if (count == room) {
			room = MAX(16, room * 2);
			way = mem_grow(way, room, sizeof(*way));
		}
		way[count++] = verdict;
		id = id == differ->source ? 0 : same_place(differ, id);
		if (id == 0) {
			common = verdict->id == differ->source;
			break;
		}
	}
	for (size_t i = 0; i < count; i++) {
		way[i]->judged = true;
		way[i]->common = common;
	}
	free(way);
	return common;
}

static void tell(struct differ *differ, enum tree_diff_op op, char *path)
{
	struct tree_diff *diff = differ->diff;

	if (diff->count == diff->room) {
		diff->room = MAX(64, diff->room * 2);
		diff->entries = mem_grow(diff->entries, diff->room, sizeof(*diff->entries));
	}
	diff->entries[diff->count++] = (struct tree_difference){ op, path };
}

/* ---- entries that came and went ---- */

/* `id` has this name in the snapshot `here` and had no such record in the snapshot `there`. */
static void consider_entry(struct differ *differ, uint64_t directory, struct text name, uint64_t id,
			   uint64_t here, uint64_t there)
{
	enum tree_diff_op op = here == differ->newer ? TREE_DIFF_CREATE : TREE_DIFF_DELETE;
	struct past_look seen;

	if (!past_state_at(differ->tree, id, here, &seen) ||
	    past_entry_at(differ->tree, directory, name, there) == id ||
	    !is_common(differ, directory))
		return;
	verdict_of(differ, directory)->touched = true;
	tell(differ, op,
	     past_path_at(differ->tree, directory, name, S_ISDIR(seen.look->mode), here));
}

static void consider_entries(struct differ *differ)
{
	const struct past_object *object;
	const struct past_link *gone;
	const struct link *link;

	for (link = differ->tree->links; link; link = link->by_name.next)
		if (link->since >= differ->older && link->since < differ->newer)
			consider_entry(differ, link->parent->id,
				       (struct text){ link_name(link), link->name_size },
				       link->node->id, differ->newer, differ->older);
	for (object = differ->tree->past->objects; object; object = object->by_id.next) {
		list_for_each (gone, &object->entries, in_entries) {
			struct text name = { gone->key + sizeof(uint64_t), gone->name_size };
			bool new = past_covers(gone->from, gone->to, differ->newer);
			bool old = past_covers(gone->from, gone->to, differ->older);

			if (new && !old)
				consider_entry(differ, gone->directory, name, gone->node,
					       differ->newer, differ->older);
			if (old && !new)
				consider_entry(differ, gone->directory, name, gone->node,
					       differ->older, differ->newer);
		}
	}
}

/* ---- objects that changed ---- */

static void tell_modified(void *ctx, uint64_t directory, struct text name, uint64_t id)
{
	struct differ *differ = ctx;
	struct past_look seen;

	if (id != differ->source &&
	    (past_entry_at(differ->tree, directory, name, differ->older) != id ||
	     !is_common(differ, directory)))
		return;
	if (past_state_at(differ->tree, id, differ->newer, &seen))
		tell(differ, TREE_DIFF_MODIFY,
		     past_path_at(differ->tree, directory, name, S_ISDIR(seen.look->mode),
				  differ->newer));
}

static void consider_object(struct differ *differ, uint64_t id)
{
	struct verdict *verdict = verdict_of(differ, id);
	struct past_look old, new;

	if (verdict->told || !past_state_at(differ->tree, id, differ->older, &old) ||
	    !past_state_at(differ->tree, id, differ->newer, &new))
		return;
	if (old.etag == new.etag && !verdict->touched)
		return;
	verdict->told = true;
	if (id != TREE_ROOT_ID)
		past_each_name(differ->tree, id, differ->newer, tell_modified, differ);
	else if (differ->source == TREE_ROOT_ID)
		tell(differ, TREE_DIFF_MODIFY, str_copy("/"));
}

static void consider_objects(struct differ *differ)
{
	const struct past_object *object;
	const struct node *node;
	struct verdict *verdict;

	for (node = differ->tree->by_id; node; node = node->by_id.next)
		if (node->since >= differ->older)
			consider_object(differ, node->id);
	for (object = differ->tree->past->objects; object; object = object->by_id.next)
		consider_object(differ, object->id);
	/* Grows while we go on: what is added comes at the end. */
	for (verdict = differ->verdicts; verdict; verdict = verdict->by_id.next)
		if (verdict->touched)
			consider_object(differ, verdict->id);
}

/* ---- all ---- */

static int by_path(const void *a, const void *b)
{
	static const int places[] = {
		[TREE_DIFF_DELETE] = 0,
		[TREE_DIFF_CREATE] = 1,
		[TREE_DIFF_MODIFY] = 2,
	};
	const struct tree_difference *x = a, *y = b;
	int order = strcmp(x->path, y->path);

	return order ? order : places[x->op] - places[y->op];
}

struct tree_diff *tree_diff_new(struct tree *tree, uint64_t older, uint64_t newer, uint64_t source)
{
	struct differ differ = { tree, older, newer, source, .diff = NEW(struct tree_diff) };
	struct verdict *verdict, *next;

	consider_entries(&differ);
	consider_objects(&differ);
	HASH_ITER(by_id, differ.verdicts, verdict, next)
	{
		HASH_DELETE(by_id, differ.verdicts, verdict);
		free(verdict);
	}
	if (differ.diff->count > 0)
		qsort(differ.diff->entries, differ.diff->count, sizeof(*differ.diff->entries),
		      by_path);
	return differ.diff;
}

void tree_diff_free(struct tree_diff *diff)
{
	for (size_t i = 0; diff && i < diff->count; i++)
		free(diff->entries[i].path);
	if (diff)
		free(diff->entries);
	free(diff);
}
