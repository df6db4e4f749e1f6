#include "rule/condition_facts.h"

#include "base/parse.h"
#include "rule/condition_file.h"
#include "rule/words.h"

static const enum condition_kind fact_kinds[] = {
	[WORD_DEPTH] = CONDITION_DEPTH, [WORD_STREAM] = CONDITION_STREAM,
	[WORD_WATCH] = CONDITION_WATCH, [WORD_ORIGIN] = CONDITION_ORIGIN,
	[WORD_TIME] = CONDITION_TIME,   [WORD_TYPE] = CONDITION_TYPE,
	[WORD_SIZE] = CONDITION_SIZE,   [WORD_OWNER] = CONDITION_OWNER,
	[WORD_GROUP] = CONDITION_GROUP, [WORD_MODE] = CONDITION_MODE,
	[WORD_AGE] = CONDITION_AGE,     [WORD_MODIFIED] = CONDITION_MODIFIED,
	[WORD_LINKS] = CONDITION_LINKS, [WORD_TAG] = CONDITION_TAG,
};

bool condition_is_fact(enum condition_word word)
{
	return word >= WORD_DEPTH && word <= WORD_TAG;
}

/* One condition under construction. */
struct build {
	struct condition_parser *parser;
	enum condition_word word;
	struct condition *leaf;
	bool is_wrong;
};

#define TELL(build, ...)                                      \
	do {                                                  \
		CONDITION_TELL((build)->parser, __VA_ARGS__); \
		(build)->is_wrong = true;                     \
	} while (0)

/* ---- Numbers ---- */

#define NUMBER_MOST 1000000

static bool read_number(struct build *build, const struct node *node, int64_t *out)
{
	AUTO_ERROR err = { 0 };
	int result;

	if (node->kind != NODE_SCALAR) {
		TELL(build, node->place, "%s: expected a number, found %s",
		     condition_words[build->word], node_kind_name(node->kind));
		return false;
	}
	switch (build->word) {
	case WORD_SIZE:
		result = parse_size(node->text, out, &err);
		break;
	case WORD_AGE:
	case WORD_MODIFIED:
		result = parse_duration(node->text, out, &err);
		break;
	default:
		result = parse_number(node->text, 0, NUMBER_MOST, out, &err);
	}
	if (result == 0)
		return true;
	TELL(build, node->place, "%s %s", condition_words[build->word], error_text(&err));
	return false;
}

/* over, under, at_least, at_most: all that are given. */
static void read_bounds(struct build *build, const struct node *mapping, struct range *range)
{
	static const char *const known[] = { "over", "under", "at_least", "at_most", NULL };
	AUTO(free) char *what = str_format("'%s'", condition_words[build->word]);
	const struct words bounds = { what, known };
	int64_t number;

	node_for_each(child, mapping)
	{
		int word = words_find(&bounds, child->key, build->parser->problems);

		if (word < 0) {
			build->is_wrong = true;
			continue;
		}
		if (!read_number(build, child, &number))
			continue;
		if (word % 2 == 0)
			range->least = MAX(range->least, number + (word == 0));
		else
			range->most = MIN(range->most, number - (word == 1));
	}
}

static void add_range(struct build *build, const struct node *node)
{
	struct range range = { 0, INT64_MAX };

	if (node->kind == NODE_MAPPING && node->count) {
		read_bounds(build, node, &range);
		if (!build->is_wrong && range.least > range.most)
			TELL(build, node->place, "%s: no number lies within these bounds",
			     condition_words[build->word]);
	} else if (build->word == WORD_AGE || build->word == WORD_MODIFIED) {
		TELL(build, node->place, "%s: expected bounds, like {over: 7d}",
		     condition_words[build->word]);
	} else if (read_number(build, node, &range.least)) {
		range.most = range.least;
	}
	condition_add_range(build->leaf, range);
}

/* ---- Texts ---- */

