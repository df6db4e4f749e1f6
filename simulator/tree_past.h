/*
 * tree_past: what snapshots need of what has changed since. Nobody outside tree*.c includes it.
 *
 * Snapshots are numbers, 1, 2, 3... A record that began when `from` was the last number and ended
 * when `to` was is what the snapshots from + 1 to `to` see. What the model has now began at `since`
 * and is what all snapshots after it see: a node or link that did not change after the newest
 * snapshot costs nothing, one that did leaves one record.
 */
#ifndef SIMULATOR_TREE_PAST_H
#define SIMULATOR_TREE_PAST_H

#include <stdio.h>

#include "simulator/tree_model.h"

/* An object as it was. */
struct past_state {
	struct past_state *older;
	uint64_t from, to;
	struct look look;
	uint64_t etag;
	uint64_t data_revision;
	struct side *side; /* a copy, or NULL */
};

/* One of its names that is gone. */
struct past_link {
	UT_hash_handle by_name;  /* of the newest with this key */
	struct past_link *older; /* with the same key */
	struct list in_names;    /* of the object */
	struct list in_entries;  /* of the directory */
	uint64_t node;
	uint64_t directory;
	uint64_t from, to;
	uint16_t name_size;
	char key[]; /* as a link's */
};

struct past_object {
	UT_hash_handle by_id;
	uint64_t id;
	struct past_state *states; /* newest first */
	struct list names;
	struct list entries;
};

struct past {
	uint64_t last;     /* number of the last snapshot ever taken */
	uint64_t newest;   /* of those that exist; 0: none does */
	uint64_t *numbers; /* that exist, ascending */
	size_t count, room;
	struct past_object *objects;
	struct past_link *links;
	size_t records;
	struct past_view *view; /* tree_view.c */
	int number_fd;          /* tree_past_file.c */
};

void past_clear(struct past *past); /* no snapshots, no records */
/* Takes over state->side. In any order. */
void past_add_state(struct past *past, uint64_t id, const struct past_state *state);
void past_add_link(struct past *past, uint64_t directory, uint64_t node, struct text name,
		   uint64_t from, uint64_t to);

/* What an object looked like. Borrowed until something changes. */
struct past_look {
	const struct look *look;
	uint64_t etag;
	uint64_t data_revision;
	const struct side *side;
};

/* False: the object was not there (or nobody had seen it yet). */
bool past_state_at(struct tree *tree, uint64_t id, uint64_t number, struct past_look *out);
/* The object that had this name; 0: none. */
uint64_t past_entry_at(struct tree *tree, uint64_t directory, struct text name, uint64_t number);
/* Each name of an object, each entry of a directory. */
typedef void past_visit(void *ctx, uint64_t directory, struct text name, uint64_t node);
void past_each_name(struct tree *tree, uint64_t id, uint64_t number, past_visit *visit, void *ctx);
void past_each_entry(struct tree *tree, uint64_t directory, uint64_t number, past_visit *visit,
		     void *ctx);
/* One name of an object; false: it is the root, or was not there. */
struct past_place {
	uint64_t directory;
	struct text name;
};
bool past_place_at(struct tree *tree, uint64_t id, uint64_t number, struct past_place *out);
/* For free(); NULL if it was not there. A directory's ends with a slash. */
char *past_path_at(struct tree *tree, uint64_t directory, struct text name, bool is_directory,
		   uint64_t number);

static inline bool past_covers(uint64_t from, uint64_t to, uint64_t number)
{
	return from < number && number <= to;
}

/* ---- tree_past_file.c: over a restart ---- */
bool past_write(const struct past *past, FILE *file);
/* Into an empty one. False: it is damaged, and some of it may have been added. */
bool past_read(struct past *past, FILE *file);
void past_save_number(struct tree *tree);

/* ---- tree_view.c: nodes of a snapshot ---- */
size_t view_child_count(struct tree *tree, const struct node *node);
size_t view_list(struct tree *tree, struct node *directory, uint64_t after, size_t limit,
		 struct tree_entry *out, bool *out_more);
void view_clear(struct tree *tree);

#endif
