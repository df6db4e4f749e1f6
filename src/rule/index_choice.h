/*
 * index_choice: names of which both the beginning and the ending can be looked up. Each is filed
 * under the rarer of the two, which is known once all rules are: a thousand rules for names like
 * "invoice-7-*.docx" share an ending, and none of them its beginning.
 */
#ifndef RULE_INDEX_CHOICE_H
#define RULE_INDEX_CHOICE_H

#include "base/mem.h"

/* One end of a name: the key that a rule may be filed under, the hash of the end, its length. */
struct index_end {
	uint64_t key, tail;
	size_t size;
};

struct index_choice {
	uint32_t rule;
	bool is_folded;
	struct index_end start, ending;
	bool by_start; /* decided */
};

struct index_choices {
	struct index_choice *items;
	size_t count, room;
	uint64_t *keys; /* that others are filed under */
	size_t key_count, key_room;
};

void index_choices_clear(struct index_choices *choices);
void index_choices_add(struct index_choices *choices, const struct index_choice *choice);
/* Something is filed under this key without a choice. */
void index_choices_see(struct index_choices *choices, uint64_t key);
void index_choices_decide(struct index_choices *choices);

#endif
