#include "rule/pattern_tokens.h"

#include <utf8proc.h>

#include "rule/fold.h"

#define BRACE_DEPTH_MAX 16
#define TOKENS_MAX 65536 /* of all patterns that one glob expands to */

struct tokens {
	struct pattern_token *items;
	size_t count;
	size_t room;
};

struct ranges {
	struct pattern_range *items;
	size_t count;
};

static void add(struct tokens *tokens, struct pattern_token token)
{
	if (tokens->count == tokens->room) {
		tokens->room = tokens->room ? tokens->room * 2 : 16;
		tokens->items = mem_grow(tokens->items, tokens->room, sizeof(*tokens->items));
	}
	tokens->items[tokens->count++] = token;
}

static void add_kind(struct tokens *tokens, enum pattern_token_kind kind)
{
	add(tokens, (struct pattern_token){ .kind = kind });
}

static void add_character(struct tokens *tokens, uint32_t character)
{
	add(tokens, (struct pattern_token){ .kind = TOKEN_CHAR, .character = character });
}

static void add_text(struct tokens *tokens, struct text text)
{
	const char *at = text.data, *end = at ? at + text.size : NULL;

	while (at < end)
		add_character(tokens, pattern_next_character(&at, end));
}

static void clear_tokens(struct tokens *tokens)
{
	free(tokens->items);
	*tokens = (struct tokens){ 0 };
}

static void clear_ranges(struct ranges *ranges)
{
	free(ranges->items);
}

#define AUTO_TOKENS __attribute__((cleanup(clear_tokens))) struct tokens
#define AUTO_RANGES __attribute__((cleanup(clear_ranges))) struct ranges

struct reader {
	const char *start, *at, *end;
	enum pattern_of of;
	struct tokens *tokens;
	struct ranges *ranges;
};

static bool take_escaped(struct reader *reader, uint32_t *out)
{
	if (*reader->at == '\\' && ++reader->at == reader->end)
		return false;
	*out = pattern_next_character(&reader->at, reader->end);
	return true;
}

/* [abc] [a-z] [!a-z] [^a-z] []a] */
static int read_class(struct reader *reader, struct error *err)
{
	struct pattern_token token = { .kind = TOKEN_CLASS, .first_range = reader->ranges->count };
	const char *open = reader->at++;
	bool is_first = true;

	if (reader->at < reader->end && (*reader->at == '!' || *reader->at == '^')) {
		token.is_negated = true;
		reader->at++;
	}
	for (; reader->at < reader->end && (is_first || *reader->at != ']'); is_first = false) {
		struct pattern_range range;
		const char *from = reader->at;

		if (!take_escaped(reader, &range.from))
			break;
		range.to = range.from;
		if (reader->end - reader->at >= 2 && reader->at[0] == '-' && reader->at[1] != ']') {
			reader->at++;
			if (!take_escaped(reader, &range.to))
				break;
		}
		if (range.to < range.from) {
			int size = reader->at - from;

			reader->at = from;
			return error_set(err, "the range '%.*s' runs backwards", size, from);
		}
		reader->ranges->items =
			mem_grow(reader->ranges->items, reader->ranges->count + 1, sizeof(range));
		reader->ranges->items[reader->ranges->count++] = range;
		token.range_count++;
	}
	if (reader->at >= reader->end) {
		reader->at = open;
		return error_set(err, "'[' without its ']'; '\\[' is a bracket itself");
	}
	reader->at++;
	add(reader->tokens, token);
	return 0;
}

