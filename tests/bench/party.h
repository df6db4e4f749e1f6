/*
 * party: who judges events by rules in the bench of rules: our own evaluator with and without its
 * index, and what people would otherwise take. All get the same events and the same rules: ours as
 * the rule file, the others as patterns that mean the same for these events.
 */
#ifndef BENCH_PARTY_H
#define BENCH_PARTY_H

#include "base/error.h"
#include "base/text.h"
#include "event/event.h"

/* A pattern of a rule. An event is of the rule's kinds, has one of its wanted patterns, and none of
 * the others. */
struct form {
	bool is_wanted;
	bool is_of_name; /* the glob is for the last component; the regex is always for the path */
	const char *glob, *regex;
};

struct form_rule {
	event_kinds kinds;
	struct form *forms;
	size_t count;
};

struct task {
	const char *rule_file;
	struct form_rule *rules;
	size_t count;
};

/* A message as the cluster sent it, and what it decodes to. */
struct batch {
	struct text message;
	struct event **events;
	size_t count;
};

/* What was true for what, so that two parties can be compared. */
struct found {
	uint64_t event; /* its number */
	uint64_t count, hash;
};

static inline void found_rule(struct found *found, uint64_t rule)
{
	found->count++;
	found->hash += (found->event + 1) * (rule + 1) * 1000003;
}

struct party {
	const char *name;
	/* -1: it cannot, and err says why. */
	int (*open)(void **out, const struct task *task, struct error *err);
	/* Every event of the batch; counts found->event up. */
	void (*judge)(void *self, const struct batch *batch, struct found *found);
};

extern const struct party party_index, party_decode_index, party_decode, party_loop;
extern const struct party party_fnmatch, party_vectorscan, party_re2;

#endif
