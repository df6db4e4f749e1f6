/*
 * tree_id: ids that survive renames and restarts, and are never given twice.
 *
 * A file beside the tree, `ids`, says which inode (by number and time of birth: numbers alone are
 * used again at once) has which id: a line each, appended before the id is told to anybody, written
 * anew without the dead at each start. "last N" lines keep the numbers of objects that are gone.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <unistd.h>

#include "base/log.h"
#include "simulator/tree_model.h"

#define FIRST_ID 10001 /* small ids are the cluster's own */
#define LONG_ID_START "95200597194"
#define LONG_ID_DIGITS 18
#define IDS_FILE "ids"
#define IDS_NEW "ids.new"
#define IDS_TITLE "cn_simulator ids 1"
#define LINES_LIMIT ((size_t)1 << 30)
#define LINES_PIECE ((size_t)1 << 16)

void tree_id_format(const struct tree *tree, uint64_t id, char out[TREE_ID_TEXT_SIZE])
{
	if (tree->options.long_ids && id != TREE_ROOT_ID)
		snprintf(out, TREE_ID_TEXT_SIZE, LONG_ID_START "%0*" PRIu64, LONG_ID_DIGITS, id);
	else
		snprintf(out, TREE_ID_TEXT_SIZE, "%" PRIu64, id);
}

bool tree_id_parse(const struct tree *tree, struct text text, uint64_t *out)
{
	char again[TREE_ID_TEXT_SIZE];
	struct text digits = text;
	uint64_t id = 0;

	if (tree->options.long_ids && text_starts_with(text, TEXT(LONG_ID_START))) {
		digits.data += strlen(LONG_ID_START);
		digits.size -= strlen(LONG_ID_START);
	}
	if (digits.size == 0 || digits.size > 19)
		return false;
	for (size_t i = 0; i < digits.size; i++) {
		if (digits.data[i] < '0' || digits.data[i] > '9')
			return false;
		id = id * 10 + (digits.data[i] - '0');
	}
	tree_id_format(tree, id, again); /* one way of writing it only: no leading zeros */
	if (!text_is(text, again))
		return false;
	*out = id;
	return true;
}

uint64_t id_next(struct tree *tree)
{
	return ++tree->last_id;
}

uint64_t id_for(struct tree *tree, const struct look *look)
{
	struct id_record record = { .key = { look->identity.ino, look->identity.born_ns } };
	struct id_record *found;
	uint64_t id;

	HASH_FIND(hh, tree->known, &record.key, sizeof(record.key), found);
	if (!found)
		return id_next(tree);
	id = found->id;
	HASH_DELETE(hh, tree->known, found); /* once: a copy of the disk may show it twice */
	free(found);
	return id;
}

void id_remember(struct tree *tree, const struct node *node)
{
	bool fits;

	if (node->id == TREE_ROOT_ID || tree->quiet) /* the first scan is written as a whole */
		return;
	fits = buf_print(tree->id_lines, "%" PRIu64 " %" PRId64 " %" PRIu64 "\n",
			 node->look.identity.ino, node->look.identity.born_ns, node->id);
	if (!fits || tree->id_lines->size > LINES_PIECE)
		ids_save(tree);
}

static void known_add(struct tree *tree, uint64_t ino, int64_t born_ns, uint64_t id)
{
	struct id_record *record = NEW(struct id_record), *old;

	record->key.ino = ino;
	record->key.born_ns = born_ns;
	record->id = id;
	HASH_REPLACE(hh, tree->known, key, sizeof(record->key), record, old);
	free(old);
}

static void known_clear(struct tree *tree)
{
	struct id_record *record, *next;

	HASH_ITER(hh, tree->known, record, next)
	{
		HASH_DELETE(hh, tree->known, record);
		free(record);
	}
}

