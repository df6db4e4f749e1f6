/*
 * tree_change: entries made, linked, renamed and taken away by the server.
 *
 * Each operation first takes in what happened before it, then does the host's system call, then
 * brings the model up to date with the exact events, and at last lets inotify's events of its own
 * doing pass by, which find nothing left to tell.
 */
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "simulator/tree_model.h"

struct node *change_begin(struct tree *tree, struct node *node)
{
	uint64_t id = node->id;

	assert(!node->frozen);
	assert(!tree->busy); /* a subscriber may not change the tree */
	watch_drain(tree);
	node = node_find(tree, id);
	if (!node || node->ghost)
		return NULL;
	group_next(tree);
	return node;
}

void change_end(struct tree *tree)
{
	scan_run(tree);
	watch_drain(tree);
}

enum tree_result change_refused(struct error *err, enum tree_result result, const char *format, ...)
{
	va_list args;
	char *text;

	va_start(args, format);
	text = str_vformat(format, args);
	va_end(args);
	error_set(err, "%s", text);
	free(text);
	return result;
}

enum tree_result change_failed(struct error *err, const char *format, ...)
{
	int cause = errno;
	va_list args;
	char *text;

	va_start(args, format);
	text = str_vformat(format, args);
	va_end(args);
	error_set(err, "%s: %s", text, strerror(cause));
	free(text);
	switch (cause) {
	case ENOENT:
	case ESTALE:
		return TREE_NO_ENTRY;
	case EEXIST:
		return TREE_EXISTS;
	case ENOTDIR:
		return TREE_NOT_DIRECTORY;
	case EISDIR:
		return TREE_NOT_FILE;
	case ENOTEMPTY:
		return TREE_NOT_EMPTY;
	case EACCES:
	case EPERM:
	case EROFS:
		return TREE_DENIED;
	case ENOSPC:
	case EDQUOT:
		return TREE_NO_SPACE;
	case ENAMETOOLONG:
		return TREE_LONG_NAME;
	case EMLINK:
		return TREE_MANY_LINKS;
	case EFBIG:
	case EINVAL:
	case EOVERFLOW:
		return TREE_INVALID;
	default:
		return TREE_FAILED;
	}
}

static enum tree_result no_node(struct error *err)
{
	return change_refused(err, TREE_NO_NODE, "the object is gone");
}

enum tree_result check_unlocked(const struct node *node, struct error *err)
{
	if (!tree_is_locked(node))
		return TREE_OK;
	return change_refused(err, TREE_LOCKED, "the file is locked by its %s",
			      node->side->legal_hold ? "legal hold" : "retention");
}

enum tree_result check_name(struct text name, char *out, struct error *err)
{
	if (name.size == 0 || text_is(name, ".") || text_is(name, "..") ||
	    memchr(name.data, '/', name.size) || memchr(name.data, '\0', name.size))
		return change_refused(err, TREE_BAD_NAME, "not a name for an entry: '%.*s'",
				      TEXT_ARGS(name));
	if (name.size > TREE_NAME_MAX)
		return change_refused(err, TREE_LONG_NAME, "a name of %zu bytes: at most %d",
				      name.size, TREE_NAME_MAX);
	memcpy(out, name.data, name.size);
	out[name.size] = '\0';
	return TREE_OK;
}

/* Also that it is a directory, and that the new path is not too long. */
static enum tree_result check_place(const struct node *directory, struct text name, char *out,
				    struct error *err)
{
	enum tree_result result = check_name(name, out, err);
	size_t size = 1 + name.size;

	if (result != TREE_OK)
		return result;
	if (!directory->dir)
		return change_refused(err, TREE_NOT_DIRECTORY, "%s: not a directory", out);
	for (const struct link *link = directory->links; link; link = link->parent->links)
		size += 1 + link->name_size;
	if (size > TREE_PATH_MAX)
		return change_refused(err, TREE_LONG_PATH, "a path of %zu bytes: at most %d", size,
				      TREE_PATH_MAX);
	return TREE_OK;
}

/* ---- creating ---- */

