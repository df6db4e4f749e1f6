/*
 * yaml: libfyaml's events become a tree of nodes.
 *
 * Its own documents are not used: events give us the say over depth, duplicate keys and how far
 * aliases may multiply, each with its place.
 */
#include <libfyaml.h>
#include <utf8proc.h>
#include <uthash.h>

#include "config/document.h"
#include "config/source.h"
#include "config/yaml_error.h"

enum {
	FILE_MAX = 16 << 20,
	DEPTH_MAX = 100,
	NODES_MAX = 2000000,
	ALIASED_MAX = 100000, /* nodes that aliases may add; a file of ten lines can ask for 10^9 */
	BRACKETS_MAX = 100000,
};

struct frame {
	struct node *node;
	struct node *last;
	struct node *key; /* of a mapping: read, its value is still to come */
	struct text anchor;
};

struct anchor {
	struct text name;
	const struct node *node;
	UT_hash_handle hh;
};

struct builder {
	struct document *document;
	struct problems *problems;
	struct text text;
	struct frame frames[DEPTH_MAX];
	size_t depth;
	struct anchor *anchors;
	struct place last; /* where nodes without a mark of their own are */
	size_t nodes;
	size_t aliased;
	size_t documents;
	bool is_given_up;
};

static void give_up(struct builder *builder, struct place place, const char *why)
{
	if (!builder->is_given_up)
		problems_error(builder->problems, place, "%s", why);
	builder->is_given_up = true;
}

static struct node *node_new(struct builder *builder, enum node_kind kind, struct place place)
{
	struct node *node = document_alloc(builder->document, sizeof(*node));

	*node = (struct node){ .kind = kind, .place = place };
	node->text = (struct text){ "", 0 };
	if (++builder->nodes > NODES_MAX)
		give_up(builder, place, "too many values: at most 2000000 are allowed in a file");
	return node;
}

static int by_key(const void *left, const void *right)
{
	const struct node *a = *(const struct node *const *)left;
	const struct node *b = *(const struct node *const *)right;
	int order = text_compare(a->key->text, b->key->text);

	if (order)
		return order;
	if (a->place.line != b->place.line)
		return a->place.line < b->place.line ? -1 : 1;
	return a->place.column < b->place.column ? -1 : a->place.column > b->place.column;
}

/* Sorted, so that a mapping of a million keys costs no more than it should. */
static void tell_duplicates(struct builder *builder, const struct node *mapping)
{
	AUTO(free) char *memory = mem_array(mapping->count + 1, sizeof(struct node *));
	const struct node **children = (const struct node **)(void *)memory;
	size_t count = 0;

	node_for_each(child, mapping) children[count++] = child;
	qsort(children, count, sizeof(*children), by_key);
	for (size_t i = 1; i < count; i++) {
		const struct node *first = children[i - 1], *again = children[i];

		if (text_equal(first->key->text, again->key->text))
			problems_error(builder->problems, again->key->place,
				       "'%.*s' is there twice; the first is in line %d",
				       TEXT_ARGS(again->key->text), first->key->place.line);
	}
}

/* A name that is given again stands for the newer node from there on. */
static void remember_anchor(struct builder *builder, struct text name, const struct node *node)
{
	struct anchor *anchor = NULL;

	if (!name.size)
		return;
	HASH_FIND(hh, builder->anchors, name.data, name.size, anchor);
	if (anchor) {
		anchor->node = node;
		return;
	}
	anchor = document_alloc(builder->document, sizeof(*anchor));
	*anchor = (struct anchor){ .name = name, .node = node };
	HASH_ADD_KEYPTR(hh, builder->anchors, name.data, name.size, anchor);
}

/* Takes the key's place in a mapping; answers false if it is none. */
static void attach_key(struct builder *builder, struct frame *frame, struct node *node)
{
	if (node->kind == NODE_LIST || node->kind == NODE_MAPPING)
		problems_error(builder->problems, node->place,
			       "a key must be text, found %s; put texts with { or [ in quotes",
			       node_kind_name(node->kind));
	else if (node->kind == NODE_NULL && !node->text.size)
		problems_error(builder->problems, node->place, "a key is missing before ':'");
	else if (!node->is_quoted && text_is(node->text, "<<"))
		problems_error(builder->problems, node->place,
			       "'<<' (merge) is not part of YAML 1.2; write the keys out");
	frame->key = node;
}

