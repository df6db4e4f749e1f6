/* mail: hands a message to an SMTP server, with STARTTLS or TLS and log-in, on the loop of a struct
 * http. */
#ifndef IO_MAIL_H
#define IO_MAIL_H

#include "io/http_client.h"

enum mail_security { MAIL_STARTTLS, MAIL_TLS, MAIL_PLAIN };

struct mail_server {
	const char *host;
	int port;
	enum mail_security security;
	struct http_tls tls;
	const char *username; /* NULL: no log-in */
	const char *password;
	const char *from; /* "cn_monitor <storage@example.com>" or the bare address */
	int64_t timeout_ms;
};

enum mail_result {
	MAIL_SENT,
	MAIL_LATER,   /* 4xx, no connection: try again */
	MAIL_REFUSED, /* 5xx, certificate or log-in refused: asking again will not help */
};

struct mail_call;

/* message: RFC 5322 with CR LF line ends; copied. done comes once, never inside the call. */
struct mail_call *mail_send(struct http *http, const struct mail_server *server,
			    const char *const *to, size_t to_count, struct text message,
			    void (*done)(void *ctx, enum mail_result result, const char *why),
			    void *ctx);
void mail_cancel(struct mail_call *call);

#endif
