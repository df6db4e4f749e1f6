/*
 * refute: proves that conditions cannot all be true of one event: whichever of the alternatives is
 * taken, two of what it asks for clash (a tableau). What is not proven within a bound of work may
 * be true. For the files of rule/ only.
 */
#ifndef RULE_REFUTE_H
#define RULE_REFUTE_H

#include "rule/clash.h"

/* A condition and what it has to be. */
struct claim {
	const struct condition *condition;
	bool is_negated, is_weak; /* as of a literal */
};

/* Two that clash; of one that never holds by itself, or lies where nothing is watched, the second
 * is as the first. */
struct clash {
	struct literal a, b;
	bool is_outside;
};

#define CLASHES_KEPT 3

struct refuter {
	/* Where events come from; none: anywhere. */
	const char *const *directories;
	size_t directory_count;
	size_t work, work_max;
	struct clash clashes[CLASHES_KEPT]; /* of the last claims that were refuted */
	size_t clash_count;
	/* Of its own. */
	struct refuter_memory *memory;
};

void refuter_init(struct refuter *refuter, size_t work_max);
void refuter_clear(struct refuter *refuter);
/* Whether no event meets all claims. */
bool refute(struct refuter *refuter, const struct claim *claims, size_t count);

#endif
