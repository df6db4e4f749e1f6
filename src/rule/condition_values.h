/* condition_values: the conditions that compare something, from their lists of values. */
#ifndef RULE_CONDITION_VALUES_H
#define RULE_CONDITION_VALUES_H

#include "rule/condition_parse.h"

enum condition_word {
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
	WORD_DEPTH,
	WORD_STREAM,
	WORD_WATCH,
	WORD_ORIGIN,
	WORD_TIME,
	WORD_TYPE,
	WORD_SIZE,
	WORD_OWNER,
	WORD_GROUP,
	WORD_MODE,
	WORD_AGE,
	WORD_MODIFIED,
	WORD_LINKS,
	WORD_TAG,
	WORD_OLD_DIRECTORY,
	WORD_OLD_PATH,
	WORD_OLD_NAME,
	WORD_OLD_EXTENSION,
};

extern const char *const condition_words[]; /* by enum condition_word, ended by NULL */
extern const char *const condition_helps[]; /* likewise: when it is true */

/* An empty condition of the set. */
struct condition *condition_start(struct condition_parser *parser, enum condition_word word,
				  enum condition_kind kind, bool ignore_case, struct place place);
/* One with values; NULL if something is wrong. */
const struct condition *condition_parse_values(struct condition_parser *parser,
					       enum condition_word word, const struct node *node,
					       bool ignore_case);

/* Quiet when a named condition is built once more, whose mistakes are told. */
#define CONDITION_TELL(parser, ...)                                      \
	do {                                                             \
		if ((parser)->problems)                                  \
			problems_error((parser)->problems, __VA_ARGS__); \
	} while (0)

#endif
