/*
 * tree_dir: the host's objects, reached from directory to directory by descriptors.
 *
 * Paths in the tree may be longer than PATH_MAX, and a person may move things while we walk: so
 * nothing is opened by path, no symbolic link is followed, and what was opened is checked to be
 * the object that was meant.
 */
#include <errno.h>
#include <fcntl.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "simulator/tree_model.h"

#define PROC_PATH_SIZE 40 /* "/proc/self/fd/" and a number */

static int64_t nanoseconds(struct statx_timestamp time)
{
	return time.tv_sec * INT64_C(1000000000) + time.tv_nsec;
}

static int look_statx(int fd, const char *name, int flags, struct look *out)
{
	struct statx st;

	if (statx(fd, name, AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT | flags,
		  STATX_BASIC_STATS | STATX_BTIME, &st) < 0)
		return -1;
	*out = (struct look){
		.identity = { makedev(st.stx_dev_major, st.stx_dev_minor), st.stx_ino,
			      st.stx_mask & STATX_BTIME ? nanoseconds(st.stx_btime) : 0 },
		.size = st.stx_size,
		.blocks = st.stx_blocks,
		.atime_ns = nanoseconds(st.stx_atime),
		.mtime_ns = nanoseconds(st.stx_mtime),
		.ctime_ns = nanoseconds(st.stx_ctime),
		.mode = st.stx_mode,
		.uid = st.stx_uid,
		.gid = st.stx_gid,
		.links = st.stx_nlink,
		.major = st.stx_rdev_major,
		.minor = st.stx_rdev_minor,
	};
	return 0;
}

int look_in(int fd, const char *name, struct look *out)
{
	return look_statx(fd, name, 0, out);
}

int look_at_fd(int fd, struct look *out)
{
	return look_statx(fd, "", AT_EMPTY_PATH, out);
}

bool look_found_none(void)
{
	return errno == ENOENT || errno == ENOTDIR || errno == ESTALE || errno == ELOOP;
}

int look_at(struct tree *tree, const struct node *directory, const char *name, struct look *out)
{
	int fd = dir_open(tree, directory);

	return fd < 0 ? -1 : look_statx(fd, name, 0, out);
}

int look_at_node(struct tree *tree, const struct node *node, struct look *out)
{
	if (!node->links)
		return look_at_fd(tree->root_fd, out);
	return look_at(tree, node->links->parent, link_name(node->links), out);
}

static int cached(const struct tree *tree, const struct node *directory)
{
	if (directory == tree->root)
		return tree->root_fd;
	for (size_t i = 0; i < DIR_CACHE_SIZE; i++)
		if (tree->cache[i].node == directory)
			return tree->cache[i].fd;
	return -1;
}

static void cache_put(struct tree *tree, const struct node *directory, int fd)
{
	size_t slot = tree->cache_next++ % DIR_CACHE_SIZE;

	if (tree->cache[slot].node)
		close(tree->cache[slot].fd);
	tree->cache[slot].node = directory;
	tree->cache[slot].fd = fd;
}

void dir_forget(struct tree *tree, const struct node *directory)
{
	for (size_t i = 0; i < DIR_CACHE_SIZE; i++)
		if (tree->cache[i].node == directory) {
			close(tree->cache[i].fd);
			tree->cache[i].node = NULL;
		}
}

void dir_forget_all(struct tree *tree)
{
	for (size_t i = 0; i < DIR_CACHE_SIZE; i++)
		if (tree->cache[i].node)
			dir_forget(tree, tree->cache[i].node);
}

/* A step down: fd's entry of this name, if it is `node`. */
static int step(int fd, const struct node *node)
{
	struct look look;
	int next =
		openat(fd, link_name(node->links), O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	if (next < 0)
		return -1;
	if (look_at_fd(next, &look) < 0 || !identity_is(node, &look)) {
		close(next);
		errno = ESTALE;
		return -1;
	}
	return next;
}

int dir_open(struct tree *tree, const struct node *directory)
{
	int fd = cached(tree, directory), next;
	const struct node *node, **way;
	size_t depth = 0;

	if (!directory->links && directory != tree->root) { /* displaced: it has no place now */
		errno = ENOENT;
		return -1;
	}
	if (fd >= 0)
		return fd;
	for (node = directory; cached(tree, node) < 0; node = node->links->parent)
		depth++;
	way = mem_array(depth, sizeof(*way));
	fd = cached(tree, node);
	node = directory;
	for (size_t i = depth; i > 0; i--, node = node->links->parent)
		way[i - 1] = node;
	for (size_t i = 0; i < depth && fd >= 0; i++) {
		next = step(fd, way[i]);
		if (i > 0)
			close(fd);
		fd = next;
	}
	free(way);
	if (fd >= 0)
		cache_put(tree, directory, fd);
	return fd;
}

int node_open_path(struct tree *tree, const struct node *node)
{
	struct look look;
	int dir, fd;

	if (!node->links)
		return fcntl(tree->root_fd, F_DUPFD_CLOEXEC, 0);
	dir = dir_open(tree, node->links->parent);
	if (dir < 0)
		return -1;
	fd = openat(dir, link_name(node->links), O_PATH | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return -1;
	if (look_at_fd(fd, &look) < 0 || !identity_is(node, &look)) {
		close(fd);
		errno = ENOENT;
		return -1;
	}
	return fd;
}

int node_open_data(struct tree *tree, struct node *node, int flags)
{
	unsigned mode = node->look.mode & 07777;
	unsigned needed = (flags & O_ACCMODE) == O_RDONLY ? S_IRUSR : S_IRUSR | S_IWUSR;
	char path[PROC_PATH_SIZE];
	int by_path = node_open_path(tree, node), fd, cause;
	struct look look;

	if (by_path < 0)
		return -1;
	snprintf(path, sizeof(path), "/proc/self/fd/%d", by_path);
	fd = open(path, flags | O_CLOEXEC | O_NONBLOCK);
	/* Rights are the server's business: a file without them is still ours to serve. */
	if (fd < 0 && errno == EACCES && chmod(path, mode | needed) == 0) {
		fd = open(path, flags | O_CLOEXEC | O_NONBLOCK);
		cause = errno;
		if (chmod(path, mode) < 0 && fd >= 0) {
			cause = errno;
			close(fd);
			fd = -1;
		}
		if (look_at_fd(by_path, &look) == 0) /* nobody is told of what we did to it */
			node_take(tree, node, &look);
		errno = cause;
	}
	cause = errno;
	close(by_path);
	errno = cause;
	return fd;
}
