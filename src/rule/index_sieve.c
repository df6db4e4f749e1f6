#include "rule/index_sieve.h"

#define HASHES_EACH 4 /* to a word: then about one answer in fifty is wrong */
#define LEAST_WORDS 16

void index_sieve_add(struct index_sieve *sieve, uint64_t hash)
{
	if (sieve->count == sieve->room) {
		sieve->room = MAX(64, sieve->room * 2);
		sieve->hashes = mem_grow(sieve->hashes, sieve->room, sizeof(*sieve->hashes));
	}
	sieve->hashes[sieve->count++] = hash;
}

static int compare_hashes(const void *left, const void *right)
{
	uint64_t a = *(const uint64_t *)left, b = *(const uint64_t *)right;

	return (a > b) - (a < b);
}

/* Many rules have the same ending or directory. */
static size_t count_different(struct index_sieve *sieve)
{
	size_t count = sieve->count > 0;

	if (sieve->count)
		qsort(sieve->hashes, sieve->count, sizeof(*sieve->hashes), compare_hashes);
	for (size_t i = 1; i < sieve->count; i++)
		count += sieve->hashes[i] != sieve->hashes[i - 1];
	return count;
}

void index_sieve_finish(struct index_sieve *sieve)
{
	size_t wanted = count_different(sieve) / HASHES_EACH, count = LEAST_WORDS;

	while (count < wanted)
		count *= 2;
	sieve->words = mem_array(count, sizeof(*sieve->words));
	sieve->mask = count - 1;
	for (size_t i = 0; i < sieve->count; i++) {
		uint64_t hash = sieve->hashes[i];

		sieve->words[hash >> 32 & sieve->mask] |= index_sieve_bits(hash);
	}
	free(TAKE(sieve->hashes));
	sieve->count = sieve->room = 0;
}

void index_sieve_clear(struct index_sieve *sieve)
{
	free(sieve->hashes);
	free(sieve->words);
	*sieve = (struct index_sieve){ 0 };
}
