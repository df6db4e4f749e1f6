/*
 * request: one HTTP request and the answer to it. A handler reads the first and gives the second,
 * exactly once, with one of the answer functions.
 */
#ifndef SIMULATOR_REQUEST_H
#define SIMULATOR_REQUEST_H

#include <jansson.h>
#include <microhttpd.h>

#include "base/buf.h"
#include "simulator/sim.h"
#include "simulator/url.h"

enum { REQUEST_ARGUMENTS_MAX = 4 };

AUTO_DEFINE(json_t *, json_decref)

struct request {
	struct sim *sim;
	struct MHD_Connection *connection;
	struct wire *wire; /* what it came in through */
	char *method;
	struct url url;
	const struct route *route;
	char *argument[REQUEST_ARGUMENTS_MAX]; /* what stood for each {} of the route, decoded */
	struct buf *body;
	const struct user *user; /* NULL where the route needs no token */
	const struct token *token;

	/* the answer */
	unsigned status;
	struct MHD_Response *response;

	/* server.c's own */
	int phase;
	bool too_large;
	bool unserved;
	struct fault *fault;
	uv_timer_t *timer;
};

/* A header's value, or NULL. */
const char *request_header(const struct request *request, const char *name);
/* "true" or "false"; absent: false. Answers 400 for anything else and returns -1. */
MUST_CHECK int request_flag(struct request *request, const char *name, bool *out);
/* A decimal parameter; absent: `absent`. Answers 400 and returns -1. */
MUST_CHECK int request_number(struct request *request, const char *name, int64_t absent,
			      int64_t *out);
/* The body as a JSON object (or array, where wanted); NULL: 400 was answered. */
json_t *request_object(struct request *request);
json_t *request_array(struct request *request);
/*
 * Members of a body. Each answers 400 decode_error and returns -1 if the value is of another type
 * or, where needed, missing. Absent optional ones leave *out alone.
 */
enum presence { OPTIONAL, NEEDED };
MUST_CHECK int member_string(struct request *request, const json_t *object, const char *name,
			     enum presence presence, const char **out);
MUST_CHECK int member_bool(struct request *request, const json_t *object, const char *name,
			   enum presence presence, bool *out);
/* A decimal number, written as a string (or a plain number). */
MUST_CHECK int member_size(struct request *request, const json_t *object, const char *name,
			   int64_t *out);

void answer_json(struct request *request, unsigned status, json_t *body); /* takes body */
void answer_empty(struct request *request, unsigned status);
void answer_bytes(struct request *request, const char *type, const void *data, size_t size);
/* Section 5's body; `class` may be "" for none. */
void answer_error(struct request *request, unsigned status, const char *class, const char *format,
		  ...) PRINTF_LIKE(4, 5);
void answer_header(struct request *request, const char *name, const char *value);
void answer_etag(struct request *request, const char *etag);

/* Whether the object that `what` names, at this ETag, may be changed; false: 412 was answered. */
bool request_if_match(struct request *request, const char *etag, const char *what);

/* {"description": ...} as it stands in a body or in an error line of a stream. */
json_t *error_body(const char *class, const char *description);

/* Puts "paging" into a list's answer; NULL: the last page. `next` is the target of the next one. */
void answer_paging(const struct request *request, json_t *list, const char *next);

#endif
