#include "rule/region.h"

#include "rule/condition.h"
#include "rule/fold.h"

static const struct region everywhere = { .kinds = EVENT_ANY, .word = SCAN_NONE };

static void add(struct region_list *list, struct region region)
{
	list->items = mem_grow(list->items, list->count + 1, sizeof(*list->items));
	list->items[list->count++] = region;
}

void region_list_clear(struct region_list *list)
{
	free(list->items);
	*list = (struct region_list){ 0 };
}

struct text region_name_ending(const struct pattern *name)
{
	const char *dot = name->tail.size ? memchr(name->tail.data, '.', name->tail.size) : NULL;

	if (!dot)
		return TEXT_NONE;
	return (struct text){ dot, name->tail.data + name->tail.size - dot };
}

static unsigned name_rank(const struct pattern *name)
{
	if (!name)
		return 0;
	if (name->is_literal)
		return 8;
	if (region_name_ending(name).size)
		return 4;
	return name->head.size ? 3 : 0;
}

unsigned region_rank(const struct region *region)
{
	unsigned rank = name_rank(region->name) + (region->directory.size ? 4 : 0);

	if (rank)
		return rank + 2;
	if (region->pattern || region->word != SCAN_NONE)
		return 2;
	return region->kinds != EVENT_ANY;
}

static unsigned least_rank(const struct region_list *list)
{
	unsigned least = UINT32_MAX;

	for (size_t i = 0; i < list->count; i++)
		least = MIN(least, region_rank(&list->items[i]));
	return least;
}

/* Whether some directory and what is below it has the other's in it: the deeper one, or none. */
static bool meet_directories(struct region *a, const struct region *b)
{
	if (!b->directory.size)
		return true;
	if (!a->directory.size || path_is_below(b->directory, a->directory)) {
		if (a->directory.size && a->is_direct)
			return false;
		a->directory = b->directory;
		a->is_direct = b->is_direct;
		return true;
	}
	if (text_equal(a->directory, b->directory)) {
		a->is_direct |= b->is_direct;
		return true;
	}
	return path_is_below(a->directory, b->directory) && !b->is_direct;
}

/* What lies in both; false if that is nothing. */
static bool meet(struct region *a, const struct region *b)
{
	/* An event has several kinds: it may meet two masks that do not meet each other. */
	if (__builtin_popcount(b->kinds) < __builtin_popcount(a->kinds))
		a->kinds = b->kinds;
	if (name_rank(b->name) > name_rank(a->name) || !a->name)
		a->name = b->name;
	if (!a->pattern)
		a->pattern = b->pattern;
	if (a->word == SCAN_NONE)
		a->word = b->word;
	a->is_folded |= b->is_folded;
	return meet_directories(a, b);
}

static void meet_lists(struct region_list *list, struct region_list *other)
{
	struct region_list product = { 0 };

	if (list->count * other->count > REGION_PRODUCT_MAX) {
		unsigned mine = least_rank(list), theirs = least_rank(other);

		if (theirs > mine || (theirs == mine && other->count < list->count)) {
			struct region_list old = *list;

			*list = *other;
			*other = old;
		}
		return;
	}
	for (size_t i = 0; i < list->count; i++) {
		for (size_t j = 0; j < other->count; j++) {
			struct region both = list->items[i];

			if (meet(&both, &other->items[j]))
				add(&product, both);
		}
	}
	region_list_clear(list);
	*list = product;
}

static void all_regions(struct region_list *out, const struct condition *condition)
{
	add(out, everywhere);
	for (size_t i = 0; i < condition->child_count; i++) {
		struct region_list child = { 0 };

		region_list_of(&child, condition->children[i]);
		meet_lists(out, &child);
		region_list_clear(&child);
	}
}

static void any_regions(struct region_list *out, const struct condition *condition)
{
	for (size_t i = 0; i < condition->child_count; i++) {
		struct region_list child = { 0 };

		region_list_of(&child, condition->children[i]);
		for (size_t j = 0; j < child.count && out->count <= REGION_SUM_MAX; j++)
			add(out, child.items[j]);
		region_list_clear(&child);
	}
	if (out->count > REGION_SUM_MAX) {
		region_list_clear(out);
		add(out, everywhere);
	}
}

static void directory_regions(struct region_list *out, const struct condition *condition)
{
	struct region region = everywhere;

	region.is_folded = condition->ignores_case;
	for (size_t i = 0; i < condition->directory_count; i++) {
		struct text directory = condition->directories[i];

		region.directory = directory.size > 1 ? directory : TEXT_NONE;
		add(out, region);
	}
}

static void pattern_regions(struct region_list *out, const struct condition *condition)
{
	struct region region = everywhere;

	region.is_folded = condition->ignores_case;
	for (size_t i = 0; i < condition->patterns.count; i++) {
		const struct pattern *pattern = condition->patterns.items[i];
		bool is_path = pattern->of == PATTERN_OF_PATH;

		region.directory = is_path ? pattern->directory : TEXT_NONE;
		region.is_direct = is_path && pattern->is_direct;
		region.name = is_path ? pattern->name : pattern;
		region.pattern = pattern;
		add(out, region);
	}
}

