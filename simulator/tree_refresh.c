/*
 * tree_refresh: what is different about an object that is where it was, and what that means.
 *
 * The host shows the result of what somebody did, and inotify's hint is a rough one: the rules here
 * find the events that a cluster would have sent (API facts, section 18).
 */
#include <stdlib.h>

#include "simulator/tree_model.h"

/* Writing so much more without using a block is not possible: it was extended. */
#define HOLE_LEAST (2 * 4096)
/* mtime and ctime of a file that was written to, and perhaps had its mode set right after. */
#define WRITE_TIMES_NS INT64_C(2000000000)

void scan_written(struct tree *tree, struct node *node, bool resized)
{
	node_data_changed(tree, node);
	node->told = tree->slurps;
	node->dirty = false;
	emit_node(tree, CHILD_DATA_WRITTEN, node, NULL);
	if (resized)
		emit_node(tree, CHILD_SIZE_CHANGED, node, NULL);
	emit_node(tree, CHILD_MTIME_CHANGED, node, NULL);
	if (tree->options.smb_archive_noise)
		emit_node(tree, CHILD_EXTRA_ATTRS_CHANGED, node, NULL);
}

void scan_resized(struct tree *tree, struct node *node)
{
	node_data_changed(tree, node);
	node->told = tree->slurps;
	node->dirty = false;
	emit_node(tree, CHILD_SIZE_CHANGED, node, NULL);
	emit_node(tree, CHILD_MTIME_CHANGED, node, NULL);
}

/* True: data was told, the times need no word. */
static bool refresh_data(struct tree *tree, struct node *node, const struct look *old,
			 enum cause cause)
{
	const struct look *now = &node->look;
	bool resized = now->size != old->size, timed = now->mtime_ns != old->mtime_ns;
	bool event_is_newer = tree->event_slurp >= node->told + 2;

	if (!node_is_file(node))
		return false;
	if (node->dirty)
		cause = CAUSE_MODIFY;
	if (resized) {
		bool hole = now->size >= old->size + HOLE_LEAST && now->blocks <= old->blocks;

		if (now->size == 0 || hole)
			scan_resized(tree, node);
		else
			scan_written(tree, node, true);
		return true;
	}
	if (cause == CAUSE_ATTRIB || now->size == 0)
		return false;
	/* Setting this time alone comes as a "write" too. A write's own times are those of the
	 * clock. */
	if (cause == CAUSE_MODIFY && timed && llabs(now->mtime_ns - now->ctime_ns) > WRITE_TIMES_NS)
		return false;
	/* Two writes within one tick of the host's clock leave one time: go by the event then. */
	if (cause == CAUSE_MODIFY ? timed || event_is_newer || node->dirty : false) {
		scan_written(tree, node, false);
		return true;
	}
	/* No event said what it was: a write sets this one time, `touch` both. */
	if (timed && (cause == CAUSE_CLOSE || now->mtime_ns != now->atime_ns)) {
		scan_written(tree, node, false);
		return true;
	}
	return false;
}

static void refresh_times(struct tree *tree, struct node *node, const struct look *old,
			  enum cause cause, bool other)
{
	const struct look *now = &node->look;
	bool modified = now->mtime_ns != old->mtime_ns;
	bool accessed = now->atime_ns != old->atime_ns;
	bool changed = now->ctime_ns != old->ctime_ns;

	/*
	 * A directory's mtime moves with its entries, and then is its ctime. Somebody set it if it
	 * is another one, or if the atime was set with it.
	 */
	if (node->dir && node->dir->stale && modified)
		modified = !other && (now->mtime_ns != now->ctime_ns ||
				      (accessed && now->atime_ns == now->mtime_ns));
	if (modified)
		emit_node(tree, CHILD_MTIME_CHANGED, node, NULL);
	/* Reads move the atime too, silently: it was set if nothing else explains the ctime. */
	if (accessed && changed && cause == CAUSE_ATTRIB && (modified || !other))
		emit_node(tree, CHILD_ATIME_CHANGED, node, NULL);
}

void scan_refresh(struct tree *tree, struct node *node, const struct look *look, enum cause cause)
{
	struct look old = node->look;
	bool other = false;

	node_take(tree, node, look);
	side_compare(tree, node);
	if (refresh_data(tree, node, &old, cause))
		old.mtime_ns = look->mtime_ns;
	node->dirty = false;
	if (look->mode != old.mode) {
		emit_node(tree, CHILD_ACL_CHANGED, node, NULL);
		other = true;
	}
	if (look->uid != old.uid) {
		emit_node(tree, CHILD_OWNER_CHANGED, node, NULL);
		other = true;
	}
	if (look->gid != old.gid) {
		emit_node(tree, CHILD_GROUP_CHANGED, node, NULL);
		other = true;
	}
	refresh_times(tree, node, &old, cause, other || look->links != old.links);
	if (node->dir && (node->dir->watch < 0 || node->dir->unlisted)) /* we may be let in now */
		scan_walk(tree, node);
}
