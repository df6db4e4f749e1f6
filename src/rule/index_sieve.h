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
	uint64_t *words;
	uint64_t mask;
};

/* Those of a hash lie in one word, so that a question is one look. */
static inline uint64_t index_sieve_bits(uint64_t hash)
{
	return (uint64_t)1 << (hash >> 1) % 64 | (uint64_t)1 << (hash >> 7) % 64 |
	       (uint64_t)1 << (hash >> 13) % 64;
}

void index_sieve_add(struct index_sieve *sieve, uint64_t hash);
void index_sieve_finish(struct index_sieve *sieve);
void index_sieve_clear(struct index_sieve *sieve);

/* After finish. True for what was added, and seldom for something else. */
static inline bool index_sieve_has(const struct index_sieve *sieve, uint64_t hash)
{
	uint64_t bits = index_sieve_bits(hash);

	return (sieve->words[hash >> 32 & sieve->mask] & bits) == bits;
}

#endif
