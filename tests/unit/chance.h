/*
 * chance: the draws that decide what a test makes up: from a seed, and the same each time, or from
 * the bytes of a fuzzer, which so decides about everything.
 */
#ifndef TESTS_CHANCE_H
#define TESTS_CHANCE_H

#include "base/text.h"

struct chance {
	uint64_t state;
	bool has_bytes;
	struct text bytes; /* those that are left; then every draw is 0 */
};

static inline struct chance chance_of_seed(uint64_t seed)
{
	/* Seeds that lie side by side lead to draws that do not: splitmix64. */
	seed += 0x9e3779b97f4a7c15u;
	seed = (seed ^ (seed >> 30)) * 0xbf58476d1ce4e5b9u;
	seed = (seed ^ (seed >> 27)) * 0x94d049bb133111ebu;
	return (struct chance){ .state = (seed ^ (seed >> 31)) | 1 };
}

static inline struct chance chance_of_bytes(struct text bytes)
{
	return (struct chance){ .has_bytes = true, .bytes = bytes };
}

/* A number from 0 on and less than below, which is at most 65536. */
static inline unsigned chance_pick(struct chance *chance, unsigned below)
{
	unsigned drawn = 0;

	if (!chance->has_bytes) {
		chance->state ^= chance->state << 13;
		chance->state ^= chance->state >> 7;
		chance->state ^= chance->state << 17;
		return (chance->state >> 11) % below;
	}
	for (unsigned reach = 1; reach < below && chance->bytes.size; reach *= 256) {
		drawn = drawn * 256 + (unsigned char)*chance->bytes.data++;
		chance->bytes.size--;
	}
	return drawn % below;
}

/* Once in so many times; never once a fuzzer's bytes have ended. */
static inline bool chance_hits(struct chance *chance, unsigned once_in)
{
	return chance_pick(chance, once_in) == once_in - 1;
}

#define CHANCE_OF(chance, list) ((list)[chance_pick(chance, ARRAY_SIZE(list))])

#endif
