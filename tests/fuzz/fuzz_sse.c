/* Bytes in one piece and the same bytes cut anywhere must be heard alike. */
#include <assert.h>

#include "base/buf.h"
#include "event/sse.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void hear(struct buf *heard, char kind, struct text text)
{
	assert(buf_append(heard, &kind, 1));
	assert(buf_append(heard, &text.size, sizeof(text.size)));
	assert(buf_append(heard, text.data, text.size));
}

static void hear_data(void *ctx, struct text payload)
{
	hear(ctx, 'd', payload);
}

static void hear_comment(void *ctx, struct text comment)
{
	hear(ctx, 'c', comment);
}

/* Feeds data in pieces whose sizes come from cuts (none: in one piece). */
static int feed(struct buf *heard, const char *data, size_t size, const uint8_t *cuts,
		size_t cut_count)
{
	struct sse_handler handler = { heard, hear_data, hear_comment };
	AUTO(sse_free) struct sse *sse = sse_new(&handler, 100);

	for (size_t at = 0, i = 0; at < size; i++) {
		size_t piece = cut_count ? cuts[i % cut_count] % 16 + 1 : size;

		piece = MIN(piece, size - at);

		/* A copy of its own, so that nothing may be read behind it or kept from it. */
		AUTO(free) char *copy = mem_copy(data + at, piece);

		if (sse_feed(sse, copy, piece, NULL) < 0)
			return -1;
		at += piece;
	}
	return sse_is_amid(sse);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	AUTO(buf_free) struct buf *whole = buf_new(1 << 30);
	AUTO(buf_free) struct buf *pieces = buf_new(1 << 30);
	size_t cut_count = size ? MIN(data[0] % 8u + 1, size) : 0;
	const char *bytes = (const char *)data + cut_count;
	int result = feed(whole, bytes, size - cut_count, NULL, 0);

	assert(feed(pieces, bytes, size - cut_count, data, cut_count) == result);
	assert(text_equal(buf_text(whole), buf_text(pieces)));
	return 0;
}
