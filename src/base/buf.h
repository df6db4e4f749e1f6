/* buf: bytes that grow, up to a ceiling given at birth. */
#ifndef BASE_BUF_H
#define BASE_BUF_H

#include "base/text.h"

struct buf {
	char *data; /* always ended by a NUL that size does not count, once something was added */
	size_t size;
	size_t room;
	size_t limit;
};

struct buf *buf_new(size_t limit_bytes);
void buf_free(struct buf *buf); /* NULL is fine, as for every free and close here */
AUTO_DEFINE(struct buf *, buf_free)

/* Appends all of data or nothing; false means that the ceiling was reached. */
MUST_CHECK bool buf_append(struct buf *buf, const void *data, size_t size);
MUST_CHECK bool buf_print(struct buf *buf, const char *format, ...) PRINTF_LIKE(2, 3);
/* Makes sure that size more bytes fit behind data[size]; the caller writes there and adds to size.
 */
MUST_CHECK bool buf_reserve(struct buf *buf, size_t size);
void buf_consume(struct buf *buf, size_t size); /* drops bytes at the front */
void buf_reset(struct buf *buf);                /* empty, memory kept */
struct text buf_text(const struct buf *buf);
char *buf_take(struct buf *buf); /* the bytes, ended by NUL, for free(); buf is empty then */

#endif
