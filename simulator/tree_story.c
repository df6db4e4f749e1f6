/*
 * tree_story: what one of inotify's events means, given what the model has and what the host shows.
 *
 * A look at the host sees the end of a story of which the events are still to be handled. What is
 * newer than the model is believed; what may be older only if the host does not show the contrary
 * (the tree's clock tells: see tree_watch.c). Names about which events and host disagree are
 * doubts: they are looked at again when the queue is empty, and then the host is right.
 *
 * A "ghost" is an object that was made and had gone from its place before we could look at it: it
 * is kept until we hear whether it was renamed (an editor's safe save) or removed.
 */
#include <sys/inotify.h>

#include "simulator/tree_model.h"

static bool is_newer(const struct tree *tree, uint64_t seen)
{
	return tree->event_slurp >= seen + 2;
}

/* Whether the host has the link as the model has it. */
static bool is_there(struct tree *tree, const struct link *link)
{
	struct look look;

	return look_at(tree, link->parent, link_name(link), &look) == 0 &&
	       identity_is(link->node, &look);
}

static void doubt(struct tree *tree, const struct node *directory, const char *name)
{
	places_add(&tree->doubts, directory->id, name);
}

static void ghost_add(struct tree *tree, struct node *directory, const char *name, bool is_dir)
{
	struct look look = { .mode = is_dir ? S_IFDIR | 0755 : S_IFREG | 0644 };
	struct node *node = node_new(tree, &look, id_next(tree));

	node->ghost = true;
	link_add(tree, node, directory, name, strlen(name));
	places_add(&tree->ghosts, node->id, NULL);
}

/* It was there, after all: whoever listens has to hear of it before of its end or move. */
static void ghost_announce(struct tree *tree, struct link *link)
{
	struct node *node = link->node;

	if (!node->announced) {
		node->announced = true;
		scan_added(tree, link);
	}
	if (node->dirty)
		scan_written(tree, node, true);
}

/*
 * Something appeared under this name. What the host shows there may be something else by now: an
 * object that we know elsewhere was renamed there later, and its events will say so.
 */
static void took_arrival(struct tree *tree, struct node *directory, const char *name, bool is_new,
			 bool is_dir)
{
	struct link *link = link_find_at(tree, directory, name);
	struct node *known = NULL;
	struct look look;
	bool there = look_at(tree, directory, name, &look) == 0;

	if (there)
		known = node_by_identity(tree, &look);
	if (there && (link ? link->node == known || (link->node->ghost && !known)
			   : !known || (!known->dir && look.links > 1))) {
		scan_entry(tree, directory, name, &look);
		return;
	}
	if (!link && is_new)
		ghost_add(tree, directory, name, is_dir);
	doubt(tree, directory, name); /* it may only be the directory that has moved */
}

static void took_delete(struct tree *tree, struct node *directory, const char *name)
{
	struct link *link = link_find_at(tree, directory, name);

	if (!link)
		return;
	if (link->node->ghost)
		ghost_announce(tree, link);
	else if (!is_newer(tree, link->seen) && is_there(tree, link))
		return; /* the one before, of the same name */
	else if (link->node->dirty && !link->node->links->next)
		scan_written(tree, link->node, true);
	if (!is_newer(tree, link->seen))
		doubt(tree, directory, name);
	scan_removed(tree, link);
}

static void took_moved_from(struct tree *tree, struct node *directory, const char *name,
			    uint32_t cookie)
{
	places_add(&tree->moving, directory->id, name);
	tree->moving.items[tree->moving.count - 1].cookie = cookie;
}

/* The link that left with this cookie; NULL: not known to us. */
static struct link *moving_take(struct tree *tree, uint32_t cookie)
{
	struct link *link;

	for (size_t i = tree->moving.count; i > 0; i--) {
		struct place *place = &tree->moving.items[i - 1];

		if (place->cookie != cookie)
			continue;
		link = link_find(tree, place->directory, place->name, strlen(place->name));
		places_remove(&tree->moving, i - 1);
		return link;
	}
	return NULL;
}

