/*
 * tree_past_file: snapshots over a restart.
 *
 * When the tree is closed, all that they see is written to a file beside it, `past`: also what has
 * not changed, for nobody watches from then on. When it is opened again, what is there is compared
 * with what was. The file is ours, for this machine and this build: its first line says so, its
 * last byte that it is whole. `past-number` has the last number, at any moment.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

#include "base/log.h"
#include "simulator/tree_past.h"

#define PAST_FILE "past"
#define PAST_NEW "past.new"
#define NUMBER_FILE "past-number"
#define SIDE_MOST ((size_t)64 << 20)
#define NUMBERS_MOST 1000000

enum { RECORD_STATE = 'S', RECORD_LINK = 'L', RECORD_END = 'E' };

/* What stands in the file of a state, in front of its side's JSON; and of a link, before its name.
 */
struct state_record {
	uint64_t id, from, to;
	struct look look;
	uint64_t etag, data_revision;
	uint64_t side_size; /* 0: none */
};
struct link_record {
	uint64_t directory, node, from, to;
	uint64_t name_size;
};

static void title(char out[64])
{
	snprintf(out, 64, "cn_simulator past 1 %zu %zu\n", sizeof(struct state_record),
		 sizeof(struct link_record));
}

/* ---- writing ---- */

static bool put(FILE *file, const void *data, size_t size)
{
	return size == 0 || fwrite(data, size, 1, file) == 1;
}

static bool put_kind(FILE *file, char kind)
{
	return putc(kind, file) != EOF;
}

static bool put_state(FILE *file, const struct past_object *object, const struct past_state *state)
{
	AUTO(free) char *side = state->side ? side_to_text(state->side) : NULL;
	struct state_record record;

	memset(&record, 0, sizeof(record));
	record.id = object->id;
	record.from = state->from;
	record.to = state->to;
	record.look = state->look;
	record.etag = state->etag;
	record.data_revision = state->data_revision;
	record.side_size = side ? strlen(side) : 0;
	return put_kind(file, RECORD_STATE) && put(file, &record, sizeof(record)) &&
	       put(file, side, record.side_size);
}

static bool put_link(FILE *file, const struct past_link *link)
{
	const struct link_record record = { link->directory, link->node, link->from, link->to,
					    link->name_size };

	return put_kind(file, RECORD_LINK) && put(file, &record, sizeof(record)) &&
	       put(file, link->key + sizeof(uint64_t), link->name_size);
}

bool past_write(const struct past *past, FILE *file)
{
	const uint64_t head[] = { past->last, past->count };
	const struct past_object *object;
	const struct past_state *state;
	const struct past_link *link;
	char first[64];
	bool done;

	title(first);
	done = put(file, first, strlen(first)) && put(file, head, sizeof(head)) &&
	       put(file, past->numbers, past->count * sizeof(*past->numbers));
	for (object = past->objects; object && done; object = object->by_id.next) {
		for (state = object->states; state && done; state = state->older)
			done = put_state(file, object, state);
		list_for_each (link, &object->names, in_names)
			done = done && put_link(file, link);
	}
	return done && put_kind(file, RECORD_END) && fflush(file) == 0;
}

/* What nobody changed is told apart from the future by being written down, too. */
static void keep_all(struct tree *tree)
{
	struct node *node;

	tree->options.past_most = SIZE_MAX;
	for (node = tree->by_id; node; node = node->by_id.next) {
		if (node->ghost)
			continue;
		past_keep(tree, node);
		for (const struct link *link = node->links; link; link = link->next)
			past_keep_link(tree, link);
	}
}