static void attach(struct builder *builder, struct node *node)
{
	struct frame *frame = builder->depth ? &builder->frames[builder->depth - 1] : NULL;

	if (!frame) {
		builder->document->root = node;
		return;
	}
	if (frame->node->kind == NODE_MAPPING && !frame->key) {
		attach_key(builder, frame, node);
		return;
	}
	node->key = TAKE(frame->key);
	if (frame->last)
		frame->last->next = node;
	else
		frame->node->first = node;
	frame->last = node;
	frame->node->count++;
}

static void open_node(struct builder *builder, struct node *node, struct text anchor)
{
	if (builder->depth == DEPTH_MAX) {
		give_up(builder, node->place, "nested too deep: at most 100 levels are allowed");
		return;
	}
	/* A collection in the place of a key is told at once; its content goes with it. */
	attach(builder, node);
	builder->frames[builder->depth++] = (struct frame){ .node = node, .anchor = anchor };
}

static void close_node(struct builder *builder)
{
	struct frame *frame;

	if (!builder->depth)
		return;
	frame = &builder->frames[--builder->depth];
	if (frame->node->kind == NODE_MAPPING)
		tell_duplicates(builder, frame->node);
	remember_anchor(builder, frame->anchor, frame->node);
}

/* A copy of what an alias stands for, as if it were written there; texts are shared. */
static struct node *copy_node(struct builder *builder, const struct node *from, size_t depth)
{
	struct node *copy;
	struct node **link;

	if (depth >= DEPTH_MAX)
		give_up(builder, builder->last, "nested too deep: at most 100 levels are allowed");
	if (++builder->aliased > ALIASED_MAX)
		give_up(builder, builder->last,
			"aliases make this file too big: they may add at most 100000 values");
	copy = node_new(builder, from->kind, from->place);
	*copy = *from;
	copy->next = copy->key = copy->first = NULL;
	link = &copy->first;
	node_for_each(child, from)
	{
		if (builder->is_given_up)
			break;
		*link = copy_node(builder, child, depth + 1);
		if (child->key)
			(*link)->key = copy_node(builder, child->key, depth + 1);
		link = &(*link)->next;
	}
	return copy;
}

static struct node *alias_node(struct builder *builder, struct text name, struct place place)
{
	struct anchor *anchor = NULL;
	struct node *node;

	HASH_FIND(hh, builder->anchors, name.data, name.size, anchor);
	if (anchor)
		return copy_node(builder, anchor->node, builder->depth);
	problems_error(builder->problems, place,
		       "'*%.*s' without quotes refers to an anchor '&%.*s', and there is none "
		       "before it; put patterns in quotes",
		       TEXT_ARGS(name), TEXT_ARGS(name));
	/* Taken as the text that was probably meant, so that nobody complains a second time. */
	AUTO(free) char *meant = str_format("*%.*s", TEXT_ARGS(name));
	node = node_new(builder, NODE_SCALAR, place);
	node->text = document_keep(builder->document, text_of(meant));
	node->is_quoted = true;
	return node;
}

static bool is_null_word(struct text text)
{
	static const char *const words[] = { "", "~", "null", "Null", "NULL" };

	for (size_t i = 0; i < ARRAY_SIZE(words); i++)
		if (text_is(text, words[i]))
			return true;
	return false;
}

static bool is_sound(struct text text)
{
	while (text.size) {
		utf8proc_int32_t code;
		ssize_t used =
			utf8proc_iterate((const utf8proc_uint8_t *)text.data, text.size, &code);

		if (used <= 0 || code == 0)
			return false;
		text.data += used;
		text.size -= used;
	}
	return true;
}

static struct text token_text(struct fy_token *token)
{
	size_t size = 0;
	const char *data = token ? fy_token_get_text(token, &size) : NULL;

	return (struct text){ data, data ? size : 0 };
}

static struct node *scalar_node(struct builder *builder, struct fy_token *token, struct text tag,
				struct place place)
{
	struct text text = token_text(token);
	bool is_plain = !token || fy_token_scalar_style(token) == FYSS_PLAIN;
	struct node *node;

	if (text_is(tag, "tag:yaml.org,2002:str"))
		is_plain = false;
	if (!is_sound(text)) {
		problems_error(builder->problems, place,
			       "text with \\0 or half a character in it is not allowed");
		text = TEXT_NONE;
	}
	node = node_new(builder, is_plain && is_null_word(text) ? NODE_NULL : NODE_SCALAR, place);
	node->is_quoted = !is_plain;
	node->is_single_quoted = token && fy_token_scalar_style(token) == FYSS_SINGLE_QUOTED;
	node->text = document_keep(builder->document, text);
	return node;
}

