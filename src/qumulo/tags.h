/*
 * tags: user-defined metadata of the cluster's files, of the generic kind (API facts, 10). The
 * signatures are those of struct cluster (action/cluster.h).
 */
#ifndef QUMULO_TAGS_H
#define QUMULO_TAGS_H

#include "qumulo/client.h"

#define TAGS_MAX 10000 /* of one file; with more it is FILE_REFUSED */

/* In tags of the reply: that of key, or (NULL) all; none if there is none. */
struct qumulo_call *tags_get(struct qumulo *qumulo, const char *id, const char *key,
			     file_done *done, void *ctx);
struct qumulo_call *tags_set(struct qumulo *qumulo, const char *id, const struct tag_change *change,
			     file_done *done, void *ctx);

/* A value as the API tells it: Base64, or an array of numbers. NULL: it is neither; else for
 * free(), with a NUL behind it. */
char *tags_value(const json_t *value, size_t *out_size);

#endif
