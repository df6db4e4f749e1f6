/* permissions: access control lists, and the entries of directories (API facts, 8.1, 12). The
 * signatures are those of struct cluster (action/cluster.h). */
#ifndef QUMULO_PERMISSIONS_H
#define QUMULO_PERMISSIONS_H

#include "qumulo/client.h"

struct qumulo_call *permissions_get_acl(struct qumulo *qumulo, const char *id, file_done *done,
					void *ctx);
struct qumulo_call *permissions_set_acl(struct qumulo *qumulo, const char *id, const char *etag,
					const char *acl, file_done *done, void *ctx);
struct qumulo_call *permissions_list(struct qumulo *qumulo, const char *directory, const char *next,
				     file_done *done, void *ctx);

#endif
