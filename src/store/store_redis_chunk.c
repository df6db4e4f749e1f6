#include "store/store_redis_chunk.h"

/* Before each record, numbers with the high byte first: time (8), size of the bytes (4), size of
 * the watch's name (2), origin (1). */
#define HEAD_SIZE 15

static void put_number(unsigned char *out, uint64_t number, size_t size)
{
	for (size_t i = 0; i < size; i++)
		out[i] = (unsigned char)(number >> (8 * (size - 1 - i)));
}

static uint64_t get_number(const char *bytes, size_t size)
{
	uint64_t number = 0;

	for (size_t i = 0; i < size; i++)
		number = number << 8 | (unsigned char)bytes[i];
	return number;
}

void chunk_add(struct buf *chunk, const struct record *record)
{
	unsigned char head[HEAD_SIZE];

	put_number(head, (uint64_t)record->time_ms, 8);
	put_number(head + 8, record->bytes.size, 4);
	put_number(head + 12, record->watch.size, 2);
	head[14] = (unsigned char)record->origin;
	if (!buf_append(chunk, head, sizeof(head)) ||
	    !buf_append(chunk, record->watch.data, record->watch.size) ||
	    !buf_append(chunk, record->bytes.data, record->bytes.size))
		abort(); /* the limit is beyond memory */
}

/* Cuts a record off the front. */
static bool cut_record(struct text *chunk, struct record *out)
{
	uint64_t size, watch_size;

	if (chunk->size < HEAD_SIZE)
		return false;
	size = get_number(chunk->data + 8, 4);
	watch_size = get_number(chunk->data + 12, 2);
	if (watch_size + size > chunk->size - HEAD_SIZE ||
	    (unsigned char)chunk->data[14] >= ORIGIN_COUNT)
		return false;
	out->time_ms = (int64_t)get_number(chunk->data, 8);
	out->origin = (enum origin)(unsigned char)chunk->data[14];
	out->watch = (struct text){ chunk->data + HEAD_SIZE, watch_size };
	out->bytes = (struct text){ out->watch.data + watch_size, size };
	*chunk = (struct text){ out->bytes.data + size,
				chunk->size - HEAD_SIZE - watch_size - size };
	return true;
}

int chunk_visit(struct text chunk, uint64_t count, uint64_t last_seq, uint64_t after,
		bool (*visit)(void *ctx, const struct record *record), void *ctx)
{
	/* Each has a head: a count beyond that is no count, and the loop below is bounded. */
	if (count > chunk.size / HEAD_SIZE || count > last_seq)
		return -1;
	for (uint64_t seq = last_seq - count + 1; seq <= last_seq; seq++) {
		struct record record = { .seq = seq };

		if (!cut_record(&chunk, &record))
			return -1;
		if (seq > after && !visit(ctx, &record))
			return 0;
	}
	return chunk.size ? -1 : 1;
}