void region_list_of(struct region_list *out, const struct condition *condition)
{
	struct region region = everywhere;

	if (condition->is_old) {
		region.kinds = EVENT_RENAMED;
		add(out, region);
		return;
	}
	switch (condition->kind) {
	case CONDITION_ALL:
		all_regions(out, condition);
		return;
	case CONDITION_ANY:
		any_regions(out, condition);
		return;
	case CONDITION_NOT:
		if (condition->children[0]->kind == CONDITION_EVENT)
			region.kinds = ~condition->children[0]->kinds;
		add(out, region);
		return;
	case CONDITION_EVENT:
		region.kinds = condition->kinds;
		add(out, region);
		return;
	case CONDITION_REGEX:
		for (size_t i = 0; i < condition->regex_count; i++) {
			region.word = condition->regexes[i].word;
			add(out, region);
		}
		return;
	case CONDITION_DEPTH:
	case CONDITION_STREAM:
	case CONDITION_WATCH:
	case CONDITION_ORIGIN:
	case CONDITION_TIME:
	case CONDITION_TYPE:
	case CONDITION_SIZE:
	case CONDITION_OWNER:
	case CONDITION_GROUP:
	case CONDITION_MODE:
	case CONDITION_AGE:
	case CONDITION_MODIFIED:
	case CONDITION_LINKS:
	case CONDITION_TAG:
		add(out, region);
		return;
	case CONDITION_DIRECTORY:
		directory_regions(out, condition);
		return;
	case CONDITION_PATH:
	case CONDITION_NAME:
		break;
	}
	pattern_regions(out, condition);
}

static enum truth is_below(struct text place, struct text directory, bool is_direct)
{
	if (directory.size == 1 || path_is_below(place, directory) || text_equal(place, directory))
		return TRUTH_TRUE;
	if (!place.size)
		return TRUTH_UNKNOWN;
	return !is_direct && path_is_below(directory, place) ? TRUTH_UNKNOWN : TRUTH_FALSE;
}

enum truth region_is_below(const struct region *region, struct text directory, bool fold)
{
	struct fold memory[2] = { 0 };
	struct text place = region->directory;
	enum truth result;

	/* If two folded texts differ, so do the texts; but texts may differ where these do not. */
	if (fold || region->is_folded) {
		place = fold_text(&memory[0], place);
		directory = fold_text(&memory[1], directory);
	}
	result = is_below(place, directory, region->is_direct);
	if (region->is_folded && !fold && directory.size > 1)
		result = MIN(result, TRUTH_UNKNOWN);
	fold_clear(&memory[0]);
	fold_clear(&memory[1]);
	return result;
}

static bool has_class(const struct pattern *pattern)
{
	for (size_t i = 0; i < pattern->token_count; i++)
		if (pattern->tokens[i].kind == TOKEN_CLASS)
			return true;
	return false;
}

enum truth region_relate(const struct pattern *known, const struct pattern *asked)
{
	static const enum truth truths[] = { [PATTERNS_DISJOINT] = TRUTH_FALSE,
					     [PATTERNS_OVERLAP] = TRUTH_UNKNOWN,
					     [PATTERN_WITHIN] = TRUTH_TRUE };
	AUTO(pattern_free) struct pattern *folded = NULL;
	enum truth result;

	if (known->is_folded == asked->is_folded)
		return truths[pattern_relate(known, asked)];
	/* [!x] takes an X, and what that folds to is an x. */
	if (has_class(known->is_folded ? asked : known))
		return TRUTH_UNKNOWN;
	folded = pattern_folded(known->is_folded ? asked : known);
	if (asked->is_folded)
		return truths[pattern_relate(folded, asked)];
	result = truths[pattern_relate(known, folded)];
	return MIN(result, TRUTH_UNKNOWN);
}

/* What can be told without putting the region's pattern together. */
static bool is_elsewhere(const struct region *region, const struct pattern *pattern)
{
	struct text directory = pattern->directory;

	if (region->is_folded != pattern->is_folded)
		return false;
	if (region->name && pattern->name &&
	    pattern_relate(region->name, pattern->name) == PATTERNS_DISJOINT)
		return true;
	return directory.size && region->directory.size &&
	       is_below(region->directory, directory, region->is_direct) == TRUTH_FALSE;
}

enum truth region_matches_path(const struct region *region, const struct pattern *pattern)
{
	if (is_elsewhere(region, pattern))
		return TRUTH_FALSE;

	AUTO(pattern_free)
	struct pattern *place =
		pattern_of_place(region->directory, region->is_direct, region->name);

	place->is_folded |= region->is_folded;
	return region_relate(place, pattern);
}

enum truth region_matches_name(const struct region *region, const struct pattern *pattern)
{
	if (region->name)
		return region_relate(region->name, pattern);
	return pattern->is_head_star_tail && !pattern->head.size && !pattern->tail.size
		       ? TRUTH_TRUE
		       : TRUTH_UNKNOWN;
}
