#include "rule/condition_parse.h"

#include "base/parse.h"
#include "rule/words.h"

enum word {
	WORD_ALL,
	WORD_ANY,
	WORD_NOT,
	WORD_EVENT,
	WORD_DIRECTORY,
	WORD_PATH,
	WORD_FILE,
	WORD_NAME,
	WORD_EXTENSION,
	WORD_REGEX,
	WORD_OLD_DIRECTORY,
	WORD_OLD_PATH,
	WORD_OLD_NAME,
	WORD_OLD_EXTENSION,
};

static const char *const known[] = { "all",      "any",           "not",
				     "event",    "directory",     "path",
				     "file",     "name",          "extension",
				     "regex",    "old_directory", "old_path",
				     "old_name", "old_extension", NULL };
static const char *const later[] = { "stream",   "depth", "watch", "origin", "type",
				     "size",     "owner", "group", "mode",   "age",
				     "modified", "tag",   "links", "time",   NULL };
static const struct words words = { "a condition", known, later };

/* What each word makes of a path; the words of the old path stand behind those of the new one. */
static const enum condition_kind kinds[] = {
	[WORD_ALL] = CONDITION_ALL,
	[WORD_ANY] = CONDITION_ANY,
	[WORD_NOT] = CONDITION_NOT,
	[WORD_EVENT] = CONDITION_EVENT,
	[WORD_DIRECTORY] = CONDITION_DIRECTORY,
	[WORD_PATH] = CONDITION_PATH,
	[WORD_FILE] = CONDITION_PATH,
	[WORD_NAME] = CONDITION_NAME,
	[WORD_EXTENSION] = CONDITION_NAME,
	[WORD_REGEX] = CONDITION_REGEX,
	[WORD_OLD_DIRECTORY] = CONDITION_DIRECTORY,
	[WORD_OLD_PATH] = CONDITION_PATH,
	[WORD_OLD_NAME] = CONDITION_NAME,
	[WORD_OLD_EXTENSION] = CONDITION_NAME,
};

/* One condition under construction. */
struct build {
	struct condition_parser *parser;
	bool ignore_case;
	enum word word;
	struct condition *leaf;
	bool has_no_extension; /* extension: "" is among the values */
	bool is_wrong;
};

static const struct condition *read_node(struct condition_parser *parser, const struct node *node,
					 bool ignore_case, unsigned depth);

/* Quiet when a named condition is built once more, whose mistakes are told. */
#define TELL(parser, ...)                                                \
	do {                                                             \
		if ((parser)->problems)                                  \
			problems_error((parser)->problems, __VA_ARGS__); \
	} while (0)

static struct condition *new_condition(struct build *build, enum condition_kind kind,
				       struct place place)
{
	struct rule_set *set = build->parser->set;
	struct condition *condition =
		condition_new(&set->pool, kind, known[build->word], rule_set_place(set, place));

	condition->ignores_case = build->ignore_case;
	condition->is_old = build->word >= WORD_OLD_DIRECTORY;
	return condition;
}

/*
 * Where in the file the byte at of a scalar stands: known where the text stands there as it is,
 * else the scalar's beginning has to do.
 */
static struct place place_in(const struct node *scalar, int at)
{
	struct place place = scalar->place;

	if (at < 0 || (size_t)at > scalar->text.size)
		return place;
	for (size_t i = 0; i < scalar->text.size; i++) {
		unsigned char c = scalar->text.data[i];

		if (c < 0x20 || (scalar->is_quoted && (c == '\\' || c == '\'' || c == '"')))
			return place;
	}
	place.column += scalar->is_quoted;
	for (int i = 0; i < at; i++)
		place.column += ((unsigned char)scalar->text.data[i] & 0xc0) != 0x80;
	return place;
}

static void add_event(struct build *build, const struct node *value)
{
	event_kinds found = event_kinds_parse(value->text);
	const char *nearest;

	build->leaf->kinds |= found;
	if (found)
		return;
	build->is_wrong = true;
	nearest = parse_nearest(value->text, event_kind_names());
	if (nearest)
		TELL(build->parser, value->place, "event '%.*s': did you mean '%s'?",
		     TEXT_ARGS(value->text), nearest);
	else
		TELL(build->parser, value->place,
		     "event '%.*s': expected created, removed, renamed, moved_in, moved_out, "
		     "written, metadata, permissions, any, or a type like child_file_added",
		     TEXT_ARGS(value->text));
}

static bool is_absolute(struct build *build, const struct node *value)
{
	if (value->text.data[0] == '/')
		return true;
	build->is_wrong = true;
	TELL(build->parser, value->place, "%s '%.*s': expected an absolute path, like /%.*s",
	     known[build->word], TEXT_ARGS(value->text), TEXT_ARGS(value->text));
	return false;
}

