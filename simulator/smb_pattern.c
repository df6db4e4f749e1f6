#include "simulator/smb_pattern.h"

#include <utf8proc.h>

/* The next character, folded; bytes that are not UTF-8 stand for themselves. */
static utf8proc_int32_t next_folded(const char **at, const char *end)
{
	utf8proc_int32_t code;
	utf8proc_ssize_t size = utf8proc_iterate((const utf8proc_uint8_t *)*at, end - *at, &code);

	if (size <= 0) {
		code = 0x110000 + (unsigned char)**at;
		size = 1;
	} else {
		code = utf8proc_tolower(code);
	}
	*at += size;
	return code;
}

bool smb_pattern_matches(struct text pattern, struct text name)
{
	const char *at = pattern.data, *end = pattern.data + pattern.size;
	const char *in = name.data, *in_end = name.data + name.size;
	const char *star = NULL, *star_in = NULL;

	while (in < in_end) {
		const char *next = at, *in_next = in;

		if (at < end && *at == '*') {
			star = ++at;
			star_in = in;
			continue;
		}
		utf8proc_int32_t found = next_folded(&in_next, in_end);
		if (at < end && (*at == '?' || next_folded(&next, end) == found)) {
			at = *at == '?' ? at + 1 : next;
			in = in_next;
			continue;
		}
		if (!star)
			return false;
		/* The last star takes one character more. */
		next_folded(&star_in, in_end);
		in = star_in;
		at = star;
	}
	while (at < end && *at == '*')
		at++;
	return at == end;
}
