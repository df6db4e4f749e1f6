/* tree_data: the bytes of files and of their streams. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <unistd.h>

#include "simulator/tree_model.h"

#define ZEROS_SIZE 4096

static int data_open(struct tree *tree, struct node *node, uint64_t stream, int flags,
		     enum tree_result *out_result, struct error *err)
{
	int fd;

	if (stream != TREE_STREAM_DEFAULT && !side_stream(node, stream)) {
		*out_result = change_refused(err, TREE_NO_STREAM, "no such stream");
		return -1;
	}
	if (stream == TREE_STREAM_DEFAULT && !node_is_file(node)) {
		*out_result = change_refused(err, TREE_NOT_FILE, "not a file");
		return -1;
	}
	fd = stream == TREE_STREAM_DEFAULT ? node_open_data(tree, node, flags)
					   : side_stream_open(tree, node, stream, flags);
	if (fd < 0)
		*out_result = change_failed(err, "data");
	return fd;
}

/* What a snapshot's file or stream is now; NULL: it has other data, or is gone. */
static struct node *unchanged_since(struct tree *tree, const struct node *frozen, uint64_t stream)
{
	struct node *node = node_find(tree, frozen->id);
	const struct kept_stream *old = side_stream(frozen, stream), *now;

	if (!node || node->ghost)
		return NULL;
	if (stream == TREE_STREAM_DEFAULT)
		return node->data_revision == frozen->data_revision ? node : NULL;
	now = side_stream(node, stream);
	return old && now && now->data_revision == old->data_revision ? node : NULL;
}

int tree_data_open(struct tree *tree, struct node *node, uint64_t stream,
		   enum tree_result *out_result, struct error *err)
{
	*out_result = TREE_OK;
	if (node->frozen && !(node = unchanged_since(tree, node, stream))) {
		*out_result = change_refused(err, TREE_NOT_KEPT,
					     "the data has changed since the snapshot, and "
					     "cn_simulator does not keep it");
		return -1;
	}
	return data_open(tree, node, stream, O_RDONLY, out_result, err);
}

char *tree_symlink_text(struct tree *tree, struct node *node)
{
	size_t room = node->look.size + 1;
	char *text;
	ssize_t size;
	int fd;

	if (node->frozen) /* a link's text does not change */
		node = node_find(tree, node->id);
	fd = node && S_ISLNK(node->look.mode) ? node_open_path(tree, node) : -1;

	if (fd < 0)
		return NULL;
	text = mem_new(room + 1);
	size = readlinkat(fd, "", text, room);
	close(fd);
	if (size < 0)
		free(TAKE(text));
	return text;
}

/* ---- writing ---- */

static int write_all(int fd, struct text data, uint64_t offset)
{
	while (data.size > 0) {
		ssize_t done = pwrite(fd, data.data, data.size, offset);

		if (done < 0 && errno == EINTR)
			continue;
		if (done < 0)
			return -1;
		data.data += done;
		data.size -= done;
		offset += done;
	}
	return 0;
}

/* The file was written to or resized by us. */
static void file_told(struct tree *tree, struct node *node, bool written)
{
	uint64_t old_size = node->look.size;
	struct look look;

	if (look_at_node(tree, node, &look) < 0 || !identity_is(node, &look))
		return;
	node_take(tree, node, &look);
	node->told = tree->slurps; /* whatever inotify says about what we did is told here */
	if (written)
		scan_written(tree, node, look.size != old_size);
	else if (look.size != old_size)
		scan_resized(tree, node);
}

static int stream_told(struct tree *tree, struct node *node, uint64_t id, int fd, bool written,
		       struct error *err)
{
	struct kept_stream *stream = side_stream(node, id);
	bool resized;
	struct stat st;

