/*
 * tree_snapshot: the tree as it was. Taking a snapshot costs nothing, whatever the tree's size: it
 * is a number. From then on what changes is kept as it was before its first change.
 *
 * Nodes of a snapshot are asked like others (tree_stat, tree_path, tree_list, tree_acl...), and
 * cannot be changed. They are borrowed until the next call of a function of this header.
 *
 * They are there again when the tree was closed and is opened, with the difference to what has
 * happened meanwhile; after a crash they are not.
 *
 * A file's data is not kept: it can be read from a snapshot as long as it has not changed since
 * (renamed is fine), and is TREE_NOT_KEPT afterwards.
 */
#ifndef SIMULATOR_TREE_SNAPSHOT_H
#define SIMULATOR_TREE_SNAPSHOT_H

#include "simulator/tree.h"

/* Of everything, as it is now. Numbers grow and are never given twice. */
uint64_t tree_snapshot_take(struct tree *tree);
/* Lets go of what only this one needed. */
void tree_snapshot_drop(struct tree *tree, uint64_t number);
/* Oldest ones are dropped when more than tree_options.past_most records would be kept. */
bool tree_snapshot_exists(const struct tree *tree, uint64_t number);
/* The first one behind number; 0: there is none. */
uint64_t tree_snapshot_next(const struct tree *tree, uint64_t number);
size_t tree_snapshot_count(const struct tree *tree);
size_t tree_snapshot_records(const struct tree *tree);

/* ---- looking: as tree_node and tree_lookup ---- */

struct node *tree_snapshot_node(struct tree *tree, uint64_t number, uint64_t id);
MUST_CHECK enum tree_result tree_snapshot_lookup(struct tree *tree, uint64_t number,
						 struct text path, struct node **out,
						 struct error *err);
/* Whether the object was `directory` or anywhere below it. */
bool tree_snapshot_covers(struct tree *tree, uint64_t number, uint64_t directory, uint64_t id);

/* ---- tree diff ---- */

enum tree_diff_op { TREE_DIFF_CREATE, TREE_DIFF_MODIFY, TREE_DIFF_DELETE };

struct tree_difference {
	enum tree_diff_op op;
	char *path; /* absolute, raw bytes; a directory's ends with a slash */
};

struct tree_diff {
	struct tree_difference *entries; /* by the bytes of their paths; DELETE before CREATE */
	size_t count, room;
};

/*
 * What is different in `newer` from `older`, at and below the directory `source`: as coarse as a
 * cluster has it. One CREATE for a new directory, one DELETE for one that went, nothing for what is
 * below; a move is a DELETE and a CREATE; a directory whose entries changed is a MODIFY of its own.
 */
struct tree_diff *tree_diff_new(struct tree *tree, uint64_t older, uint64_t newer, uint64_t source);
void tree_diff_free(struct tree_diff *diff);
AUTO_DEFINE(struct tree_diff *, tree_diff_free)

#endif