/* Every token in order, braces and commas among them. */
static int read_tokens(struct reader *reader, struct error *err)
{
	const char *open[BRACE_DEPTH_MAX];
	unsigned depth = 0;

	while (reader->at < reader->end) {
		char c = *reader->at;
		uint32_t character;

		if (c == '/' && reader->of == PATTERN_OF_NAME)
			return error_set(err, "a name has no '/'; 'path' compares whole paths");
		if (c == '[') {
			if (read_class(reader, err) < 0)
				return -1;
			continue;
		}
		if (c == '{') {
			if (depth == BRACE_DEPTH_MAX)
				return error_set(err, "more than %d braces within each other",
						 BRACE_DEPTH_MAX);
			open[depth++] = reader->at;
			add_kind(reader->tokens, TOKEN_OPEN);
		} else if (c == ',' && depth) {
			add_kind(reader->tokens, TOKEN_COMMA);
		} else if (c == '}' && depth) {
			depth--;
			add_kind(reader->tokens, TOKEN_CLOSE);
		} else if (c == '*') {
			add_kind(reader->tokens, TOKEN_STAR);
		} else if (c == '?') {
			add_kind(reader->tokens, TOKEN_ONE);
		} else {
			const char *start = reader->at;

			if (!take_escaped(reader, &character)) {
				reader->at = start;
				return error_set(err, "a '\\' with nothing after it");
			}
			add_character(reader->tokens, character);
			continue;
		}
		reader->at++;
	}
	if (depth) {
		reader->at = open[depth - 1];
		return error_set(err, "'{' without its '}'; '\\{' is a brace itself");
	}
	return 0;
}

/* A run of stars is one wildcard; of paths, two or more cross slashes. */
static void merge_stars(struct tokens *tokens, enum pattern_of of)
{
	AUTO_TOKENS merged = { 0 };

	for (size_t i = 0; i < tokens->count; i++) {
		size_t stars = 0;

		while (i + stars < tokens->count && tokens->items[i + stars].kind == TOKEN_STAR)
			stars++;
		if (!stars) {
			add(&merged, tokens->items[i]);
			continue;
		}
		i += stars - 1;

		struct pattern_token *last = merged.count ? &merged.items[merged.count - 1] : NULL;
		bool begins = !last || last->kind == TOKEN_DIRS ||
			      (last->kind == TOKEN_CHAR && last->character == '/');
		bool slash_follows = i + 1 < tokens->count &&
				     tokens->items[i + 1].kind == TOKEN_CHAR &&
				     tokens->items[i + 1].character == '/';

		if (of == PATTERN_OF_TEXT)
			add_kind(&merged, TOKEN_DEEP);
		else if (stars == 1 || of == PATTERN_OF_NAME)
			add_kind(&merged, TOKEN_STAR);
		else if (!begins || !slash_follows)
			add_kind(&merged, TOKEN_DEEP);
		else if (!last || last->kind != TOKEN_DIRS)
			add_kind(&merged, TOKEN_DIRS), i++;
		else
			i++; /* two in a row are one */
	}

	struct tokens old = *tokens;

	*tokens = merged;
	merged = old;
}

static void fold_tokens(struct tokens *tokens)
{
	AUTO_TOKENS folded = { 0 };
	struct fold fold = { 0 };

	for (size_t i = 0; i < tokens->count;) {
		char *run = mem_new((tokens->count - i) * 4 + 1);
		size_t size = 0;

		for (; i < tokens->count && tokens->items[i].kind == TOKEN_CHAR; i++) {
			uint32_t c = tokens->items[i].character;

			if (c >= 0x110000)
				run[size++] = c - 0x110000;
			else
				size += utf8proc_encode_char(c, (utf8proc_uint8_t *)run + size);
		}
		add_text(&folded, fold_text(&fold, (struct text){ run, size }));
		free(run);
		if (i < tokens->count && tokens->items[i].kind != TOKEN_CHAR)
			add(&folded, tokens->items[i++]);
	}
	fold_clear(&fold);

	struct tokens old = *tokens;

	*tokens = folded;
	folded = old;
}

static struct pattern *finish(struct tokens *tokens, const struct ranges *ranges,
			      enum pattern_of of, bool fold)
{
	if (fold)
		fold_tokens(tokens);
	return pattern_of_tokens(tokens->items, tokens->count, ranges->items, ranges->count, of,
				 fold);
}

static void list_add(struct pattern_list *list, struct pattern *pattern)
{
	list->items = mem_grow(list->items, list->count + 1, sizeof(*list->items));
	list->items[list->count++] = pattern;
}

