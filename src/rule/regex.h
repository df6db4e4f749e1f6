/*
 * regex: one regular expression (PCRE2). Texts are valid UTF-8; `.` matches a newline too, and
 * nothing is anchored that does not say so.
 *
 * What vectorscan does not take is refused: so an expression never needs going back, and a match
 * takes a time that its text bounds.
 */
#ifndef RULE_REGEX_H
#define RULE_REGEX_H

#include "base/error.h"
#include "base/text.h"
#include "rule/rule.h"

struct regex; /* immutable: several threads may use one */

/* -1: at is the byte to blame, or -1. */
MUST_CHECK int regex_new(struct regex **out, const char *expression, bool ignore_case, int *at,
			 struct error *err);
void regex_free(struct regex *regex);

/* Memory for matching, one per thread. */
struct regex_memory;
struct regex_memory *regex_memory_new(void);
void regex_memory_free(struct regex_memory *memory);

/* Whether it is found somewhere in text. Unknown: that would take more than anybody may ask for. */
enum truth regex_test(const struct regex *regex, struct regex_memory *memory, struct text text);

/* A piece of at least two bytes that every text has which the expression is found in (with
 * ignore_case: but for the case of ASCII letters); NULL if none is seen at once. For free(). */
char *regex_word(const char *expression, bool ignore_case);

#endif
