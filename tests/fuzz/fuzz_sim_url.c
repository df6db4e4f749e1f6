/* Targets of requests, names against SMB patterns, and names as JSON. */
#include <assert.h>
#include <jansson.h>

#include "simulator/render.h"
#include "simulator/smb_pattern.h"
#include "simulator/url.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void parse(const char *target)
{
	struct url url;

	if (url_parse(&url, target, NULL) == 0) {
		for (int i = 0; i < url.parts; i++) {
			AUTO(free) char *part = url_decode(url.part[i]);

			if (!part)
				continue;
			AUTO(free) char *again = url_encode(part);
			AUTO(free) char *same = url_decode(text_of(again));
			assert(strcmp(part, same) == 0);
		}
	}
	url_clear(&url);
}

/* Whatever a name holds, it is one JSON string, and UTF-8 comes back as it was. */
static void render(struct text name, bool ascii)
{
	AUTO(buf_free) struct buf *out = buf_new(1 << 24);

	assert(buf_append(out, "\"", 1));
	render_text(out, name, BAD_REPLACED, ascii);
	assert(buf_append(out, "\"", 1));
	json_t *json = json_loadb(out->data, out->size, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);
	AUTO(free) char *clean = render_clean(name);
	assert(json_is_string(json));
	assert(render_is_utf8(text_of(clean)));
	if (render_is_utf8(name) && !memchr(name.data, 0, name.size))
		assert(strcmp(json_string_value(json), clean) == 0);
	json_decref(json);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	AUTO(free) char *target = str_copy_n((const char *)data, size);
	struct text name = { target, size };
	struct text pattern = text_cut(&name, '\n');

	parse(target);
	render((struct text){ target, size }, false);
	render((struct text){ target, size }, true);
	if (pattern.size < 100 && name.size < 1000) {
		smb_pattern_matches(pattern, name);
		assert(smb_pattern_matches(TEXT("*"), name));
	}
	return 0;
}
