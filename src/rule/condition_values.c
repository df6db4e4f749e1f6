#include "rule/condition_values.h"

#include "base/parse.h"
#include "rule/accept.h"

const char *const condition_words[] = {
	"all",           "any",      "not",       "event",         "directory", "path",
	"file",          "name",     "extension", "regex",         "depth",     "stream",
	"watch",         "origin",   "time",      "type",          "size",      "owner",
	"group",         "mode",     "age",       "modified",      "links",     "tag",
	"old_directory", "old_path", "old_name",  "old_extension", NULL
};

const char *const condition_helps[] = {
	[WORD_ALL] = "all of these conditions are true; a list",
	[WORD_ANY] = "one of these conditions is true; a list",
	[WORD_NOT] = "this condition is not true",
	[WORD_EVENT] = "the event is of this kind, see below",
	[WORD_DIRECTORY] = "the path lies below this directory, at any depth. `/home` itself does "
			   "not lie below `/home`, nor does `/home2/a`",
	[WORD_PATH] = "the whole path matches this pattern",
	[WORD_FILE] = "it is exactly this path",
	[WORD_NAME] = "the last component of the path matches this pattern",
	[WORD_EXTENSION] = "the name ends so: `.jpg` or `jpg`, also `.tar.gz`. `''` means no "
			   "extension",
	[WORD_REGEX] = "this regular expression is found somewhere in the path",
	[WORD_DEPTH] = "the path has so many components (`/home/a` has 2): `2`, or `{over: 3}`, "
		       "`{under: 5}`, `{at_least: 2, at_most: 4}`",
	[WORD_STREAM] = "the event is about the file's alternate data stream of this name, a "
			"pattern; `''` is the file's own content",
	[WORD_WATCH] = "this watch of `cn_monitor.conf` heard it; a pattern",
	[WORD_ORIGIN] = "it is `live`, or found by `repair`, in a moved directory (`expanded`), by "
			"a `scan`, or by a `replay`",
	[WORD_TIME] = "it happened within these hours and days, see below",
	[WORD_TYPE] = "it is a `file`, a `directory`, a `symlink` or something `other`",
	[WORD_SIZE] = "it has this size: `0`, `{over: 10 MiB}`, `{at_least: 4 KiB, under: 1 GB}`",
	[WORD_OWNER] = "it belongs to them: `alice`, `uid:1000`, `sid:S-1-5-21-...`, `auth_id:500`",
	[WORD_GROUP] = "its group is this: `staff`, `gid:100`, `sid:S-1-5-21-...`",
	[WORD_MODE] = "it has these permissions: `\"0640\"`; or these bits: `{all: \"0440\", any: "
		      "\"0022\", none: \"0007\"}`",
	[WORD_AGE] = "so long before the event it was created: `{over: 7d}`, `{under: 1h}`",
	[WORD_MODIFIED] = "so long before the event its content changed, likewise",
	[WORD_LINKS] = "it has so many hard links: `{over: 1}`",
	[WORD_TAG] = "its user metadata have this key: `reviewed`; or these keys with these "
		     "values: `{reviewed: yes}`, see below",
	[WORD_OLD_DIRECTORY] = "the file was below this directory before it was renamed or moved",
	[WORD_OLD_PATH] = "its whole path before that matches this pattern",
	[WORD_OLD_NAME] = "its name before that matches this pattern",
	[WORD_OLD_EXTENSION] = "its name before that ends so",
};

/* What each word makes of a path; the words of the old path stand behind those of the new one. */
static const enum condition_kind word_kinds[] = {
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
	enum condition_word word;
	struct condition *leaf;
	bool has_no_extension; /* extension: "" is among the values */
	bool is_wrong;
};

struct condition *condition_start(struct condition_parser *parser, enum condition_word word,
				  enum condition_kind kind, bool ignore_case, struct place place)
{
	struct condition *condition = condition_new(&parser->set->pool, kind, condition_words[word],
						    rule_set_place(parser->set, place));

	condition->ignores_case = ignore_case;
	condition->is_old = word >= WORD_OLD_DIRECTORY;
	return condition;
}

static struct condition *new_condition(struct build *build, enum condition_kind kind,
				       struct place place)
{
	return condition_start(build->parser, build->word, kind, build->ignore_case, place);
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

		if (c < 0x20 || (scalar->is_quoted && !scalar->is_single_quoted &&
				 (c == '\\' || c == '\'' || c == '"')))
			return place;
	}
	place.column += scalar->is_quoted;
	for (int i = 0; i < at; i++) {
		place.column += ((unsigned char)scalar->text.data[i] & 0xc0) != 0x80;
		/* In single quotes one of them is written as two. */
		place.column += scalar->is_single_quoted && scalar->text.data[i] == '\'';
	}
	return place;
}

