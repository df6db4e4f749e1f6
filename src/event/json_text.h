/* json_text: the bytes of JSON strings, tolerantly: what cannot be a character becomes U+FFFD. */
#ifndef EVENT_JSON_TEXT_H
#define EVENT_JSON_TEXT_H

#include "base/text.h"

enum json_text_result {
	JSON_TEXT_OK,
	JSON_TEXT_NUL,   /* has a \u0000: no file is named so */
	JSON_TEXT_WRONG, /* has an escape that is none */
};

/*
 * What stands between the quotes of a JSON string, unescaped to out, which has room for raw.size
 * bytes (it never gets longer). Halves of surrogate pairs become U+FFFD.
 */
enum json_text_result json_text_unescape(struct text raw, char *out, size_t *out_size);

/* Whether the text holds a U+FFFD: then its bytes on disk are likely others. */
bool json_text_is_lossy(struct text text);

/*
 * Copies text with bytes that are not UTF-8 replaced by U+FFFD each; answers the size. out NULL:
 * only counts.
 */
size_t json_text_repair(struct text text, char *out);

#endif
