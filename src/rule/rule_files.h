/*
 * rule_files: a rule file and all that it includes, read and parsed. For the files of rule/ only.
 */
#ifndef RULE_RULE_FILES_H
#define RULE_RULE_FILES_H

#include <sys/types.h>

#include "config/node.h"

struct rule_file {
	char *path;
	struct document *document; /* NULL: it could not be read, and that is told */
	struct rule_file *from;    /* which includes it; NULL: the first */
	struct place place;        /* where that one says so */
	unsigned depth;
	size_t index; /* in items */
	dev_t device;
	ino_t inode;
};

struct rule_files {
	struct rule_file **items; /* the first in front; what a file includes comes behind it */
	size_t count;
	size_t size; /* of all of them, bytes */
	char digest[65];
	/* Whatever decides about the rules, also what could not be read; a directory ends with
	 * "/.". */
	char **watched;
	size_t watched_count;
};

/* Reads path and what it includes; what is wrong goes to problems. */
void rule_files_read(struct rule_files *files, const char *path, struct problems *problems);
/* The same from a text, which cannot include anything. */
void rule_files_parse(struct rule_files *files, const char *path, struct text text,
		      struct problems *problems);
void rule_files_clear(struct rule_files *files);

#endif