/* False: the ghost is none, the model knows its end already. */
static bool ghost_arrives(struct tree *tree, struct link **from, struct link *at,
			  const struct look *look)
{
	struct node *known = node_by_identity(tree, look), *parent = (*from)->parent;
	char *name;

	if (!known && !(*from)->node->dir == !S_ISDIR(look->mode)) {
		scan_adopt(tree, *from, look);
		return true;
	}
	if ((at && at->node == known) || (*from)->node->announced || !known || known->dir ||
	    look->links == 1)
		return false;
	/* A further name for a known file, made under a passing name. */
	name = str_copy(link_name(*from));
	scan_removed(tree, *from);
	*from = link_add(tree, known, parent, name, strlen(name));
	scan_added(tree, *from);
	free(name);
	return true;
}

/* Two objects changed their places with each other, in one step. */
static void exchange(struct tree *tree, struct link *a, struct link *b)
{
	struct node *a_parent = a->parent, *b_parent = b->parent;
	char *a_name = str_copy(link_name(a)), *b_name = str_copy(link_name(b));
	bool a_is_dir = node_is_directory(a->node), b_is_dir = node_is_directory(b->node);

	emit(tree, a_is_dir ? CHILD_DIR_MOVED_FROM : CHILD_FILE_MOVED_FROM, a);
	emit(tree, b_is_dir ? CHILD_DIR_MOVED_FROM : CHILD_FILE_MOVED_FROM, b);
	tree->quiet = true;
	b = scan_moved(tree, b, a_parent, "/"); /* a name that no file can have */
	a = scan_moved(tree, a, b_parent, b_name);
	b = scan_moved(tree, b, a_parent, a_name);
	tree->quiet = false;
	emit(tree, a_is_dir ? CHILD_DIR_MOVED_TO : CHILD_FILE_MOVED_TO, a);
	emit(tree, b_is_dir ? CHILD_DIR_MOVED_TO : CHILD_FILE_MOVED_TO, b);
	a->seen = b->seen = tree->slurps;
	free(a_name);
	free(b_name);
}

static void took_moved_to(struct tree *tree, struct node *directory, const char *name,
			  uint32_t cookie, bool is_dir)
{
	struct link *from = moving_take(tree, cookie), *at = link_find_at(tree, directory, name);
	struct look look, old;
	bool there = look_at(tree, directory, name, &look) == 0;

	if (!from || from == at) {
		took_arrival(tree, directory, name, false, is_dir);
		return;
	}
	if (from->node->ghost && there && !ghost_arrives(tree, &from, at, &look)) {
		scan_removed(tree, from);
		took_arrival(tree, directory, name, false, is_dir);
		return;
	}
	if (from->node->ghost)
		ghost_announce(tree, from);
	else if (!is_newer(tree, from->seen) && is_there(tree, from) &&
		 !(there && identity_is(from->node, &look))) {
		took_arrival(tree, directory, name, false,
			     is_dir); /* an older one of this name moved */
		return;
	}
	if ((from->node->dir && tree_is_below(directory, from->node)) ||
	    (at && at->node->dir && tree_is_below(from->parent, at->node))) {
		/* The model is upside down: only a walk from the top helps. */
		tree->overflowed = true;
		return;
	}
	if (at && at->node != from->node && there && identity_is(from->node, &look) &&
	    look_at(tree, from->parent, link_name(from), &old) == 0 &&
	    identity_is(at->node, &old)) {
		exchange(tree, from, at);
		return;
	}
	if (!is_newer(tree, from->seen)) {
		doubt(tree, from->parent, link_name(from));
		if (from->node->dir)
			tree->suspicious = true;
	}
	from = scan_moved(tree, from, directory, name);
	if (there && identity_is(from->node, &look))
		scan_refresh(tree, from->node, &look, CAUSE_LOOK);
	else
		doubt(tree, directory, name);
}

static void took_change(struct tree *tree, struct node *directory, const char *name,
			enum cause cause)
{
	struct link *link = link_find_at(tree, directory, name);
	struct look look;

	if (!link)
		return; /* a name that went or moved; whoever has it now is looked at there */
	if (!link->node->ghost && look_at(tree, directory, name, &look) == 0 &&
	    identity_is(link->node, &look)) {
		scan_refresh(tree, link->node, &look, cause);
		return;
	}
	if (cause == CAUSE_MODIFY && node_is_file(link->node))
		link->node->dirty = true;
	doubt(tree, directory, name);
}

