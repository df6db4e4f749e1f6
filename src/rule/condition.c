#include "rule/condition.h"

#include "rule/condition_file.h"
#include "rule/fold.h"

struct condition *condition_new(struct condition_pool *pool, enum condition_kind kind,
				const char *key, struct place place)
{
	struct condition *condition = NEW(struct condition);

	condition->kind = kind;
	condition->source = NEW(struct condition_source);
	condition->source->key = key;
	condition->source->place = place;
	condition->source->height = 1;
	condition->source->size = 1;
	condition->source->made_before = pool->last;
	if (kind == CONDITION_TIME)
		condition->times = NEW(struct condition_times);
	pool->last = condition;
	return condition;
}

void condition_add_child(struct condition *parent, const struct condition *child)
{
	struct condition_source *source = parent->source;

	parent->children =
		mem_grow(parent->children, parent->child_count + 1, sizeof(*parent->children));
	parent->children[parent->child_count++] = child;
	source->height = MAX(source->height, child->source->height + 1);
	if (__builtin_add_overflow(source->size, child->source->size, &source->size))
		source->size = SIZE_MAX;
}

void condition_add_directory(struct condition *condition, struct text directory)
{
	struct fold fold = { 0 };

	while (directory.size > 1 && directory.data[directory.size - 1] == '/')
		directory.size--;
	if (condition->ignores_case)
		directory = fold_text(&fold, directory);
	condition->directories = mem_grow(condition->directories, condition->directory_count + 1,
					  sizeof(*condition->directories));
	condition->directories[condition->directory_count++] =
		(struct text){ text_copy(directory), directory.size };
	condition->source->size++;
	fold_clear(&fold);
}

void condition_add_value(struct condition *condition, struct text value)
{
	struct condition_source *source = condition->source;

	source->values = mem_grow(source->values, source->values_size + value.size + 1, 1);
	if (value.size)
		memcpy(source->values + source->values_size, value.data, value.size);
	source->values_size += value.size;
	source->values[source->values_size++] = '\0';
}

void condition_add_regex(struct condition *condition, struct condition_regex regex)
{
	condition->regexes = mem_grow(condition->regexes, condition->regex_count + 1,
				      sizeof(*condition->regexes));
	condition->regexes[condition->regex_count++] = regex;
	condition->source->size++;
}

void condition_add_range(struct condition *condition, struct range range)
{
	condition->ranges =
		mem_grow(condition->ranges, condition->range_count + 1, sizeof(*condition->ranges));
	condition->ranges[condition->range_count++] = range;
}

void condition_add_mode(struct condition *condition, struct mode_test test)
{
	condition->modes =
		mem_grow(condition->modes, condition->mode_count + 1, sizeof(*condition->modes));
	condition->modes[condition->mode_count++] = test;
}

struct tag_test *condition_add_tag(struct condition *condition, struct text key, bool is_another)
{
	condition->tags =
		mem_grow(condition->tags, condition->tag_count + 1, sizeof(*condition->tags));
	condition->tags[condition->tag_count] =
		(struct tag_test){ .key = text_copy(key), .is_another = is_another };
	return &condition->tags[condition->tag_count++];
}

void condition_add_span(struct condition *condition, struct time_span span)
{
	struct condition_times *times = condition->times;

	times->spans = mem_grow(times->spans, times->span_count + 1, sizeof(*times->spans));
	times->spans[times->span_count++] = span;
}

void condition_add_zone(struct condition *condition, struct zone *zone)
{
	struct condition_times *times = condition->times;

	times->zones = mem_grow(times->zones, times->zone_count + 1, sizeof(*times->zones));
	times->zones[times->zone_count++] = zone;
}

static void free_directories(struct condition *condition)
{
	if (condition->source->packed)
		return;
	for (size_t i = 0; i < condition->directory_count; i++)
		free((char *)condition->directories[i].data);
	free(condition->directories);
}

static void free_patterns(struct condition *condition)
{
	for (size_t i = 0; i < condition->patterns.count; i++)
		pattern_free(condition->patterns.items[i]);
	if (!condition->source->packed)
		free(condition->patterns.items);
}

static void free_regexes(struct condition *condition)
{
	for (size_t i = 0; i < condition->regex_count; i++)
		regex_free(condition->regexes[i].regex);
	free(condition->regexes);
}

