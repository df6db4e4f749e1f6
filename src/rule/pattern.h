/*
 * pattern: globs. `*` stands for any characters within a component, `?` for one, `[a-z]` and
 * `[!a-z]` for one of a set, `{a,b}` for either, `**` for anything including slashes; `/ ** /`
 * (without the spaces) is also a single slash. A backslash takes the next character as it is.
 * Nothing is special about a leading dot.
 *
 * Braces are expanded when a glob is parsed: one glob becomes a list of plain patterns.
 */
#ifndef RULE_PATTERN_H
#define RULE_PATTERN_H

#include "base/arena.h"
#include "base/error.h"
#include "base/text.h"

#define PATTERN_SIZE_MAX 4096 /* bytes of a glob */
#define PATTERN_COUNT_MAX 256 /* patterns that its braces expand to */

enum pattern_of {
	PATTERN_OF_PATH,
	PATTERN_OF_NAME,
	PATTERN_OF_TEXT, /* a slash is a character like others: a star takes it */
};

enum pattern_token_kind {
	TOKEN_CHAR,  /* this character */
	TOKEN_ONE,   /* any but the slash */
	TOKEN_CLASS, /* one of a set, never the slash */
	TOKEN_STAR,  /* any number of anything but slashes */
	TOKEN_DEEP,  /* anything */
	TOKEN_DIRS,  /* nothing, or anything that ends with a slash */
	/* While parsing only: */
	TOKEN_OPEN,
	TOKEN_COMMA,
	TOKEN_CLOSE,
};

struct pattern_token {
	enum pattern_token_kind kind : 8;
	unsigned is_negated : 8;
	unsigned range_count : 16; /* a glob is not that long */
	union {
		uint32_t character;
		uint32_t first_range; /* TOKEN_CLASS: in the pattern's ranges */
	};
};

struct pattern_range {
	uint32_t from, to;
};

struct pattern {
	/* What is asked first stands first. */
	bool is_literal;        /* head is all of it */
	bool is_head_star_tail; /* nothing but one TOKEN_STAR between head and tail */
	bool is_folded;         /* compares with folded text only */
	bool is_packed;         /* it, head and tail are an arena's */
	enum pattern_of of;
	struct text head; /* the literal bytes before the first wildcard */
	struct text tail; /* and after the last one */
	struct pattern_token *tokens;
	size_t token_count;
	struct pattern_range *ranges;
	size_t range_count;
	/* Of a pattern of paths: what follows for the paths that it matches. */
	struct text directory; /* they lie below it; empty: anywhere */
	bool is_direct;        /* they lie directly in it */
	struct pattern *name;  /* what their last component matches; NULL: anything */
};

struct pattern_list {
	struct pattern **items;
	size_t count;
};

/* Appends to list. -1: at says which byte of text is to blame. */
MUST_CHECK int pattern_parse(struct pattern_list *list, struct text text, enum pattern_of of,
			     bool fold, size_t *at, struct error *err);
/* Exactly this path or name, whatever characters it has. */
void pattern_add_literal(struct pattern_list *list, struct text text, enum pattern_of of,
			 bool fold);
/* Names with something before this ending (".jpg", ".tar.gz"). */
void pattern_add_extension(struct pattern_list *list, struct text extension, bool fold);
/* Names that have any extension, as path_extension() sees it. */
void pattern_add_any_extension(struct pattern_list *list, bool fold);
void pattern_list_clear(struct pattern_list *list);

/* directory + "/" + name, or with any number of directories between them. name NULL: any. */
struct pattern *pattern_of_place(struct text directory, bool is_direct, const struct pattern *name);
struct pattern *pattern_folded(const struct pattern *pattern); /* a folded copy */
void pattern_free(struct pattern *pattern);
AUTO_DEFINE(struct pattern *, pattern_free)
/* Moves it into the arena, which must outlive it. It is still to be freed. */
struct pattern *pattern_pack(struct arena *arena, struct pattern *pattern);

/* text must be folded if the pattern is. */
bool pattern_match(const struct pattern *pattern, struct text text);
/* The longest piece of at least two characters that all it matches has in it; NULL if there is
 * none. For free(). */
char *pattern_word(const struct pattern *pattern);

enum pattern_relation {
	PATTERNS_DISJOINT, /* no text matches both */
	PATTERNS_OVERLAP,  /* some text may match both, some may match only the first */
	PATTERN_WITHIN,    /* all that matches the first matches the second */
};
/* Both folded or neither. What is too intricate to tell overlaps. */
enum pattern_relation pattern_relate(const struct pattern *first, const struct pattern *second);

/* One character of valid UTF-8, moved past; a stray byte becomes 0x110000 plus its value. */
uint32_t pattern_next_character(const char **at, const char *end);
bool pattern_token_takes(const struct pattern *pattern, const struct pattern_token *token,
			 uint32_t character);

#endif