int past_save(struct tree *tree, struct error *err)
{
	FILE *file;
	bool done;
	int fd;

	unlinkat(tree->side_fd, PAST_FILE, 0);
	if (tree->past->count == 0)
		return 0;
	keep_all(tree);
	fd = openat(tree->side_fd, PAST_NEW, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	file = fd < 0 ? NULL : fdopen(fd, "w");
	if (!file && fd >= 0)
		close(fd);
	done = file && past_write(tree->past, file);
	if (file && fclose(file) != 0)
		done = false;
	if (!done || renameat(tree->side_fd, PAST_NEW, tree->side_fd, PAST_FILE) < 0)
		return error_errno(err, "%s/" PAST_FILE, tree->side_path);
	return 0;
}

void past_save_number(struct tree *tree)
{
	char line[24];
	int size = snprintf(line, sizeof(line), "%" PRIu64 "\n", tree->past->last);

	if (tree->past->number_fd < 0)
		tree->past->number_fd =
			openat(tree->side_fd, NUMBER_FILE, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (pwrite(tree->past->number_fd, line, size, 0) != size)
		log_error("tree", "%s/" NUMBER_FILE ": numbers of snapshots may be used again: %s",
			  tree->side_path, strerror(errno));
}

/* ---- reading ---- */

static bool get(FILE *file, void *data, size_t size)
{
	return size == 0 || fread(data, size, 1, file) == 1;
}

static bool get_state(struct past *past, FILE *file)
{
	AUTO(free) char *text = NULL;
	struct state_record record;
	struct side *side = NULL;

	if (!get(file, &record, sizeof(record)) || record.id < TREE_ROOT_ID ||
	    record.from >= record.to || record.to > past->last || record.side_size > SIDE_MOST)
		return false;
	if (record.side_size > 0) {
		text = mem_new(record.side_size + 1);
		if (!get(file, text, record.side_size) ||
		    !(side = side_of_text((struct text){ text, record.side_size })))
			return false;
	}
	past_add_state(past, record.id,
		       &(struct past_state){ .from = record.from,
					     .to = record.to,
					     .look = record.look,
					     .etag = record.etag,
					     .data_revision = record.data_revision,
					     .side = side });
	return true;
}

static bool get_link(struct past *past, FILE *file)
{
	char name[TREE_NAME_MAX + 1];
	struct link_record record;

	if (!get(file, &record, sizeof(record)) || record.directory < TREE_ROOT_ID ||
	    record.node < TREE_ROOT_ID || record.from >= record.to || record.to > past->last ||
	    record.name_size == 0 || record.name_size > TREE_NAME_MAX ||
	    !get(file, name, record.name_size) || memchr(name, '\0', record.name_size) ||
	    memchr(name, '/', record.name_size))
		return false;
	past_add_link(past, record.directory, record.node, (struct text){ name, record.name_size },
		      record.from, record.to);
	return true;
}

static bool get_numbers(struct past *past, FILE *file)
{
	uint64_t head[2];

	if (!get(file, head, sizeof(head)) || head[1] > NUMBERS_MOST || head[1] > head[0] ||
	    head[0] > INT64_MAX)
		return false;
	past->last = head[0];
	past->room = MAX(head[1], 1);
	past->numbers = mem_array(past->room, sizeof(*past->numbers));
	for (past->count = 0; past->count < head[1]; past->count++) {
		uint64_t *number = &past->numbers[past->count];

		if (!get(file, number, sizeof(*number)) || *number > past->last ||
		    *number <= (past->count > 0 ? number[-1] : 0))
			return false;
		past->newest = *number;
	}
	return true;
}

bool past_read(struct past *past, FILE *file)
{
	char expected[64], first[64] = { 0 };
	int kind;

	title(expected);
	if (!get(file, first, strlen(expected)) || strcmp(first, expected) != 0 ||
	    !get_numbers(past, file))
		return false;
	while ((kind = getc(file)) != RECORD_END) {
		if (!(kind == RECORD_STATE  ? get_state(past, file)
		      : kind == RECORD_LINK ? get_link(past, file)
					    : false))
			return false;
	}
	return getc(file) == EOF;
}

static uint64_t load_number(struct tree *tree)
{
	char line[24] = { 0 };
	int fd = openat(tree->side_fd, NUMBER_FILE, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return 0;
	if (read(fd, line, sizeof(line) - 1) < 0)
		line[0] = '\0';
	close(fd);
	return strtoull(line, NULL, 10);
}

void past_load(struct tree *tree)
{
	int fd = openat(tree->side_fd, PAST_FILE, O_RDONLY | O_CLOEXEC);
	FILE *file = fd < 0 ? NULL : fdopen(fd, "r");

	if (file && !past_read(tree->past, file)) {
		log_error("tree",
			  "%s/" PAST_FILE ": not written to its end, or by another build: the "
			  "snapshots in it are gone",
			  tree->side_path);
		past_forget(tree);
	}
	if (file)
		fclose(file);
	tree->past->last = MAX(tree->past->last, load_number(tree));
	tree->root->since = tree->past->last;
}

/* ---- what happened meanwhile ---- */

static bool looks_same(const struct look *a, const struct look *b)
{
	return a->ctime_ns == b->ctime_ns && a->size == b->size && a->mode == b->mode &&
	       a->uid == b->uid && a->gid == b->gid;
}

/* An object that is as it was keeps its ETag, one that is not gets a later one. */
void past_compare(struct tree *tree)
{
	const struct past_object *object;
	struct node *node;

	/* Once: what happens from now on is not in it. */
	unlinkat(tree->side_fd, PAST_FILE, 0);
	for (object = tree->past->objects; object; object = object->by_id.next) {
		const struct past_state *state = object->states;

		node = node_find(tree, object->id);
		if (!node || node->ghost || !state)
			continue;
		if (looks_same(&node->look, &state->look) &&
		    !(node->side && node->side->etag > state->etag)) {
			node->etag = state->etag;
			node->data_revision = state->data_revision;
			continue;
		}
		node->etag = MAX(node->etag, state->etag + 1);
		if (node->look.mtime_ns == state->look.mtime_ns &&
		    node->look.size == state->look.size)
			node->data_revision = state->data_revision;
		else
			node->data_revision = MAX(node->data_revision, state->data_revision + 1);
	}
}