static bool is_text(struct build *build, const struct node *node)
{
	if (node->kind == NODE_SCALAR &&
	    !(node->text.size && memchr(node->text.data, 0, node->text.size)))
		return true;
	TELL(build, node->place, "%s: expected text or a list of texts, found %s",
	     condition_words[build->word],
	     node->kind == NODE_SCALAR ? "a NUL" : node_kind_name(node->kind));
	return false;
}

/* A stream's or a watch's name: a pattern. No stream at all is the file's own content. */
static void add_name(struct build *build, const struct node *node)
{
	AUTO_ERROR err = { 0 };
	size_t at;

	if (!is_text(build, node))
		return;
	if (!node->text.size && build->word == WORD_STREAM) {
		build->leaf->takes_none = true;
		return;
	}
	if (!node->text.size)
		TELL(build, node->place, "%s: expected a name, found an empty text",
		     condition_words[build->word]);
	else if (pattern_parse(&build->leaf->patterns, node->text, PATTERN_OF_NAME,
			       build->leaf->ignores_case, &at, &err) < 0)
		TELL(build, node->place, "%s '%.*s': %s", condition_words[build->word],
		     TEXT_ARGS(node->text), error_text(&err));
}

static void add_origin(struct build *build, const struct node *node)
{
	const char *names[ORIGIN_COUNT + 1] = { NULL };
	const char *nearest;
	enum origin origin;

	if (!is_text(build, node))
		return;
	if (origin_parse(node->text, &origin)) {
		build->leaf->origins |= 1u << origin;
		return;
	}
	for (int i = 0; i < ORIGIN_COUNT; i++)
		names[i] = origin_name((enum origin)i);
	nearest = parse_nearest(node->text, names);
	if (nearest)
		TELL(build, node->place, "origin '%.*s': did you mean '%s'?", TEXT_ARGS(node->text),
		     nearest);
	else
		TELL(build, node->place,
		     "origin '%.*s': expected live, repair, expanded, scan or replay",
		     TEXT_ARGS(node->text));
}

/* ---- Of the file ---- */

static void add_type(struct build *build, const struct node *node)
{
	const char *nearest;

	if (!is_text(build, node) || file_type_parse(node->text, &build->leaf->types))
		return;
	nearest = parse_nearest(node->text, file_type_names);
	if (nearest)
		TELL(build, node->place, "type '%.*s': did you mean '%s'?", TEXT_ARGS(node->text),
		     nearest);
	else
		TELL(build, node->place, "type '%.*s': expected file, directory, symlink or other",
		     TEXT_ARGS(node->text));
}

/* Kept as a value: the evaluator reads it there. */
static void add_principal(struct build *build, const struct node *node)
{
	if (is_text(build, node) && !node->text.size)
		TELL(build, node->place, "%s: expected a name, like alice, or uid:1000",
		     condition_words[build->word]);
}

static bool read_bits(struct build *build, const struct node *node, unsigned *out)
{
	AUTO_ERROR err = { 0 };

	if (node->kind != NODE_SCALAR) {
		TELL(build, node->place, "mode: expected one like \"0640\", found %s",
		     node_kind_name(node->kind));
		return false;
	}
	if (parse_mode(node->text, out, &err) == 0)
		return true;
	TELL(build, node->place, "mode %s", error_text(&err));
	return false;
}

/* "0640": exactly so; {all: .., any: .., none: ..}: by bits. */
static void add_mode(struct build *build, const struct node *node)
{
	static const char *const known[] = { "all", "any", "none", NULL };
	static const struct words words = { "'mode'", known };
	struct mode_test test = { 0 };
	unsigned *const places[] = { &test.all, &test.any, &test.none };

	if (node->kind == NODE_MAPPING && node->count) {
		node_for_each(child, node)
		{
			int word = words_find(&words, child->key, build->parser->problems);

			if (word < 0)
				build->is_wrong = true;
			else
				(void)!read_bits(build, child, places[word]);
		}
	} else if (read_bits(build, node, &test.all)) {
		test.none = 07777 & ~test.all;
	}
	condition_add_mode(build->leaf, test);
}