static void check_tag(struct builder *builder, struct fy_token *token, struct place place)
{
	struct text tag = token_text(token);
	const struct fy_mark *mark = token ? fy_token_start_mark(token) : NULL;

	if (!tag.size || text_starts_with(tag, TEXT("tag:yaml.org,2002:")))
		return;
	if (mark && mark->line >= 0)
		place = (struct place){ place.file, mark->line + 1, mark->column + 1 };
	problems_error(builder->problems, place,
		       "tag '%.*s' is not known; put text that begins with ! in quotes",
		       TEXT_ARGS(tag));
}

/* The parser's mark of an alias or of quoted text is behind the star or the quote. */
static bool is_mark_behind(struct builder *builder, struct fy_event *event,
			   const struct fy_mark *mark)
{
	struct fy_token *token = fy_event_get_token(event);
	char before;

	if (mark->column < 1 || mark->input_pos < 1 || mark->input_pos > builder->text.size)
		return false;
	before = builder->text.data[mark->input_pos - 1];
	if (event->type == FYET_ALIAS)
		return before == '*';
	return event->type == FYET_SCALAR && token &&
	       ((before == '"' && fy_token_scalar_style(token) == FYSS_DOUBLE_QUOTED) ||
		(before == '\'' && fy_token_scalar_style(token) == FYSS_SINGLE_QUOTED));
}

/* A value that is not written has no place of its own: libfyaml 0.7 gives none, 0.8 the gap's. */
static bool is_unwritten(struct fy_event *event)
{
	struct fy_token *token = fy_event_get_token(event);

	return event->type == FYET_SCALAR &&
	       (!token || (fy_token_scalar_style(token) == FYSS_PLAIN && !token_text(token).size));
}

static struct place place_of(struct builder *builder, struct fy_event *event)
{
	const struct fy_mark *mark = fy_event_start_mark(event);
	struct frame *frame = builder->depth ? &builder->frames[builder->depth - 1] : NULL;
	struct place place = { builder->document->file, 0, 0 };

	if (!mark || mark->line < 0 || is_unwritten(event))
		return frame && frame->key ? frame->key->place : builder->last;
	place.line = mark->line + 1;
	place.column = mark->column + 1 - is_mark_behind(builder, event, mark);
	builder->last = place;
	return place;
}

static void hear(struct builder *builder, struct fy_event *event)
{
	struct place place = place_of(builder, event);
	struct fy_token *token = fy_event_get_token(event);
	struct text tag = token_text(fy_event_get_tag_token(event));
	struct text anchor = token_text(fy_event_get_anchor_token(event));
	struct node *node;

	if (anchor.size)
		anchor = document_keep(builder->document, anchor);
	check_tag(builder, fy_event_get_tag_token(event), place);
	switch (event->type) {
	case FYET_DOCUMENT_START:
		if (builder->documents++)
			give_up(builder, place,
				"a second document begins here (---); one file holds one");
		break;
	case FYET_MAPPING_START:
		open_node(builder, node_new(builder, NODE_MAPPING, place), anchor);
		break;
	case FYET_SEQUENCE_START:
		open_node(builder, node_new(builder, NODE_LIST, place), anchor);
		break;
	case FYET_MAPPING_END:
	case FYET_SEQUENCE_END:
		close_node(builder);
		break;
	case FYET_SCALAR:
		node = scalar_node(builder, token, tag, place);
		attach(builder, node);
		remember_anchor(builder, anchor, node);
		break;
	case FYET_ALIAS:
		attach(builder, alias_node(builder, token_text(token), place));
		break;
	default:
		break;
	}
}

static void drop_line(struct fy_diag *diag, void *user, const char *data, size_t size)
{
	/* Errors are collected; whatever the library would print besides is not for people. */
}

static void tell_syntax(struct builder *builder, struct fy_diag *diag)
{
	struct fy_diag_error *first = NULL;
	void *iterator = NULL;
	struct place place = builder->last;

	/* One error leads to others: the first is the one that a person can mend. */
	first = fy_diag_errors_iterate(diag, &iterator);
	if (first && first->line > 0)
		place = (struct place){ place.file, first->line, MAX(first->column, 1) };
	yaml_error(builder->problems, builder->text, place,
		   builder->depth ? builder->frames[builder->depth - 1].node->place : place,
		   first && first->msg ? first->msg : "it ends too soon");
}

static struct fy_diag *quiet_diag(void)
{
	struct fy_diag_cfg config;
	struct fy_diag *diag;

