/* reference: what a rule file may say, for the manual, out of the tables that parse it. */
#ifndef RULE_REFERENCE_H
#define RULE_REFERENCE_H

#include "base/base.h"

enum reference_part {
	REFERENCE_FILE,       /* keys at the top */
	REFERENCE_RULE,       /* keys of a rule */
	REFERENCE_CONDITIONS, /* about the event */
	REFERENCE_FACTS,      /* about the file, as the cluster knows it */
};

struct reference_row {
	const char *name;
	const char *help;
	const char *missing; /* what holds if it is not there; NULL: nothing to say */
};

void reference_visit(enum reference_part part,
		     void (*visit)(void *ctx, const struct reference_row *row), void *ctx);

#endif