static int make(int dir, const char *name, const struct tree_new *what, unsigned mode)
{
	static const mode_t types[] = {
		[TREE_PIPE] = S_IFIFO,
		[TREE_CHARACTER_DEVICE] = S_IFCHR,
		[TREE_BLOCK_DEVICE] = S_IFBLK,
		[TREE_SOCKET] = S_IFSOCK,
	};
	int fd;

	switch (what->type) {
	case TREE_FILE:
		fd = openat(dir, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, mode);
		if (fd < 0)
			return -1;
		close(fd);
		break;
	case TREE_DIRECTORY:
		if (mkdirat(dir, name, mode) < 0)
			return -1;
		break;
	case TREE_SYMLINK:
		return symlinkat(what->symlink_text, dir, name);
	default:
		if (mknodat(dir, name, types[what->type] | mode,
			    makedev(what->major, what->minor)) < 0)
			return -1;
	}
	return fchmodat(dir, name, mode, 0); /* whatever the process's umask */
}

static int dress(struct tree *tree, struct node *node, const struct tree_new *what,
		 struct error *err)
{
	struct look look;

	if (what->type == TREE_SYMLINK && what->symlink_target)
		side_of(tree, node)->symlink_target = str_copy(what->symlink_target);
	if (what->owner && identity_set(tree, node, false, what->owner) < 0)
		return -1;
	if (what->group && identity_set(tree, node, true, what->group) < 0)
		return -1;
	if (look_at_node(tree, node, &look) == 0 && identity_is(node, &look))
		node_take(tree, node, &look);
	return side_save(tree, node, err);
}

enum tree_result tree_create(struct tree *tree, struct node *directory, struct text name,
			     const struct tree_new *what, struct node **out, struct error *err)
{
	unsigned mode = what->mode ? what->mode : what->type == TREE_DIRECTORY ? 0755 : 0644;
	char plain[TREE_NAME_MAX + 1];
	enum tree_result result;
	struct node *node;
	struct link *link;
	struct look look;
	int dir;

	directory = change_begin(tree, directory);
	if (!directory)
		return no_node(err);
	result = check_place(directory, name, plain, err);
	if (result != TREE_OK)
		return result;
	if (tree_child(tree, directory, name))
		return change_refused(err, TREE_EXISTS, "%s: exists", plain);
	if (what->type == TREE_SYMLINK && (!what->symlink_text || !what->symlink_text[0]))
		return change_refused(err, TREE_INVALID, "%s: a symbolic link needs a text", plain);
	dir = dir_open(tree, directory);
	if (dir < 0 || make(dir, plain, what, mode) < 0 ||
	    look_at(tree, directory, plain, &look) < 0) {
		result = change_failed(err, "%s", plain);
		change_end(tree);
		return result;
	}
	scan_entry(tree, directory, plain, &look);
	link = link_find_at(tree, directory, plain);
	node = link->node;
	if (dress(tree, node, what, err) < 0)
		result = TREE_FAILED;
	change_end(tree);
	*out = node;
	return result;
}

enum tree_result tree_link(struct tree *tree, struct node *file, struct node *directory,
			   struct text name, struct error *err)
{
	char plain[TREE_NAME_MAX + 1], path[40];
	uint64_t id = file->id;
	enum tree_result result;
	struct look look;
	int fd, dir;

	directory = change_begin(tree, directory);
	file = node_find(tree, id);
	if (!directory || !file || file->ghost)
		return no_node(err);
	result = check_place(directory, name, plain, err);
	if (result == TREE_OK)
		result = check_unlocked(file, err);
	if (result != TREE_OK)
		return result;
	if (file->dir)
		return change_refused(err, TREE_NOT_FILE, "a directory has one name only");
	if (tree_child(tree, directory, name))
		return change_refused(err, TREE_EXISTS, "%s: exists", plain);
	if (file->look.links >= TREE_LINKS_MAX)
		return change_refused(err, TREE_MANY_LINKS, "%s: has %d names already", plain,
				      TREE_LINKS_MAX);
	fd = node_open_path(tree, file);
	dir = dir_open(tree, directory);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	if (fd < 0 || dir < 0 || linkat(AT_FDCWD, path, dir, plain, AT_SYMLINK_FOLLOW) < 0 ||
	    look_at(tree, directory, plain, &look) < 0)
		result = change_failed(err, "%s", plain);
	else
		scan_entry(tree, directory, plain, &look);
	if (fd >= 0)
		close(fd);
	change_end(tree);
	return result;
}

/* ---- renaming ---- */

