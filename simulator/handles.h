/*
 * handles: files that SMB clients have open (section 14.2). There are no SMB clients here: a test
 * opens and closes them through /sim/handles.
 */
#ifndef SIMULATOR_HANDLES_H
#define SIMULATOR_HANDLES_H

#include "base/base.h"

struct sim;

struct handle {
	uint64_t number;
	uint64_t file; /* the node's id */
	bool writes;
	bool appends;
	bool is_exclusive; /* nobody may rename or delete the file meanwhile */
};

struct handles {
	struct handle *items;
	size_t count;
	uint64_t last_number;
};

#define HANDLES_MAX ((size_t)1000000)

void handles_clear(struct handles *handles);
/* Handles of files that are gone are gone, too. */
void handles_drop_dead(struct sim *sim);
struct request;
struct node;
/* Whether nobody who has it open forbids it; false: 409 was answered. */
bool handles_allow_move(struct request *request, const struct node *node);

#endif