/* Braces: each choice is written down as the tokens of one plain pattern. */
struct expansion {
	struct tokens *items;
	size_t count;
	size_t token_count;
};

static void clear_expansion(struct expansion *expansion)
{
	for (size_t i = 0; i < expansion->count; i++)
		clear_tokens(&expansion->items[i]);
	free(expansion->items);
	*expansion = (struct expansion){ 0 };
}

#define AUTO_EXPANSION __attribute__((cleanup(clear_expansion))) struct expansion

/* Adds head followed by tail. */
static int expansion_add(struct expansion *expansion, const struct tokens *head,
			 const struct pattern_token *tail, size_t tail_count, struct error *err)
{
	struct tokens joined = { 0 };

	expansion->token_count += head->count + tail_count;
	if (expansion->count == PATTERN_COUNT_MAX || expansion->token_count > TOKENS_MAX)
		return error_set(err, "its braces stand for more than %d patterns",
				 PATTERN_COUNT_MAX);
	for (size_t i = 0; i < head->count; i++)
		add(&joined, head->items[i]);
	for (size_t i = 0; i < tail_count; i++)
		add(&joined, tail[i]);
	expansion->items =
		mem_grow(expansion->items, expansion->count + 1, sizeof(*expansion->items));
	expansion->items[expansion->count++] = joined;
	return 0;
}

/* From tokens[*at] to the comma, closing brace or end that ends this choice. */
static int expand(struct expansion *out, const struct tokens *tokens, size_t *at, bool is_in_braces,
		  struct error *err)
{
	AUTO_EXPANSION done = { 0 };

	if (expansion_add(&done, &(struct tokens){ 0 }, NULL, 0, err) < 0)
		return -1;
	while (*at < tokens->count) {
		const struct pattern_token *token = &tokens->items[*at];
		AUTO_EXPANSION choices = { 0 };
		AUTO_EXPANSION product = { 0 };

		if (is_in_braces && (token->kind == TOKEN_COMMA || token->kind == TOKEN_CLOSE))
			break;
		if (token->kind != TOKEN_OPEN) {
			for (size_t i = 0; i < done.count; i++)
				add(&done.items[i], *token);
			done.token_count += done.count;
			++*at;
			continue;
		}
		do {
			++*at;
			if (expand(&choices, tokens, at, true, err) < 0)
				return -1;
		} while (tokens->items[*at].kind == TOKEN_COMMA);
		++*at;
		for (size_t i = 0; i < done.count; i++)
			for (size_t j = 0; j < choices.count; j++)
				if (expansion_add(&product, &done.items[i], choices.items[j].items,
						  choices.items[j].count, err) < 0)
					return -1;

		struct expansion old = done;

		done = product;
		product = old;
	}
	for (size_t i = 0; i < done.count; i++)
		if (expansion_add(out, &done.items[i], NULL, 0, err) < 0)
			return -1;
	return 0;
}

/* What the evaluator would never find: a path begins with a slash and does not end with one. */
static int check_path(const struct tokens *tokens, struct error *err)
{
	const struct pattern_token *first = tokens->items, *last = first + tokens->count - 1;

	if (!tokens->count)
		return error_set(err, "an empty pattern");
	if (first->kind == TOKEN_CHAR ? first->character != '/'
				      : first->kind != TOKEN_DIRS && first->kind != TOKEN_DEEP)
		return error_set(err, "a path begins with '/'; expected something like /home/*.jpg "
				      "or **/*.jpg");
	if (tokens->count > 1 &&
	    ((last->kind == TOKEN_CHAR && last->character == '/') || last->kind == TOKEN_DIRS))
		return error_set(err, "a path does not end with '/'; '/**' is everything below");
	return 0;
}

