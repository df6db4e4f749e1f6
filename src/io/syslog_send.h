/* syslog_send: hands one message to a syslog server: a local one, or over UDP or TCP. */
#ifndef IO_SYSLOG_SEND_H
#define IO_SYSLOG_SEND_H

#include <uv.h>

#include "base/error.h"
#include "base/text.h"

enum syslog_way { SYSLOG_LOCAL, SYSLOG_UDP, SYSLOG_TCP };

struct syslog_server {
	enum syslog_way way;
	char *path; /* SYSLOG_LOCAL: of its socket */
	char *host; /* the others; without the brackets of an IPv6 address */
	int port;
};

/* "/dev/log", "udp://host", "tcp://[::1]:601". -1 with a sentence that goes on after the text. */
MUST_CHECK int syslog_server_parse(struct syslog_server *out, const char *text, struct error *err);
void syslog_server_clear(struct syslog_server *server);

struct syslog_call;
/*
 * message: as it is sent; over TCP its size is put in front (RFC 6587). Copied. done comes once,
 * never inside the call: why NULL: it was handed over (nobody answers in this protocol);
 * is_final: it never will be.
 */
struct syslog_call *syslog_send(uv_loop_t *loop, const struct syslog_server *server,
				struct text message, int64_t timeout_ms,
				void (*done)(void *ctx, const char *why, bool is_final), void *ctx);
void syslog_cancel(struct syslog_call *call);

#endif