static void add_directory(struct build *build, const struct node *value)
{
	if (!is_absolute(build, value))
		return;
	for (size_t i = 0; i < value->text.size; i++) {
		if (!strchr("*?[{", value->text.data[i]))
			continue;
		if (build->parser->problems)
			problems_warning(build->parser->problems, place_in(value, i),
					 "'%c' has no meaning in %s, which is compared as it is; "
					 "'%spath' takes patterns",
					 value->text.data[i], known[build->word],
					 build->leaf->is_old ? "old_" : "");
		break;
	}

	AUTO(free) char *tidy = path_join(value->text, TEXT(""));

	condition_add_directory(build->leaf, text_of(tidy));
}

static void add_glob(struct build *build, const struct node *value, enum pattern_of of)
{
	AUTO_ERROR err = { 0 };
	size_t at;

	if (pattern_parse(&build->leaf->patterns, value->text, of, build->ignore_case, &at, &err) ==
	    0)
		return;
	build->is_wrong = true;
	TELL(build->parser, place_in(value, at), "%s '%.*s': %s", known[build->word],
	     TEXT_ARGS(value->text), error_text(&err));
}

static void add_file(struct build *build, const struct node *value)
{
	if (!is_absolute(build, value))
		return;

	AUTO(free) char *tidy = path_join(value->text, TEXT(""));

	pattern_add_literal(&build->leaf->patterns, text_of(tidy), PATTERN_OF_PATH,
			    build->ignore_case);
}

static void add_extension(struct build *build, const struct node *value)
{
	struct text text = value->text;

	if (!text.size) {
		build->has_no_extension = true;
		return;
	}
	if (memchr(text.data, '/', text.size) || memchr(text.data, '*', text.size) ||
	    text.data[text.size - 1] == '.') {
		build->is_wrong = true;
		TELL(build->parser, value->place,
		     "%s '%.*s': expected something like .jpg or .tar.gz", known[build->word],
		     TEXT_ARGS(text));
		return;
	}

	AUTO(free)
	char *dotted = str_format("%s%.*s", text.data[0] == '.' ? "" : ".", TEXT_ARGS(text));

	pattern_add_extension(&build->leaf->patterns, text_of(dotted), build->ignore_case);
}

static void add_regex(struct build *build, const struct node *value)
{
	struct condition_parser *parser = build->parser;
	AUTO_ERROR err = { 0 };
	uint32_t id;
	int at;

	if (scan_check(value->text.data, build->ignore_case, &at, &err) < 0) {
		build->is_wrong = true;
		TELL(parser, place_in(value, at), "regex '%.*s': %s", TEXT_ARGS(value->text),
		     error_text(&err));
		return;
	}
	id = scan_add(parser->set->scans[0], value->text.data, build->ignore_case);
	condition_add_expression(build->leaf, id);
	parser->expressions = mem_grow(parser->expressions, parser->expression_count + 1,
				       sizeof(*parser->expressions));
	parser->expressions[parser->expression_count++] =
		(struct expression_place){ id, value->place };
}

static void add_value(struct build *build, const struct node *value)
{
	bool may_be_empty = build->word == WORD_EXTENSION || build->word == WORD_OLD_EXTENSION;

	if (value->kind != NODE_SCALAR || (!value->text.size && !may_be_empty)) {
		build->is_wrong = true;
		TELL(build->parser, value->place, "%s: expected text or a list of texts, found %s",
		     known[build->word],
		     value->kind == NODE_SCALAR ? "an empty text" : node_kind_name(value->kind));
		return;
	}
	if (value->text.size && memchr(value->text.data, 0, value->text.size)) {
		build->is_wrong = true;
		TELL(build->parser, value->place, "%s: no file has a NUL in its name",
		     known[build->word]);
		return;
	}
	switch (build->word) {
	case WORD_EVENT:
		add_event(build, value);
		break;
	case WORD_DIRECTORY:
	case WORD_OLD_DIRECTORY:
		add_directory(build, value);
		break;
	case WORD_PATH:
	case WORD_OLD_PATH:
		add_glob(build, value, PATTERN_OF_PATH);
		break;
	case WORD_FILE:
		add_file(build, value);
		break;
	case WORD_NAME:
	case WORD_OLD_NAME:
		add_glob(build, value, PATTERN_OF_NAME);
		break;
	case WORD_EXTENSION:
	case WORD_OLD_EXTENSION:
		add_extension(build, value);
		break;
	default:
		add_regex(build, value);
	}
}

