#include "rule/clash.h"

#include "base/buf.h"
#include "rule/fold.h"
#include "rule/region.h"

#define PATTERN_WORK 50 /* what relating two patterns costs, in comparisons */
#define VALUES_SHOWN 3

/* Whether the cluster or the clock may leave it open what the condition is. */
static bool may_be_unknown(const struct condition *leaf)
{
	return leaf->kind >= CONDITION_TYPE || leaf->kind == CONDITION_TIME ||
	       leaf->kind == CONDITION_WATCH;
}

/* ---- Paths ---- */

static bool is_path(const struct condition *leaf)
{
	return leaf->kind == CONDITION_DIRECTORY || leaf->kind == CONDITION_PATH ||
	       leaf->kind == CONDITION_NAME;
}

static size_t value_count(const struct condition *leaf)
{
	return leaf->kind == CONDITION_DIRECTORY ? leaf->directory_count : leaf->patterns.count;
}

/* What follows for a path for which one value of the condition is true. */
static struct region region_of(const struct condition *leaf, size_t value)
{
	struct region region = { .kinds = EVENT_ANY, .word = SCAN_NONE };
	const struct pattern *pattern;

	region.is_folded = leaf->ignores_case;
	if (leaf->kind == CONDITION_DIRECTORY) {
		if (leaf->directories[value].size > 1)
			region.directory = leaf->directories[value];
		return region;
	}
	pattern = leaf->patterns.items[value];
	region.name = pattern;
	if (leaf->kind == CONDITION_PATH) {
		region.directory = pattern->directory;
		region.is_direct = pattern->is_direct;
		region.name = pattern->name;
	}
	return region;
}

/* One value of `asked` for paths for which one of `known` is true. */
static enum truth relate(const struct condition *known, size_t i, const struct condition *asked,
			 size_t j, size_t *work)
{
	struct region region = region_of(known, i);
	const struct pattern *pattern;

	*work += 1;
	if (asked->kind == CONDITION_DIRECTORY)
		return region_is_below(&region, asked->directories[j], asked->ignores_case);
	*work += PATTERN_WORK;
	pattern = asked->patterns.items[j];
	if (known->kind == asked->kind)
		return region_relate(known->patterns.items[i], pattern);
	if (asked->kind == CONDITION_NAME)
		return region_matches_name(&region, pattern);
	return region_matches_path(&region, pattern);
}

static bool are_disjoint(const struct condition *a, const struct condition *b, size_t *work)
{
	for (size_t i = 0; i < value_count(a); i++)
		for (size_t j = 0; j < value_count(b); j++)
			if (relate(a, i, b, j, work) != TRUTH_FALSE &&
			    relate(b, j, a, i, work) != TRUTH_FALSE)
				return false;
	return true;
}

/* Each value of one lies within a value of the other. */
static bool is_within(const struct condition *inner, const struct condition *outer, size_t *work)
{
	for (size_t i = 0; i < value_count(inner); i++) {
		bool is_found = false;

		for (size_t j = 0; j < value_count(outer) && !is_found; j++)
			is_found = relate(inner, i, outer, j, work) == TRUTH_TRUE;
		if (!is_found)
			return false;
	}
	return true;
}

/* ---- Numbers ---- */

static bool is_number(const struct condition *leaf)
{
	switch (leaf->kind) {
	case CONDITION_DEPTH:
	case CONDITION_SIZE:
	case CONDITION_AGE:
	case CONDITION_MODIFIED:
	case CONDITION_LINKS:
		return true;
	default:
		return false;
	}
}

static int compare_ranges(const void *left, const void *right)
{
	const struct range *a = left, *b = right;

	return (a->least > b->least) - (a->least < b->least);
}

/* Ranges in order, so that what they cover together is found in one go. */
struct cover {
	struct range *items;
	size_t count;
};

static struct cover cover_of(const struct condition *a, const struct condition *b)
{
	struct cover cover = { mem_array(a->range_count + b->range_count + 1,
					 sizeof(struct range)) };

	for (size_t i = 0; i < a->range_count; i++)
		cover.items[cover.count++] = a->ranges[i];
	for (size_t i = 0; i < b->range_count && b != a; i++)
		cover.items[cover.count++] = b->ranges[i];
	qsort(cover.items, cover.count, sizeof(*cover.items), compare_ranges);
	return cover;
}

static bool is_covered(const struct cover *cover, struct range range)
{
	int64_t next = range.least;

	for (size_t i = 0; i < cover->count; i++) {
		if (cover->items[i].least > next)
			break;
		if (cover->items[i].most >= range.most)
			return true;
		next = MAX(next, cover->items[i].most + 1);
	}
	return false;
}

static bool ranges_clash(const struct range *ranges, size_t count, const struct literal *b,
			 size_t *work)
{
	struct cover cover = { 0 };
	bool clash = true;

	if (b->is_negated)
		cover = cover_of(b->leaf, b->leaf);
	*work += count * b->leaf->range_count;
	for (size_t i = 0; i < count && clash; i++) {
		if (b->is_negated) {
			clash = is_covered(&cover, ranges[i]);
			continue;
		}
		for (size_t j = 0; j < b->leaf->range_count && clash; j++)
			clash = ranges[i].least > b->leaf->ranges[j].most ||
				b->leaf->ranges[j].least > ranges[i].most;
	}
	free(cover.items);
	return clash;
}

