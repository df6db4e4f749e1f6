#include "app/backtest_compare.h"

#include <uthash.h>

#define PAIRS_MOST 500000

/* A rule and a file, or any rule (rule NULL) and a file. */
struct pair {
	uint64_t hash;
	const char *rule; /* in the names of compared; "" is any */
	char *path;       /* NULL once both sides have it */
	bool has[SIDE_COUNT];
	UT_hash_handle hh;
};

struct named {
	struct compared_rule rule;
	char *name;
	UT_hash_handle hh;
};

struct compared {
	struct pair *pairs;
	size_t pair_count;
	struct named *names;
	bool is_cut, is_summed;
};

struct compared *compared_new(void)
{
	return NEW(struct compared);
}

void compared_free(struct compared *compared)
{
	struct pair *pair, *next_pair;
	struct named *named, *next_named;

	if (!compared)
		return;
	HASH_ITER(hh, compared->pairs, pair, next_pair)
	{
		HASH_DEL(compared->pairs, pair);
		free(pair->path);
		free(pair);
	}
	HASH_ITER(hh, compared->names, named, next_named)
	{
		HASH_DEL(compared->names, named);
		for (int which = 0; which < SIDE_COUNT; which++)
			free(named->rule.examples[which]);
		free(named->name);
		free(named);
	}
	free(compared);
}

bool compared_is_cut(const struct compared *compared)
{
	return compared->is_cut;
}

static struct named *find_name(struct compared *compared, const char *rule)
{
	struct named *named;

	HASH_FIND_STR(compared->names, rule, named);
	if (named)
		return named;
	named = NEW(struct named);
	named->name = str_copy(rule);
	named->rule.name = named->name;
	HASH_ADD_KEYPTR(hh, compared->names, named->name, strlen(named->name), named);
	return named;
}

static void add(struct compared *compared, enum backtest_which which, const char *rule,
		struct text path, uint64_t file)
{
	uint64_t hash = hash_text(file, text_of(rule));
	struct pair *pair;

	HASH_FIND(hh, compared->pairs, &hash, sizeof(hash), pair);
	if (!pair) {
		if (compared->pair_count == PAIRS_MOST) {
			compared->is_cut = true;
			return;
		}
		pair = NEW(struct pair);
		pair->hash = hash;
		pair->rule = find_name(compared, rule)->name;
		pair->path = text_copy(path);
		HASH_ADD(hh, compared->pairs, hash, sizeof(hash), pair);
		compared->pair_count++;
	}
	pair->has[which] = true;
	if (pair->has[TRIED] && pair->has[RUNNING]) {
		free(pair->path);
		pair->path = NULL;
	}
}

void compared_add(struct compared *compared, enum backtest_which which, const char *rule,
		  struct text path, uint64_t file, bool changes)
{
	add(compared, which, rule, path, file);
	if (changes)
		add(compared, which, "", path, file);
}

static void sum(struct compared *compared, size_t examples)
{
	if (compared->is_summed)
		return;
	compared->is_summed = true;
	for (struct pair *pair = compared->pairs; pair; pair = pair->hh.next) {
		enum backtest_which which = pair->has[TRIED] ? TRIED : RUNNING;
		struct compared_rule *rule;
		size_t *count;

		if (!pair->path)
			continue;
		rule = &find_name(compared, pair->rule)->rule;
		count = &rule->example_count[which];
		rule->only[which]++;
		if (*count >= examples)
			continue;
		rule->examples[which] =
			mem_grow(rule->examples[which], *count + 1, sizeof(*rule->examples[which]));
		rule->examples[which][(*count)++] = pair->path;
	}
}

const struct compared_rule *compared_find(struct compared *compared, const char *rule,
					  size_t examples)
{
	struct named *named;

	sum(compared, examples);
	HASH_FIND_STR(compared->names, rule, named);
	return named ? &named->rule : NULL;
}

const struct compared_rule *compared_all(struct compared *compared, size_t examples)
{
	return compared_find(compared, "", examples);
}
