/*
 * Rules and events that the fuzzer's bytes decide about: through the index, the rules answer what
 * they answer one after the other.
 */
#include <stdio.h>

#include "index_check.h"

#define RULES_MAX 24
#define EVENTS 16

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
const char *__lsan_default_suppressions(void);

/* libfyaml 0.7.12 loses a buffer when quoted text ends in a syntax error; nobody can free it. */
const char *__lsan_default_suppressions(void)
{
	return "leak:libfyaml";
}

static void fail(const struct random_rules *rules, const struct random_event *event,
		 const char *told)
{
	AUTO(free) char *culprits = index_culprits(rules, event);

	fprintf(stderr, "%s\n%s\n", told, culprits);
	abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct chance chance = chance_of_bytes((struct text){ (const char *)data, size });
	struct index_counts counts = { 0 };
	struct random_rules rules;
	struct random_event event;

	random_rules_init(&rules, &chance, 1 + chance_pick(&chance, RULES_MAX));
	random_event_init(&event);

	AUTO(rule_set_free) struct rule_set *set = index_check_set(&rules, NULL);
	AUTO(free) char *disorder = index_disorder(&rules, set);
	struct rule_matcher *matcher = rule_matcher_new(set);

	if (disorder) {
		fprintf(stderr, "%s\n", disorder);
		abort();
	}
	/* Once the bytes have ended, all events are the same. */
	for (unsigned i = 0; i < EVENTS && (i == 0 || chance.bytes.size); i++) {
		random_event_draw(&event, &rules, &chance);

		AUTO(free) char *told = index_difference(set, matcher, &event, &counts);

		if (told)
			fail(&rules, &event, told);
	}
	rule_matcher_free(matcher);
	random_event_clear(&event);
	random_rules_clear(&rules);
	return 0;
}
