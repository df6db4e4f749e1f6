/*
 * scan: many regular expressions over one text at once (vectorscan). Texts are valid UTF-8; `.`
 * matches a newline too, and nothing is anchored that does not say so.
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

/* -1: it is no expression that vectorscan takes; at: the byte to blame, or -1. */
MUST_CHECK int scan_check(const char *expression, bool ignore_case, int *at, struct error *err);
uint32_t scan_add(struct scan *scan, const char *expression, bool ignore_case);
/* -1: bad is the expression to blame, or SCAN_NONE for all of them together. */
MUST_CHECK int scan_compile(struct scan *scan, uint32_t *bad, struct error *err);
void scan_drop(struct scan *scan, uint32_t id); /* leaves it out of the next scan_compile */
bool scan_has(const struct scan *scan, uint32_t id);

/* Memory for scanning, one per thread; remembers what the text at hand matched. */
struct scanner;
struct scanner *scanner_new(const struct scan *scan);
void scanner_free(struct scanner *scanner);
/* Another text, borrowed until the next one. Nothing is scanned before somebody asks. */
void scanner_start(struct scanner *scanner, struct text text);
bool scanner_found(struct scanner *scanner, uint32_t id);
/* The ids found, each once, in no order. */
const uint32_t *scanner_all(struct scanner *scanner, size_t *out_count);

#endif