static void free_times(struct condition_times *times)
{
	for (size_t i = 0; i < times->zone_count; i++)
		zone_free(times->zones[i]);
	free(times->zones);
	free(times->spans);
	free(times);
}

static void free_tags(struct condition *condition)
{
	for (size_t i = 0; i < condition->tag_count; i++) {
		free(condition->tags[i].key);
		pattern_list_clear(&condition->tags[i].values);
	}
	free(condition->tags);
}

/* What it compares with. */
static void free_content(struct condition *condition)
{
	bool is_packed = condition->source->packed;

	switch (condition->kind) {
	case CONDITION_ALL:
	case CONDITION_ANY:
	case CONDITION_NOT:
		if (!is_packed)
			free(condition->children);
		break;
	case CONDITION_DIRECTORY:
		free_directories(condition);
		break;
	case CONDITION_PATH:
	case CONDITION_NAME:
	case CONDITION_STREAM:
	case CONDITION_WATCH:
		free_patterns(condition);
		break;
	case CONDITION_REGEX:
		free_regexes(condition);
		break;
	case CONDITION_DEPTH:
	case CONDITION_SIZE:
	case CONDITION_AGE:
	case CONDITION_MODIFIED:
	case CONDITION_LINKS:
		free(condition->ranges);
		break;
	case CONDITION_TIME:
		free_times(condition->times);
		break;
	case CONDITION_MODE:
		free(condition->modes);
		break;
	case CONDITION_TAG:
		free_tags(condition);
		break;
	case CONDITION_EVENT:
	case CONDITION_ORIGIN:
	case CONDITION_TYPE:
	case CONDITION_OWNER:
	case CONDITION_GROUP:
		break;
	}
}

static void condition_free(struct condition *condition)
{
	struct condition_source *source = condition->source;

	free_content(condition);
	free(source->values);
	if (!source->packed)
		free(condition);
	free(source);
}

void condition_pool_clear(struct condition_pool *pool)
{
	while (pool->last) {
		struct condition *condition = pool->last;

		pool->last = condition->source->made_before;
		condition_free(condition);
	}
	arena_clear(&pool->arena);
}

static enum truth truth_of(bool value)
{
	return value ? TRUTH_TRUE : TRUTH_FALSE;
}

static enum truth test_event(const struct condition *condition, const struct subject *subject)
{
	if (!(condition->kinds & subject->kinds))
		return TRUTH_FALSE;
	if (!subject->is_partial || !(subject->kinds & ~condition->kinds))
		return TRUTH_TRUE;
	return TRUTH_UNKNOWN;
}

/* One value of the condition's list against a path of which only the region is known. */
static enum truth test_region(const struct condition *condition, size_t value,
			      const struct region *region)
{
	switch (condition->kind) {
	case CONDITION_DIRECTORY:
		return region_is_below(region, condition->directories[value],
				       condition->ignores_case);
	case CONDITION_PATH:
		return region_matches_path(region, condition->patterns.items[value]);
	default:
		return region_matches_name(region, condition->patterns.items[value]);
	}
}

static enum truth test_known(const struct condition *condition, size_t value, struct text path)
{
	switch (condition->kind) {
	case CONDITION_DIRECTORY:
		return truth_of(path_is_below(path, condition->directories[value]));
	case CONDITION_PATH:
		return truth_of(pattern_match(condition->patterns.items[value], path));
	default:
		return truth_of(pattern_match(condition->patterns.items[value], path_name(path)));
	}
}

/* The values of a list are alternatives. */
static enum truth test_path(const struct condition *condition, const struct subject *subject)
{
	const struct subject_path *path = condition->is_old ? &subject->old_path : &subject->path;
	struct text text = condition->ignores_case ? path->folded : path->text;
	size_t count = condition->kind == CONDITION_DIRECTORY ? condition->directory_count
							      : condition->patterns.count;
	enum truth best = TRUTH_FALSE;

	if (!text.size && !path->region)
		return TRUTH_FALSE;
	for (size_t i = 0; i < count && best < TRUTH_TRUE; i++) {
		enum truth one = text.size ? test_known(condition, i, text)
					   : test_region(condition, i, path->region);

		best = MAX(best, one);
	}
	return best;
}

static enum truth test_regex(const struct condition *condition, const struct subject *subject)
{
	enum truth best = TRUTH_FALSE;

