#include "base/escape.h"

/* Code points beyond ASCII that do something rather than show something: the controls that are two
 * bytes in UTF-8, separators of lines, marks, embeddings and overrides of direction. */
static bool is_command(unsigned code)
{
	return (code >= 0x80 && code <= 0x9f) || (code >= 0x2028 && code <= 0x202e) ||
	       (code >= 0x2066 && code <= 0x2069);
}

/* The code point of the two or three bytes at text; 0 if they are nothing that matters here. */
static unsigned code_at(const char *text, size_t *out_size)
{
	const unsigned char *c = (const unsigned char *)text;

	*out_size = 2;
	if (c[0] == 0xc2 && (c[1] & 0xc0) == 0x80)
		return c[1];
	*out_size = 3;
	if (c[0] == 0xe2 && (c[1] & 0xc0) == 0x80 && (c[2] & 0xc0) == 0x80)
		return 0x2000 | (c[1] & 0x3fu) << 6 | (c[2] & 0x3fu);
	return 0;
}

void escape_print(FILE *out, const char *text, enum escape_style style)
{
	bool json = style == ESCAPE_JSON;
	size_t size = 1;

	for (; *text; text++) {
		unsigned char c = (unsigned char)*text;
		unsigned code = c >= 0x80 ? code_at(text, &size) : 0;

		if (json && (c == '"' || c == '\\')) {
			fprintf(out, "\\%c", c);
		} else if (c == '\n') {
			fputs("\\n", out);
		} else if (c == '\t') {
			fputs("\\t", out);
		} else if (c < 0x20 || c == 0x7f) {
			fprintf(out, json ? "\\u%04x" : "\\x%02x", c);
		} else if (is_command(code)) {
			fprintf(out, "\\u%04x", code);
			text += size - 1;
		} else {
			fputc(c, out);
		}
	}
}
