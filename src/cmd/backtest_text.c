/* backtest_text: the outcome of a backtest, for people. */
#include <stdio.h>

#include "base/clock.h"
#include "base/escape.h"
#include "cmd/backtest.h"
#include "rule/words.h"

#define NAMES_MOST 20 /* of rules that were never true */

static void print_safe(const char *text)
{
	escape_print(stdout, text, ESCAPE_TEXT);
}

static const char *colour(const struct shown *shown, const char *code)
{
	return shown->arguments->colour ? code : "";
}

/* ---- Numbers ---- */

static void print_number(uint64_t number)
{
	if (number >= 1000) {
		print_number(number / 1000);
		printf(",%03u", (unsigned)(number % 1000));
	} else {
		printf("%u", (unsigned)number);
	}
}

/* "12", "3 to 57", "at most 57". */
static void print_bounds(uint64_t sure, uint64_t most)
{
	if (sure != most && !sure)
		fputs("at most ", stdout);
	else
		print_number(sure);
	if (sure != most && sure)
		fputs(" to ", stdout);
	if (sure != most)
		print_number(most);
}

static void print_many(uint64_t sure, uint64_t most, const char *one, const char *many)
{
	print_bounds(sure, most);
	printf(" %s", sure == most && sure == 1 ? one : many);
}

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

static void print_time(int64_t time_ms)
{
	AUTO(free) char *text = clock_format(time_ms);

	printf("%.10s %.8s", text, text + 11);
}

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

static void print_duration(int64_t ms)
{
	static const struct {
		int64_t ms;
		const char *unit;
	} units[] = { { 86400000, "d" }, { 3600000, "h" }, { 60000, "m" }, { 1000, "s" } };

	for (size_t i = 0; i < ARRAY_SIZE(units); i++)
		if (ms % units[i].ms == 0) {
			printf("%lld%s", (long long)(ms / units[i].ms), units[i].unit);
			return;
		}
	printf("%lldms", (long long)ms);
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
	if (written) {
		fputs("  dry runs besides: ", stdout);
		print_bounds(side->written[SURE], written);
		putchar('\n');
	}
	print_actions(side);
	print_peak("  ", &side->peak, side->jobs[SURE] != of(side->jobs, side));
}

/* ---- Beside the rules at work ---- */

static void print_only(const struct compared_rule *files, const char *indent)
{
	static const char *const signs[] = { [TRIED] = "+", [RUNNING] = "-" };

	for (int which = TRIED; files && which < SIDE_COUNT; which++) {
		for (size_t i = 0; i < files->example_count[which]; i++) {
			printf("%s%s ", indent, signs[which]);
			print_safe(files->examples[which][i]);
			putchar('\n');
		}
		if (files->only[which] > files->example_count[which] &&
		    files->example_count[which]) {
			printf("%s%s and ", indent, signs[which]);
			print_number(files->only[which] - files->example_count[which]);
			puts(" more");
		}
	}
}

static void print_jobs_of(const struct shown *shown, const struct backtest_rule *rule,
			  enum backtest_which which)
{
	const struct backtest_side *side = &shown->outcome->sides[which];
	bool is_dry = rule->rule->mode == RULE_DRY_RUN;

	print_many(shown_jobs(rule, SURE), shown_jobs(rule, shown_bound(side)),
		   is_dry ? "dry run" : "job", is_dry ? "dry runs" : "jobs");
}

static void print_name(const struct shown *shown, const char *what, const char *code,
		       const struct backtest_rule *rule)
{
	printf("  %s%-8s%s ", colour(shown, code), what, colour(shown, "\033[0m"));
	print_safe(rule->rule->name);
	fputs(": ", stdout);
}

/* Of many rules only what they do is worth a line each. */
struct others {
	uint64_t same, idle_new, idle_gone;
};

