/*
 * The index never changes an answer: random rules and random events, judged through the index and
 * by a plain loop over all rules.
 *
 * CN_FULL=1: a million pairs of rule set and event. CN_SEED=n: begins with that set; what fails
 * says which one it was.
 */
#include "check.h"

#include <stdio.h>

#include "index_check.h"

#define PAIRS_FULL 1000000
#define PAIRS 10000
#define EVENTS_EACH 250
#define FIRST_SEED 20261126

/* Mostly as many as people have in a file, at times as many as makes the index grow. */
static size_t rule_count(struct chance *chance)
{
	return chance_hits(chance, 50) ? 400 : 1 + chance_pick(chance, 40);
}

static void judge(uint64_t seed, struct index_counts *counts)
{
	struct chance chance = chance_of_seed(seed);
	struct random_event event;
	struct random_rules rules;

	random_rules_init(&rules, &chance, rule_count(&chance));
	random_event_init(&event);

	AUTO(rule_set_free) struct rule_set *set = index_check_set(&rules, NULL);
	AUTO(free) char *disorder = index_disorder(&rules, set);
	struct rule_matcher *matcher = rule_matcher_new(set);

	if (disorder)
		fail_msg("CN_SEED=%llu: %s", (unsigned long long)seed, disorder);
	for (unsigned i = 0; i < EVENTS_EACH; i++) {
		random_event_draw(&event, &rules, &chance);

		AUTO(free) char *told = index_difference(set, matcher, &event, counts);

		if (told) {
			AUTO(free) char *culprits = index_culprits(&rules, &event);

			fail_msg("CN_SEED=%llu, event %u: %s\n%s", (unsigned long long)seed, i,
				 told, culprits);
		}
	}
	rule_matcher_free(matcher);
	random_event_clear(&event);
	random_rules_clear(&rules);
}

static void the_index_never_changes_an_answer(void **state)
{
	const char *wanted = getenv("CN_SEED");
	uint64_t seed = wanted ? strtoull(wanted, NULL, 10) : FIRST_SEED;
	size_t pairs = getenv("CN_FULL") ? PAIRS_FULL : PAIRS;
	struct index_counts counts = { 0 };

	print_message("CN_SEED=%llu\n", (unsigned long long)seed);
	while (counts.events < pairs)
		judge(seed++, &counts);
	print_message(
		"%zu events, of which %zu matched, %zu were undecided, %zu stopped the others; "
		"of %zu rules %zu were candidates\n",
		counts.events, counts.matching, counts.undecided, counts.stopped, counts.asked,
		counts.candidates);
	/* It would prove little if there were little to find, or if all rules were candidates. */
	assert_true(counts.matching > counts.events / 2);
	assert_true(counts.undecided > counts.events / 4);
	assert_true(counts.stopped > counts.events / 20);
	assert_true(counts.candidates < counts.asked / 2);
}

static void a_rule_that_the_index_does_not_know_is_found_out(void **state)
{
	struct chance chance = chance_of_seed(1);
	struct index_counts counts = { 0 };
	struct random_rules rules;
	struct random_event event;
	unsigned found_out = 0;

	random_rules_init(&rules, &chance, 20);
	random_event_init(&event);

	AUTO(rule_set_free) struct rule_set *set = index_check_set(&rules, NULL);
	struct rule_matcher *matcher = rule_matcher_new(set);

	/* Each rule has another's conditions, and is filed under its own. */
	for (size_t i = 0; i + 1 < set->count; i++)
		set->rules[i]->when = set->rules[i + 1]->when;
	for (unsigned i = 0; i < 200; i++) {
		random_event_draw(&event, &rules, &chance);

		AUTO(free) char *told = index_difference(set, matcher, &event, &counts);

		found_out += told != NULL;
	}
	assert_true(found_out > 0);
	rule_matcher_free(matcher);
	random_event_clear(&event);
	random_rules_clear(&rules);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_index_never_changes_an_answer),
		cmocka_unit_test(a_rule_that_the_index_does_not_know_is_found_out),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
