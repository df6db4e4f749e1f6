/* Whatever a cluster may send: every event that comes out keeps the promises of event.h. */
#include <assert.h>

#include "event/decode.h"
#include "event/json_text.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_text(struct text text)
{
	assert(json_text_repair(text, NULL) == text.size); /* three bytes would replace one */
	assert(!text.size || !memchr(text.data, 0, text.size));
}

static void check_path(struct text path)
{
	check_text(path);
	assert(path.size && path.data[0] == '/');
	assert(path.size == 1 || path.data[path.size - 1] != '/');
	assert(!memmem(path.data, path.size, "//", 2));
}

static bool visit(void *ctx, const struct event *event)
{
	size_t *count = ctx;
	AUTO(free) char *json = event_to_json(event);
	struct event *back = NULL;

	(*count)++;
	check_path(event->path);
	check_text(event->type_name);
	check_text(event->file_id);
	check_text(event->parent_id);
	check_text(event->stream);
	assert(event->type <= EVENT_TYPE_UNKNOWN);
	assert(event_from_json(&back, text_of(json), NULL) == 0);
	assert(text_equal(back->path, event->path));
	assert(text_equal(back->file_id, event->file_id));
	assert(back->path_is_lossy == event->path_is_lossy);
	free(back);
	return *count < 1000;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct decoder *decoder;
	struct text message = { (const char *)data, size };
	size_t count = 0, answered;
	AUTO_ERROR err = { 0 };
	struct event *event = NULL;

	if (!decoder)
		decoder = decoder_new();

	int result =
		decode_message(decoder, message, TEXT("/home"), visit, &count, &answered, &err);

	assert(count == answered);
	assert((result < 0) == (err.text != NULL));
	if (event_from_json(&event, message, NULL) == 0)
		check_path(event->path);
	free(event);
	return 0;
}