static void print_others(const struct others *others)
{
	const struct {
		const char *what;
		uint64_t count;
		const char *how;
	} lines[] = {
		{ "new", others->idle_new, " without a job" },
		{ "gone", others->idle_gone, " without a job" },
		{ "the same", others->same, "" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(lines); i++) {
		if (!lines[i].count)
			continue;
		printf("  %-8s ", lines[i].what);
		print_many(lines[i].count, lines[i].count, "rule", "rules");
		puts(lines[i].how);
	}
}

static void print_difference(const struct shown *shown, const struct backtest_rule *rule,
			     struct others *others)
{
	const struct backtest_rule *before = shown_find(shown, RUNNING, rule->rule->name);
	const struct compared_rule *files =
		compared_find(shown->outcome->compared, rule->rule->name, shown->examples);
	uint64_t now_jobs = shown_jobs(rule, shown_bound(&shown->outcome->sides[TRIED]));

	if (!before && !now_jobs) {
		others->idle_new++;
		return;
	}
	if (!before) {
		print_name(shown, "new", "\033[32m", rule);
		print_jobs_of(shown, rule, TRIED);
		putchar('\n');
		print_only(files, "             ");
		return;
	}
	if (rule->rule->mode == before->rule->mode &&
	    now_jobs == shown_jobs(before, shown_bound(&shown->outcome->sides[RUNNING])) &&
	    shown_jobs(rule, SURE) == shown_jobs(before, SURE) &&
	    (!files || (!files->only[TRIED] && !files->only[RUNNING]))) {
		others->same++;
		return;
	}
	print_name(shown, "changed", "\033[33m", rule);
	print_jobs_of(shown, before, RUNNING);
	fputs(" -> ", stdout);
	print_jobs_of(shown, rule, TRIED);
	putchar('\n');
	print_only(files, "             ");
}

static void print_gone(const struct shown *shown, struct others *others)
{
	const struct backtest_side *side = &shown->outcome->sides[RUNNING];

	for (size_t i = 0; i < shown->rule_count[RUNNING]; i++) {
		const struct backtest_rule *rule = shown->rules[RUNNING][i];

		if (shown_find(shown, TRIED, rule->rule->name))
			continue;
		if (!shown_jobs(rule, shown_bound(side))) {
			others->idle_gone++;
			continue;
		}
		print_name(shown, "gone", "\033[31m", rule);
		print_jobs_of(shown, rule, RUNNING);
		putchar('\n');
		print_only(
			compared_find(shown->outcome->compared, rule->rule->name, shown->examples),
			"             ");
	}
}

static void print_all_files(const struct shown *shown)
{
	const struct compared_rule *all = compared_all(shown->outcome->compared, shown->examples);

	if (!all || (!all->only[TRIED] && !all->only[RUNNING])) {
		puts("  both change the same files on the cluster, or none");
		return;
	}
	fputs("  files changed on the cluster: + ", stdout);
	print_number(all->only[TRIED]);
	fputs(" only by the rules tried, - ", stdout);
	print_number(all->only[RUNNING]);
	puts(" only by those at work");
}

static void print_comparison(const struct shown *shown)
{
	struct others others = { 0 };

	fputs("\ncompared with ", stdout);
	print_safe(shown->items[RUNNING]);
	puts(":");
	for (size_t i = 0; i < shown->rule_count[TRIED]; i++)
		print_difference(shown, shown->rules[TRIED][i], &others);
	print_gone(shown, &others);
	print_others(&others);
	print_all_files(shown);
	if (shown->outcome->sides[TRIED].has_bounds || shown->outcome->sides[RUNNING].has_bounds)
		puts("  what only the cluster knows of a file is taken as it suits the rule, on "
		     "both "
		     "sides");
	if (compared_is_cut(shown->outcome->compared))
		puts("  there are too many files: only the first half a million were compared");
	if (shown->is_other || shown->changes)
		puts("  other rules were at work in a part of this time than these are now");
}

void backtest_print_text(const struct shown *shown)
{
	print_head(shown);
	print_notes(shown);
	print_rules(shown);
	print_idle(shown, "\ntrue for no event: ", false);
	print_idle(shown, "\noff: ", true);
	if (!shown->arguments->rule)
		print_sum(shown);
	if (shown->outcome->compares)
		print_comparison(shown);
}
