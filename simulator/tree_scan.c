/*
 * tree_scan: makes the model what the host has, and says what was different.
 *
 * Three sources come here: inotify's events (tree_watch.c), directories that are new and are listed
 * at once, and the walk over everything after an overflow. A name that a walk does not meet is only
 * `missing` until the walk's end: its object may turn up under another name, and then it was a
 * move.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "base/log.h"
#include "simulator/tree_model.h"

void scan_stale(struct tree *tree, struct node *directory)
{
	if (tree->options.parent_mtime)
		emit_node(tree, CHILD_MTIME_CHANGED, directory, NULL);
	if (directory->dir->stale)
		return;
	directory->dir->stale = true;
	places_add(&tree->stale, directory->id, NULL);
}

/*
 * A directory's times move with its entries: take them over, without a word. In the order in which
 * they came: from the top down, so that each step begins at an open descriptor.
 */
void scan_settle_stale(struct tree *tree)
{
	struct node *node;
	struct look look;

	for (size_t i = 0; i < tree->stale.count; i++) {
		node = node_find(tree, tree->stale.items[i].directory);
		if (!node || !node->dir)
			continue;
		node->dir->stale = false;
		if (look_at_node(tree, node, &look) < 0 || !identity_is(node, &look))
			continue;
		/* Somebody's chmod is on its way to us: its event must find a difference. */
		if (look.mode == node->look.mode && look.uid == node->look.uid &&
		    look.gid == node->look.gid)
			node_take(tree, node, &look);
	}
	places_clear(&tree->stale);
}

void scan_added(struct tree *tree, struct link *link)
{
	struct node *node = link->node;

	emit(tree, node_is_directory(node) ? CHILD_DIR_ADDED : CHILD_FILE_ADDED, link);
	if (tree->options.nfs_create_noise && !node_is_directory(node))
		emit(tree, CHILD_ACL_CHANGED, link);
	scan_stale(tree, link->parent);
	if (node->links != link || !node_is_file(node)) /* a further name is not written to */
		return;
	node->told = tree->slurps;
	if (node->look.size > 0)
		scan_written(tree, node, true);
}

/* ---- names that come, go and move ---- */

static void drop(struct tree *tree, struct link *link)
{
	struct node *node = link->node;
	struct look look;

	if (!node->ghost || node->announced) {
		emit(tree, node_is_directory(node) ? CHILD_DIR_REMOVED : CHILD_FILE_REMOVED, link);
		scan_stale(tree, link->parent);
	}
	link_free(tree, link);
	if (!node->links && tree->keeps_displaced) {
		places_add(&tree->displaced, node->id, NULL);
	} else if (!node->links) {
		side_forget(tree, node);
		node_free(tree, node);
	} else if (look_at_node(tree, node, &look) == 0 && identity_is(node, &look)) {
		node_changed(tree, node);
		node->look.links = look.links; /* the rest is for its own events to tell */
	}
}

/* Children first. Without recursion: trees may be thousands deep. */
void scan_removed(struct tree *tree, struct link *link)
{
	struct link *at = link, *up;

	for (;;) {
		struct directory *dir = at->node->dir;

		if (dir && !list_is_empty(&dir->children)) {
			at = list_entry(dir->children.next, struct link, siblings);
			continue;
		}
		up = at == link ? NULL : at->parent->links;
		drop(tree, at);
		if (!up)
			return;
		at = up;
	}
}

struct link *scan_moved(struct tree *tree, struct link *link, struct node *directory,
			const char *name)
{
	struct node *node = link->node;
	bool is_dir = node_is_directory(node), first = node->links == link;
	struct link *there = link_find_at(tree, directory, name), *moved;
	struct node *old_parent;
	uint64_t seen = link->seen;

	if (there && there != link)
		scan_removed(tree, there);
	emit(tree, is_dir ? CHILD_DIR_MOVED_FROM : CHILD_FILE_MOVED_FROM, link);
	old_parent = link->parent;
	link_free(tree, link);
	moved = link_add(tree, node, directory, name, strlen(name));
	moved->seen = seen;
	if (first && node->links != moved) { /* the canonical name stays the canonical name */
		struct link **last = &node->links;

		while (*last != moved)
			last = &(*last)->next;
		*last = NULL;
		moved->next = node->links;
		node->links = moved;
	}
	emit(tree, is_dir ? CHILD_DIR_MOVED_TO : CHILD_FILE_MOVED_TO, moved);
	scan_stale(tree, old_parent);
	scan_stale(tree, directory);
	return moved;
}

