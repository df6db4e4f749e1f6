/* step_options: what a step of a rule may say beside its module. For rule/ only. */
#ifndef RULE_STEP_OPTIONS_H
#define RULE_STEP_OPTIONS_H

#include "config/node.h"
#include "rule/rule.h"

struct step_options {
	bool dry_run;
	int64_t attempts; /* 0: not said, as the two after it */
	int64_t back_off_ms;
	int64_t concurrency;
	int approve;                 /* 1: by hand */
	int64_t approve_ms;          /* how long it waits for that; 0: it need not be approved */
	const struct node *on_error; /* NULL: not said */
};

/* Whether a key of a step is one of these, and no module. */
bool step_options_have(struct text key);
void step_options_read(struct step_options *out, const struct node *step,
		       struct problems *problems);
/* The nearest to what was written, for "did you mean"; NULL: none. */
const char *step_options_nearest(struct text written);
/* What on_error says, if it is one word for it: answers whether it is, else there are steps. */
bool step_options_on_error(const struct node *on_error, enum step_on_error *out);

#endif
