/* raw_server: a TCP server for tests that says exactly the bytes it is told to, right or wrong. */
#ifndef TESTS_RAW_SERVER_H
#define TESTS_RAW_SERVER_H

#include <uv.h>

#include "base/text.h"

struct raw_server;
struct raw_peer; /* one connection */

/* asked: once for each whole request (head and Content-Length body). */
struct raw_server *
raw_server_new(uv_loop_t *loop,
	       void (*asked)(void *ctx, struct raw_peer *peer, struct text request), void *ctx);
int raw_server_port(const struct raw_server *server);
int raw_server_connections(const struct raw_server *server); /* accepted so far */
void raw_server_free(struct raw_server *server);             /* closes all connections */

void raw_say(struct raw_peer *peer, const char *text);
void raw_say_bytes(struct raw_peer *peer, struct text text);
/* "HTTP/1.1 <status>" with extra header lines ("A: b\r\n" or "") and a body with its length. */
void raw_answer(struct raw_peer *peer, const char *status, const char *headers, const char *body);
void raw_close(struct raw_peer *peer); /* after what was said */
void raw_reset(struct raw_peer *peer); /* RST */

#endif
