/*
 * http_server: a small HTTP server on a libuv loop (libmicrohttpd), on a Unix socket or loopback
 * address.
 */
#ifndef IO_HTTP_SERVER_H
#define IO_HTTP_SERVER_H

#include <uv.h>

#include "base/error.h"
#include "base/text.h"

struct http_server;
struct http_exchange; /* one request waiting for its answer */

struct http_ask {
	const char *method;
	const char *path; /* without query, decoded */
	struct text body;
	struct http_exchange *exchange; /* answer it now or later, exactly once */
};

/* A query argument, decoded; NULL if absent. Borrowed until the answer. */
const char *http_ask_query(const struct http_ask *ask, const char *name);

/* address: "unix:/run/cn_monitor/admin.sock" (mode 0600) or "127.0.0.1:9180". */
MUST_CHECK int http_server_open(struct http_server **out, uv_loop_t *loop, const char *address,
				void (*asked)(void *ctx, const struct http_ask *ask), void *ctx,
				struct error *err);
int http_server_port(const struct http_server *server); /* of TCP; what 0 in the address became */
void http_server_close(struct http_server *server);
void http_answer_with(struct http_exchange *exchange, int status, const char *content_type,
		      struct text body);

#endif
