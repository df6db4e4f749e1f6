#include "simulator/render.h"

#include <stdlib.h>

static void put(struct buf *out, const void *data, size_t size)
{
	if (!buf_append(out, data, size))
		abort(); /* the hub ends a stream long before its buffers' ceiling */
}

#define PUT(out, literal) put(out, "" literal, sizeof(literal) - 1)

static void put_unit(struct buf *out, unsigned unit)
{
	static const char hex[] = "0123456789abcdef";
	char escape[6] = {
		'\\',          'u', hex[unit >> 12 & 15], hex[unit >> 8 & 15], hex[unit >> 4 & 15],
		hex[unit & 15]
	};

	put(out, escape, sizeof(escape));
}

/* The length of the UTF-8 character at the start of text and its code point; 0: it is none. */
static size_t utf8_read(struct text text, unsigned *code)
{
	const unsigned char *at = (const unsigned char *)text.data;
	static const unsigned least[] = { 0, 0, 0x80, 0x800, 0x10000 };
	size_t size = at[0] < 0x80                     ? 1
		      : at[0] >= 0xC2 && at[0] <= 0xDF ? 2
		      : (at[0] & 0xF0) == 0xE0         ? 3
		      : at[0] >= 0xF0 && at[0] <= 0xF4 ? 4
						       : 0;

	if (!size || size > text.size)
		return 0;
	*code = size == 1 ? at[0] : at[0] & (0x7F >> size);
	for (size_t i = 1; i < size; i++) {
		if ((at[i] & 0xC0) != 0x80)
			return 0;
		*code = *code << 6 | (at[i] & 0x3F);
	}
	if (*code < least[size] || *code > 0x10FFFF || (*code >= 0xD800 && *code < 0xE000))
		return 0;
	return size;
}

bool render_is_utf8(struct text text)
{
	unsigned code;

	while (text.size) {
		size_t size = utf8_read(text, &code);

		if (!size)
			return false;
		text.data += size;
		text.size -= size;
	}
	return true;
}

char *render_clean(struct text text)
{
	char *clean = mem_new(3 * text.size + 1);
	size_t done = 0;
	unsigned code;

	while (text.size) {
		size_t size = utf8_read(text, &code);

		memcpy(clean + done, size ? text.data : "\xEF\xBF\xBD", size ? size : 3);
		done += size ? size : 3;
		text.data += size ? size : 1;
		text.size -= size ? size : 1;
	}
	return clean;
}

static void put_code(struct buf *out, unsigned code)
{
	if (code < 0x10000) {
		put_unit(out, code);
		return;
	}
	put_unit(out, 0xD800 + ((code - 0x10000) >> 10));
	put_unit(out, 0xDC00 + ((code - 0x10000) & 0x3FF));
}

static void put_bad_byte(struct buf *out, unsigned char byte, enum bad_bytes bad, bool ascii)
{
	if (bad == BAD_RAW)
		put(out, &byte, 1);
	else if (bad == BAD_SURROGATES)
		put_unit(out, 0xDC00 + byte);
	else if (ascii)
		put_unit(out, 0xFFFD);
	else
		PUT(out, "\xEF\xBF\xBD");
}

static void put_control(struct buf *out, unsigned char byte)
{
	static const char letters[] = { ['\b'] = 'b', ['\t'] = 't', ['\n'] = 'n', ['\f'] = 'f',
					['\r'] = 'r', ['"'] = '"',  ['\\'] = '\\' };
	char escape[2] = { '\\', letters[byte] };

	if (escape[1])
		put(out, escape, sizeof(escape));
	else
		put_unit(out, byte);
}

void render_text(struct buf *out, struct text text, enum bad_bytes bad, bool ascii)
{
	size_t done = 0; /* what is plain is copied in one piece */
	size_t at = 0;

	while (at < text.size) {
		unsigned char byte = text.data[at];

		if (byte >= 0x20 && byte < 0x80 && byte != '"' && byte != '\\') {
			at++;
			continue;
		}
		unsigned code = byte;
		size_t size =
			byte < 0x80
				? 1
				: utf8_read((struct text){ text.data + at, text.size - at }, &code);
		if (byte >= 0x80 && size && !ascii) {
			at += size;
			continue;
		}
		if (at > done)
			put(out, text.data + done, at - done);
		if (!size)
			put_bad_byte(out, byte, bad, ascii);
		else if (byte >= 0x80)
			put_code(out, code);
		else
			put_control(out, byte);
		at += size ? size : 1;
		done = at;
	}
	if (at > done)
		put(out, text.data + done, at - done);
}

static void put_type(struct buf *out, const struct render_event *event)
{
	PUT(out, "\"type\":\"");
	put(out, event->type, strlen(event->type));
	PUT(out, "\"");
}

static bool put_spine(struct buf *out, const struct render_event *event)
{
	if (event->spine_form == RENDER_NO_SPINE)
		return false;
	if (event->spine_form == RENDER_NULL_SPINE) {
		PUT(out, "\"spine\":null");
		return true;
	}
	PUT(out, "\"spine\":[");
	for (size_t i = 0; i < event->spine_size; i++) {
		if (i)
			PUT(out, ",");
		PUT(out, "\"");
		put(out, event->spine[i], strlen(event->spine[i]));
		PUT(out, "\"");
	}
	PUT(out, "]");
	return true;
}

static void put_path(struct buf *out, const struct render_event *event)
{
	PUT(out, "\"path\":\"");
	render_text(out, event->path, event->bad, event->ascii);
	PUT(out, "\"");
}

static void put_stream(struct buf *out, const struct render_event *event)
{
	if (!event->stream.data) {
		PUT(out, "\"stream_name\":null");
		return;
	}
	PUT(out, "\"stream_name\":\"");
	render_text(out, event->stream, event->bad, event->ascii);
	PUT(out, "\"");
}

void render_event(struct buf *out, const struct render_event *event)
{
	PUT(out, "{");
	if (event->order % 2 == 0) {
		put_type(out, event);
		PUT(out, ",");
		if (put_spine(out, event))
			PUT(out, ",");
		put_path(out, event);
		PUT(out, ",");
		put_stream(out, event);
	} else {
		put_path(out, event);
		PUT(out, ",");
		put_stream(out, event);
		PUT(out, ",");
		if (put_spine(out, event))
			PUT(out, ",");
		put_type(out, event);
	}
	PUT(out, "}");
}