void story_handle(struct tree *tree, const struct inotify_event *event)
{
	bool is_dir = event->mask & IN_ISDIR;
	struct directory *dir;

	HASH_FIND(by_watch, tree->watches, &event->wd, sizeof(event->wd), dir);
	if (!dir || (!dir->node->links && dir->node != tree->root))
		return;
	if (event->mask & IN_IGNORED) {
		HASH_DELETE(by_watch, tree->watches, dir);
		dir->watch = -1;
		return;
	}
	if (event->len == 0)
		return; /* of the directory itself: its parent's watch says the same */
	group_next(tree);
	if (event->mask & IN_CREATE)
		took_arrival(tree, dir->node, event->name, true, is_dir);
	else if (event->mask & IN_DELETE)
		took_delete(tree, dir->node, event->name);
	else if (event->mask & IN_MOVED_FROM)
		took_moved_from(tree, dir->node, event->name, event->cookie);
	else if (event->mask & IN_MOVED_TO)
		took_moved_to(tree, dir->node, event->name, event->cookie, is_dir);
	else if (event->mask & IN_MODIFY)
		took_change(tree, dir->node, event->name, CAUSE_MODIFY);
	else if (event->mask & IN_CLOSE_WRITE)
		took_change(tree, dir->node, event->name, CAUSE_CLOSE);
	else if (event->mask & IN_ATTRIB)
		took_change(tree, dir->node, event->name, CAUSE_ATTRIB);
	scan_run(tree); /* a directory that is new, or opened up, before anything else happens */
}

/* ---- when the queue is empty ---- */

/*
 * The directory is not where the model has it: then that is the question, and the name is for
 * later. To take the name for gone would lose it if the directory turns up.
 */
static void settle_later(struct tree *tree, const struct node *directory, struct place *place,
			 struct places *later)
{
	if (!directory->links)
		return; /* displaced: it is listed if it turns up */
	tree->suspicious = true;
	doubt(tree, directory->links->parent, link_name(directory->links));
	places_add(later, place->directory, place->name);
}

void story_settle_doubts(struct tree *tree)
{
	struct places later = { 0 };
	struct node *directory;
	struct place place;
	struct link *link;
	struct look look;

	while (places_pop(&tree->doubts, &place)) {
		directory = node_find(tree, place.directory);
		link = directory ? link_find_at(tree, directory, place.name) : NULL;
		if (directory && dir_open(tree, directory) < 0) {
			if (look_found_none())
				settle_later(tree, directory, &place, &later);
		} else if (directory && look_at(tree, directory, place.name, &look) == 0) {
			scan_entry(tree, directory, place.name, &look);
		} else if (link && look_found_none()) {
			scan_missed(tree, link);
		}
		free(place.name);
	}
	scan_run(tree);
	scan_finish(tree);
	while (places_pop(&later, &place)) {
		directory = node_find(tree, place.directory);
		if (directory)
			doubt(tree, directory, place.name);
		free(place.name);
	}
	places_clear(&later);
}

/* Nobody spoke of them again: they never were, as far as anybody can tell. */
void story_settle_ghosts(struct tree *tree)
{
	for (size_t i = tree->ghosts.count; i > 0; i--) {
		struct place *place = &tree->ghosts.items[i - 1];
		struct node *node = node_find(tree, place->directory);

		if (node && node->ghost && node->links && !place->is_old) {
			place->is_old = true;
			continue;
		}
		if (node && node->ghost && node->links)
			scan_removed(tree, node->links);
		places_remove(&tree->ghosts, i - 1);
	}
}

/* What left with the first half of a move and did not arrive: it is outside the tree now. */
void story_settle_moving(struct tree *tree)
{
	for (size_t i = 0; i < tree->moving.count;) {
		struct place *place = &tree->moving.items[i];
		struct link *link =
			link_find(tree, place->directory, place->name, strlen(place->name));

		if (!place->is_old) {
			i++;
			continue;
		}
		if (link && !link->node->ghost && !is_there(tree, link))
			scan_missed(tree, link);
		places_remove(&tree->moving, i);
	}
	scan_finish(tree);
}
