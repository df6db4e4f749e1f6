#include "store/store_redis_chunk.h"

#include <zstd.h>

/* A chunk begins with how the rest is to be read. Behind KIND_SMALL: the size of what was
 * compressed (4 bytes, the high one first). */
#define KIND_PLAIN 'p'
#define KIND_SMALL 'z'
#define SMALL_HEAD 5
#define PLAIN_MAX ((uint64_t)300 << 20) /* more than any message; damage is believed no more */

/* Level 1 leaves a fifth at some 400 MB/s; the next ones take longer and leave as much. */
#define LEVEL 1
#define KEPT_MEMORY ((size_t)4 * 1024 * 1024)
#define WORTH_IT 256 /* of fewer bytes little is left out */

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

/* ---- Writing ---- */

struct chunk_writer {
	struct buf *plain; /* with its kind in front */
	struct buf *small;
	ZSTD_CCtx *zstd;
	bool is_finished;
};

struct chunk_writer *chunk_writer_new(void)
{
	struct chunk_writer *writer = NEW(struct chunk_writer);

	writer->plain = buf_new(SIZE_MAX / 2);
	writer->small = buf_new(SIZE_MAX / 2);
	writer->zstd = ZSTD_createCCtx();
	writer->is_finished = true;
	if (!writer->zstd)
		abort(); /* out of memory */
	return writer;
}

void chunk_writer_free(struct chunk_writer *writer)
{
	if (!writer)
		return;
	buf_free(writer->plain);
	buf_free(writer->small);
	ZSTD_freeCCtx(writer->zstd);
	free(writer);
}

static void shrink(struct buf **buf)
{
	if ((*buf)->room <= KEPT_MEMORY)
		return;
	buf_free(*buf);
	*buf = buf_new(SIZE_MAX / 2);
}

void chunk_reset(struct chunk_writer *writer)
{
	shrink(&writer->plain);
	shrink(&writer->small);
	writer->is_finished = true;
}

static void put(struct buf *out, const void *data, size_t size)
{
	if (!buf_append(out, data, size))
		abort(); /* the limit is beyond memory */
}

void chunk_add(struct chunk_writer *writer, const struct record *record)
{
	unsigned char head[HEAD_SIZE];

	if (writer->is_finished) {
		buf_reset(writer->plain);
		put(writer->plain, &(char){ KIND_PLAIN }, 1);
		writer->is_finished = false;
	}
	put_number(head, (uint64_t)record->time_ms, 8);
	put_number(head + 8, record->bytes.size, 4);
	put_number(head + 12, record->watch.size, 2);
	head[14] = (unsigned char)record->origin;
	put(writer->plain, head, sizeof(head));
	put(writer->plain, record->watch.data, record->watch.size);
	put(writer->plain, record->bytes.data, record->bytes.size);
}

size_t chunk_size(const struct chunk_writer *writer)
{
	return writer->is_finished ? 0 : writer->plain->size - 1;
}

/* TEXT_NONE: as it is, it is no larger. */
static struct text compressed(struct chunk_writer *writer, struct text plain)
{
	size_t room = ZSTD_compressBound(plain.size);
	size_t size;

	buf_reset(writer->small);
	if (!buf_reserve(writer->small, SMALL_HEAD + room))
		abort(); /* the limit is beyond memory */
	size = ZSTD_compressCCtx(writer->zstd, writer->small->data + SMALL_HEAD, room, plain.data,
				 plain.size, LEVEL);
	if (ZSTD_isError(size) || SMALL_HEAD + size > plain.size)
		return TEXT_NONE;
	writer->small->data[0] = KIND_SMALL;
	put_number((unsigned char *)writer->small->data + 1, plain.size, 4);
	return (struct text){ writer->small->data, SMALL_HEAD + size };
}

struct text chunk_finish(struct chunk_writer *writer)
{
	struct text all = buf_text(writer->plain);
	struct text plain = { all.data + 1, all.size - 1 };
	struct text small = TEXT_NONE;

	writer->is_finished = true;
	if (plain.size >= WORTH_IT && plain.size < PLAIN_MAX)
		small = compressed(writer, plain);
	return small.size ? small : all;
}

/* ---- Reading ---- */

struct chunk_reader {
	ZSTD_DCtx *zstd;
	char *plain;
	size_t room;
};

struct chunk_reader *chunk_reader_new(void)
{
	struct chunk_reader *reader = NEW(struct chunk_reader);

	reader->zstd = ZSTD_createDCtx();
	if (!reader->zstd)
		abort(); /* out of memory */
	return reader;
}

void chunk_reader_free(struct chunk_reader *reader)
{
	if (!reader)
		return;
	ZSTD_freeDCtx(reader->zstd);
	free(reader->plain);
	free(reader);
}

/* False: damaged. */
static bool expand(struct chunk_reader *reader, struct text chunk, struct text *out)
{
	uint64_t size;

	if (!chunk.size)
		return false;
	*out = (struct text){ chunk.data + 1, chunk.size - 1 };
	if (chunk.data[0] == KIND_PLAIN)
		return true;
	if (chunk.data[0] != KIND_SMALL || chunk.size < SMALL_HEAD)
		return false;
	size = get_number(chunk.data + 1, 4);
	if (!size || size >= PLAIN_MAX ||
	    ZSTD_getFrameContentSize(chunk.data + SMALL_HEAD, chunk.size - SMALL_HEAD) != size)
		return false;
	if (size > reader->room) {
		free(reader->plain);
		reader->plain = mem_new(size);
		reader->room = size;
	}
	*out = (struct text){ reader->plain, size };
	return ZSTD_decompressDCtx(reader->zstd, reader->plain, size, chunk.data + SMALL_HEAD,
				   chunk.size - SMALL_HEAD) == size;
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

int chunk_visit(struct chunk_reader *reader, struct text packed, uint64_t count, uint64_t last_seq,
		uint64_t after, bool (*visit)(void *ctx, const struct record *record), void *ctx)
{
	struct text chunk;

	/* Each has a head: a count beyond that is no count, and the loop below is bounded. */
	if (!expand(reader, packed, &chunk) || count > chunk.size / HEAD_SIZE || count > last_seq)
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