/* A value is a pattern; a star alone is any value, whatever is in it. */
static void add_tag_value(struct build *build, struct tag_test *test, const struct node *node)
{
	AUTO_ERROR err = { 0 };
	size_t at;

	if (!is_text(build, node))
		return;
	if (text_is(node->text, "*"))
		test->is_any = true;
	else if (!node->text.size)
		TELL(build, node->place, "tag: %s: an empty value is never true; '*' is any value",
		     test->key);
	else if (pattern_parse(&test->values, node->text, PATTERN_OF_TEXT,
			       build->leaf->ignores_case, &at, &err) < 0)
		TELL(build, node->place, "tag: %s '%.*s': %s", test->key, TEXT_ARGS(node->text),
		     error_text(&err));
}

static void add_tag_values(struct build *build, const struct node *node, bool is_another)
{
	struct tag_test *test = condition_add_tag(build->leaf, node->key->text, is_another);

	build->leaf->source->size++;
	if (node->kind != NODE_LIST) {
		add_tag_value(build, test, node);
		return;
	}
	node_for_each(child, node)
	{
		add_tag_value(build, test, child);
	}
	if (!node->count)
		TELL(build, node->place, "tag: %s: an empty list is never true; expected a value",
		     test->key);
}

/* reviewed: the key is there; {reviewed: yes, by: [ann, bob]}: with these values, all of them. */
static void add_tag(struct build *build, const struct node *node)
{
	bool is_another = true;

	if (node->kind != NODE_MAPPING || !node->count) {
		if (node->kind == NODE_SCALAR && node->text.size && is_text(build, node))
			condition_add_tag(build->leaf, node->text, true)->is_any = true;
		else
			TELL(build, node->place,
			     "tag: expected a key that the file must have, like reviewed, or keys "
			     "and values, like {reviewed: yes}");
		return;
	}
	node_for_each(child, node)
	{
		if (!child->key->text.size)
			TELL(build, child->place, "tag: the key is empty");
		else
			add_tag_values(build, child, is_another);
		is_another = false;
	}
}

/* ---- Times ---- */

static uint64_t hash_of(struct text name)
{
	uint64_t hash = 0xcbf29ce484222325u; /* FNV-1a */

	for (size_t i = 0; i < name.size; i++)
		hash = (hash ^ (unsigned char)name.data[i]) * 0x100000001b3u;
	return hash;
}

static void read_zone(struct build *build, const struct node *node, struct time_span *span)
{
	struct text name = node ? node->text : TEXT("local");
	AUTO_ERROR err = { 0 };
	struct zone *zone;

	if (node && (node->kind != NODE_SCALAR || !node->text.size)) {
		TELL(build, node->place, "zone: expected a time zone like Europe/Berlin");
		return;
	}
	if (zone_open(&zone, name.data, &err) < 0) {
		TELL(build, node ? node->place : build->leaf->source->place, "zone %s",
		     error_text(&err));
		return;
	}
	condition_add_zone(build->leaf, zone);
	span->zone = zone;
	span->zone_hash = hash_of(name);
}

static void add_hours(struct build *build, const struct node *node, struct time_span span)
{
	AUTO_ERROR err = { 0 };

	if (node->kind != NODE_SCALAR)
		TELL(build, node->place, "hours: expected something like 22:00-06:00, found %s",
		     node_kind_name(node->kind));
	else if (time_span_read_hours(&span, node->text, &err) < 0)
		TELL(build, node->place, "hours %s", error_text(&err));
	else
		condition_add_span(build->leaf, span);
}

static void read_day(struct build *build, const struct node *node, unsigned *days)
{
	AUTO_ERROR err = { 0 };

	if (node->kind != NODE_SCALAR)
		TELL(build, node->place, "days: expected something like mon-fri, found %s",
		     node_kind_name(node->kind));
	else if (time_span_read_days(days, node->text, &err) < 0)
		TELL(build, node->place, "days %s", error_text(&err));
}

static unsigned read_days(struct build *build, const struct node *node)
{
	unsigned days = 0;

	if (!node)
		return TIME_DAYS;
	if (node->kind != NODE_LIST) {
		read_day(build, node, &days);
		return days;
	}
	node_for_each(child, node)
	{
		read_day(build, child, &days);
	}
	if (!node->count)
		TELL(build, node->place, "days: an empty list is never true; expected a day");
	return days;
}

