/*
 * client: one Qumulo cluster: its addresses, its credential, and requests to its REST API.
 *
 * Facts: API facts, sections 2 to 5 and 22. One per loop; everything in that loop's thread.
 */
#ifndef QUMULO_CLIENT_H
#define QUMULO_CLIENT_H

#include <jansson.h>

#include "event/file.h"
#include "io/http_client.h"

struct qumulo;

struct qumulo_address {
	const char *host;
	int port;
	bool is_plain;
	const char *prefix; /* "" or "/api" */
};

struct qumulo_settings {
	const char *name;
	const struct qumulo_address
		*addresses; /* tried in turn, resolved anew at each connection */
	size_t address_count;
	/* Gives the credential, again after a 401: a token (re-read from its file), or user name
	 * and password for a log-in. Texts for free(). */
	int (*credential)(void *ctx, char **token, char **username, char **password,
			  struct error *err);
	void *ctx;
	struct http_tls tls;
	int64_t timeout_ms;
};

/* The settings' texts must outlive it. */
struct qumulo *qumulo_new(struct http *http, const struct qumulo_settings *settings);
void qumulo_free(struct qumulo *qumulo); /* cancels what is under way */
const char *qumulo_name(const struct qumulo *qumulo);
uv_loop_t *qumulo_loop(const struct qumulo *qumulo);

/* How a request ended, by status first, then by class. */
struct qumulo_answer {
	enum file_result result;
	int status;
	const char *error_class; /* "" if there was none */
	const char *why;
	const char *etag;
	int64_t retry_after_ms;
	json_t *body; /* NULL if empty or not JSON; borrowed */
};
typedef void qumulo_done(void *ctx, const struct qumulo_answer *answer);

struct qumulo_call;
/*
 * path: from "/v1/..." on. body: borrowed, NULL for none. A 401 renews the credential and repeats
 * once; other failures are the caller's to repeat. done comes once, never inside the call.
 */
struct qumulo_call *qumulo_request(struct qumulo *qumulo, const char *method, const char *path,
				   const char *if_match, json_t *body, qumulo_done *done,
				   void *ctx);
void qumulo_cancel(struct qumulo_call *call);

/* A file reference for a URL: an id as it is, a path percent-encoded whole. For free(). */
char *qumulo_ref(const char *id_or_path);

#endif
