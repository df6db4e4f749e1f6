/* Whatever Redis holds as a chunk: read within its bounds, and what is read is what writing gives.
 */
#include <assert.h>

#include "store/store_redis_chunk.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct copying {
	struct buf *again;
	uint64_t last, count;
};

static bool copy(void *ctx, const struct record *record)
{
	struct copying *copying = ctx;

	assert(!copying->count || record->seq == copying->last + 1);
	copying->last = record->seq;
	copying->count++;
	chunk_add(copying->again, record);
	return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint64_t count = size ? data[0] : 0;
	uint64_t after = size > 1 ? data[1] : 0;
	size_t head = MIN(size, 2);
	/* A copy of its own, so that nothing may be read behind it. */
	AUTO(free) char *bytes = size > head ? mem_copy(data + head, size - head) : NULL;
	struct text chunk = { bytes, size - head };
	AUTO(buf_free) struct buf *again = buf_new(1 << 30);
	struct copying copying = { again, 0, 0 };

	if (chunk_visit(chunk, count, 300, 0, copy, &copying) < 1)
		return 0;
	assert(copying.count == count);
	assert(text_equal(buf_text(again), chunk));
	copying.count = 0;
	assert(chunk_visit(chunk, count, 300, after, copy, &copying) == 1);
	assert(copying.count == MIN(count, 300 - after));
	return 0;
}
