/* The patterns themselves: made from tokens, matched, and what they have in them. */
#include "rule/pattern.h"

#include <utf8proc.h>

#include "base/buf.h"
#include "rule/fold.h"
#include "rule/pattern_tokens.h"

uint32_t pattern_next_character(const char **at, const char *end)
{
	unsigned char lead = **at;
	utf8proc_int32_t character;
	utf8proc_ssize_t used;

	if (lead < 0x80) {
		++*at;
		return lead;
	}
	used = utf8proc_iterate((const utf8proc_uint8_t *)*at, end - *at, &character);
	if (used <= 0) {
		++*at;
		return 0x110000 + lead;
	}
	*at += used;
	return character;
}

static void append_character(struct buf *buf, uint32_t character)
{
	utf8proc_uint8_t bytes[4];
	utf8proc_ssize_t size = 1;

	if (character >= 0x110000)
		bytes[0] = character - 0x110000;
	else
		size = utf8proc_encode_char(character, bytes);
	if (!buf_append(buf, bytes, size))
		abort(); /* these buffers have no ceiling */
}

static bool in_ranges(const struct pattern *pattern, const struct pattern_token *token,
		      uint32_t character)
{
	const struct pattern_range *range = pattern->ranges + token->first_range;

	for (uint32_t i = 0; i < token->range_count; i++, range++)
		if (character >= range->from && character <= range->to)
			return true;
	return false;
}

bool pattern_token_takes(const struct pattern *pattern, const struct pattern_token *token,
			 uint32_t character)
{
	bool found;

	if (token->kind == TOKEN_CHAR)
		return character == token->character;
	if (character == '/')
		return false;
	if (token->kind == TOKEN_ONE)
		return true;
	found = in_ranges(pattern, token, character);
	/* Folded text came from this character or from one that folds to it. */
	if (!found && pattern->is_folded && character < 0x110000)
		found = in_ranges(pattern, token, utf8proc_toupper(character)) ||
			in_ranges(pattern, token, utf8proc_totitle(character));
	return found != token->is_negated;
}

/*
 * Two places to return to are enough. Whatever a star could still take lies in its component, and
 * the one before it cannot do better; and from the place that a ** is reached first at, it can get
 * to every later one.
 */
static bool match_tokens(const struct pattern *pattern, struct text text)
{
	const struct pattern_token *tokens = pattern->tokens;
	const char *at = text.data, *end = text.data + text.size;
	const char *star_at = NULL, *deep_at = NULL, *after;
	size_t next = 0, star_next = 0, deep_next = 0;

	for (;;) {
		if (next == pattern->token_count) {
			if (at == end)
				return true;
		} else if (tokens[next].kind == TOKEN_STAR) {
			star_at = at;
			star_next = ++next;
			continue;
		} else if (tokens[next].kind == TOKEN_DEEP || tokens[next].kind == TOKEN_DIRS) {
			star_at = NULL;
			deep_at = at;
			deep_next = ++next;
			continue;
		} else if (at < end) {
			after = at;
			if (pattern_token_takes(pattern, &tokens[next],
						pattern_next_character(&after, end))) {
				at = after;
				next++;
				continue;
			}
		}
		if (star_at && star_at < end && *star_at != '/') {
			pattern_next_character(&star_at, end);
			at = star_at;
			next = star_next;
			continue;
		}
		if (!deep_at || deep_at == end)
			return false;
		star_at = NULL;
		if (tokens[deep_next - 1].kind == TOKEN_DEEP) {
			pattern_next_character(&deep_at, end);
		} else {
			deep_at = memchr(deep_at, '/', end - deep_at);
			if (!deep_at)
				return false;
			deep_at++;
		}
		at = deep_at;
		next = deep_next;
	}
}

bool pattern_match(const struct pattern *pattern, struct text text)
{
	if (pattern->is_literal)
		return text_equal(text, pattern->head);
	if (text.size < pattern->head.size + pattern->tail.size ||
	    !text_starts_with(text, pattern->head) || !text_ends_with(text, pattern->tail))
		return false;
	if (pattern->is_head_star_tail && pattern->of == PATTERN_OF_NAME)
		return true; /* a name has no slash that the star could not take */
	return text.size ? match_tokens(pattern, text) : match_tokens(pattern, TEXT(""));
}

