/* Whatever Redis holds as a chunk: read within its bounds, and what is read can be written again.
 */
#include <assert.h>

#include "store/store_redis_chunk.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct copying {
	struct chunk_writer *again; /* NULL: only looks */
	uint64_t last, count, sum;
};

static uint64_t sum_of(struct text text)
{
	uint64_t sum = text.size;

	for (size_t i = 0; i < text.size; i++)
		sum = sum * 31 + (unsigned char)text.data[i];
	return sum;
}

static bool copy(void *ctx, const struct record *record)
{
	struct copying *copying = ctx;

	assert(!copying->count || record->seq == copying->last + 1);
	assert(record->origin < ORIGIN_COUNT);
	copying->last = record->seq;
	copying->count++;
	copying->sum = copying->sum * 31 + (uint64_t)record->time_ms + sum_of(record->watch) +
		       sum_of(record->bytes);
	if (copying->again)
		chunk_add(copying->again, record);
	return true;
}

/* How many records there shall be, behind which one to begin, the chunk. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint64_t count = size ? data[0] : 0;
	uint64_t after = size > 1 ? data[1] : 0;
	size_t head = MIN(size, 2);
	/* A copy of its own, so that nothing may be read behind it. */
	AUTO(free) char *bytes = size > head ? mem_copy(data + head, size - head) : NULL;
	struct text chunk = { bytes, size - head };
	AUTO(chunk_reader_free) struct chunk_reader *reader = chunk_reader_new();
	AUTO(chunk_writer_free) struct chunk_writer *again = chunk_writer_new();
	struct copying first = { again }, second = { 0 }, rest = { 0 };

	if (chunk_visit(reader, chunk, count, 300, 0, copy, &first) < 1)
		return 0;
	assert(first.count == count);
	assert(chunk_visit(reader, chunk, count, 300, after, copy, &rest) == 1);
	assert(rest.count == MIN(count, 300 - after));
	if (!count)
		return 0;
	chunk = chunk_finish(again);
	assert(chunk_visit(reader, chunk, count, 300, 0, copy, &second) == 1);
	assert(second.count == count && second.sum == first.sum);
	return 0;
}
