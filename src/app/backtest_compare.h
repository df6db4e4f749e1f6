/*
 * backtest_compare: which files only one of two sets of rules would act on, rule by rule. Rules of
 * the same name are the same. Exact up to half a million pairs of rule and file; further ones are
 * not compared.
 */
#ifndef APP_BACKTEST_COMPARE_H
#define APP_BACKTEST_COMPARE_H

#include "app/backtest.h"

struct compared;

struct compared *compared_new(void);
void compared_free(struct compared *compared);
AUTO_DEFINE(struct compared *, compared_free)

/* A side's rule has a job for a file, and changes it. */
void compared_add(struct compared *compared, enum backtest_which which, const char *rule,
		  struct text path, uint64_t file, bool changes);
bool compared_is_cut(const struct compared *compared);

/* One rule's files that only one side acts on. */
struct compared_rule {
	const char *name;
	uint64_t only[SIDE_COUNT];
	const char **examples[SIDE_COUNT]; /* paths */
	size_t example_count[SIDE_COUNT];
};
/* Borrowed until compared_free; NULL: the rule has no such files. Asks for the first time, nothing
 * may be added after it. */
const struct compared_rule *compared_find(struct compared *compared, const char *rule,
					  size_t examples);
/* Files that only one side changes, by whatever rule. */
const struct compared_rule *compared_all(struct compared *compared, size_t examples);

#endif
