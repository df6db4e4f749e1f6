/* tree_fixture: a tree over a directory of its own, and what it said. */
#ifndef TESTS_TREE_FIXTURE_H
#define TESTS_TREE_FIXTURE_H

#include "check.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/buf.h"
#include "simulator/tree.h"
#include "turn.h"

#define FIXTURE_WAIT_MS 60000

struct fixture {
	char *dir;  /* everything is below it */
	char *root; /* the watched directory: dir/root */
	uv_loop_t loop;
	struct tree *tree;
	struct tree_options options;
	struct buf *heard; /* "child_file_added a/b\n"... */
	size_t count;
	size_t canaries;
	size_t searched;
};

static void fixture_hear(void *ctx, const struct tree_event *events, size_t count)
{
	struct fixture *f = ctx;

	for (size_t i = 0; i < count; i++) {
		const struct tree_event *event = &events[i];

		assert_true(buf_print(f->heard, "%s %.*s%s%.*s\n", event_type_name(event->type) + 6,
				      TEXT_ARGS(event->path), event->stream.data ? ":" : "",
				      TEXT_ARGS(event->stream)));
		assert_int_equal(event->spine[0], TREE_ROOT_ID);
		f->count++;
	}
}

static inline void fixture_open(struct fixture *f)
{
	AUTO_ERROR err = { 0 };

	if (tree_open(&f->tree, f->root, NULL, &f->loop, &f->options, &err) < 0)
		fail_msg("%s", error_text(&err));
	tree_subscribe(f->tree, fixture_hear, f);
}

static inline void fixture_close(struct fixture *f)
{
	tree_close(TAKE(f->tree));
	uv_run(&f->loop, UV_RUN_DEFAULT);
}

static inline int fixture_run(struct fixture *f, const char *command)
{
	AUTO(free) char *line = str_format("cd '%s' && { %s\n}", f->root, command);

	return system(line);
}

static inline void run(struct fixture *f, const char *command)
{
	assert_int_equal(fixture_run(f, command), 0);
}

/* prepare: commands that are over before the tree is opened; NULL: none. */
static inline void fixture_init(struct fixture *f, const char *prepare)
{
	/* In memory where there is such a place: hundreds of thousands of files wear a disk. */
	const char *place = access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp";
	AUTO(free) char *name = str_format("%s/cn_tree.XXXXXX", place);

	assert_non_null(mkdtemp(name));
	f->dir = str_copy(name);
	f->root = str_format("%s/root", name);
	assert_int_equal(mkdir(f->root, 0755), 0);
	f->heard = buf_new((size_t)1 << 30);
	assert_true(buf_print(f->heard, "%s", ""));
	assert_int_equal(uv_loop_init(&f->loop), 0);
	if (prepare)
		run(f, prepare);
	fixture_open(f);
}

static inline void fixture_clear(struct fixture *f)
{
	AUTO(free) char *line = str_format("chmod -R u+rwX '%s'; rm -rf '%s'", f->dir, f->dir);

	fixture_close(f);
	uv_loop_close(&f->loop);
	assert_int_equal(system(line), 0);
	buf_free(f->heard);
	free(f->root);
	free(f->dir);
}

static inline bool fixture_has(struct fixture *f, const char *line)
{
	size_t size = strlen(line);
	bool found = memmem(f->heard->data + f->searched, f->heard->size - f->searched, line, size);

	if (!found && f->heard->size > size)
		f->searched = f->heard->size - size;
	return found;
}

/* Turns the loop until the line was heard. */
static inline void fixture_wait(struct fixture *f, const char *line)
{
	f->searched = 0;
	if (!TURN_UNTIL(&f->loop, fixture_has(f, line), FIXTURE_WAIT_MS))
		fail_msg("never heard '%s', but:\n%s", line, f->heard->data);
}

/* What was heard since the last time, to the end: a file is made and waited for. */
static inline char *heard(struct fixture *f)
{
	AUTO(free) char *name = str_format("%s/canary%zu", f->root, ++f->canaries);
	AUTO(free) char *line = str_format("file_added canary%zu\n", f->canaries);
	AUTO(free) char *gone = str_format("file_removed canary%zu\n", f->canaries);
	char *text;

	close(open(name, O_WRONLY | O_CREAT | O_CLOEXEC, 0644));
	fixture_wait(f, line);
	text = str_copy_n(f->heard->data, strstr(f->heard->data, line) - f->heard->data);
	unlink(name);
	fixture_wait(f, gone);
	buf_reset(f->heard);
	assert_true(buf_print(f->heard, "%s", ""));
	f->count = 0;
	return text;
}

static inline void says(struct fixture *f, const char *expected)
{
	AUTO(free) char *text = heard(f);

	assert_string_equal(text, expected);
}

static inline size_t times(const char *text, const char *part)
{
	size_t count = 0, size = strlen(part);
	const char *end = text + strlen(text);

	for (const char *at = text; (at = memmem(at, end - at, part, size)); at += size)
		count++;
	return count;
}

static inline struct node *at(struct fixture *f, const char *path)
{
	AUTO_ERROR err = { 0 };
	struct node *node = NULL;

	if (tree_lookup(f->tree, text_of(path), &node, &err) != TREE_OK)
		return NULL;
	return node;
}

#endif
