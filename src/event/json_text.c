#include "event/json_text.h"

#define REPLACEMENT 0xfffd

static const char replacement[] = "\xef\xbf\xbd";

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

/* The number of a \uXXXX at `at`; -1 if none is there. */
static int32_t code_unit(const char *at, const char *end)
{
	int32_t unit = 0;

	if (end - at < 6 || at[0] != '\\' || at[1] != 'u')
		return -1;
	for (int i = 2; i < 6; i++) {
		int digit = hex_digit(at[i]);

		if (digit < 0)
			return -1;
		unit = unit << 4 | digit;
	}
	return unit;
}

static char *put_utf8(char *to, uint32_t code)
{
	if (code < 0x80) {
		*to++ = (char)code;
	} else if (code < 0x800) {
		*to++ = (char)(0xc0 | code >> 6);
		*to++ = (char)(0x80 | (code & 0x3f));
	} else if (code < 0x10000) {
		*to++ = (char)(0xe0 | code >> 12);
		*to++ = (char)(0x80 | (code >> 6 & 0x3f));
		*to++ = (char)(0x80 | (code & 0x3f));
	} else {
		*to++ = (char)(0xf0 | code >> 18);
		*to++ = (char)(0x80 | (code >> 12 & 0x3f));
		*to++ = (char)(0x80 | (code >> 6 & 0x3f));
		*to++ = (char)(0x80 | (code & 0x3f));
	}
	return to;
}

/* \uXXXX, or two of them that make one character. */
static enum json_text_result unescape_unit(const char **at, const char *end, char **to)
{
	int32_t unit = code_unit(*at, end);

	if (unit < 0)
		return JSON_TEXT_WRONG;
	if (unit == 0)
		return JSON_TEXT_NUL;
	*at += 6;
	if (unit >= 0xd800 && unit < 0xdc00) {
		int32_t low = code_unit(*at, end);

		if (low >= 0xdc00 && low < 0xe000) {
			*at += 6;
			unit = 0x10000 + ((unit - 0xd800) << 10) + (low - 0xdc00);
		} else {
			unit = REPLACEMENT;
		}
	} else if (unit >= 0xdc00 && unit < 0xe000) {
		unit = REPLACEMENT;
	}
	*to = put_utf8(*to, (uint32_t)unit);
	return JSON_TEXT_OK;
}

static enum json_text_result unescape_one(const char **at, const char *end, char **to)
{
	static const char from[] = "\"\\/bfnrt";
	static const char into[] = "\"\\/\b\f\n\r\t";

	if (end - *at < 2)
		return JSON_TEXT_WRONG;
	if ((*at)[1] == 'u')
		return unescape_unit(at, end, to);

	const char *found = memchr(from, (*at)[1], sizeof(from) - 1);

	if (!found)
		return JSON_TEXT_WRONG;
	*(*to)++ = into[found - from];
	*at += 2;
	return JSON_TEXT_OK;
}

enum json_text_result json_text_unescape(struct text raw, char *out, size_t *out_size)
{
	const char *at = raw.data, *end = raw.data + raw.size;
	char *to = out;

	while (at < end) {
		const char *escape = memchr(at, '\\', end - at);
		size_t plain = (escape ? escape : end) - at;

		memcpy(to, at, plain);
		to += plain;
		at += plain;
		if (escape) {
			enum json_text_result result = unescape_one(&at, end, &to);

			if (result != JSON_TEXT_OK)
				return result;
		}
	}
	*out_size = to - out;
	return JSON_TEXT_OK;
}

bool json_text_is_lossy(struct text text)
{
	if (!text.size)
		return false;

	const char *at = text.data, *end = text.data + text.size;

	while (at < end && (at = memchr(at, replacement[0], end - at))) {
		if (end - at >= 3 && memcmp(at, replacement, 3) == 0)
			return true;
		at++;
	}
	return false;
}

/* How many bytes the character at `at` has; 0 if the byte there begins none. */
static size_t character_size(const unsigned char *at, size_t size)
{
	unsigned char low = 0x80, high = 0xbf; /* bounds of the second byte */
	size_t wanted;

	if (at[0] < 0x80)
		return 1;
	if (at[0] >= 0xc2 && at[0] <= 0xdf) {
		wanted = 2;
	} else if (at[0] >= 0xe0 && at[0] <= 0xef) {
		wanted = 3;
		low = at[0] == 0xe0 ? 0xa0 : low;
		high = at[0] == 0xed ? 0x9f : high;
	} else if (at[0] >= 0xf0 && at[0] <= 0xf4) {
		wanted = 4;
		low = at[0] == 0xf0 ? 0x90 : low;
		high = at[0] == 0xf4 ? 0x8f : high;
	} else {
		return 0;
	}
	if (size < wanted || at[1] < low || at[1] > high)
		return 0;
	for (size_t i = 2; i < wanted; i++)
		if ((at[i] & 0xc0) != 0x80)
			return 0;
	return wanted;
}

size_t json_text_repair(struct text text, char *out)
{
	size_t used = 0;

	for (size_t i = 0; i < text.size;) {
		const char *from = text.data + i;
		size_t size = character_size((const unsigned char *)from, text.size - i);

		i += size ? size : 1;
		if (!size) {
			from = replacement;
			size = sizeof(replacement) - 1;
		}
		if (out)
			memcpy(out + used, from, size);
		used += size;
	}
	return used;
}
