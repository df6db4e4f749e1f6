/* store_redis_chunk: records in a row as one value, as the stream `log` holds them. */
#ifndef STORE_STORE_REDIS_CHUNK_H
#define STORE_STORE_REDIS_CHUNK_H

#include "base/buf.h"
#include "store/store.h"

/* chunk has no limit that it could reach. */
void chunk_add(struct buf *chunk, const struct record *record);
/*
 * Visits the count records of a chunk, of which the last has the number last_seq, as far as they
 * come after the one named. 1: to the end; 0: visit answered false; -1: these are not count
 * records.
 */
MUST_CHECK int chunk_visit(struct text chunk, uint64_t count, uint64_t last_seq, uint64_t after,
			   bool (*visit)(void *ctx, const struct record *record), void *ctx);

#endif
