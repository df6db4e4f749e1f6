/*
 * clash: whether two conditions can be true of one and the same event. "They clash" is proven;
 * whatever is too intricate to tell does not clash. For the files of rule/ only.
 */
#ifndef RULE_CLASH_H
#define RULE_CLASH_H

#include "rule/condition.h"

/* A condition without children, and what it has to be. */
struct literal {
	const struct condition *leaf;
	bool is_negated; /* false, else true */
	bool is_weak;    /* or not known, which is as good */
};

/* Every sort of event that there is, by its kinds and the type of its file, as bits. */
#define WORLD_WORDS 4
struct worlds {
	uint64_t bits[WORLD_WORDS];
};
struct worlds worlds_all(void);
bool literal_has_worlds(const struct literal *literal); /* false: it holds in some of each sort */
struct worlds worlds_of(const struct literal *literal); /* in which it holds */
bool worlds_meet(struct worlds *worlds, const struct worlds *other); /* false: nothing is left */

/* Of sorts of events worlds_of() tells, of all else this. work is added to: about one for each
 * comparison. */
bool literals_clash(const struct literal *a, const struct literal *b, size_t *work);
/* No event lies below one of the directories, or is about one of them, for which it holds. */
bool literal_is_outside(const struct literal *literal, const char *const *directories, size_t count,
			size_t *work);

/* "not extension .jpg, .png". For free(). */
char *literal_text(const struct literal *literal);

#endif