static enum tree_result check_rename(struct tree *tree, const struct node *node,
				     const struct node *target, const struct node *directory,
				     bool clobber, struct error *err)
{
	enum tree_result result = TREE_OK;

	if (node->dir && tree_is_below(directory, node))
		return change_refused(err, TREE_CYCLE, "a directory into itself");
	if (!tree->options.rename_locked)
		result = check_unlocked(node, err);
	if (result != TREE_OK || !target)
		return result;
	if (!clobber)
		return change_refused(err, TREE_EXISTS, "the name exists");
	if (!node->dir != !target->dir)
		return change_refused(err, TREE_WRONG_TYPE,
				      "a directory over a file, or the other way round");
	if (target->dir && target->dir->count > 0)
		return change_refused(err, TREE_NOT_EMPTY, "the directory there is not empty");
	return check_unlocked(target, err);
}

static int host_rename(struct tree *tree, const struct link *link, struct node *directory,
		       const char *name, bool clobber)
{
	int from = dir_open(tree, link->parent), to = dir_open(tree, directory);
	unsigned flags = clobber ? 0 : RENAME_NOREPLACE;

	if (from < 0 || to < 0)
		return -1;
	if (renameat2(from, link_name(link), to, name, flags) == 0)
		return 0;
	if (errno != EINVAL || clobber)
		return -1;
	return renameat(from, link_name(link), to, name); /* the host does not know the flag */
}

enum tree_result tree_rename(struct tree *tree, struct node *old_directory, struct text old_name,
			     struct node *directory, struct text name, bool clobber,
			     struct error *err)
{
	char plain[TREE_NAME_MAX + 1], old_plain[TREE_NAME_MAX + 1];
	uint64_t old_id = old_directory->id;
	struct node *node, *target;
	enum tree_result result;
	struct link *link;
	struct look look;

	directory = change_begin(tree, directory);
	old_directory = node_find(tree, old_id);
	if (!directory || !old_directory)
		return no_node(err);
	result = check_name(old_name, old_plain, err);
	if (result == TREE_OK)
		result = check_place(directory, name, plain, err);
	if (result != TREE_OK)
		return result;
	node = tree_child(tree, old_directory, old_name);
	target = tree_child(tree, directory, name);
	if (!node)
		return change_refused(err, TREE_NO_ENTRY, "no such entry: %s", old_plain);
	if (node == target)
		return TREE_OK; /* itself, or another name of it: the host does nothing either */
	result = check_rename(tree, node, target, directory, clobber, err);
	if (result != TREE_OK)
		return result;
	link = link_find_at(tree, old_directory, old_plain);
	if (host_rename(tree, link, directory, plain, clobber) < 0) {
		result = change_failed(err, "%s to %s", old_plain, plain);
		change_end(tree);
		return result;
	}
	link = scan_moved(tree, link, directory, plain);
	link->seen = tree->slurps;
	if (look_at(tree, directory, plain, &look) == 0 && identity_is(node, &look))
		node_take(tree, node, &look);
	change_end(tree);
	return TREE_OK;
}

/* ---- removing ---- */

enum tree_result tree_unlink(struct tree *tree, struct node *directory, struct text name,
			     struct error *err)
{
	char plain[TREE_NAME_MAX + 1];
	enum tree_result result;
	struct node *node;
	int dir;

	directory = change_begin(tree, directory);
	if (!directory)
		return no_node(err);
	result = check_name(name, plain, err);
	if (result != TREE_OK)
		return result;
	node = tree_child(tree, directory, name);
	if (!node)
		return change_refused(err, TREE_NO_ENTRY, "no such entry: %s", plain);
	result = check_unlocked(node, err);
	if (result != TREE_OK)
		return result;
	if (node->dir && node->dir->count > 0)
		return change_refused(err, TREE_NOT_EMPTY, "%s: is not empty", plain);
	dir = dir_open(tree, directory);
	if (dir < 0 || unlinkat(dir, plain, node->dir ? AT_REMOVEDIR : 0) < 0)
		result = change_failed(err, "%s", plain);
	else
		scan_removed(tree, link_find_at(tree, directory, plain));
	change_end(tree);
	return result;
}

enum tree_result tree_remove(struct tree *tree, struct node *node, struct error *err)
{
	char name[TREE_NAME_MAX + 1];

	node = change_begin(tree, node);
	if (!node)
		return no_node(err);
	if (!node->links)
		return change_refused(err, TREE_DENIED, "the root stays");
	if (node->links->next)
		return change_refused(err, TREE_AMBIGUOUS, "the file has several names");
	/* By value: unlinking frees the link. */
	memcpy(name, link_name(node->links), node->links->name_size + 1);
	return tree_unlink(tree, node->links->parent, text_of(name), err);
}
