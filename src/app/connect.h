/* connect: a cluster of the settings as a client that speaks to it, for one loop. */
#ifndef APP_CONNECT_H
#define APP_CONNECT_H

#include "action/cluster.h"
#include "app/settings.h"
#include "qumulo/client.h"

struct connection; /* a client with what it was made from */

struct connection *connection_new(struct http *http, const struct cluster_settings *settings);
void connection_free(struct connection *connection);
AUTO_DEFINE(struct connection *, connection_free)

struct qumulo *connection_client(struct connection *connection);
/* The same as what actions may ask of it. */
const struct cluster *connection_cluster(struct connection *connection);

#endif
