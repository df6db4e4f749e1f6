/* backtest_text: the outcome of a backtest, for people. */
#include <stdio.h>

#include "base/clock.h"
#include "cmd/backtest_print.h"
#include "rule/words.h"

#define NAMES_MOST 20 /* of rules that were never true */

/* ---- Counts ---- */

static uint64_t of(const uint64_t *numbers, const struct backtest_side *side)
{
	return numbers[shown_bound(side)];
}

static void print_files(struct distinct *const files[BOUND_COUNT], const struct backtest_side *side)
{
	const struct distinct *sure = files[SURE], *most = files[shown_bound(side)];
	bool is_exact = (!sure || distinct_is_exact(sure)) && (!most || distinct_is_exact(most));

	if (!is_exact)
		fputs("about ", stdout);
	print_many(sure ? distinct_count(sure) : 0, most ? distinct_count(most) : 0, "file",
		   "files");
}

/* ---- When ---- */

static void print_peak(const char *before, const struct backtest_peak *peak, bool is_most)
{
	AUTO(free) char *text = clock_format(peak->minute * 60000);

	if (!peak->jobs)
		return;
	printf("%sbusiest minute: %s", before, is_most ? "at most " : "");
	print_many(peak->jobs, peak->jobs, "job", "jobs");
	printf(" at %.10s %.5s\n", text, text + 11);
}

static void print_head(const struct shown *shown)
{
	const struct backtest *outcome = shown->outcome;

	fputs("rules of ", stdout);
	print_safe(shown->items[TRIED]);
	if (shown->arguments->watch)
		printf(", on what watch '%s' heard", shown->arguments->watch);
	putchar('\n');
	if (!outcome->records) {
		fputs("nothing was heard in that time: the log reaches from ", stdout);
		print_time(outcome->log_from_ms);
		fputs(" to ", stdout);
		print_time(outcome->log_until_ms);
		puts(" UTC");
	} else {
		print_number(outcome->events);
		fputs(outcome->events == 1 ? " event from " : " events from ", stdout);
		print_time(outcome->from_ms);
		fputs(" to ", stdout);
		print_time(outcome->until_ms);
		fputs(" UTC", stdout);
		if (outcome->echoes) {
			fputs(", ", stdout);
			print_number(outcome->echoes);
			fputs(" of them echoes of own actions", stdout);
		}
		putchar('\n');
	}
	puts("nothing is executed and nothing is changed");
}

static void print_notes(const struct shown *shown)
{
	const struct backtest *outcome = shown->outcome;

	if (!outcome->is_complete)
		puts("stopped: what follows is up to the last of these times");
	if (outcome->records && shown->since_ms && shown->since_ms < outcome->log_from_ms) {
		fputs("the log reaches back to ", stdout);
		print_time(outcome->log_from_ms);
		puts(" UTC only; [STORE] RETENTION says how long it is kept");
	}
	if (outcome->unjudged) {
		print_number(outcome->unjudged);
		puts(" messages at the end are left out: the filter has not judged them yet");
	}
	if (outcome->strange) {
		print_number(outcome->strange);
		puts(" messages are left out: they are of watches that the configuration does not "
		     "have");
	}
	if (outcome->overtaken) {
		print_number(outcome->overtaken);
		puts(" messages were dropped from the log ([STORE] RETENTION) before they were "
		     "read");
	}
}

/* ---- A rule ---- */

static void print_key(void *ctx, const char *key)
{
	size_t *count = ctx;

	printf("%s%s", (*count)++ ? ", " : "", key);
}

static void print_window(const char *what, const struct rule_window *window)
{
	printf("  %s of ", what);
	print_number((uint64_t)window->count);
	fputs(" in ", stdout);
	print_duration(window->within_ms);
}

static void print_brakes(const struct backtest_rule *shown, const struct backtest_side *side)
{
	const struct rule *rule = shown->rule;
	const struct backtest_counts *sure = &shown->counts[SURE];
	const struct backtest_counts *most = &shown->counts[shown_bound(side)];

	if (rule->threshold.count) {
		print_window("threshold", &rule->threshold);
		fputs(" reached ", stdout);
		print_many(shown_jobs(shown, SURE) + sure->throttled,
			   shown_jobs(shown, shown_bound(side)) + most->throttled, "time", "times");
		putchar('\n');
	}
	if (rule->throttle.count) {
		print_window("throttle", &rule->throttle);
		fputs(": ", stdout);
		print_many(sure->throttled, most->throttled, "job left out", "jobs left out");
		putchar('\n');
	}
	if (rule->limit.count && !most->limited) {
		print_window("limit", &rule->limit);
		puts(" not reached");
	} else if (rule->limit.count) {
		print_window("limit", &rule->limit);
		fputs(sure->limited ? " reached at " : " perhaps reached at ", stdout);
		print_time(most->limited_ms);
		fputs(" UTC; ", stdout);
		print_many(sure->limited, most->limited, "job after it is a dry run",
			   "jobs after it are dry runs");
		putchar('\n');
	}
}

static void print_examples(const struct backtest_rule *rule, const struct backtest_side *side)
{
	enum backtest_bound bound = rule->example_count[SURE] ? SURE : shown_bound(side);

	for (size_t i = 0; i < rule->example_count[bound]; i++) {
		fputs(i               ? "               "
		      : bound == MOST ? "  perhaps      "
				      : "  for instance ",
		      stdout);
		print_safe(rule->examples[bound][i]);
		putchar('\n');
	}
}

