#include "rule/condition_parse.h"

#include "base/parse.h"
#include "rule/accept.h"
#include "rule/condition_facts.h"
#include "rule/words.h"

static const struct words words = { "a condition", condition_words };

static const struct condition *read_node(struct condition_parser *parser, const struct node *node,
					 bool ignore_case, unsigned depth);

static bool add_child(struct condition *parent, const struct condition *child)
{
	if (child)
		condition_add_child(parent, child);
	return child != NULL;
}

static const struct condition *read_list(struct condition_parser *parser, enum condition_word word,
					 const struct node *node, bool ignore_case, unsigned depth)
{
	enum condition_kind kind = word == WORD_ALL ? CONDITION_ALL : CONDITION_ANY;
	struct condition *list = condition_start(parser, word, kind, ignore_case, node->place);
	bool is_whole = true;

	if (!node->count) {
		CONDITION_TELL(parser, node->place, "an empty list: expected conditions");
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
	struct condition *not =
		condition_start(parser, WORD_NOT, CONDITION_NOT, ignore_case, node->place);

	return add_child(not, read_node(parser, node, ignore_case, depth + 1)) ? not : NULL;
}

/* `all` and `any` want a list; one condition's name is a list of one. */
static const struct condition *read_entry(struct condition_parser *parser, const struct node *node,
					  bool ignore_case, unsigned depth)
{
	int word = parser->problems ? words_find(&words, node->key, parser->problems) : -1;

	if (!parser->problems) {
		for (word = 0;
		     condition_words[word] && !text_is(node->key->text, condition_words[word]);)
			word++;
		if (!condition_words[word])
			return NULL;
	}
	if (word < 0)
		return NULL;
	if (word == WORD_NOT)
		return read_not(parser, node, ignore_case, depth);
	if (condition_is_fact(word))
		return condition_parse_facts(parser, word, node, ignore_case);
	if (word > WORD_NOT)
		return condition_parse_values(parser, word, node, ignore_case);
	if (node->kind == NODE_LIST)
		return read_list(parser, word, node, ignore_case, depth);
	if (node->kind == NODE_SCALAR)
		return read_node(parser, node, ignore_case, depth + 1);
	CONDITION_TELL(parser, node->place, "'%s' is %s: expected a list of conditions",
		       condition_words[word], node_kind_name(node->kind));
	return NULL;
}

static const struct condition *read_mapping(struct condition_parser *parser,
					    const struct node *node, bool ignore_case,
					    unsigned depth)
{
	struct condition *all =
		condition_start(parser, WORD_ALL, CONDITION_ALL, ignore_case, node->place);
	bool is_whole = true;

	if (!node->count) {
		CONDITION_TELL(parser, node->place,
			       "no condition: expected one, like event: created (event: any is all "
			       "of them)");
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
	unsigned levels;

	if (named->is_done[ignore_case]) {
		parser->levels = MAX(parser->levels, named->levels);
		return named->built[ignore_case];
	}
	if (ignore_case) {
		parser->problems = NULL;
		depth = 0;
	}
	levels = parser->levels;
	parser->levels = 0;
	named->is_under_way = true;
	parser->building++;
	if (parser->building <= CONDITION_HEIGHT_MAX)
		named->built[ignore_case] = read_node(parser, named->node, ignore_case, depth);
	parser->building--;
	named->is_under_way = false;
	named->levels = parser->levels + 1;
	parser->levels = MAX(levels, named->levels);
	/* Nobody reads a longer one, and a chain of many thousand names would be the end of the
	 * stack. */
	if (named->levels > CONDITION_HEIGHT_MAX || parser->building >= CONDITION_HEIGHT_MAX) {
		CONDITION_TELL(parser, named->node->key->place,
			       "names of conditions stand for each other more than %d times",
			       CONDITION_HEIGHT_MAX);
		named->built[ignore_case] = NULL;
	}
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
		named->is_used |= !parser->building;
		return build_named(parser, named, ignore_case, depth);
	}
	if (named) {
		AUTO(free) char *where = words_place(named->node->key->place, node->place);

		CONDITION_TELL(parser, node->place, "the condition '%.*s' (%s) contains itself",
			       TEXT_ARGS(node->text), where);
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
		CONDITION_TELL(parser, node->place,
			       "there is no condition '%.*s'; did you mean '%s'?",
			       TEXT_ARGS(node->text), nearest);
	else
		CONDITION_TELL(
			parser, node->place,
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
	CONDITION_TELL(
		parser, node->place,
		"no condition: expected one, like event: created (event: any is all of them)");
	return NULL;
}

static const struct condition *read_node(struct condition_parser *parser, const struct node *node,
					 bool ignore_case, unsigned depth)
{
	const struct condition *condition;

	if (depth < CONDITION_HEIGHT_MAX) {
		condition = read_any_node(parser, node, ignore_case, depth);
		if (!condition || depth + condition->source->height <= CONDITION_HEIGHT_MAX)
			return condition;
	}
	CONDITION_TELL(parser, node->place, "conditions nest deeper than %d levels",
		       CONDITION_HEIGHT_MAX);
	return NULL;
}

const struct condition *condition_parse(struct condition_parser *parser, const struct node *node,
					bool ignore_case)
{
	const struct condition *condition = read_node(parser, node, ignore_case, 0);

	if (!condition || condition->source->size <= CONDITION_SIZE_MAX)
		return condition;
	CONDITION_TELL(parser, node->place,
		       "with all that it names, this is more than %d conditions and values",
		       CONDITION_SIZE_MAX);
	return NULL;
}

void condition_parser_init(struct condition_parser *parser, struct rule_set *set,
			   struct problems *problems)
{
	*parser = (struct condition_parser){ .set = set, .problems = problems };
}

static void tell_twice(struct condition_parser *parser, const struct node *first,
		       const struct node *second)
{
	AUTO(free) char *where = NULL;

	if (strcmp(first->place.file, second->place.file) == 0)
		return; /* the document has complained */
	where = words_place(first->place, second->place);
	problems_error(parser->problems, second->place,
		       "there is already a condition '%.*s', in %s: expected another name",
		       TEXT_ARGS(second->text), where);
}

void condition_parser_add(struct condition_parser *parser, const struct node *conditions)
{
	struct named_condition *named;

	if (!conditions || conditions->kind == NODE_NULL)
		return;
	if (conditions->kind != NODE_MAPPING) {
		problems_error(parser->problems, conditions->place,
			       "'conditions' is %s: expected a mapping of names to conditions",
			       node_kind_name(conditions->kind));
		return;
	}
	node_for_each(child, conditions)
	{
		HASH_FIND(hh, parser->named, child->key->text.data, child->key->text.size, named);
		if (named) {
			tell_twice(parser, named->node->key, child->key);
			continue;
		}
		named = NEW(struct named_condition);
		named->node = child;
		HASH_ADD_KEYPTR(hh, parser->named, child->key->text.data, child->key->text.size,
				named);
	}
}

void condition_parser_build(struct condition_parser *parser)
{
	struct named_condition *named, *next;

	HASH_ITER(hh, parser->named, named, next)
	{
		build_named(parser, named, false, 0);
	}
}

/* What a condition that is used is made of is used, too. */
static void use_names(struct condition_parser *parser, const struct node *node)
{
	struct named_condition *named = NULL;

	if (node->kind == NODE_SCALAR)
		HASH_FIND(hh, parser->named, node->text.data, node->text.size, named);
	if (named && !named->is_used) {
		named->is_used = true;
		use_names(parser, named->node);
	}
	node_for_each(child, node)
	{
		if (node->kind == NODE_LIST || text_is(child->key->text, "all") ||
		    text_is(child->key->text, "any") || text_is(child->key->text, "not"))
			use_names(parser, child);
	}
}

void condition_parser_finish(struct condition_parser *parser)
{
	struct named_condition *named, *next;

	HASH_ITER(hh, parser->named, named, next)
	{
		if (named->is_used)
			use_names(parser, named->node);
	}

	HASH_ITER(hh, parser->named, named, next)
	{
		if (!named->is_used)
			problems_warn(parser->problems, named->node->key->place,
				      rule_warning_names[WARN_UNUSED],
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
}
