/*
 * scan: many words over one text at once (vectorscan): which of them are in it.
 *
 * Words only. Of regular expressions, vectorscan 5.4.9 (Debian 12) misses some in some places of a
 * text: docs/decisions/0010 has the story. What it says here leads to candidates, and to nothing
 * else.
 */
#ifndef RULE_SCAN_H
#define RULE_SCAN_H

#include "base/error.h"
#include "base/text.h"

#define SCAN_NONE UINT32_MAX

struct scan; /* immutable once compiled */

struct scan *scan_new(void);
void scan_free(struct scan *scan);
AUTO_DEFINE(struct scan *, scan_free)

/* Whether vectorscan takes a regular expression. -1: no; at is the byte to blame, or -1. */
MUST_CHECK int scan_check(const char *expression, bool ignore_case, int *at, struct error *err);
/* A word of at least two bytes, as it is or in any case of its ASCII letters; answers its id. */
uint32_t scan_add(struct scan *scan, const char *word, bool ignore_case);
MUST_CHECK int scan_compile(struct scan *scan, struct error *err);

/* Memory for scanning, one per thread; remembers what the text at hand has. */
struct scanner;
struct scanner *scanner_new(const struct scan *scan);
void scanner_free(struct scanner *scanner);
/* Another text, borrowed until the next one. Nothing is scanned before somebody asks. */
void scanner_start(struct scanner *scanner, struct text text);
/* The ids of the words found, each once, in no order. */
const uint32_t *scanner_all(struct scanner *scanner, size_t *out_count);

#endif
