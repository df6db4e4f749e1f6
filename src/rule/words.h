/* words: the keys that a mapping may have, and what is said about the others. */
#ifndef RULE_WORDS_H
#define RULE_WORDS_H

#include "config/node.h"

struct words {
	const char *what;         /* "a rule" */
	const char *const *known; /* ended by NULL */
	/* Keys of another place, ended by NULL, and which: "a condition: expected below 'when:'".
	 * Both NULL: there are none. */
	const char *const *elsewhere;
	const char *where;
};

/* The index in known, or -1 with the problem told (problems NULL: not told). */
int words_find(const struct words *words, const struct node *key, struct problems *problems);
/* Tells every key that is not known; false if there was one. */
bool words_check(const struct words *words, const struct node *mapping, struct problems *problems);

/* "line 3", or "line 3 of team.yml" where that is another file than here. For free(). */
char *words_place(struct place place, struct place here);

/* The text of a scalar that is not empty, or none with the problem told. */
struct text words_text(const struct node *node, const char *what, const char *wish,
		       struct problems *problems);

#endif