	fy_diag_cfg_default(&config);
	config.fp = NULL;
	config.output_fn = drop_line;
	config.colorize = false;
	config.level = FYET_ERROR;
	diag = fy_diag_create(&config);
	if (diag)
		fy_diag_set_collect_errors(diag, true);
	return diag;
}

static void build(struct builder *builder)
{
	struct fy_diag *diag = quiet_diag();
	struct fy_parse_cfg config = {
		.flags = FYPCF_DISABLE_DEPTH_LIMIT | FYPCF_DISABLE_MMAP_OPT |
			 FYPCF_DEFAULT_VERSION_1_2,
		.diag = diag,
	};
	struct fy_parser *parser = diag ? fy_parser_create(&config) : NULL;
	struct fy_event *event;

	/* Only for want of memory. */
	if (!parser || fy_parser_set_string(parser, builder->text.data, builder->text.size) < 0)
		abort();
	while (!builder->is_given_up && (event = fy_parser_parse(parser))) {
		hear(builder, event);
		fy_parser_event_free(parser, event);
	}
	if (!builder->is_given_up && fy_parser_get_stream_error(parser)) {
		tell_syntax(builder, diag);
		builder->is_given_up = true;
	}
	fy_parser_destroy(parser);
	fy_diag_destroy(diag);
}

/*
 * The parser reads on from a bracket to its end before we hear of it: sixteen million opening ones
 * took it 20 s and 5 GB. This counts those in quotes, too, so the ceiling is far above any need.
 */
static bool has_endless_brackets(struct text text)
{
	size_t open = 0;

	for (size_t i = 0; i < text.size && open <= BRACKETS_MAX; i++) {
		if (text.data[i] == '[' || text.data[i] == '{')
			open++;
		else if ((text.data[i] == ']' || text.data[i] == '}') && open)
			open--;
	}
	return open > BRACKETS_MAX;
}

static bool is_explicit_key(struct text line)
{
	while (line.size && (line.data[0] == ' ' || line.data[0] == '\t' || line.data[0] == '-')) {
		line.data++;
		line.size--;
	}
	return line.size > 1 && line.data[0] == '?' &&
	       (line.data[1] == ' ' || line.data[1] == '\t');
}

/*
 * A tab between the colon and what follows, in a line that begins with a question mark, has the
 * parser put a key aside twice and free it twice (libfyaml 0.7.12, found by fuzzing). Nobody needs
 * such lines. Answers the line's number; 0: there is none.
 */
static int find_tab_in_key(struct text text)
{
	const char *end = text.data + text.size;
	int number = 1;

	for (const char *start = text.data; start < end; start++) {
		struct text line = { start, 0 };

		while (start < end && *start != '\n' && *start != '\r')
			start++;
		line.size = start - line.data;
		if (is_explicit_key(line) && memchr(line.data, '\t', line.size))
			return number;
		number += start < end && (*start == '\n' || start + 1 == end || start[1] != '\n');
	}
	return 0;
}

struct document *document_parse(const char *file, struct text text, struct problems *problems)
{
	AUTO(document_free) struct document *document = NULL;
	AUTO(free) char *copy = NULL;
	struct builder builder = { .problems = problems };
	int tab_line;

	if (text.size > FILE_MAX) {
		problems_error(problems, (struct place){ file, 0, 0 },
			       "has more than the 16 MiB allowed");
		return NULL;
	}
	problems_add_source(problems, file, text);
	if (!source_check(file, &text, problems))
		return NULL;
	if (has_endless_brackets(text)) {
		problems_error(problems, (struct place){ file, 0, 0 },
			       "nested too deep: at most 100 levels are allowed");
		return NULL;
	}
	tab_line = find_tab_in_key(text);
	if (tab_line) {
		problems_error(problems, (struct place){ file, tab_line, 1 },
			       "a tab in a line that begins with '?': expected spaces");
		return NULL;
	}
	document = NEW(struct document);
	document->file = document_keep(document, text_of(file)).data;
	copy = text_copy(text);
	builder.document = document;
	builder.text = (struct text){ copy, text.size };
	builder.last = (struct place){ document->file, 1, 1 };
	if (text.size)
		build(&builder);
	HASH_CLEAR(hh, builder.anchors); /* the table; the anchors are the document's */
	if (builder.is_given_up)
		return NULL;
	if (!document->root)
		document->root = node_new(&builder, NODE_NULL, builder.last);
	return TAKE(document);
}

struct document *document_read(const char *path, struct problems *problems)
{
	AUTO(buf_free) struct buf *buf = NULL;

	if (!source_read(&buf, path, FILE_MAX, NULL, problems))
		return NULL;
	return document_parse(path, buf_text(buf), problems);
}
