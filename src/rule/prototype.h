/* prototype: the two lists PATHS and EXTENSIONS of the earlier prototype's file. For rule/ only. */
#ifndef RULE_PROTOTYPE_H
#define RULE_PROTOTYPE_H

#include "rule/condition_parse.h"

/*
 * Reads them as the rule that says the same: file added, below one of PATHS (with or without the
 * slash in front), with one of EXTENSIONS; written to the log. Either may be NULL.
 */
void prototype_read(struct condition_parser *parser, const struct node *paths,
		    const struct node *extensions);

#endif
