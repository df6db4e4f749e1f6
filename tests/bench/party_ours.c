/* Our own evaluator: through the index, with and without decoding, and without the index. */
#include "party.h"

#include <stdio.h>

#include "event/decode.h"
#include "rule/rule_set.h"

struct ours {
	struct rule_set *set;
	struct rule_matcher *matcher;
	struct decoder *decoder;
	struct found *found;
};

static const char *const modules[] = { "log" };

static void check(void *ctx, const char *module, const struct node *options, struct place place,
		  struct problems *problems)
{
}

static size_t effects(void *ctx, const char *module, const char *options,
		      struct event_effect *effects, size_t max)
{
	return 0;
}

static int open_ours(void **out, const struct task *task, struct error *err)
{
	static const struct rule_modules with = { NULL, modules, check, effects };
	AUTO(problems_free) struct problems *problems = problems_new();
	struct rule_set *set = rule_set_load(task->rule_file, &with, problems);
	struct ours *ours;

	if (!set) {
		AUTO(free) char *why = problems_format(problems, false);

		return error_set(err, "%s", why);
	}
	ours = NEW(struct ours);
	ours->set = set;
	ours->matcher = rule_matcher_new(set);
	ours->decoder = decoder_new();
	*out = ours;
	return 0;
}

static bool note(void *ctx, const struct rule *rule)
{
	found_rule(ctx, rule->index);
	return true;
}

static void judge_by_index(void *self, const struct batch *batch, struct found *found)
{
	struct ours *ours = self;

	for (size_t i = 0; i < batch->count; i++, found->event++)
		rule_match(ours->matcher, batch->events[i], note, found);
}

const struct party party_index = { "index", open_ours, judge_by_index };

static bool judge_decoded(void *ctx, const struct event *event)
{
	struct ours *ours = ctx;

	rule_match(ours->matcher, event, note, ours->found);
	ours->found->event++;
	return true;
}

static bool only_count(void *ctx, const struct event *event)
{
	struct ours *ours = ctx;

	ours->found->event++;
	return true;
}

static void decode(struct ours *ours, const struct batch *batch, struct found *found,
		   decode_visit *visit)
{
	AUTO_ERROR err = { 0 };
	size_t count;

	ours->found = found;
	if (decode_message(ours->decoder, batch->message, TEXT("/"), visit, ours, &count, &err) <
		    0 ||
	    count != batch->count)
		abort(); /* it was decoded before */
}

static void judge_with_decoding(void *self, const struct batch *batch, struct found *found)
{
	decode(self, batch, found, judge_decoded);
}

const struct party party_decode_index = { "decode+index", open_ours, judge_with_decoding };

static int open_nothing(void **out, const struct task *task, struct error *err)
{
	struct ours *ours = NEW(struct ours);

	ours->decoder = decoder_new();
	*out = ours;
	return 0;
}

static void judge_nothing(void *self, const struct batch *batch, struct found *found)
{
	decode(self, batch, found, only_count);
}

const struct party party_decode = { "decode", open_nothing, judge_nothing };

static void judge_one_by_one(void *self, const struct batch *batch, struct found *found)
{
	struct ours *ours = self;
	struct subject subject;

	for (size_t i = 0; i < batch->count; i++, found->event++) {
		rule_matcher_start(ours->matcher, batch->events[i], &subject);
		for (size_t j = 0; j < ours->set->count; j++)
			if (condition_test(ours->set->rules[j]->when, &subject) == TRUTH_TRUE)
				found_rule(found, j);
	}
}

const struct party party_loop = { "loop", open_ours, judge_one_by_one };
