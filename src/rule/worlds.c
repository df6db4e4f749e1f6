/* The sorts of events that there are, and in which of them a literal holds. */
#include "rule/clash.h"

#define TYPES 5 /* of a file; the last: not known */

/* Every type of event alone, and the halves of moves with what pairing makes of them. */
static size_t list_kinds(event_kinds kinds[64])
{
	static const enum event_type moves[] = { CHILD_FILE_MOVED_FROM,   CHILD_FILE_MOVED_TO,
						 CHILD_DIR_MOVED_FROM,    CHILD_DIR_MOVED_TO,
						 CHILD_STREAM_MOVED_FROM, CHILD_STREAM_MOVED_TO };
	static const event_kinds pairing[] = { EVENT_RENAMED, EVENT_MOVED_IN, EVENT_MOVED_OUT };
	size_t count = 0;

	for (int type = 0; type <= EVENT_TYPE_UNKNOWN; type++)
		kinds[count++] = EVENT_KIND(type);
	for (size_t i = 0; i < ARRAY_SIZE(moves); i++)
		for (size_t j = 0; j < ARRAY_SIZE(pairing); j++)
			kinds[count++] = EVENT_KIND(moves[i]) | pairing[j];
	return count;
}

#define FILE_KINDS                                                       \
	(EVENT_KIND(CHILD_FILE_ADDED) | EVENT_KIND(CHILD_FILE_REMOVED) | \
	 EVENT_KIND(CHILD_FILE_MOVED_FROM) | EVENT_KIND(CHILD_FILE_MOVED_TO))
#define DIRECTORY_KINDS                                                \
	(EVENT_KIND(CHILD_DIR_ADDED) | EVENT_KIND(CHILD_DIR_REMOVED) | \
	 EVENT_KIND(CHILD_DIR_MOVED_FROM) | EVENT_KIND(CHILD_DIR_MOVED_TO))

/* What the cluster says of a file is what its event said. */
static bool is_possible(event_kinds kinds, int type)
{
	if (type == TYPES - 1)
		return true;
	if (kinds & DIRECTORY_KINDS)
		return type == FILE_DIRECTORY;
	return !(kinds & FILE_KINDS) || type != FILE_DIRECTORY;
}

static bool is_any(const struct literal *literal, event_kinds kinds, int type)
{
	return true;
}

/* Those possible for which the test is true. */
static struct worlds worlds_where(bool (*test)(const struct literal *literal, event_kinds kinds,
					       int type),
				  const struct literal *literal)
{
	struct worlds worlds = { 0 };
	event_kinds kinds[64];
	size_t count = list_kinds(kinds);

	for (size_t i = 0; i < count; i++) {
		for (int type = 0; type < TYPES; type++) {
			size_t bit = i * TYPES + type;

			if (is_possible(kinds[i], type) && test(literal, kinds[i], type))
				worlds.bits[bit / 64] |= (uint64_t)1 << bit % 64;
		}
	}
	return worlds;
}

struct worlds worlds_all(void)
{
	return worlds_where(is_any, NULL);
}

static bool holds(const struct literal *literal, enum truth truth)
{
	if (truth == TRUTH_UNKNOWN)
		return literal->is_weak;
	return (truth == TRUTH_FALSE) == literal->is_negated;
}

static bool holds_in(const struct literal *literal, event_kinds kinds, int type)
{
	struct file_info info = { .type = type };
	struct file_facts facts = { .info = &info };
	struct subject subject = { .kinds = kinds, .file = type < TYPES - 1 ? &facts : NULL };

	/* Only what was renamed has an old path, and what that is like is another question. */
	if (literal->leaf->is_old)
		return literal->is_negated || kinds & EVENT_RENAMED;
	return holds(literal, condition_test(literal->leaf, &subject));
}

bool literal_has_worlds(const struct literal *literal)
{
	return literal->leaf->is_old || literal->leaf->kind == CONDITION_EVENT ||
	       literal->leaf->kind == CONDITION_TYPE;
}

struct worlds worlds_of(const struct literal *literal)
{
	return worlds_where(holds_in, literal);
}

bool worlds_meet(struct worlds *worlds, const struct worlds *other)
{
	bool left = false;

	for (size_t i = 0; i < WORLD_WORDS; i++) {
		worlds->bits[i] &= other->bits[i];
		left |= worlds->bits[i] != 0;
	}
	return left;
}