/* "No extension" is "not (some extension)"; with others in the list, either will do. */
static const struct condition *with_no_extension(struct build *build, const struct node *node)
{
	struct condition *some = new_condition(build, CONDITION_NAME, node->place);
	struct condition *none = new_condition(build, CONDITION_NOT, node->place);
	struct condition *either = new_condition(build, CONDITION_ANY, node->place);

	pattern_add_any_extension(&some->patterns, build->ignore_case);
	condition_add_child(none, some);
	condition_add_child(either, none);
	if (build->leaf->patterns.count)
		condition_add_child(either, build->leaf);
	/* Only with a rename is there an old path that could lack an extension. */
	if (!build->leaf->is_old)
		return either;

	struct condition *both = new_condition(build, CONDITION_ALL, node->place);
	struct condition *renamed = new_condition(build, CONDITION_EVENT, node->place);

	renamed->is_old = both->is_old = either->is_old = none->is_old = false;
	renamed->kinds = EVENT_RENAMED;
	condition_add_child(both, renamed);
	condition_add_child(both, either);
	return both;
}

static const struct condition *read_leaf(struct condition_parser *parser, enum word word,
					 const struct node *node, bool ignore_case)
{
	struct build build = { parser, ignore_case, word };

	build.leaf = new_condition(&build, kinds[word], node->place);
	if (node->kind == NODE_LIST && !node->count) {
		TELL(parser, node->place, "%s: an empty list is never true; expected a value",
		     known[word]);
		return NULL;
	}
	if (node->kind == NODE_LIST) {
		node_for_each(value, node)
		{
			add_value(&build, value);
		}
	} else {
		add_value(&build, node);
	}
	if (build.is_wrong)
		return NULL;
	build.leaf->size += build.leaf->patterns.count;
	return build.has_no_extension ? with_no_extension(&build, node) : build.leaf;
}

static bool add_child(struct condition *parent, const struct condition *child)
{
	if (child)
		condition_add_child(parent, child);
	return child != NULL;
}

static const struct condition *read_list(struct condition_parser *parser, enum word word,
					 const struct node *node, bool ignore_case, unsigned depth)
{
	struct build build = { parser, ignore_case, word };
	struct condition *list = new_condition(&build, kinds[word], node->place);
	bool is_whole = true;

	if (!node->count) {
		TELL(parser, node->place, "an empty list: expected conditions");
		return NULL;
	}
	node_for_each(child, node)
	{
		is_whole &= add_child(list, read_node(parser, child, ignore_case, depth + 1));
	}
	return is_whole ? list : NULL;
}

static const struct condition *read_not(struct condition_parser *parser, const struct node *node,
					bool ignore_case, unsigned depth)
{
	struct build build = { parser, ignore_case, WORD_NOT };
	struct condition *not = new_condition(&build, CONDITION_NOT, node->place);

	return add_child(not, read_node(parser, node, ignore_case, depth + 1)) ? not : NULL;
}

/* `all` and `any` want a list; one condition's name is a list of one. */
static const struct condition *read_entry(struct condition_parser *parser, const struct node *node,
					  bool ignore_case, unsigned depth)
{
	int word = parser->problems ? words_find(&words, node->key, parser->problems) : -1;

	if (!parser->problems) {
		for (word = 0; known[word] && !text_is(node->key->text, known[word]);)
			word++;
		if (!known[word])
			return NULL;
	}
	if (word < 0)
		return NULL;
	if (word == WORD_NOT)
		return read_not(parser, node, ignore_case, depth);
	if (word > WORD_NOT)
		return read_leaf(parser, word, node, ignore_case);
	if (node->kind == NODE_LIST)
		return read_list(parser, word, node, ignore_case, depth);
	if (node->kind == NODE_SCALAR)
		return read_node(parser, node, ignore_case, depth + 1);
	TELL(parser, node->place, "'%s' is %s: expected a list of conditions", known[word],
	     node_kind_name(node->kind));
	return NULL;
}

static const struct condition *read_mapping(struct condition_parser *parser,
					    const struct node *node, bool ignore_case,
					    unsigned depth)
{
	struct build build = { parser, ignore_case, WORD_ALL };
	struct condition *all = new_condition(&build, CONDITION_ALL, node->place);
	bool is_whole = true;

	if (!node->count) {
		TELL(parser, node->place, "no condition; 'event: any' is true for every event");
		return NULL;
	}
	node_for_each(child, node)
	{
		is_whole &= add_child(all, read_entry(parser, child, ignore_case, depth));
	}
	if (!is_whole)
		return NULL;
	return all->child_count == 1 ? all->children[0] : all;
}

/*
 * The second time it is known to be right, and to nest no deeper than allowed by itself; where it
 * stands is for the caller to look at.
 */
