/*
 * call: one request to a cluster on its way through log-in, addresses and a refused token. For the
 * files of this folder.
 */
#ifndef QUMULO_CALL_H
#define QUMULO_CALL_H

#include "base/buf.h"
#include "base/list.h"
#include "qumulo/client.h"

#define SESSION_LOG_IN "/v1/session/login"
#define SESSION_WHO_AM_I "/v1/session/who-am-i"

struct session;

struct qumulo {
	struct http *http;
	struct qumulo_settings settings;
	struct session *session;
	struct list calls;
	struct list failed; /* told in the loop's next turn */
	uv_timer_t *later;
	size_t address;        /* the one that worked last */
	size_t stream_address; /* the next one for a stream */
};

struct call_stream {
	void (*opened)(void *ctx, const char *address);
	void (*data)(void *ctx, const char *data, size_t size);
};

struct qumulo_call {
	struct list link;
	struct qumulo *qumulo;
	struct http_call *http; /* NULL while waiting for a token */
	char *method;
	char *path;
	char *if_match;
	char *body; /* JSON; NULL: none */
	bool is_log_in;
	bool is_repeated; /* call_repeat was called */
	bool is_over;     /* its done is being called */
	bool is_renewed;  /* its token was refused once */
	bool is_judged;   /* it was asked whether its credential or a privilege is at fault */
	struct qumulo_call *judge; /* asks that; NULL: nobody does */
	uint64_t token_age;        /* which of the session's tokens it was sent with */
	size_t address;
	size_t addresses_tried;
	struct call_stream stream; /* data NULL: none */
	bool is_open;
	struct buf *refusal; /* what a stream's server said instead */
	/* What the call fails with before it was sent, or while the judge asks. */
	enum file_result failure;
	char *why;
	int64_t retry_after_ms;
	qumulo_done *done;
	void (*release)(void *ctx); /* NULL: ctx is not the call's */
	void *ctx;
};

/* stream NULL: an ordinary request. release frees ctx when the call is gone, cancelled or not. */
struct qumulo_call *call_start(struct qumulo *qumulo, const char *method, const char *path,
			       const char *if_match, const json_t *body,
			       const struct call_stream *stream, qumulo_done *done,
			       void (*release)(void *ctx), void *ctx);
/* One that ends as FILE_REFUSED without having been sent. */
struct qumulo_call *call_refuse(struct qumulo *qumulo, const char *why, qumulo_done *done,
				void (*release)(void *ctx), void *ctx);
/* From inside done: the same call again with another path. */
void call_repeat(struct qumulo_call *call, const char *path);

/* For the session: goes on with a token, or ends without having been sent. */
void call_send(struct qumulo_call *call, const char *token, uint64_t token_age);
void call_fail_later(struct qumulo_call *call, enum file_result result, int64_t retry_after_ms,
		     const char *why);

/* answer: status first, then class. Reads the body's members; class and description may be "". */
enum file_result answer_result(int status, const char *error_class, bool is_get);
char *answer_explain(int status, const json_t *body);

#endif
