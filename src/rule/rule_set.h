/* rule_set: what a set is made of. For the files of rule/ only. */
#ifndef RULE_RULE_SET_H
#define RULE_RULE_SET_H

#include <stdatomic.h>
#include <uthash.h>

#include "rule/alarm.h"
#include "rule/condition.h"
#include "rule/rule_index.h"

struct set_rule {
	struct rule rule;
	const struct condition *when; /* NULL only while parsing, after an error */
	struct place when_place;
	bool ignores_case;
	struct accept *accept; /* NULL: it accepts no warning */
	UT_hash_handle by_name;
};

struct set_alarm {
	struct set_rule rule;
	struct rule_alarm alarm;
};

struct rule_set {
	atomic_uint owners;
	char **files; /* all places of the set point here; the first is where reading began */
	size_t file_count;
	struct accept **accepts; /* by file; NULL: it accepts no warning */
	size_t last_file;        /* the one found last */
	struct rule_test *tests;
	size_t test_count;
	char digest[65];
	struct set_rule **rules; /* in the order in which they are asked */
	size_t count, room;
	struct set_rule *by_name;
	struct set_alarm **alarms;
	size_t alarm_count;
	struct condition_pool pool;
	struct scan *scans[2];          /* over paths, over folded paths */
	const struct condition **whens; /* by rule: .when, side by side */
	struct rule_index *index;
	bool needs_folding; /* some rule ignores case */
	const char **names; /* of owners and groups, each once in any case; the conditions' */
	size_t name_count;
};

static inline const struct set_rule *set_rule_of(const struct rule *rule)
{
	return CONTAINER_OF(rule, struct set_rule, rule);
}

/* A rule without conditions and steps; name is copied. */
struct set_rule *rule_set_add(struct rule_set *set, struct text name, struct place place);
/* Copies; options_json is taken over. */
/* Answers the step; until the next one is added. */
struct rule_step *set_rule_add_step(struct set_rule *rule, const char *module, struct text name,
				    char *options_json, struct place place);
void set_rule_clear(struct set_rule *rule);
const struct rule_set *rule_matcher_set(const struct rule_matcher *matcher);
/* The event as conditions see it, until the matcher's next one. */
void rule_matcher_start(struct rule_matcher *matcher, const struct event *event,
			struct subject *subject);
/* The rules that the index finds worth evaluating for the subject just started. */
const struct rule_candidates *rule_matcher_candidates(struct rule_matcher *matcher,
						      const struct subject *subject);
struct place rule_set_place(struct rule_set *set, struct place place);

#endif
