/*
 * files: attributes, moves, directories, permissions of the cluster's files. The signatures are
 * those of struct cluster (action/cluster.h); `self` is a struct qumulo.
 */
#ifndef QUMULO_FILES_H
#define QUMULO_FILES_H

#include "qumulo/client.h"

struct qumulo_call *files_get(struct qumulo *qumulo, const char *ref, file_done *done, void *ctx);
struct qumulo_call *files_move(struct qumulo *qumulo, const char *source_path,
			       const char *directory, const char *name, bool replace,
			       file_done *done, void *ctx);
struct qumulo_call *files_make_directory(struct qumulo *qumulo, const char *directory,
					 const char *name, file_done *done, void *ctx);
struct qumulo_call *files_change(struct qumulo *qumulo, const char *id, const char *etag,
				 const struct file_change *change, file_done *done, void *ctx);
struct qumulo_call *files_make_file(struct qumulo *qumulo, const char *directory, const char *name,
				    file_done *done, void *ctx);
/* Sets the time of modification (RFC 3339), of which the stream always tells (API facts, 7.2). */
struct qumulo_call *files_touch(struct qumulo *qumulo, const char *id, const char *time,
				file_done *done, void *ctx);
/* As files_get, with the file's lock. */
struct qumulo_call *files_get_lock(struct qumulo *qumulo, const char *id, file_done *done,
				   void *ctx);
struct qumulo_call *files_lock(struct qumulo *qumulo, const char *id, const char *etag,
			       const struct file_lock *lock, file_done *done, void *ctx);
/* API facts, 8.3: by id; a file with several names is refused, and so (FILE_EXISTS) is a directory
 * with something in it. */
struct qumulo_call *files_remove(struct qumulo *qumulo, const char *id, file_done *done, void *ctx);
/* The entry of directory (an id) with exactly this name; FILE_GONE: it has none. */
struct qumulo_call *files_find(struct qumulo *qumulo, const char *directory, const char *name,
			       file_done *done, void *ctx);

/* Attributes (7.1) to file_info; -1 if it is not that. file_info_clear it. */
MUST_CHECK int files_parse(struct file_info *out, json_t *attributes, const char *etag,
			   struct error *err);

#endif