int pattern_parse(struct pattern_list *list, struct text text, enum pattern_of of, bool fold,
		  size_t *at, struct error *err)
{
	AUTO_TOKENS tokens = { 0 };
	AUTO_RANGES ranges = { 0 };
	AUTO_EXPANSION plain = { 0 };
	struct reader reader = {
		text.data, text.data, text.data + text.size, of, &tokens, &ranges
	};
	size_t used = 0;

	*at = 0;
	if (text.size > PATTERN_SIZE_MAX)
		return error_set(err, "longer than %d bytes", PATTERN_SIZE_MAX);
	if (!text.size)
		return error_set(err, "an empty pattern");
	if (read_tokens(&reader, err) < 0) {
		*at = reader.at - reader.start;
		return -1;
	}
	if (expand(&plain, &tokens, &used, false, err) < 0)
		return -1;
	for (size_t i = 0; i < plain.count; i++) {
		merge_stars(&plain.items[i], of);
		if (of == PATTERN_OF_PATH && check_path(&plain.items[i], err) < 0)
			return -1;
	}
	for (size_t i = 0; i < plain.count; i++)
		list_add(list, finish(&plain.items[i], &ranges, of, fold));
	return 0;
}

void pattern_add_literal(struct pattern_list *list, struct text text, enum pattern_of of, bool fold)
{
	AUTO_TOKENS tokens = { 0 };

	add_text(&tokens, text);
	list_add(list, finish(&tokens, &(struct ranges){ 0 }, of, fold));
}

void pattern_add_extension(struct pattern_list *list, struct text extension, bool fold)
{
	AUTO_TOKENS tokens = { 0 };

	add_kind(&tokens, TOKEN_ONE);
	add_kind(&tokens, TOKEN_STAR);
	add_text(&tokens, extension);
	list_add(list, finish(&tokens, &(struct ranges){ 0 }, PATTERN_OF_NAME, fold));
}

void pattern_add_any_extension(struct pattern_list *list, bool fold)
{
	AUTO_TOKENS tokens = { 0 };
	struct pattern_range dot = { '.', '.' };

	add_kind(&tokens, TOKEN_ONE);
	add_kind(&tokens, TOKEN_STAR);
	add_character(&tokens, '.');
	add_kind(&tokens, TOKEN_STAR);
	add(&tokens,
	    (struct pattern_token){ .kind = TOKEN_CLASS, .range_count = 1, .is_negated = true });
	list_add(list, finish(&tokens, &(struct ranges){ &dot, 1 }, PATTERN_OF_NAME, fold));
}

struct pattern *tokens_to_name(const struct pattern *pattern, size_t first, bool with_star)
{
	AUTO_TOKENS tokens = { 0 };

	if (with_star)
		add_kind(&tokens, TOKEN_STAR);
	for (size_t i = first; i < pattern->token_count; i++)
		add(&tokens, pattern->tokens[i]);
	if (tokens.count == 1 && tokens.items[0].kind == TOKEN_STAR)
		return NULL;
	return pattern_of_tokens(tokens.items, tokens.count, pattern->ranges, pattern->range_count,
				 PATTERN_OF_NAME, pattern->is_folded);
}

struct pattern *pattern_of_place(struct text directory, bool is_direct, const struct pattern *name)
{
	AUTO_TOKENS tokens = { 0 };

	add_text(&tokens, directory);
	add_character(&tokens, '/');
	if (!is_direct)
		add_kind(&tokens, TOKEN_DIRS);
	if (!name)
		add_kind(&tokens, TOKEN_STAR);
	for (size_t i = 0; name && i < name->token_count; i++)
		add(&tokens, name->tokens[i]);
	return pattern_of_tokens(tokens.items, tokens.count, name ? name->ranges : NULL,
				 name ? name->range_count : 0, PATTERN_OF_PATH,
				 name && name->is_folded);
}

struct pattern *pattern_folded(const struct pattern *pattern)
{
	AUTO_TOKENS tokens = { 0 };

	for (size_t i = 0; i < pattern->token_count; i++)
		add(&tokens, pattern->tokens[i]);
	return finish(&tokens, &(struct ranges){ pattern->ranges, pattern->range_count },
		      pattern->of, true);
}
