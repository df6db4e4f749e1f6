/* tree: opening, closing, and looking at what the model has. */
#include "simulator/tree.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <unistd.h>

#include "base/log.h"
#include "simulator/tree_past.h"

/* ---- life ---- */

static int open_root(struct tree *tree, const char *root_path, struct error *err)
{
	struct look look;

	tree->root_path = realpath(root_path, NULL);
	if (!tree->root_path)
		return error_errno(err, "%s", root_path);
	tree->root_fd = open(tree->root_path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (tree->root_fd < 0)
		return error_errno(err, "%s", root_path);
	if (look_at_fd(tree->root_fd, &look) < 0)
		return error_errno(err, "%s", root_path);
	tree->root = node_new(tree, &look, TREE_ROOT_ID);
	node_set_identity(tree, tree->root, &look);
	return 0;
}

static int first_scan(struct tree *tree, struct error *err)
{
	tree->quiet = true;
	scan_all(tree);
	if (tree->watches_exhausted)
		return error_set(err,
				 "%s: too many directories to watch: raise the limit with "
				 "'sysctl fs.inotify.max_user_watches=1000000'",
				 tree->root_path);
	if (tree->root->dir->watch < 0)
		return error_set(err, "%s: cannot be watched", tree->root_path);
	tree->quiet =
		false; /* also what happened during the scan is only taken in: nobody listens */
	if (ids_settle(tree, err) < 0 || sides_load(tree, err) < 0)
		return -1;
	past_compare(tree);
	watch_drain(tree);
	return 0;
}

int tree_open(struct tree **out, const char *root_path, const char *side_path, uv_loop_t *loop,
	      const struct tree_options *options, struct error *err)
{
	AUTO(tree_close) struct tree *tree = NEW(struct tree);

	tree->root_fd = tree->side_fd = tree->side_lock_fd = tree->id_fd = tree->inotify_fd = -1;
	list_init(&tree->inbox);
	if (options)
		tree->options = *options;
	past_open(tree);
	if (open_root(tree, root_path, err) < 0 || sides_open(tree, side_path, err) < 0 ||
	    ids_open(tree, err) < 0 || watch_open(tree, loop, err) < 0)
		return -1;
	past_load(tree);
	if (first_scan(tree, err) < 0)
		return -1;
	*out = TAKE(tree);
	return 0;
}

void tree_close(struct tree *tree)
{
	AUTO_ERROR err = { 0 };

	if (!tree)
		return;
	tree->hear = NULL;
	if (tree->id_fd >= 0) {
		watch_drain(tree); /* what is there now keeps its id */
		if (past_save(tree, &err) < 0)
			log_error("tree", "the snapshots end here: %s", error_text(&err));
	}
	ids_close(tree);
	watch_close(tree);
	past_forget(tree);
	model_clear(tree);
	past_close(tree);
	events_clear(tree);
	dir_forget_all(tree);
	places_clear(&tree->walk);
	places_clear(&tree->missing);
	places_clear(&tree->displaced);
	places_clear(&tree->stale);
	sides_close(tree);
	if (tree->root_fd >= 0)
		close(tree->root_fd);
	free(tree->root_path);
	free(tree);
}

struct tree_options *tree_options(struct tree *tree)
{
	return &tree->options;
}

size_t tree_node_count(const struct tree *tree)
{
	return HASH_CNT(by_id, tree->by_id);
}

void tree_subscribe(struct tree *tree, tree_hear *hear, void *ctx)
{
	tree->hear = hear;
	tree->hear_ctx = ctx;
}

void tree_sync(struct tree *tree)
{
	watch_drain(tree);
}

void tree_rescan(struct tree *tree)
{
	if (tree->busy)
		return;
	tree->overflowed = true;
	watch_drain(tree);
}

/* ---- looking ---- */

struct node *tree_root(struct tree *tree)
{
	return tree->root;
}

struct node *tree_node(struct tree *tree, uint64_t id)
{
	struct node *node;

	watch_drain(tree);
	node = node_find(tree, id);
	return node && !node->ghost ? node : NULL;
}

struct node *tree_child(struct tree *tree, struct node *directory, struct text name)
{
	struct link *link = link_find(tree, directory->id, name.data, name.size);

	return link && !link->node->ghost ? link->node : NULL;
}

enum tree_result tree_lookup(struct tree *tree, struct text path, struct node **out,
			     struct error *err)
{
	struct text rest = path, part;
	struct node *node = tree->root;

	if (path.size > TREE_PATH_MAX)
		return change_refused(err, TREE_LONG_PATH, "a path of %zu bytes", path.size);
	watch_drain(tree);
	if (path.size == 0 || path.data[0] != '/')
		return change_refused(err, TREE_NO_PATH, "not an absolute path: %.*s",
				      TEXT_ARGS(path));
	while (rest.size > 0) {
		part = text_cut(&rest, '/');
		if (part.size == 0)
			continue;
		while (rest.size > 0 && rest.data[0] == '/')
			text_cut(&rest, '/');
		node = node->dir ? tree_child(tree, node, part) : NULL;
		if (node && (node->dir || rest.size == 0))
			continue;
		if (rest.size == 0)
			return change_refused(err, TREE_NO_ENTRY, "no such entry: %.*s",
					      TEXT_ARGS(path));
		return change_refused(err, TREE_NO_PATH, "no such directory: %.*s",
				      TEXT_ARGS(part));
	}
	*out = node;
	return TREE_OK;
}

char *tree_path(struct tree *tree, const struct node *node)
{
	size_t size = 0;
	const struct link *link;
	char *path;

	if (node == tree->root)
		return str_copy("/");
	for (link = node->links; link; link = link->parent->links)
		size += strlen(link_name(link)) + 1;
	path = mem_new(size + 1);
	for (link = node->links; link; link = link->parent->links) {
		size_t part = strlen(link_name(link));

		size -= part + 1;
		path[size] = '/';
		memcpy(path + size + 1, link_name(link), part);
	}
	return path;
}

struct text tree_name(const struct node *node)
{
	return node->links ? text_of(link_name(node->links)) : TEXT("");
}

struct node *tree_parent(const struct node *node)
{
	return node->links ? node->links->parent : NULL;
}

bool tree_is_below(const struct node *node, const struct node *directory)
{
	for (; node; node = tree_parent(node))
		if (node == directory)
			return true;
	return false;
}

/* ---- listing ---- */

static int by_hash(const void *a, const void *b)
{
	const struct sorted *x = a, *y = b;

	if (x->hash != y->hash)
		return x->hash < y->hash ? -1 : 1;
	return strcmp(link_name(x->link), link_name(y->link));
}

static void sort_entries(struct directory *dir)
{
	struct link *link;

	dir->sorted = mem_array(dir->count + 1, sizeof(*dir->sorted));
	dir->sorted_count = 0;
	list_for_each (link, &dir->children, siblings)
		dir->sorted[dir->sorted_count++] = (struct sorted){
			name_hash((struct text){ link_name(link), link->name_size }), link
		};
	qsort(dir->sorted, dir->sorted_count, sizeof(*dir->sorted), by_hash);
}

size_t tree_list(struct tree *tree, struct node *directory, uint64_t after, size_t limit,
		 struct tree_entry *out, bool *out_more)
{
	struct directory *dir = directory->dir;
	size_t count = 0, low = 0, high;

	*out_more = false;
	if (!dir)
		return 0;
	if (directory->frozen)
		return view_list(tree, directory, after, limit, out, out_more);
	if (!dir->sorted)
		sort_entries(dir);
	for (high = dir->sorted_count; low < high;) {
		size_t middle = low + (high - low) / 2;

		if (dir->sorted[middle].hash <= after)
			low = middle + 1;
		else
			high = middle;
	}
	for (; low < dir->sorted_count; low++) {
		const struct link *link = dir->sorted[low].link;

		if (link->node->ghost)
			continue;
		if (count == limit) {
			*out_more = true;
			break;
		}
		out[count++] = (struct tree_entry){ link->node,
						    { link_name(link), link->name_size },
						    dir->sorted[low].hash };
	}
	return count;
}

/* ---- what is known about one ---- */

uint64_t tree_id(const struct node *node)
{
	return node->id;
}

enum tree_type tree_type(const struct node *node)
{
	switch (node->look.mode & S_IFMT) {
	case S_IFDIR:
		return TREE_DIRECTORY;
	case S_IFLNK:
		return TREE_SYMLINK;
	case S_IFIFO:
		return TREE_PIPE;
	case S_IFCHR:
		return TREE_CHARACTER_DEVICE;
	case S_IFBLK:
		return TREE_BLOCK_DEVICE;
	case S_IFSOCK:
		return TREE_SOCKET;
	default:
		return TREE_FILE;
	}
}

static struct tree_identity shown_identity(const struct kept_identity *kept, unsigned real,
					   bool is_group, char text[24])
{
	if (kept && kept->id_type)
		return (struct tree_identity){ kept->auth_id, kept->id_type, kept->id_value };
	snprintf(text, 24, "%u", real);
	return (struct tree_identity){ ((uint64_t)(is_group ? 4 : 3) << 32) + real,
				       is_group ? "NFS_GID" : "NFS_UID", text };
}

static size_t child_count(struct tree *tree, const struct node *node)
{
	size_t count = node->dir ? node->dir->count : 0;

	if (node->frozen)
		return view_child_count(tree, node);
	for (size_t i = 0; i < tree->ghosts.count && count > 0; i++) {
		const struct node *ghost = node_find(tree, tree->ghosts.items[i].directory);

		if (ghost && ghost->ghost && tree_parent(ghost) == node)
			count--;
	}
	return count;
}

void tree_stat(struct tree *tree, const struct node *node, struct tree_stat *out)
{
	const struct look *look = &node->look;
	const struct side *side = node->side;

	*out = (struct tree_stat){
		.id = node->id,
		.type = tree_type(node),
		.mode = look->mode & 07777,
		.owner = shown_identity(side ? &side->owner : NULL, look->uid, false,
					tree->owner_text),
		.group = shown_identity(side ? &side->group : NULL, look->gid, true,
					tree->group_text),
		.size = node->dir ? 0 : look->size,
		.data_blocks = node_is_file(node) ? (look->size + 4095) / 4096 : 0,
		.links = look->links,
		.child_count = child_count(tree, node),
		.major = look->major,
		.minor = look->minor,
		.access_ns = look->atime_ns,
		.modification_ns = look->mtime_ns,
		.change_ns = look->ctime_ns,
		.creation_ns = look->identity.born_ns,
		.symlink_target = "FS_FILE_TYPE_UNKNOWN",
		.etag = node->etag,
		.data_revision = node->data_revision,
		.retention_ns = TREE_TIME_NONE,
	};
	if (!side)
		return;
	out->flags = side->flags;
	out->user_metadata_revision = side->tag_revision;
	out->retention_ns = side->retention_ns;
	out->legal_hold = side->legal_hold;
	if (side->creation_ns != TREE_TIME_NONE)
		out->creation_ns = side->creation_ns;
	if (side->change_ns != TREE_TIME_NONE && side->real_change_ns == look->ctime_ns)
		out->change_ns = side->change_ns;
	if (side->symlink_target)
		out->symlink_target = side->symlink_target;
}
