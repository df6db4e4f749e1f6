/* backtest_compared: what the rules that are tried do otherwise than those at work. */
#include <stdio.h>

#include "cmd/backtest_print.h"

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

void print_comparison(const struct shown *shown)
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
