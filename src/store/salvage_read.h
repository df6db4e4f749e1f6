/* salvage_read: the entries of a damaged LMDB environment, read by a child process. */
#ifndef STORE_SALVAGE_READ_H
#define STORE_SALVAGE_READ_H

#include "base/error.h"
#include "base/text.h"

/* Keys of this database are numbers that grow by one: what lies between damages can be found. */
struct salvage_source {
	const char *path; /* of the environment: DIR/log */
	const char *database;
	bool is_numbered;
};

/*
 * visit: each entry that can be read, not in order; texts are borrowed. Answers 1: all of it, 0:
 * some was damaged, -1: the environment cannot be opened at all, or visit answered -1.
 */
MUST_CHECK int salvage_read(const struct salvage_source *source,
			    int (*visit)(void *ctx, struct text key, struct text value,
					 struct error *err),
			    void *ctx, struct error *err);

#endif