static bool numbers_clash(const struct literal *a, const struct literal *b, size_t *work)
{
	if (!a->is_negated)
		return ranges_clash(a->leaf->ranges, a->leaf->range_count, b, work);
	if (!b->is_negated)
		return ranges_clash(b->leaf->ranges, b->leaf->range_count, a, work);

	struct cover cover = cover_of(a->leaf, b->leaf);
	bool clash = is_covered(&cover, (struct range){ 0, INT64_MAX });

	free(cover.items);
	return clash;
}

/* How deep a path may lie for which one value is true. */
static struct range depth_of(const struct condition *leaf, size_t value)
{
	struct range range = { 0, 0 };
	const struct pattern *pattern;

	if (leaf->kind == CONDITION_DIRECTORY) {
		struct text directory = leaf->directories[value];

		return (struct range){ condition_depth(directory) + 1, INT64_MAX };
	}
	pattern = leaf->patterns.items[value];
	for (size_t i = 0; i < pattern->token_count; i++) {
		const struct pattern_token *token = &pattern->tokens[i];

		if (token->kind == TOKEN_DEEP || token->kind == TOKEN_DIRS)
			range.most = INT64_MAX;
		if (token->kind != TOKEN_CHAR || token->character != '/' ||
		    i + 1 == pattern->token_count)
			continue;
		range.least++;
		if (range.most < INT64_MAX)
			range.most++;
	}
	return range;
}

static bool depth_clashes(const struct literal *path, const struct literal *depth, size_t *work)
{
	if (path->is_negated || path->leaf->kind == CONDITION_NAME || path->leaf->is_old)
		return false;
	for (size_t i = 0; i < value_count(path->leaf); i++) {
		struct range range = depth_of(path->leaf, i);

		if (!ranges_clash(&range, 1, depth, work))
			return false;
	}
	return true;
}

/* ---- What can be counted up ---- */

#define MODES 010000
#define WEEK_MINUTES (7 * TIME_MINUTES)

/* Condition and number lead to true or false. */
typedef bool number_test(const struct condition *leaf, int number);

static bool has_mode(const struct condition *leaf, int number)
{
	struct file_info info = { .mode = number };
	struct file_facts facts = { .info = &info };
	struct subject subject = { .file = &facts };

	return condition_test(leaf, &subject) == TRUTH_TRUE;
}

static bool has_origin(const struct condition *leaf, int number)
{
	return leaf->origins >> number & 1;
}

static bool has_minute(const struct condition *leaf, int number)
{
	int day = number / TIME_MINUTES, minute = number % TIME_MINUTES;

	for (size_t i = 0; i < leaf->times->span_count; i++)
		if (time_span_has_minute(&leaf->times->spans[i], day, minute))
			return true;
	return false;
}

static bool counts_clash(const struct literal *a, const struct literal *b, number_test *test,
			 int count, size_t *work)
{
	for (int i = 0; i < count; i++) {
		*work += 1;
		if (test(a->leaf, i) != a->is_negated && test(b->leaf, i) != b->is_negated)
			return false;
	}
	return true;
}

/* By the clocks of one zone; of two, who knows. */
static bool same_zone(const struct condition *a, const struct condition *b)
{
	for (size_t i = 0; i < a->times->span_count; i++)
		for (size_t j = 0; j < b->times->span_count; j++)
			if (a->times->spans[i].zone_hash != b->times->spans[j].zone_hash)
				return false;
	return true;
}

/* ---- Names ---- */

static bool has_pattern(const struct condition *leaf, const struct pattern *pattern, size_t *work)
{
	for (size_t i = 0; i < leaf->patterns.count; i++) {
		*work += PATTERN_WORK;
		if (region_relate(pattern, leaf->patterns.items[i]) == TRUTH_TRUE)
			return true;
	}
	return false;
}

static bool are_apart(const struct condition *a, const struct condition *b, size_t *work)
{
	if (a->takes_none && b->takes_none)
		return false;
	for (size_t i = 0; i < a->patterns.count; i++) {
		for (size_t j = 0; j < b->patterns.count; j++) {
			*work += PATTERN_WORK;
			if (region_relate(a->patterns.items[i], b->patterns.items[j]) !=
			    TRUTH_FALSE)
				return false;
		}
	}
	return true;
}

static bool names_clash(const struct literal *a, const struct literal *b, size_t *work)
{
	if (a->is_negated && b->is_negated)
		return false;
	if (!a->is_negated && !b->is_negated)
		return are_apart(a->leaf, b->leaf, work);

	const struct condition *inner = a->is_negated ? b->leaf : a->leaf;
	const struct condition *outer = a->is_negated ? a->leaf : b->leaf;

	if (inner->takes_none && !outer->takes_none)
		return false;
	for (size_t i = 0; i < inner->patterns.count; i++)
		if (!has_pattern(outer, inner->patterns.items[i], work))
			return false;
	return true;
}

