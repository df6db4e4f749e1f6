#include "index_check.h"

#include <stdio.h>

static const char *const modules[] = { "log", NULL };

static void check_nothing(void *ctx, const char *module, const struct node *options,
			  struct place place, struct problems *problems)
{
}

static size_t no_effects(void *ctx, const char *module, const char *options,
			 struct event_effect *effects, size_t max)
{
	return 0;
}

struct rule_set *index_check_set(const struct random_rules *rules, const bool *is_left_out)
{
	static const struct rule_modules with = { NULL, modules, check_nothing, no_effects };
	AUTO(problems_free) struct problems *problems = problems_new();
	AUTO(free) char *text = random_rules_text(rules, is_left_out);
	struct rule_set *set = rule_set_parse("random.yml", text_of(text), &with, problems);

	if (!set) {
		AUTO(free) char *why = problems_format(problems, false);

		fprintf(stderr, "%s\n%s", text, why);
		abort();
	}
	return set;
}

/* ---- Answers ---- */

struct answers {
	struct answer {
		const struct rule *rule;
		enum truth truth;
	} * items;
	size_t count, room;
	bool heeds_stop;
};

/* As the filter's: false if no rule after this one is to be asked. */
static bool add(void *ctx, const struct rule *rule, enum truth truth)
{
	struct answers *answers = ctx;

	if (answers->count == answers->room) {
		answers->room = answers->room ? answers->room * 2 : 64;
		answers->items = mem_grow(answers->items, answers->room, sizeof(*answers->items));
	}
	answers->items[answers->count++] = (struct answer){ rule, truth };
	return !answers->heeds_stop || truth != TRUTH_TRUE || !rule->stop;
}

static bool add_true(void *ctx, const struct rule *rule)
{
	return add(ctx, rule, TRUTH_TRUE);
}

/* What the index is for, without it. */
static void ask_one_by_one(const struct rule_set *set, struct rule_matcher *matcher,
			   const struct random_event *event, struct answers *answers)
{
	struct subject subject;

	rule_matcher_start(matcher, &event->event, &subject);
	subject.file = event->has_file ? &event->file : NULL;
	for (size_t i = 0; i < set->count; i++) {
		const struct set_rule *rule = set->rules[i];
		enum truth truth;

		if (rule->rule.mode == RULE_OFF)
			continue;
		truth = condition_test(rule->when, &subject);
		if (truth != TRUTH_FALSE && !add(answers, &rule->rule, truth))
			return;
	}
}

static bool are_equal(const struct answers *a, const struct answers *b)
{
	if (a->count != b->count)
		return false;
	for (size_t i = 0; i < a->count; i++)
		if (a->items[i].rule != b->items[i].rule || a->items[i].truth != b->items[i].truth)
			return false;
	return true;
}

static void tell(struct buf *out, const char *who, const struct answers *answers)
{
	bool ok = buf_print(out, "%s:", who);

	for (size_t i = 0; ok && i < answers->count; i++)
		ok = buf_print(out, " %s%s", answers->items[i].rule->name,
			       answers->items[i].truth == TRUTH_TRUE ? "" : "?");
	if (!ok || !buf_print(out, "\n"))
		abort();
}

static char *difference(const char *what, const struct answers *plain, const struct answers *found)
{
	AUTO(buf_free) struct buf *out = buf_new(SIZE_MAX);

	if (!buf_print(out, "%s (? is undecided)\n", what))
		abort();
	tell(out, "one by one       ", plain);
	tell(out, "through the index", found);
	return buf_take(out);
}

static void count(struct index_counts *counts, const struct rule_set *set,
		  const struct answers *plain, size_t candidates)
{
	bool matches = false, is_open = false, stops = false;

	for (size_t i = 0; i < plain->count; i++) {
		matches |= plain->items[i].truth == TRUTH_TRUE;
		is_open |= plain->items[i].truth == TRUTH_UNKNOWN;
		stops |= plain->items[i].truth == TRUTH_TRUE && plain->items[i].rule->stop;
	}
	counts->events++;
	counts->asked += set->count;
	counts->candidates += candidates;
	counts->matching += matches;
	counts->undecided += is_open;
	counts->stopped += stops;
}

