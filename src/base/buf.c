#include "base/buf.h"

#include <stdio.h>

struct buf *buf_new(size_t limit_bytes)
{
	struct buf *buf = NEW(struct buf);

	buf->limit = limit_bytes;
	return buf;
}

void buf_free(struct buf *buf)
{
	if (!buf)
		return;
	free(buf->data);
	free(buf);
}

bool buf_reserve(struct buf *buf, size_t size)
{
	if (size > buf->limit - buf->size)
		return false;
	if (buf->size + size + 1 > buf->room) {
		buf->room = MAX(buf->size + size + 1, buf->room * 2);
		buf->data = mem_grow(buf->data, buf->room, 1);
	}
	return true;
}

bool buf_append(struct buf *buf, const void *data, size_t size)
{
	if (!buf_reserve(buf, size))
		return false;
	if (size)
		memcpy(buf->data + buf->size, data, size);
	buf->size += size;
	buf->data[buf->size] = 0;
	return true;
}

bool buf_print(struct buf *buf, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	AUTO(free) char *text = str_vformat(format, args);
	va_end(args);
	return buf_append(buf, text, strlen(text));
}

void buf_consume(struct buf *buf, size_t size)
{
	size = MIN(size, buf->size);
	if (!size)
		return;
	memmove(buf->data, buf->data + size, buf->size - size);
	buf->size -= size;
	buf->data[buf->size] = 0;
}

void buf_reset(struct buf *buf)
{
	buf->size = 0;
	if (buf->data)
		buf->data[0] = 0;
}

struct text buf_text(const struct buf *buf)
{
	return (struct text){ buf->data, buf->size };
}

char *buf_take(struct buf *buf)
{
	char *data = buf->data ? buf->data : str_copy("");

	data[buf->size] = 0;
	buf->data = NULL;
	buf->size = buf->room = 0;
	return data;
}
