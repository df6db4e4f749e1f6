#include "rule/index_sieve.h"

#define BITS_EACH 16 /* then one wrong answer in about seventy */
#define LEAST_BITS 1024

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

static void set_bit(struct index_sieve *sieve, uint64_t at)
{
	sieve->bits[(at & sieve->mask) / 64] |= (uint64_t)1 << at % 64;
}

void index_sieve_finish(struct index_sieve *sieve)
{
	size_t wanted = count_different(sieve) * BITS_EACH, bits = LEAST_BITS;

	while (bits < wanted)
		bits *= 2;
	sieve->bits = mem_array(bits / 64, sizeof(*sieve->bits));
	sieve->mask = bits - 1;
	for (size_t i = 0; i < sieve->count; i++) {
		set_bit(sieve, sieve->hashes[i] >> 1);
		set_bit(sieve, sieve->hashes[i] >> 33);
	}
	free(TAKE(sieve->hashes));
	sieve->count = sieve->room = 0;
}

void index_sieve_clear(struct index_sieve *sieve)
{
	free(sieve->hashes);
	free(sieve->bits);
	*sieve = (struct index_sieve){ 0 };
}
