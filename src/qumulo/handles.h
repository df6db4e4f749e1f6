/*
 * handles: files that SMB clients have open (API facts, 14.2). The signature is that of struct
 * cluster (action/cluster.h).
 */
#ifndef QUMULO_HANDLES_H
#define QUMULO_HANDLES_H

#include "qumulo/client.h"

/* Those open for writing: of one file, or (id NULL) of all, as far as so many pages tell. */
struct qumulo_call *handles_get(struct qumulo *qumulo, const char *id, size_t pages,
				file_done *done, void *ctx);

#endif