/* Every value that one asks for is one of the other's, letter by letter. */
static bool values_clash(const struct literal *a, const struct literal *b, size_t *work)
{
	const struct condition *inner = a->is_negated ? b->leaf : a->leaf;
	const struct condition *outer = a->is_negated ? a->leaf : b->leaf;

	if (a->is_negated == b->is_negated || inner->ignores_case != outer->ignores_case ||
	    !inner->source->values_size)
		return false;
	for (size_t i = 0; i < inner->source->values_size;
	     i += strlen(inner->source->values + i) + 1) {
		bool is_found = false;

		for (size_t j = 0; j < outer->source->values_size && !is_found;
		     j += strlen(outer->source->values + j) + 1) {
			*work += 1;
			is_found =
				strcmp(inner->source->values + i, outer->source->values + j) == 0;
		}
		if (!is_found)
			return false;
	}
	return true;
}

/* ---- All of it ---- */

static bool paths_clash(const struct literal *a, const struct literal *b, size_t *work)
{
	if (a->leaf->is_old != b->leaf->is_old || (a->is_negated && b->is_negated))
		return false;
	if (!a->is_negated && !b->is_negated)
		return are_disjoint(a->leaf, b->leaf, work);
	/* An old path that is not there is in no list: that is not what "not" asks about. */
	return a->is_negated ? is_within(b->leaf, a->leaf, work)
			     : is_within(a->leaf, b->leaf, work);
}

bool literals_clash(const struct literal *a, const struct literal *b, size_t *work)
{
	enum condition_kind kind = a->leaf->kind;

	*work += 1;
	if (a->is_weak && b->is_weak && may_be_unknown(a->leaf))
		return false;
	if (is_path(a->leaf) && is_path(b->leaf))
		return paths_clash(a, b, work);
	if (is_path(a->leaf) && b->leaf->kind == CONDITION_DEPTH)
		return depth_clashes(a, b, work);
	if (kind == CONDITION_DEPTH && is_path(b->leaf))
		return depth_clashes(b, a, work);
	if (kind != b->leaf->kind)
		return false;
	if (is_number(a->leaf))
		return numbers_clash(a, b, work);
	switch (kind) {
	case CONDITION_MODE:
		return counts_clash(a, b, has_mode, MODES, work);
	case CONDITION_ORIGIN:
		return counts_clash(a, b, has_origin, ORIGIN_COUNT, work);
	case CONDITION_TIME:
		return same_zone(a->leaf, b->leaf) &&
		       counts_clash(a, b, has_minute, WEEK_MINUTES, work);
	case CONDITION_STREAM:
	case CONDITION_WATCH:
		return names_clash(a, b, work);
	case CONDITION_REGEX:
	case CONDITION_OWNER:
	case CONDITION_GROUP:
		return values_clash(a, b, work);
	default:
		return false; /* worlds_of() tells */
	}
}

/* An event may be about the directory itself. */
static bool is_elsewhere(const struct condition *leaf, size_t value, struct text directory)
{
	struct region region = region_of(leaf, value);
	struct fold fold = { 0 };
	struct text compared = leaf->ignores_case ? fold_text(&fold, directory) : directory;
	const struct pattern *pattern =
		leaf->kind == CONDITION_PATH ? leaf->patterns.items[value] : NULL;
	bool result;

	if (pattern && pattern->is_literal)
		result = !text_equal(pattern->head, compared) &&
			 !path_is_below(pattern->head, compared);
	else
		result = region_is_below(&region, directory, false) == TRUTH_FALSE &&
			 !(pattern && pattern_match(pattern, compared));
	fold_clear(&fold);
	return result;
}

bool literal_is_outside(const struct literal *literal, const char *const *directories, size_t count,
			size_t *work)
{
	const struct condition *leaf = literal->leaf;

	if (!is_path(leaf) || leaf->is_old || literal->is_negated)
		return false;
	for (size_t i = 0; i < value_count(leaf); i++) {
		for (size_t j = 0; j < count; j++) {
			*work += 1;
			if (!is_elsewhere(leaf, i, text_of(directories[j])))
				return false;
		}
	}
	return true;
}

char *literal_text(const struct literal *literal)
{
	const struct condition *leaf = literal->leaf;
	AUTO(buf_free) struct buf *text = buf_new(SIZE_MAX);
	size_t count = 0;

	if (!leaf->source->values_size) {
		/* `extension: ''` is "not any extension". */
		(void)!buf_print(text, "%s %s", literal->is_negated ? "no" : "any",
				 leaf->source->key);
		return buf_take(text);
	}
	(void)!buf_print(text, "%s%s", literal->is_negated ? "not " : "", leaf->source->key);
	for (size_t i = 0; i < leaf->source->values_size;
	     i += strlen(leaf->source->values + i) + 1) {
		if (count < VALUES_SHOWN)
			(void)!buf_print(text, "%s%s", count ? ", " : " ",
					 leaf->source->values[i] ? leaf->source->values + i : "''");
		count++;
	}
	if (count > VALUES_SHOWN)
		(void)!buf_print(text, " (%zu more)", count - VALUES_SHOWN);
	return buf_take(text);
}