static void add_time(struct build *build, const struct node *node)
{
	static const char *const known[] = { "hours", "days", "zone", NULL };
	static const struct words words = { "'time'", known };
	const struct node *hours = node->kind == NODE_MAPPING ? node_get(node, "hours") : node;
	struct time_span span = { TIME_DAYS, 0, TIME_MINUTES, NULL };

	if (node->kind == NODE_MAPPING) {
		node_for_each(child, node)
		{
			build->is_wrong |=
				words_find(&words, child->key, build->parser->problems) < 0;
		}
		if (!build->is_wrong && !hours && !node_get(node, "days"))
			TELL(build, node->place,
			     "time without hours or days: expected {hours: 22:00-06:00}, "
			     "{days: mon-fri}, or both");
		span.days = read_days(build, node_get(node, "days"));
		read_zone(build, node_get(node, "zone"), &span);
	} else if (node->kind == NODE_SCALAR) {
		read_zone(build, NULL, &span);
	} else {
		TELL(build, node->place,
		     "time: expected hours like 22:00-06:00, or a mapping with hours, days and "
		     "zone, found %s",
		     node_kind_name(node->kind));
	}
	if (build->is_wrong)
		return;
	if (!hours) {
		condition_add_span(build->leaf, span);
	} else if (hours->kind == NODE_LIST) {
		node_for_each(child, hours)
		{
			add_hours(build, child, span);
		}
		if (!hours->count)
			TELL(build, hours->place,
			     "hours: an empty list is never true; expected hours");
	} else {
		add_hours(build, hours, span);
	}
}

/* ---- Values ---- */

/* As a person would say it: a text as it is, a mapping by its keys and values. */
static void keep_value(struct condition *condition, const struct node *node)
{
	AUTO(buf_free) struct buf *text = buf_new(SIZE_MAX);

	if (node->kind != NODE_MAPPING) {
		condition_add_value(condition, node->text);
		return;
	}
	node_for_each(child, node)
	{
		AUTO(free) char *value = node_to_json(child);
		bool is_text = child->kind == NODE_SCALAR;

		(void)!buf_print(text, "%s%s %s", text->size ? " " : "", child->key->text.data,
				 is_text ? child->text.data : value);
	}
	condition_add_value(condition, buf_text(text));
}

static void add_value(struct build *build, const struct node *node)
{
	switch (build->word) {
	case WORD_DEPTH:
	case WORD_SIZE:
	case WORD_AGE:
	case WORD_MODIFIED:
	case WORD_LINKS:
		add_range(build, node);
		break;
	case WORD_ORIGIN:
		add_origin(build, node);
		break;
	case WORD_TYPE:
		add_type(build, node);
		break;
	case WORD_OWNER:
	case WORD_GROUP:
		add_principal(build, node);
		break;
	case WORD_MODE:
		add_mode(build, node);
		break;
	case WORD_TAG:
		add_tag(build, node);
		break;
	case WORD_TIME:
		add_time(build, node);
		break;
	default:
		add_name(build, node);
	}
	keep_value(build->leaf, node);
	build->leaf->source->size++;
}

const struct condition *condition_parse_facts(struct condition_parser *parser,
					      enum condition_word word, const struct node *node,
					      bool ignore_case)
{
	/* A watch is named by us, a tag by programs. */
	bool folds = ignore_case && word == WORD_STREAM;
	struct build build = { parser, word };

	build.leaf = condition_start(parser, word, fact_kinds[word], folds, node->place);
	if (node->kind == NODE_LIST && !node->count)
		TELL(&build, node->place, "%s: an empty list is never true; expected a value",
		     condition_words[word]);
	if (node->kind == NODE_LIST) {
		node_for_each(child, node)
		{
			add_value(&build, child);
		}
	} else {
		add_value(&build, node);
	}
	return build.is_wrong ? NULL : build.leaf;
}