void scan_missed(struct tree *tree, struct link *link)
{
	if (link->missing)
		return;
	link->missing = true;
	places_add(&tree->missing, link->parent->id, link_name(link));
}

/*
 * Another object has its name. Whoever listens must hear that it left before he hears of the other;
 * if it turns up elsewhere before the walk ends, it comes back there as what it was.
 */
static void displace(struct tree *tree, struct link *link)
{
	if (link->node->dir)
		tree->suspicious = true;
	tree->keeps_displaced = true;
	scan_removed(tree, link);
	tree->keeps_displaced = false;
}

/* A name of the object that the host has not got any more; NULL: all of them are there. */
static struct link *lost_link(struct tree *tree, struct node *node)
{
	struct look look;

	for (struct link *link = node->links; link; link = link->next)
		if (link->missing || link->node->ghost)
			return link;
	for (struct link *link = node->links; link; link = link->next)
		if (look_at(tree, link->parent, link_name(link), &look) < 0
			    ? look_found_none()
			    : !identity_is(node, &look))
			return link;
	return NULL;
}

void scan_adopt(struct tree *tree, struct link *link, const struct look *look)
{
	struct node *node = link->node;
	bool known = node->announced, dirty = node->dirty;

	/* Made as a ghost, by the type that the event named: a directory or not. */
	node_set_identity(tree, node, look);
	id_remember(tree, node);
	link->seen = tree->slurps;
	if (!known)
		scan_added(tree, link);
	else if (node_is_file(node) && (look->size > 0 || dirty))
		scan_written(tree, node, look->size > 0);
	if (node->dir)
		scan_walk(tree, node);
}

static void found_new(struct tree *tree, struct node *directory, const char *name,
		      const struct look *look)
{
	struct node *node = node_new(tree, look, id_for(tree, look));
	struct link *link;

	node_set_identity(tree, node, look);
	id_remember(tree, node);
	link = link_add(tree, node, directory, name, strlen(name));
	scan_added(tree, link);
	if (node->dir)
		scan_walk(tree, node);
}

/* An object we know, at a name we do not know. */
static void found_again(struct tree *tree, struct node *node, struct node *directory,
			const char *name, const struct look *look)
{
	struct link *lost, *link;

	if (node->dir && tree_is_below(directory, node)) {
		tree->overflowed =
			true; /* the model is upside down: only a walk from the top helps */
		return;
	}
	lost = lost_link(tree, node);
	if (lost) {
		/* Perhaps its directory only is not where we think, and the name is a further one.
		 */
		if (look->links > 1)
			places_add(&tree->doubts, lost->parent->id, link_name(lost));
		link = scan_moved(tree, lost, directory, name);
	} else if (node->dir && node->links) {
		return; /* a bind mount: the same directory at two places; once is enough */
	} else {
		link = link_add(tree, node, directory, name, strlen(name));
		emit(tree, node->dir ? CHILD_DIR_ADDED : CHILD_FILE_ADDED, link);
		scan_stale(tree, directory);
		if (node->dir) /* displaced, and its entries with it */
			scan_walk(tree, node);
	}
	link->seen = tree->slurps;
	link->mark = tree->mark;
	scan_refresh(tree, node, look, CAUSE_LOOK);
}

void scan_entry(struct tree *tree, struct node *directory, const char *name,
		const struct look *look)
{
	struct link *link = link_find_at(tree, directory, name);
	struct node *node = node_by_identity(tree, look);

	group_next(tree);
	if (link && link->node->ghost && !node && !link->node->dir == !S_ISDIR(look->mode)) {
		scan_adopt(tree, link, look);
		return;
	}
	if (link && link->node == node) {
		link->missing = false;
		link->mark = tree->mark;
		link->seen = tree->slurps;
		scan_refresh(tree, node, look, CAUSE_LOOK);
		if (node->dir && (tree->walk_all || node->dir->watch < 0 || node->dir->unlisted))
			scan_walk(tree, node);
		return;
	}
	if (link && link->node->ghost)
		scan_removed(tree, link);
	else if (link)
		displace(tree, link);
	if (node)
		found_again(tree, node, directory, name, look);
	else
		found_new(tree, directory, name, look);
	if (node && node->dir && tree->walk_all)
		scan_walk(tree, node);
}

