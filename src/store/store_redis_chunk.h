/*
 * store_redis_chunk: records in a row as one value, as the stream `log` holds them: compressed,
 * since the server's memory, its file, its replicas and the network carry each byte, and its one
 * thread looks at each of them. Events are alike: a fifth of the bytes is left.
 */
#ifndef STORE_STORE_REDIS_CHUNK_H
#define STORE_STORE_REDIS_CHUNK_H

#include "base/buf.h"
#include "store/store.h"

/* Records on their way to a value. */
struct chunk_writer;
struct chunk_writer *chunk_writer_new(void);
void chunk_writer_free(struct chunk_writer *writer);
AUTO_DEFINE(struct chunk_writer *, chunk_writer_free)

/* Forgets what was added, and gives back what a huge record needed. */
void chunk_reset(struct chunk_writer *writer);
void chunk_add(struct chunk_writer *writer, const struct record *record);
size_t chunk_size(const struct chunk_writer *writer); /* of what was added */
/* The value; it is the writer's, until the next call. What comes next begins a new chunk. */
struct text chunk_finish(struct chunk_writer *writer);

/* What reading needs; for any number of chunks. */
struct chunk_reader;
struct chunk_reader *chunk_reader_new(void);
void chunk_reader_free(struct chunk_reader *reader);
AUTO_DEFINE(struct chunk_reader *, chunk_reader_free)

/*
 * Visits the count records of a chunk, of which the last has the number last_seq, as far as they
 * come after the one named. 1: to the end; 0: visit answered false; -1: these are not count
 * records.
 */
MUST_CHECK int chunk_visit(struct chunk_reader *reader, struct text chunk, uint64_t count,
			   uint64_t last_seq, uint64_t after,
			   bool (*visit)(void *ctx, const struct record *record), void *ctx);

#endif