/* What other programs call it. */
static const char *other_word_for(struct text name)
{
	static const char *const words[][2] = {
		{ "deleted", "removed" },
		{ "delete", "removed" },
		{ "modified", "written" },
		{ "modify", "written" },
		{ "changed", "written" },
		{ "write", "written" },
		{ "IN_CLOSE_WRITE", "written" },
		{ "IN_CREATE", "created" },
		{ "IN_DELETE", "removed" },
		{ "added", "created" },
		{ "new", "created" },
		{ "moved", "renamed" },
		{ "chmod", "permissions" },
		{ "attributes", "metadata" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(words); i++)
		if (text_is(name, words[i][0]))
			return words[i][1];
	return NULL;
}

static void add_event(struct build *build, const struct node *value)
{
	event_kinds found = event_kinds_parse(value->text);
	const char *nearest;

	build->leaf->kinds |= found;
	if (found)
		return;
	build->is_wrong = true;
	nearest = other_word_for(value->text);
	if (!nearest)
		nearest = parse_nearest(value->text, event_kind_names());
	if (nearest)
		CONDITION_TELL(build->parser, value->place, "event '%.*s': did you mean '%s'?",
			       TEXT_ARGS(value->text), nearest);
	else
		CONDITION_TELL(
			build->parser, value->place,
			"event '%.*s': expected created, removed, renamed, moved_in, moved_out, "
			"written, metadata, permissions, any, or a type like child_file_added",
			TEXT_ARGS(value->text));
}

static bool is_absolute(struct build *build, const struct node *value)
{
	if (value->text.data[0] == '/')
		return true;
	build->is_wrong = true;
	if (memchr(value->text.data, '\\', value->text.size)) {
		CONDITION_TELL(build->parser, value->place,
			       "%s '%.*s': expected the path on the cluster, with slashes, like "
			       "/home/joe",
			       condition_words[build->word], TEXT_ARGS(value->text));
		return false;
	}
	CONDITION_TELL(
		build->parser, value->place, "%s '%.*s': expected an absolute path, like /%.*s",
		condition_words[build->word], TEXT_ARGS(value->text), TEXT_ARGS(value->text));
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
			problems_warn(build->parser->problems, place_in(value, i),
				      rule_warning_names[WARN_WILDCARD],
				      "'%c' has no meaning in %s, which is compared as it is; "
				      "'%spath' takes patterns",
				      value->text.data[i], condition_words[build->word],
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
	CONDITION_TELL(build->parser, place_in(value, at), "%s '%.*s': %s",
		       condition_words[build->word], TEXT_ARGS(value->text), error_text(&err));
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
		CONDITION_TELL(build->parser, value->place,
			       "%s '%.*s': expected something like .jpg or .tar.gz",
			       condition_words[build->word], TEXT_ARGS(text));
		return;
	}

	AUTO(free)
	char *dotted = str_format("%s%.*s", text.data[0] == '.' ? "" : ".", TEXT_ARGS(text));

	pattern_add_extension(&build->leaf->patterns, text_of(dotted), build->ignore_case);
}

static void add_regex(struct build *build, const struct node *value)
{
	const char *expression = value->text.data;
	AUTO(free) char *word = NULL;
	struct condition_regex regex;
	AUTO_ERROR err = { 0 };
	int at;

	if (regex_new(&regex.regex, expression, build->ignore_case, &at, &err) < 0) {
		build->is_wrong = true;
		CONDITION_TELL(build->parser, place_in(value, at), "regex '%.*s': %s",
			       TEXT_ARGS(value->text), error_text(&err));
		return;
	}
	word = regex_word(expression, build->ignore_case);
	regex.word =
		word ? scan_add(build->parser->set->scans[0], word, build->ignore_case) : SCAN_NONE;
	condition_add_regex(build->leaf, regex);
}

static void add_value(struct build *build, const struct node *value)
{
	bool may_be_empty = build->word == WORD_EXTENSION || build->word == WORD_OLD_EXTENSION;

	if (value->kind != NODE_SCALAR || (!value->text.size && !may_be_empty)) {
		build->is_wrong = true;
		CONDITION_TELL(build->parser, value->place,
			       "%s: expected text or a list of texts, found %s",
			       condition_words[build->word],
			       value->kind == NODE_SCALAR ? "an empty text"
							  : node_kind_name(value->kind));
		return;
	}
	if (value->text.size && memchr(value->text.data, 0, value->text.size)) {
		build->is_wrong = true;
		CONDITION_TELL(build->parser, value->place, "%s: no file has a NUL in its name",
			       condition_words[build->word]);
		return;
	}
	condition_add_value(build->leaf, value->text);
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

/* What stands for the whole condition has the values. */
static const struct condition *with_values_of(struct condition *whole, struct condition *leaf)
{
	whole->source->values = TAKE(leaf->source->values);
	whole->source->values_size = leaf->source->values_size;
	leaf->source->values_size = 0;
	return whole;
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
		return with_values_of(either, build->leaf);

	struct condition *both = new_condition(build, CONDITION_ALL, node->place);
	struct condition *renamed = new_condition(build, CONDITION_EVENT, node->place);

	renamed->is_old = both->is_old = either->is_old = none->is_old = false;
	renamed->kinds = EVENT_RENAMED;
	condition_add_child(both, renamed);
	condition_add_child(both, either);
	return with_values_of(both, build->leaf);
}

const struct condition *condition_parse_values(struct condition_parser *parser,
					       enum condition_word word, const struct node *node,
					       bool ignore_case)
{
	struct build build = { parser, ignore_case, word };

	build.leaf = new_condition(&build, word_kinds[word], node->place);
	if (node->kind == NODE_LIST && !node->count) {
		CONDITION_TELL(parser, node->place,
			       "%s: an empty list is never true; expected a value",
			       condition_words[word]);
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
	if (build.leaf->kind == CONDITION_PATH || build.leaf->kind == CONDITION_NAME)
		build.leaf->source->size += build.leaf->patterns.count;
	return build.has_no_extension ? with_no_extension(&build, node) : build.leaf;
}
