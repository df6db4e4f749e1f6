/*
 * index_sieve: whether a hash may be among those that are filed: a few bits, which stay in the
 * processor's caches where the tables of ten thousand rules do not. Most questions end here.
 */
#ifndef RULE_INDEX_SIEVE_H
#define RULE_INDEX_SIEVE_H

#include "base/mem.h"

struct index_sieve {
	uint64_t *hashes; /* until it is finished */
	size_t count, room;
	uint64_t *bits;
	uint64_t mask;
};

void index_sieve_add(struct index_sieve *sieve, uint64_t hash);
void index_sieve_finish(struct index_sieve *sieve);
void index_sieve_clear(struct index_sieve *sieve);

/* After finish. True for what was added, and seldom for something else. */
static inline bool index_sieve_has(const struct index_sieve *sieve, uint64_t hash)
{
	uint64_t one = (hash >> 1) & sieve->mask, other = (hash >> 33) & sieve->mask;

	return sieve->bits[one / 64] >> one % 64 & sieve->bits[other / 64] >> other % 64 & 1;
}

#endif
