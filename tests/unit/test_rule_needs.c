#include "check.h"

#include "index_check.h"
#include "rule_fixture.h"

#define SETS 4000
#define EVENTS_EACH 25
#define PLACES                                                                           \
	"child_dir_added child_dir_moved_from child_dir_moved_to child_dir_removed "     \
	"child_file_added child_file_moved_from child_file_moved_to child_file_removed " \
	"self_removed"

/* The names, sorted; "any". For free(). */
static char *needs_of(const char *rules)
{
	AUTO(problems_free) struct problems *problems = problems_new();
	AUTO(rule_set_free)
	struct rule_set *set = rule_set_parse("t.yml", text_of(rules), &fixture, problems);
	event_kinds needs;
	char *names = str_copy("");

	if (!set) {
		AUTO(free) char *why = problems_format(problems, false);

		fail_msg("%s", why);
	}
	needs = rule_set_needs(set, &fixture);
	if (needs == EVENT_ANY) {
		free(names);
		return str_copy("any");
	}
	for (const char *const *name = event_kind_names(); *name; name++) {
		AUTO(free) char *before = names;
		event_kinds kinds = event_kinds_parse(text_of(*name));
		bool is_type = strncmp(*name, "child_", 6) == 0 || strncmp(*name, "self_", 5) == 0;

		names = is_type && kinds & needs
				? str_format("%s%s%s", before, *before ? " " : "", *name)
				: str_copy(before);
	}
	return names;
}

#define WITH(...) PLACES " " __VA_ARGS__

static int by_name(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static char *sorted(const char *names)
{
	AUTO(free) char *copy = str_copy(names);
	char *words[EVENT_TYPE_COUNT] = { 0 }, *rest = copy, *out = str_copy("");
	size_t count = 0;

	for (char *word; (word = strsep(&rest, " "));)
		words[count++] = word;
	qsort(words, count, sizeof(*words), by_name);
	for (size_t i = 0; i < count; i++) {
		AUTO(free) char *before = out;

		out = str_format("%s%s%s", before, i ? " " : "", words[i]);
	}
	return out;
}

static void check_needs(const char *rules, const char *want)
{
	AUTO(free) char *names = needs_of(rules);
	AUTO(free) char *got = sorted(names);
	AUTO(free) char *wanted = sorted(want);

	assert_string_equal(got, wanted);
}

static void types_follow_from_conditions_and_what_rules_wait_for(void **state)
{
	check_needs("watched_items: [{name: a, when: {event: created}, actions: [log]}]", PLACES);
	check_needs("watched_items: [{name: a, when: {event: child_acl_changed}, actions: [log]}]",
		    WITH("child_acl_changed"));
	check_needs("watched_items: [{name: a, when: {event: child_acl_changed}, mode: off, "
		    "actions: [log]}]",
		    PLACES);
	/* The second is never reached through the first, but through the directory alone. */
	check_needs("watched_items: [{name: a, when: {all: [{event: child_acl_changed}, {event: "
		    "created}]},"
		    " actions: [log]}]",
		    PLACES);
	check_needs("watched_items: [{name: a, when: {any: [{event: child_acl_changed},"
		    " {event: child_owner_changed}]}, actions: [log]}]",
		    WITH("child_acl_changed child_owner_changed"));
	/* Nothing that is said about the event. */
	check_needs("watched_items: [{name: a, when: {extension: tmp}, actions: [log]}]", "any");
	check_needs("watched_items: [{name: a, when: {not: {event: created}}, actions: [log]}]",
		    "any");
	check_needs(
		"watched_items: [{name: a, when: {event: created}, settle: 10s, actions: [log]}]",
		WITH("child_btime_changed child_mtime_changed child_size_changed "
		     "child_extra_attrs_changed child_acl_changed child_owner_changed "
		     "child_group_changed child_data_written child_stream_added "
		     "child_stream_removed child_stream_moved_from child_stream_moved_to "
		     "child_stream_size_changed child_stream_data_written"));
	check_needs("watched_items: [{name: a, when: {event: created}, absent: {event: "
		    "child_acl_changed, "
		    "within: 1h}, actions: [log]}]",
		    WITH("child_acl_changed"));
}

static void own_changes_are_needed_and_programs_are_not(void **state)
{
	check_needs(
		"watched_items: [{name: a, when: {event: created}, actions: [{permissions: {mode: "
		"'0640'}}]}]",
		WITH("child_acl_changed"));
	check_needs("watched_items: [{name: a, when: {event: created}, actions: [{exec: {causes: "
		    "child_owner_changed}}]}]",
		    PLACES);
}

/* ---- For any rules ---- */

static bool keep_one(void *ctx, const struct rule *rule, enum truth truth)
{
	*(const struct rule **)ctx = rule;
	return false;
}

static void no_event_of_another_type_makes_a_rule_true(void **state)
{
	size_t narrow = 0, left_out = 0;

	for (uint64_t seed = 1; seed <= SETS; seed++) {
		struct chance chance = chance_of_seed(seed);
		struct random_event event;
		struct random_rules rules;

		random_rules_init(&rules, &chance, 1 + chance_pick(&chance, 3));
		random_event_init(&event);

		AUTO(rule_set_free) struct rule_set *set = index_check_set(&rules, NULL);
		struct rule_matcher *matcher = rule_matcher_new(set);
		event_kinds needs = rule_set_needs(set, &fixture);

		narrow += needs != EVENT_ANY;
		for (unsigned i = 0; needs != EVENT_ANY && i < EVENTS_EACH; i++) {
			const struct rule *rule = NULL;

			random_event_draw(&event, &rules, &chance);
			if (needs & event.event.kinds)
				continue;
			/* Only files and directories are found to be renamed. */
			event.event.kinds &= ~(EVENT_RENAMED | EVENT_MOVED_IN | EVENT_MOVED_OUT);
			event.event.old_path = TEXT("");
			left_out++;
			rule_match_with(matcher, &event.event, event.has_file ? &event.file : NULL,
					keep_one, &rule);
			if (rule)
				fail_msg("seed %llu, event %u: kinds %#x could make %s true",
					 (unsigned long long)seed, i, event.event.kinds,
					 rule->name);
		}
		rule_matcher_free(matcher);
		random_event_clear(&event);
		random_rules_clear(&rules);
	}
	print_message("%zu of %d sets need some types only; %zu events were of others\n", narrow,
		      SETS, left_out);
	assert_true(narrow > SETS / 20);
	assert_true(left_out > SETS / 10);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(types_follow_from_conditions_and_what_rules_wait_for),
		cmocka_unit_test(own_changes_are_needed_and_programs_are_not),
		cmocka_unit_test(no_event_of_another_type_makes_a_rule_true),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
