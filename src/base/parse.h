/* parse: values as people write them. Each answers 0, or -1 with what was found and expected. */
#ifndef BASE_PARSE_H
#define BASE_PARSE_H

#include "base/error.h"
#include "base/text.h"

/* "500ms", "5s", "10 m", "2h", "7d"; a bare number is refused because its unit is a guess. */
MUST_CHECK int parse_duration(struct text text, int64_t *out_ms, struct error *err);
/* "4096", "10 KiB", "10MB", "1 GiB": KiB is 1024, kB and KB are 1000. */
MUST_CHECK int parse_size(struct text text, int64_t *out_bytes, struct error *err);
/* yes/no, true/false, on/off, 1/0, whatever the case. */
MUST_CHECK int parse_bool(struct text text, bool *out, struct error *err);
MUST_CHECK int parse_number(struct text text, int64_t min, int64_t max, int64_t *out,
			    struct error *err);
/* "0640" or "640": octal, at most 7777. */
MUST_CHECK int parse_mode(struct text text, unsigned *out, struct error *err);

/* Which of the names (ended by NULL) was probably meant, or NULL: for "did you mean". */
const char *parse_nearest(struct text found, const char *const *names);

#endif