static int ids_parse(struct tree *tree, char *line, struct error *err)
{
	char *next, *end;

	if (strncmp(line, IDS_TITLE "\n", strlen(IDS_TITLE "\n")) != 0)
		return error_set(err, "%s/" IDS_FILE ": expected '" IDS_TITLE "' as first line",
				 tree->side_path);
	/* A line that was cut off by a crash has no newline: its id was told to nobody. */
	for (line = strchr(line, '\n') + 1; (next = strchr(line, '\n')); line = next + 1) {
		uint64_t ino, id;
		int64_t born_ns;

		if (strncmp(line, "last ", 5) == 0) {
			id = strtoull(line + 5, &end, 10);
		} else {
			ino = strtoull(line, &end, 10);
			born_ns = strtoll(end, &end, 10);
			id = strtoull(end, &end, 10);
			if (end == next)
				known_add(tree, ino, born_ns, id);
		}
		if (end != next)
			return error_set(err, "%s/" IDS_FILE ": bad line '%.*s'", tree->side_path,
					 (int)(next - line), line);
		tree->last_id = MAX(tree->last_id, id);
	}
	return 0;
}

int ids_open(struct tree *tree, struct error *err)
{
	AUTO(buf_free) struct buf *text = buf_new(SIZE_MAX / 2);
	int fd = openat(tree->side_fd, IDS_FILE, O_RDONLY | O_CLOEXEC);
	ssize_t got = 0;

	tree->last_id = FIRST_ID - 1;
	tree->id_fd = -1;
	tree->id_lines = buf_new(LINES_LIMIT);
	if (fd < 0 && errno == ENOENT)
		return 0;
	if (fd < 0)
		return error_errno(err, "%s/" IDS_FILE, tree->side_path);
	do {
		text->size += got;
		if (!buf_reserve(text, LINES_PIECE))
			break;
	} while ((got = read(fd, text->data + text->size, LINES_PIECE)) > 0);
	close(fd);
	if (got < 0)
		return error_errno(err, "%s/" IDS_FILE, tree->side_path);
	text->data[text->size] = '\0';
	return ids_parse(tree, text->data, err);
}

static int lines_write(int fd, struct buf *lines)
{
	while (lines->size > 0) {
		ssize_t done = write(fd, lines->data, lines->size);

		if (done < 0 && errno != EINTR)
			return -1;
		buf_consume(lines, MAX(done, 0));
	}
	return 0;
}

int ids_settle(struct tree *tree, struct error *err)
{
	struct node *node;
	bool fits;

	known_clear(tree);
	tree->id_fd = openat(tree->side_fd, IDS_NEW,
			     O_WRONLY | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC, 0600);
	if (tree->id_fd < 0)
		return error_errno(err, "%s/" IDS_NEW, tree->side_path);
	fits = buf_print(tree->id_lines, IDS_TITLE "\nlast %" PRIu64 "\n", tree->last_id);
	for (node = tree->by_id; node && fits; node = node->by_id.next) {
		id_remember(tree, node);
		if (tree->id_lines->size > LINES_PIECE &&
		    lines_write(tree->id_fd, tree->id_lines) < 0)
			break;
	}
	if (!fits || lines_write(tree->id_fd, tree->id_lines) < 0 || fsync(tree->id_fd) < 0 ||
	    renameat(tree->side_fd, IDS_NEW, tree->side_fd, IDS_FILE) < 0)
		return error_errno(err, "%s/" IDS_NEW, tree->side_path);
	return 0;
}

void ids_save(struct tree *tree)
{
	if (tree->id_fd < 0 || tree->id_lines->size == 0)
		return;
	if (lines_write(tree->id_fd, tree->id_lines) < 0) {
		AUTO_ERROR err = { 0 };

		/* Still in memory: tried again with the next ones. */
		error_errno(&err, "%s/" IDS_FILE, tree->side_path);
		log_error("tree", "ids will change at a restart: %s", error_text(&err));
	}
}

void ids_close(struct tree *tree)
{
	ids_save(tree);
	known_clear(tree);
	if (tree->id_fd >= 0)
		close(tree->id_fd);
	buf_free(tree->id_lines);
}
