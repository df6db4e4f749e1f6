/* copy: data of one file into another, by the cluster itself (API facts, 9.1). */
#ifndef QUMULO_COPY_H
#define QUMULO_COPY_H

#include "qumulo/client.h"

/* The signature is that of struct cluster's copy_piece; id: of the file that is written. */
struct qumulo_call *copy_piece(struct qumulo *qumulo, const char *id,
			       const struct file_piece *piece, file_done *done, void *ctx);

/*
 * Where the next piece begins, by what the cluster answered to `piece`: with nothing, or a length
 * that is empty or 0, it copied all of it; else with the request that it wants next. -1: the answer
 * makes no sense.
 */
MUST_CHECK int64_t copy_next_offset(const json_t *answer, const struct file_piece *piece);

#endif
