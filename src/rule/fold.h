/*
 * fold: text as ignore_case compares it: every letter in its folded case (full Unicode folding: ß
 * is ss) and composed (NFC), so that a name typed on a Mac equals the one typed on Windows.
 */
#ifndef RULE_FOLD_H
#define RULE_FOLD_H

#include "base/text.h"

/* Memory that is used again and again; zeroed at first. */
struct fold {
	char *data;
	size_t room;
};

/* Valid until the next call with the same memory. What is not UTF-8 only loses its A to Z. */
struct text fold_text(struct fold *fold, struct text text);
void fold_clear(struct fold *fold);

#endif