	if (fstat(fd, &st) < 0)
		return error_errno(err, "stream");
	resized = st.st_size != stream->size;
	if (!written && !resized)
		return 0;
	past_keep(tree, node);
	stream->size = st.st_size;
	stream->data_revision++;
	side_touch(tree, node);
	if (written)
		emit_node(tree, CHILD_STREAM_DATA_WRITTEN, node, stream->name);
	if (resized)
		emit_node(tree, CHILD_STREAM_SIZE_CHANGED, node, stream->name);
	return side_save(tree, node, err);
}

/* After a change of the data behind fd, which is closed here. */
static enum tree_result data_told(struct tree *tree, struct node *node, uint64_t stream, int fd,
				  int done, bool written, struct error *err)
{
	enum tree_result result = done < 0 ? change_failed(err, "data") : TREE_OK;

	if (stream == TREE_STREAM_DEFAULT)
		file_told(tree, node, written && done == 0);
	else if (stream_told(tree, node, stream, fd, written && done == 0, err) < 0)
		result = TREE_FAILED;
	close(fd);
	change_end(tree);
	return result;
}

/* An open descriptor for a change, or -1. */
static int change_open(struct tree *tree, struct node **node, uint64_t stream,
		       enum tree_result *out_result, struct error *err)
{
	*node = change_begin(tree, *node);
	if (!*node) {
		*out_result = change_refused(err, TREE_NO_NODE, "the object is gone");
		return -1;
	}
	*out_result = check_unlocked(*node, err);
	if (*out_result != TREE_OK)
		return -1;
	return data_open(tree, *node, stream, O_RDWR, out_result, err);
}

enum tree_result tree_write(struct tree *tree, struct node *node, uint64_t stream, uint64_t offset,
			    struct text data, bool replace, struct error *err)
{
	enum tree_result result;
	int fd, done;

	if (offset > INT64_MAX - data.size)
		return change_refused(err, TREE_INVALID, "an offset of %" PRIu64, offset);
	fd = change_open(tree, &node, stream, &result, err);
	if (fd < 0)
		return result;
	done = write_all(fd, data, offset);
	if (done == 0 && replace)
		done = ftruncate(fd, offset + data.size);
	return data_told(tree, node, stream, fd, done, data.size > 0, err);
}

enum tree_result tree_truncate(struct tree *tree, struct node *node, uint64_t stream, uint64_t size,
			       struct error *err)
{
	enum tree_result result;
	int fd, done;

	if (size > INT64_MAX)
		return change_refused(err, TREE_INVALID, "a size of %" PRIu64, size);
	fd = change_open(tree, &node, stream, &result, err);
	if (fd < 0)
		return result;
	/* To the size that it has would move the times. */
	done = stream == TREE_STREAM_DEFAULT && node->look.size == size ? 0 : ftruncate(fd, size);
	return data_told(tree, node, stream, fd, done, false, err);
}

static int fill_zeros(int fd, uint64_t offset, uint64_t size)
{
	static const char zeros[ZEROS_SIZE];
	int done = 0;

	while (size > 0 && done == 0) {
		size_t piece = MIN(size, sizeof(zeros));

		done = write_all(fd, (struct text){ zeros, piece }, offset);
		offset += piece;
		size -= piece;
	}
	return done;
}

enum tree_result tree_punch_hole(struct tree *tree, struct node *node, uint64_t stream,
				 uint64_t offset, uint64_t size, struct error *err)
{
	enum tree_result result;
	struct stat st;
	int fd, done;

	fd = change_open(tree, &node, stream, &result, err);
	if (fd < 0)
		return result;
	done = fstat(fd, &st);
	if (done == 0 && offset < (uint64_t)st.st_size)
		size = MIN(size, st.st_size - offset);
	else
		size = 0; /* behind the end there is nothing to punch into */
	if (done == 0 && size > 0) {
		done = fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, offset, size);
		if (done < 0 && errno == EOPNOTSUPP)
			done = fill_zeros(fd, offset, size);
	}
	return data_told(tree, node, stream, fd, done, size > 0, err);
}
