#include "base/distinct.h"

#include <math.h>

#define ROOM_FIRST 16
#define INDEX_BITS 12
#define REGISTERS (1 << INDEX_BITS)

struct distinct {
	size_t *room;
	uint64_t *slots; /* a table with holes (0); NULL once it is an estimate */
	size_t slot_count, count;
	uint8_t *registers; /* NULL while it is exact */
};

uint64_t hash_text(uint64_t before, struct text text)
{
	uint64_t hash = before ^ 0xcbf29ce484222325u ^ (text.size * 0x9e3779b97f4a7c15u);

	for (size_t i = 0; i < text.size; i++)
		hash = (hash ^ (unsigned char)text.data[i]) * 0x100000001b3u;
	/* Each bit of the text must reach each bit of the hash: an estimate looks at few of them.
	 */
	hash = (hash ^ (hash >> 30)) * 0xbf58476d1ce4e5b9u;
	hash = (hash ^ (hash >> 27)) * 0x94d049bb133111ebu;
	return hash ^ (hash >> 31);
}

struct distinct *distinct_new(size_t *room)
{
	struct distinct *distinct = NEW(struct distinct);

	distinct->room = room;
	return distinct;
}

void distinct_free(struct distinct *distinct)
{
	if (!distinct)
		return;
	*distinct->room += distinct->slot_count;
	free(distinct->slots);
	free(distinct->registers);
	free(distinct);
}

bool distinct_is_exact(const struct distinct *distinct)
{
	return !distinct->registers;
}

/* ---- The estimate ---- */

static bool note(struct distinct *distinct, uint64_t hash)
{
	uint8_t *place = &distinct->registers[hash >> (64 - INDEX_BITS)];
	uint64_t rest = hash << INDEX_BITS;
	uint8_t rank = rest ? (uint8_t)(__builtin_clzll(rest) + 1) : 64 - INDEX_BITS + 1;

	if (rank <= *place)
		return false;
	*place = rank;
	return true;
}

static uint64_t estimate(const struct distinct *distinct)
{
	double sum = 0, raw;
	size_t empty = 0;

	for (size_t i = 0; i < REGISTERS; i++) {
		sum += ldexp(1, -distinct->registers[i]);
		empty += !distinct->registers[i];
	}
	raw = 0.7213 / (1 + 1.079 / REGISTERS) * REGISTERS * REGISTERS / sum;
	if (raw <= 2.5 * REGISTERS && empty)
		raw = REGISTERS * log((double)REGISTERS / (double)empty);
	return (uint64_t)llround(raw);
}

static void give_up_slots(struct distinct *distinct)
{
	distinct->registers = mem_array(REGISTERS, 1);
	for (size_t i = 0; i < distinct->slot_count; i++)
		if (distinct->slots[i])
			note(distinct, distinct->slots[i]);
	*distinct->room += distinct->slot_count;
	free(distinct->slots);
	distinct->slots = NULL;
	distinct->slot_count = 0;
}

/* ---- Exactly ---- */

static uint64_t *find(const struct distinct *distinct, uint64_t hash)
{
	size_t at = hash & (distinct->slot_count - 1);

	while (distinct->slots[at] && distinct->slots[at] != hash)
		at = (at + 1) & (distinct->slot_count - 1);
	return &distinct->slots[at];
}

/* Twice as many slots; false if there is no room for them. */
static bool grow(struct distinct *distinct)
{
	uint64_t *old = distinct->slots;
	size_t old_count = distinct->slot_count;
	size_t wanted = MAX(2 * old_count, ROOM_FIRST);

	if (*distinct->room < wanted - old_count)
		return false;
	*distinct->room -= wanted - old_count;
	distinct->slots = mem_array(wanted, sizeof(*distinct->slots));
	distinct->slot_count = wanted;
	for (size_t i = 0; i < old_count; i++)
		if (old[i])
			*find(distinct, old[i]) = old[i];
	free(old);
	return true;
}

bool distinct_add(struct distinct *distinct, uint64_t hash)
{
	uint64_t *slot;

	hash = hash ? hash : 1; /* 0 is a hole */
	if (!distinct->registers && 4 * (distinct->count + 1) > 3 * distinct->slot_count &&
	    !grow(distinct))
		give_up_slots(distinct);
	if (distinct->registers)
		return note(distinct, hash);
	slot = find(distinct, hash);
	if (*slot)
		return false;
	*slot = hash;
	distinct->count++;
	return true;
}

uint64_t distinct_count(const struct distinct *distinct)
{
	return distinct->registers ? estimate(distinct) : distinct->count;
}
