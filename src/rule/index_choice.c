#include "rule/index_choice.h"

void index_choices_clear(struct index_choices *choices)
{
	free(choices->items);
	free(choices->keys);
	*choices = (struct index_choices){ 0 };
}

void index_choices_see(struct index_choices *choices, uint64_t key)
{
	if (choices->key_count == choices->key_room) {
		choices->key_room = MAX(64, choices->key_room * 2);
		choices->keys = mem_grow(choices->keys, choices->key_room, sizeof(*choices->keys));
	}
	choices->keys[choices->key_count++] = key;
}

void index_choices_add(struct index_choices *choices, const struct index_choice *choice)
{
	if (choices->count == choices->room) {
		choices->room = MAX(64, choices->room * 2);
		choices->items = mem_grow(choices->items, choices->room, sizeof(*choices->items));
	}
	choices->items[choices->count++] = *choice;
	index_choices_see(choices, choice->start.key);
	index_choices_see(choices, choice->ending.key);
}

static int compare_keys(const void *left, const void *right)
{
	uint64_t a = *(const uint64_t *)left, b = *(const uint64_t *)right;

	return (a > b) - (a < b);
}

/* How many of the sorted keys are less than this one; with equal ones if wanted. */
static size_t count_below(const struct index_choices *choices, uint64_t key, bool or_equal)
{
	size_t low = 0, high = choices->key_count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (choices->keys[middle] < key || (or_equal && choices->keys[middle] == key))
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static size_t count_key(const struct index_choices *choices, uint64_t key)
{
	return count_below(choices, key, true) - count_below(choices, key, false);
}

void index_choices_decide(struct index_choices *choices)
{
	if (!choices->count)
		return;
	qsort(choices->keys, choices->key_count, sizeof(*choices->keys), compare_keys);
	for (size_t i = 0; i < choices->count; i++) {
		struct index_choice *choice = &choices->items[i];

		choice->by_start = count_key(choices, choice->start.key) <
				   count_key(choices, choice->ending.key);
	}
}