/* Drops what rule_match() does not tell about. */
static void keep_true(struct answers *answers)
{
	size_t kept = 0;

	for (size_t i = 0; i < answers->count; i++)
		if (answers->items[i].truth == TRUTH_TRUE)
			answers->items[kept++] = answers->items[i];
	answers->count = kept;
}

static char *compare_all(const struct rule_set *set, struct rule_matcher *matcher,
			 const struct random_event *event, struct answers plain[2],
			 struct answers *found, struct index_counts *counts)
{
	const struct file_facts *file = event->has_file ? &event->file : NULL;
	struct subject subject;

	for (int stop = 0; stop < 2; stop++) {
		plain[stop].heeds_stop = found->heeds_stop = stop;
		plain[stop].count = found->count = 0;
		ask_one_by_one(set, matcher, event, &plain[stop]);
		rule_match_with(matcher, &event->event, file, add, found);
		if (!are_equal(&plain[stop], found))
			return difference(stop ? "until a rule stops" : "all rules", &plain[stop],
					  found);
	}
	rule_matcher_start(matcher, &event->event, &subject);
	count(counts, set, &plain[0], rule_matcher_candidates(matcher, &subject)->count);
	if (file)
		return NULL;
	found->count = 0;
	rule_match(matcher, &event->event, add_true, found);
	keep_true(&plain[1]);
	return are_equal(&plain[1], found) ? NULL : difference("true ones", &plain[1], found);
}

char *index_difference(const struct rule_set *set, struct rule_matcher *matcher,
		       const struct random_event *event, struct index_counts *counts)
{
	struct answers plain[2] = { { 0 } }, found = { 0 };
	char *told = compare_all(set, matcher, event, plain, &found, counts);

	free(plain[0].items);
	free(plain[1].items);
	free(found.items);
	return told;
}

/* ---- Order ---- */

/* By hand: those with the greatest priority, in the order of the file, then the next ones. */
char *index_disorder(const struct random_rules *rules, const struct rule_set *set)
{
	size_t at = 0;

	for (int64_t priority = 100; priority >= -100; priority--) {
		for (size_t i = 0; i < rules->count; i++) {
			const char *wanted = rules->rules[i].name;

			if (rules->rules[i].priority != priority)
				continue;
			if (strcmp(rule_set_get(set, at)->name, wanted) != 0)
				return str_format("rule %zu is %s, and should be %s", at,
						  rule_set_get(set, at)->name, wanted);
			at++;
		}
	}
	return at == rule_set_count(set) ? NULL : str_copy("there are rules that nobody made");
}

/* ---- Who is to blame ---- */

static char *difference_without(const struct random_rules *rules, const bool *is_left_out,
				const struct random_event *event)
{
	AUTO(rule_set_free) struct rule_set *set = index_check_set(rules, is_left_out);
	struct rule_matcher *matcher = rule_matcher_new(set);
	struct index_counts counts = { 0 };
	char *told = index_difference(set, matcher, event, &counts);

	rule_matcher_free(matcher);
	return told;
}

char *index_culprits(const struct random_rules *rules, const struct random_event *event)
{
	AUTO(free) char *memory = mem_array(rules->count + 1, sizeof(bool));
	bool *is_left_out = (bool *)memory;
	AUTO(free) char *told = difference_without(rules, is_left_out, event);
	AUTO(free) char *json = event_to_json(&event->event);
	AUTO(free) char *text = NULL;

	for (size_t i = 0; told && i < rules->count; i++) {
		is_left_out[i] = true;

		char *still = difference_without(rules, is_left_out, event);

		is_left_out[i] = still != NULL;
		free(still ? TAKE(told) : NULL);
		told = still ? still : told;
	}
	text = random_rules_text(rules, is_left_out);
	return str_format("%s%s\nkinds 0x%x, %s\n%s", text,
			  told ? told : "(with these rules alone there is no difference)",
			  event->event.kinds, event->has_file ? "file known" : "file not known",
			  json);
}