/* ---- walking ---- */

void scan_walk(struct tree *tree, struct node *directory)
{
	directory->dir->unlisted = true;
	places_add(&tree->walk, directory->id, NULL);
}

static DIR *list_open(struct tree *tree, const struct node *node)
{
	int by_path = dir_open(tree, node);
	int fd = by_path < 0 ? -1 : openat(by_path, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);

	if (!dir && fd >= 0)
		close(fd);
	return dir;
}

/* The names that the listing did not meet. */
static void list_missed(struct tree *tree, struct node *node, int fd)
{
	struct link *link;
	struct look look;

	list_for_each (link, &node->dir->children, siblings) {
		if (link->mark == tree->mark || link->node->ghost || link->missing)
			continue;
		/* Made while we listed: a listing may leave those out. */
		if (look_in(fd, link_name(link), &look) < 0 ? !look_found_none()
							    : identity_is(link->node, &look))
			continue;
		scan_missed(tree, link);
	}
}

static void list_failed(struct tree *tree, struct node *node)
{
	AUTO(free) char *path = NULL;
	AUTO_ERROR err = { 0 };

	if (errno == ENOENT || errno == ESTALE || errno == ENOTDIR) {
		/* It, or a directory above it, has moved or gone: again, when the events said so.
		 */
		if (node->links)
			places_add(&tree->doubts, node->links->parent->id, link_name(node->links));
		return;
	}
	path = tree_path(tree, node);
	error_errno(&err, "%s", path);
	log_warn("tree", "what is below cannot be seen: %s", error_text(&err));
}

static void list_directory(struct tree *tree, struct node *node)
{
	uint64_t id = node->id;
	struct dirent *entry;
	struct look look;
	DIR *dir;

	watch_directory(tree, node); /* before listing, so that nothing falls in between */
	dir = list_open(tree, node);
	if (!dir) {
		list_failed(tree, node);
		return;
	}
	node->dir->unlisted = false;
	tree->mark++;
	while ((entry = readdir(dir))) {
		if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
			continue;
		watch_breathe(tree);
		/* By the listing's descriptor: the directory may have moved meanwhile. */
		if (look_in(dirfd(dir), entry->d_name, &look) < 0)
			continue;
		scan_entry(tree, node, entry->d_name, &look);
		if (node_find(tree, id) != node) /* moved away and gone while we looked */
			break;
	}
	if (node_find(tree, id) == node)
		list_missed(tree, node, dirfd(dir));
	closedir(dir);
}

void scan_run(struct tree *tree)
{
	struct place place;
	struct node *node;

	while (places_pop(&tree->walk, &place)) {
		node = node_find(tree, place.directory);
		if (node && node->dir && !node->ghost)
			list_directory(tree, node);
	}
}

void scan_finish(struct tree *tree)
{
	for (size_t i = 0; i < tree->missing.count; i++) {
		const struct place *place = &tree->missing.items[i];
		struct link *link =
			link_find(tree, place->directory, place->name, strlen(place->name));

		if (!link || !link->missing)
			continue;
		group_next(tree);
		scan_removed(tree, link);
	}
	places_clear(&tree->missing);
	for (size_t i = 0; i < tree->displaced.count; i++) {
		struct node *node = node_find(tree, tree->displaced.items[i].directory);

		if (!node || node->links)
			continue;
		side_forget(tree, node);
		node_free(tree, node);
	}
	places_clear(&tree->displaced);
}

void scan_all(struct tree *tree)
{
	tree->walk_all = true;
	scan_walk(tree, tree->root);
	scan_run(tree);
	tree->walk_all = false;
	scan_finish(tree);
}
