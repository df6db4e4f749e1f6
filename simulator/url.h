/* url: the request line's target, taken apart byte by byte: one segment may hold a whole path. */
#ifndef SIMULATOR_URL_H
#define SIMULATOR_URL_H

#include "base/error.h"
#include "base/text.h"

enum { URL_PARTS_MAX = 12 };

struct url_parameter {
	char *name;
	char *value;
};

struct url {
	char *raw;
	struct text path; /* without the query; "/v1/..." also for "/api/v1/..."; still encoded */
	struct text part[URL_PARTS_MAX]; /* between slashes, encoded; the last is empty after "/" */
	int parts;
	struct url_parameter *parameters;
	int parameter_count;
};

/* Fails for a bad escape, %00, or a target that does not start with a slash. */
MUST_CHECK int url_parse(struct url *url, const char *raw, struct error *err);
void url_clear(struct url *url);
const char *url_parameter(const struct url *url, const char *name); /* NULL if it is not there */

/* %XX to bytes; "+" stays a plus. NULL: a bad escape or %00. For free(). */
char *url_decode(struct text encoded);
char *url_encode(const char *text); /* everything but A-Z a-z 0-9 - _ . ~ */

#endif
