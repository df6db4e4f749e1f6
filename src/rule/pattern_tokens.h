/* pattern_tokens: from a glob's text to the tokens of plain patterns. For pattern*.c only. */
#ifndef RULE_PATTERN_TOKENS_H
#define RULE_PATTERN_TOKENS_H

#include "rule/pattern.h"

struct pattern *pattern_of_tokens(const struct pattern_token *tokens, size_t count,
				  const struct pattern_range *ranges, size_t range_count,
				  enum pattern_of of, bool is_folded);
/* The tokens from first on as a pattern of names, a star in front if asked; NULL: any name. */
struct pattern *tokens_to_name(const struct pattern *pattern, size_t first, bool with_star);

#endif
