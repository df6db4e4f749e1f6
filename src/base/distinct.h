/*
 * distinct: how many different things there were, by their hashes: exactly as long as there is
 * room, and as an estimate (HyperLogLog, standard error 1.6 %) beyond it.
 */
#ifndef BASE_DISTINCT_H
#define BASE_DISTINCT_H

#include "base/text.h"

struct distinct;

/* room: how many hashes may still be kept, shared by all that count together; outlives this. */
struct distinct *distinct_new(size_t *room);
void distinct_free(struct distinct *distinct);
AUTO_DEFINE(struct distinct *, distinct_free)

/* False: it was there before, as far as that is known. */
bool distinct_add(struct distinct *distinct, uint64_t hash);
uint64_t distinct_count(const struct distinct *distinct);
bool distinct_is_exact(const struct distinct *distinct);

/* A hash of text, which goes on from another one (0: the first). */
uint64_t hash_text(uint64_t before, struct text text);

#endif