	if (!subject->regexes || !subject->path.text.size)
		return TRUTH_UNKNOWN;
	for (size_t i = 0; i < condition->regex_count && best < TRUTH_TRUE; i++) {
		enum truth one = regex_test(condition->regexes[i].regex, subject->regexes,
					    subject->path.text);

		best = MAX(best, one);
	}
	return best;
}

static bool is_in_range(const struct condition *condition, int64_t number)
{
	for (size_t i = 0; i < condition->range_count; i++)
		if (number >= condition->ranges[i].least && number <= condition->ranges[i].most)
			return true;
	return false;
}

/* Components: /a/b has two. */
int64_t condition_depth(struct text path)
{
	int64_t depth = 0;

	for (size_t i = 0; i + 1 < path.size; i++)
		depth += path.data[i] == '/';
	return depth;
}

static bool is_name(const struct condition *condition, struct text name)
{
	for (size_t i = 0; i < condition->patterns.count; i++)
		if (pattern_match(condition->patterns.items[i], name))
			return true;
	return false;
}

static bool is_time(const struct condition *condition, int64_t time_ms)
{
	for (size_t i = 0; i < condition->times->span_count; i++)
		if (time_span_has(&condition->times->spans[i], time_ms))
			return true;
	return false;
}

/* What the event says besides its paths. */
static enum truth test_fact(const struct condition *condition, const struct subject *subject)
{
	const struct event *event = subject->event;

	if (condition->kind == CONDITION_DEPTH && subject->path.text.size)
		return truth_of(is_in_range(condition, condition_depth(subject->path.text)));
	if (!event)
		return TRUTH_UNKNOWN;
	switch (condition->kind) {
	case CONDITION_STREAM:
		if (!event->stream.size)
			return truth_of(condition->takes_none);
		return truth_of(is_name(condition, condition->ignores_case ? subject->folded_stream
									   : event->stream));
	case CONDITION_WATCH:
		return event->watch.size ? truth_of(is_name(condition, event->watch))
					 : TRUTH_UNKNOWN;
	case CONDITION_ORIGIN:
		return truth_of(condition->origins >> event->origin & 1);
	case CONDITION_TIME:
		return event->time_ms ? truth_of(is_time(condition, event->time_ms))
				      : TRUTH_UNKNOWN;
	default:
		return TRUTH_UNKNOWN;
	}
}

/* A child is asked into a variable: MIN and MAX ask twice, and so does each child its own. */
static enum truth test_all(const struct condition *condition, const struct subject *subject)
{
	enum truth result = TRUTH_TRUE;

	for (size_t i = 0; i < condition->child_count && result > TRUTH_FALSE; i++) {
		enum truth child = condition_test(condition->children[i], subject);

		result = MIN(result, child);
	}
	return result;
}

static enum truth test_any(const struct condition *condition, const struct subject *subject)
{
	enum truth result = TRUTH_FALSE;

	for (size_t i = 0; i < condition->child_count && result < TRUTH_TRUE; i++) {
		enum truth child = condition_test(condition->children[i], subject);

		result = MAX(result, child);
	}
	return result;
}

enum truth condition_test(const struct condition *condition, const struct subject *subject)
{
	switch (condition->kind) {
	case CONDITION_ALL:
		return test_all(condition, subject);
	case CONDITION_ANY:
		return test_any(condition, subject);
	case CONDITION_NOT:
		return TRUTH_TRUE - condition_test(condition->children[0], subject);
	case CONDITION_EVENT:
		return test_event(condition, subject);
	case CONDITION_REGEX:
		return test_regex(condition, subject);
	case CONDITION_DEPTH:
	case CONDITION_STREAM:
	case CONDITION_WATCH:
	case CONDITION_ORIGIN:
	case CONDITION_TIME:
		return test_fact(condition, subject);
	case CONDITION_TYPE:
	case CONDITION_SIZE:
	case CONDITION_OWNER:
	case CONDITION_GROUP:
	case CONDITION_MODE:
	case CONDITION_AGE:
	case CONDITION_MODIFIED:
	case CONDITION_LINKS:
	case CONDITION_TAG:
		return condition_test_file(condition, subject);
	case CONDITION_DIRECTORY:
	case CONDITION_PATH:
	case CONDITION_NAME:
		break;
	}
	return test_path(condition, subject);
}