static void print_headline(const struct shown *shown, const struct backtest_rule *rule,
			   const struct backtest_side *side, size_t set)
{
	struct place first = { shown->arguments->items, 0, 0 };
	AUTO(free)
	char *where = words_place(
		rule->rule->place,
		shown->arguments->items ? first : (struct place){ shown->items[TRIED], 0, 0 });
	bool is_dry = rule->rule->mode == RULE_DRY_RUN;

	fputs(colour(shown, "\033[1m"), stdout);
	print_safe(rule->rule->name);
	printf("%s (", colour(shown, "\033[0m"));
	print_safe(where);
	fputs("): ", stdout);
	print_many(shown_jobs(rule, SURE), shown_jobs(rule, shown_bound(side)),
		   is_dry ? "dry run" : "job", is_dry ? "dry runs" : "jobs");
	fputs(" for ", stdout);
	print_files(rule->files, side);
	putchar('\n');
}

static void print_rule(const struct shown *shown, const struct backtest_rule *rule,
		       const struct backtest_side *side)
{
	uint64_t sure = rule->counts[SURE].matches, most = rule->counts[shown_bound(side)].matches;
	size_t keys = 0;

	putchar('\n');
	print_headline(shown, rule, side, 0);
	fputs("  true for ", stdout);
	print_many(sure, most, "event", "events");
	if (rule->rule->settle_ms || rule->rule->absent_ms) {
		printf(", then %s ", rule->rule->settle_ms ? "settle" : "absent");
		print_duration(rule->rule->settle_ms ? rule->rule->settle_ms
						     : rule->rule->absent_ms);
	}
	putchar('\n');
	if (rule->counts[shown_bound(side)].waiting) {
		fputs("  at the end ", stdout);
		print_many(rule->counts[SURE].waiting, rule->counts[shown_bound(side)].waiting,
			   "file still waits", "files still wait");
		putchar('\n');
	}
	if (sure != most || shown_jobs(rule, SURE) != shown_jobs(rule, shown_bound(side))) {
		fputs("  depends on ", stdout);
		rule_visit_questions(rule->rule, print_key, &keys);
		puts(keys ? ", which is not known any more"
			  : "a rule before it that says stop, and on what is not known any more");
	}
	print_brakes(rule, side);
	print_peak("  ", &rule->peak, side->has_bounds && sure != most);
	print_examples(rule, side);
}

/* ---- All rules ---- */

static void print_rules(const struct shown *shown)
{
	const struct backtest_side *side = &shown->outcome->sides[TRIED];

	for (size_t i = 0; i < shown->rule_count[TRIED]; i++)
		if (shown->rules[TRIED][i]->counts[shown_bound(side)].matches)
			print_rule(shown, shown->rules[TRIED][i], side);
}

static void print_idle(const struct shown *shown, const char *what, bool is_off)
{
	const struct backtest_side *side = &shown->outcome->sides[TRIED];
	uint64_t count = 0;

	for (size_t i = 0; i < shown->rule_count[TRIED]; i++) {
		const struct backtest_rule *rule = shown->rules[TRIED][i];

		if (rule->counts[shown_bound(side)].matches ||
		    (rule->rule->mode == RULE_OFF) != is_off)
			continue;
		if (count++ >= NAMES_MOST)
			continue;
		fputs(count == 1 ? what : ", ", stdout);
		print_safe(rule->rule->name);
	}
	if (count > NAMES_MOST) {
		fputs(" and ", stdout);
		print_number(count - NAMES_MOST);
		fputs(" more", stdout);
	}
	if (count)
		putchar('\n');
}

static void print_actions(const struct backtest_side *side)
{
	for (size_t i = 0; i < side->action_count; i++) {
		printf("%s%s ", i ? ", " : "  actions: ", side->actions[i].module);
		print_bounds(side->actions[i].jobs[SURE], of(side->actions[i].jobs, side));
	}
	if (side->action_count)
		putchar('\n');
}

static bool runs_programs(const struct backtest_side *side)
{
	for (size_t i = 0; i < side->action_count; i++)
		if (strcmp(side->actions[i].module, "exec") == 0)
			return true;
	return false;
}

static void print_sum(const struct shown *shown)
{
	const struct backtest_side *side = &shown->outcome->sides[TRIED];
	uint64_t written = of(side->written, side);

	fputs("\nin all: ", stdout);
	print_many(side->jobs[SURE], of(side->jobs, side), "job", "jobs");
	fputs(" for ", stdout);
	print_files(side->files, side);
	if (of(side->jobs, side)) {
		fputs("; the actions change ", stdout);
		print_files(side->changed, side);
		fputs(" on the cluster", stdout);
	}
	putchar('\n');
	if (runs_programs(side))
		puts("  what the programs of exec would change is not known");
	if (written) {
		fputs("  dry runs besides: ", stdout);
		print_bounds(side->written[SURE], written);
		putchar('\n');
	}
	print_actions(side);
	print_peak("  ", &side->peak, side->jobs[SURE] != of(side->jobs, side));
}

void backtest_print_text(const struct shown *shown)
{
	print_head(shown);
	print_notes(shown);
	print_rules(shown);
	print_idle(shown, "\ntrue for no event: ", false);
	print_idle(shown, "\nof mode off: ", true);
	if (!shown->arguments->rule)
		print_sum(shown);
	if (shown->outcome->compares)
		print_comparison(shown);
}
