/*
 * http_client: HTTP requests on a libuv loop, through libcurl's multi interface.
 *
 * One struct http per loop; everything is called in that loop's thread.
 */
#ifndef IO_HTTP_CLIENT_H
#define IO_HTTP_CLIENT_H

#include <uv.h>

#include "base/error.h"
#include "base/text.h"

struct http;
struct http_call;

MUST_CHECK int http_open(struct http **out, uv_loop_t *loop, struct error *err);
void http_close(struct http *http); /* cancels what is under way */
uv_loop_t *http_loop(const struct http *http);

struct http_tls {
	bool verify;             /* false: neither chain nor name are checked */
	const char *ca_file;     /* NULL: the system's */
	const char *fingerprint; /* SHA-256 of the certificate, hex; instead of chain and name */
};

enum http_failure {
	HTTP_ANSWERED,    /* there is a status; it may be any */
	HTTP_NOT_SENT,    /* no connection: the server never saw the request */
	HTTP_TLS_REFUSED, /* the certificate was not accepted; nothing was sent */
	HTTP_LOST,        /* sent, perhaps in part, and no whole answer came */
	HTTP_TIMED_OUT,   /* as HTTP_LOST */
	HTTP_TOO_LARGE,   /* the answer passed limit_bytes */
};

struct http_answer {
	enum http_failure failure;
	int status;
	struct text body; /* whole, unless on_data took it; borrowed */
	const char *why;  /* a sentence for people, for all but HTTP_ANSWERED */
	const char *etag; /* NULL: none */
	const char *content_type;
	int64_t retry_after_ms; /* 0: none */
};

struct http_request {
	const char *method; /* "GET" */
	const char *url;
	const char *unix_socket;    /* connect there instead of to the URL's host; NULL: no */
	const char *const *headers; /* "Name: value", ended by NULL; NULL: none */
	struct text body;           /* copied; sent if it has data or the method wants a body */
	int64_t timeout_ms;         /* of the whole call; 0: none (a stream) */
	int64_t connect_timeout_ms; /* 0: 10 s */
	size_t limit_bytes;         /* of the answer's body; 0: 16 MiB */
	const struct http_tls *tls; /* NULL: verify against the system's */
	bool is_stream; /* TCP keep-alive and user timeout, no reuse of the connection */
	/* For streams: called once with the status, then with each piece. NULL: body is collected.
	 */
	void (*on_status)(void *ctx, int status, const char *content_type);
	void (*on_data)(void *ctx, const char *data, size_t size);
	void (*done)(void *ctx,
		     const struct http_answer *answer); /* once; never inside http_start */
	void *ctx;
};

struct http_call *http_start(struct http *http, const struct http_request *request);
void http_cancel(struct http_call *call); /* done will not be called; fine inside on_data */
/* Stops and goes on reading a stream's socket. */
void http_pause(struct http_call *call, bool paused);

/* Percent-encodes all but A-Z a-z 0-9 - _ . ~ ; for free(). */
char *http_escape(struct text text);

#endif
