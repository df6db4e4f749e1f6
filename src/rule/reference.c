#include "rule/reference.h"

#include "rule/condition_values.h"
#include "rule/rule_parse.h"

static bool is_of_file(int word)
{
	return word >= WORD_TYPE && word < WORD_OLD_DIRECTORY;
}

static void visit_conditions(bool of_file,
			     void (*visit)(void *ctx, const struct reference_row *row), void *ctx)
{
	for (int word = 0; condition_words[word]; word++) {
		const struct reference_row row = { condition_words[word], condition_helps[word],
						   NULL };

		if (is_of_file(word) == of_file)
			visit(ctx, &row);
	}
}

void reference_visit(enum reference_part part,
		     void (*visit)(void *ctx, const struct reference_row *row), void *ctx)
{
	const struct reference_row *rows = part == REFERENCE_FILE ? rule_file_keys : rule_keys;

	if (part == REFERENCE_CONDITIONS || part == REFERENCE_FACTS) {
		visit_conditions(part == REFERENCE_FACTS, visit, ctx);
		return;
	}
	for (; rows->name; rows++)
		visit(ctx, rows);
}