static const struct condition *build_named(struct condition_parser *parser,
					   struct named_condition *named, bool ignore_case,
					   unsigned depth)
{
	struct problems *problems = parser->problems;

	if (named->is_done[ignore_case])
		return named->built[ignore_case];
	if (ignore_case) {
		parser->problems = NULL;
		depth = 0;
	}
	named->is_under_way = true;
	named->built[ignore_case] = read_node(parser, named->node, ignore_case, depth);
	named->is_under_way = false;
	named->is_done[ignore_case] = true;
	parser->problems = problems;
	return named->built[ignore_case];
}

static const struct condition *read_name(struct condition_parser *parser, const struct node *node,
					 bool ignore_case, unsigned depth)
{
	struct named_condition *named, *other, *next;

	HASH_FIND(hh, parser->named, node->text.data, node->text.size, named);
	if (named && !named->is_under_way) {
		named->is_used = true;
		return build_named(parser, named, ignore_case, depth);
	}
	if (named) {
		TELL(parser, node->place, "the condition '%.*s' (line %d) contains itself",
		     TEXT_ARGS(node->text), named->node->key->place.line);
		return NULL;
	}

	AUTO(free) char *memory = mem_array(HASH_COUNT(parser->named) + 1, sizeof(char *));
	const char **names = (const char **)memory;
	size_t count = 0;

	HASH_ITER(hh, parser->named, other, next)
	{
		names[count++] = other->node->key->text.data;
	}

	const char *nearest = parse_nearest(node->text, names);

	if (nearest)
		TELL(parser, node->place, "there is no condition '%.*s'; did you mean '%s'?",
		     TEXT_ARGS(node->text), nearest);
	else
		TELL(parser, node->place,
		     "there is no condition '%.*s': expected a name from 'conditions:', or a "
		     "mapping like {event: created}",
		     TEXT_ARGS(node->text));
	return NULL;
}

static const struct condition *read_any_node(struct condition_parser *parser,
					     const struct node *node, bool ignore_case,
					     unsigned depth)
{
	switch (node->kind) {
	case NODE_MAPPING:
		return read_mapping(parser, node, ignore_case, depth);
	case NODE_LIST:
		return read_list(parser, WORD_ANY, node, ignore_case, depth);
	case NODE_SCALAR:
		return read_name(parser, node, ignore_case, depth);
	case NODE_NULL:
		break;
	}
	TELL(parser, node->place, "no condition; 'event: any' is true for every event");
	return NULL;
}

static const struct condition *read_node(struct condition_parser *parser, const struct node *node,
					 bool ignore_case, unsigned depth)
{
	const struct condition *condition;

	if (depth < CONDITION_HEIGHT_MAX) {
		condition = read_any_node(parser, node, ignore_case, depth);
		if (!condition || depth + condition->height <= CONDITION_HEIGHT_MAX)
			return condition;
	}
	TELL(parser, node->place, "conditions nest deeper than %d levels", CONDITION_HEIGHT_MAX);
	return NULL;
}

const struct condition *condition_parse(struct condition_parser *parser, const struct node *node,
					bool ignore_case)
{
	const struct condition *condition = read_node(parser, node, ignore_case, 0);

	if (!condition || condition->size <= CONDITION_SIZE_MAX)
		return condition;
	TELL(parser, node->place,
	     "with all that it names, this is more than %d conditions and values",
	     CONDITION_SIZE_MAX);
	return NULL;
}

void condition_parser_init(struct condition_parser *parser, struct rule_set *set,
			   const struct node *conditions, struct problems *problems)
{
	struct named_condition *named, *next;

	*parser = (struct condition_parser){ .set = set, .problems = problems };
	if (!conditions || conditions->kind == NODE_NULL)
		return;
	if (conditions->kind != NODE_MAPPING) {
		problems_error(problems, conditions->place,
			       "'conditions' is %s: expected a mapping of names to conditions",
			       node_kind_name(conditions->kind));
		return;
	}
	node_for_each(child, conditions)
	{
		HASH_FIND(hh, parser->named, child->key->text.data, child->key->text.size, named);
		if (named)
			continue; /* the document has complained */
		named = NEW(struct named_condition);
		named->node = child;
		HASH_ADD_KEYPTR(hh, parser->named, child->key->text.data, child->key->text.size,
				named);
	}
	HASH_ITER(hh, parser->named, named, next)
	{
		build_named(parser, named, false, 0);
	}
}

void condition_parser_finish(struct condition_parser *parser)
{
	struct named_condition *named, *next;

	HASH_ITER(hh, parser->named, named, next)
	{
		if (!named->is_used)
			problems_warning(parser->problems, named->node->key->place,
					 "no rule uses the condition '%.*s'",
					 TEXT_ARGS(named->node->key->text));
	}
}

void condition_parser_clear(struct condition_parser *parser)
{
	struct named_condition *named, *next;

	HASH_ITER(hh, parser->named, named, next)
	{
		HASH_DEL(parser->named, named);
		free(named);
	}
	free(parser->expressions);
}
