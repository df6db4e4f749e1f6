/* identity: who has a name on the cluster (API facts, 14.3). The signature is that of struct
 * cluster (action/cluster.h); `self` is a struct qumulo. */
#ifndef QUMULO_IDENTITY_H
#define QUMULO_IDENTITY_H

#include "qumulo/client.h"

struct qumulo_call *identity_find(struct qumulo *qumulo, const char *name, identity_done *done,
				  void *ctx);

#endif