/* The bytes of the literal tokens from first on, up to the first wildcard or the end. */
static struct text literal(const struct pattern *pattern, size_t first, size_t end)
{
	AUTO(buf_free) struct buf *buf = buf_new(SIZE_MAX);

	for (size_t i = first; i < end; i++)
		append_character(buf, pattern->tokens[i].character);

	size_t size = buf->size;

	return (struct text){ size ? buf_take(buf) : str_copy(""), size };
}

/* What its literal components say about where the paths lie that it matches. */
static void find_directory(struct pattern *pattern)
{
	struct text head = pattern->head;
	const char *slash = head.size ? memrchr(head.data, '/', head.size) : NULL;
	const struct pattern_token *tokens = pattern->tokens;
	size_t name = 0, slashes = 0, slashes_of_head = 0;
	bool has_deep = false;

	for (size_t i = 0; i < head.size; i++)
		slashes_of_head += head.data[i] == '/';
	for (size_t i = 0; i < pattern->token_count; i++) {
		if (tokens[i].kind == TOKEN_CHAR && tokens[i].character == '/') {
			slashes++;
			name = i + 1;
		} else if (tokens[i].kind == TOKEN_DEEP || tokens[i].kind == TOKEN_DIRS) {
			has_deep = true;
			name = i + 1;
		}
	}
	if (slash && slash > head.data)
		pattern->directory = (struct text){ head.data, slash - head.data };
	pattern->is_direct = pattern->directory.size && !has_deep && slashes == slashes_of_head;
	pattern->name =
		tokens_to_name(pattern, name, name > 0 && tokens[name - 1].kind == TOKEN_DEEP);
}

struct pattern *pattern_of_tokens(const struct pattern_token *tokens, size_t count,
				  const struct pattern_range *ranges, size_t range_count,
				  enum pattern_of of, bool is_folded)
{
	struct pattern *pattern = NEW(struct pattern);
	size_t head = 0, tail = count;

	pattern->of = of;
	pattern->is_folded = is_folded;
	pattern->tokens = mem_copy(tokens, count * sizeof(*tokens));
	pattern->token_count = count;
	pattern->ranges = mem_copy(ranges, range_count * sizeof(*ranges));
	pattern->range_count = range_count;
	while (head < count && tokens[head].kind == TOKEN_CHAR)
		head++;
	while (tail > head && tokens[tail - 1].kind == TOKEN_CHAR)
		tail--;
	pattern->is_literal = head == count;
	pattern->is_head_star_tail = tail == head + 1 && tokens[head].kind == TOKEN_STAR;
	pattern->head = literal(pattern, 0, head);
	pattern->tail = literal(pattern, tail, count);
	if (of == PATTERN_OF_PATH)
		find_directory(pattern);
	return pattern;
}

void pattern_free(struct pattern *pattern)
{
	if (!pattern)
		return;
	pattern_free(pattern->name);
	free(pattern->ranges);
	free(pattern->tokens);
	if (pattern->is_packed)
		return;
	free((char *)pattern->head.data);
	free((char *)pattern->tail.data);
	free(pattern);
}

struct pattern *pattern_pack(struct arena *arena, struct pattern *pattern)
{
	struct pattern *packed = arena_take(arena, sizeof(*packed));

	*packed = *pattern;
	packed->is_packed = true;
	packed->head = arena_move_text(arena, pattern->head);
	packed->tail = arena_move_text(arena, pattern->tail);
	if (pattern->directory.size) /* the beginning of head: see find_directory() */
		packed->directory.data = packed->head.data;
	free(pattern);
	return packed;
}

void pattern_list_clear(struct pattern_list *list)
{
	for (size_t i = 0; i < list->count; i++)
		pattern_free(list->items[i]);
	free(list->items);
	*list = (struct pattern_list){ 0 };
}

/* The longest run of characters that stand for themselves: where it begins; how long it is. */
static size_t longest_literal(const struct pattern *pattern, size_t *out_count)
{
	size_t best = 0, best_count = 0, count = 0;

	for (size_t i = 0; i < pattern->token_count; i++) {
		count = pattern->tokens[i].kind == TOKEN_CHAR ? count + 1 : 0;
		if (count > best_count) {
			best_count = count;
			best = i + 1 - count;
		}
	}
	*out_count = best_count;
	return best;
}

char *pattern_word(const struct pattern *pattern)
{
	size_t count, first = longest_literal(pattern, &count);

	return count >= 2 ? (char *)literal(pattern, first, first + count).data : NULL;
}
