#include "cmd/backtest.h"

#include <signal.h>
#include <stdio.h>
#include <unistd.h>

#include "app/modules.h"
#include "app/rule_notes.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/parse.h"

#define EXAMPLES 3
#define SHOW_MS 200 /* between two looks of the bar */
#define BAR_WIDTH 30

/* ---- Rules ---- */

/* One per watch; those of one file are the same. */
struct sets {
	struct rule_set **items;
	bool *are_shown; /* as --watch says */
	size_t count;
};

static void sets_clear(struct sets *sets)
{
	for (size_t i = 0; i < sets->count; i++)
		rule_set_free(sets->items[i]);
	free(sets->items);
	free(sets->are_shown);
}

static struct rule_set *load(const char *items)
{
	AUTO(problems_free) struct problems *problems = problems_new();
	struct rule_set *set = rule_set_load(items, &app_modules, problems);
	AUTO(free)
	char *text = problems_format(problems, isatty(STDERR_FILENO) && !getenv("NO_COLOR"));

	/* Warnings are for `check` to tell. */
	if (!set)
		fputs(text, stderr);
	return set;
}

static const char *items_of(const struct settings *settings, const char *items, size_t watch)
{
	return items ? items : settings->watches[watch].items;
}

/* items NULL: those that each watch names. */
static int load_sets(struct sets *sets, const struct settings *settings, const char *items,
		     const char *watch)
{
	sets->are_shown = mem_array(settings->watch_count, sizeof(bool));
	sets->items = mem_array(settings->watch_count, sizeof(struct rule_set *));
	for (size_t i = 0; i < settings->watch_count; i++) {
		struct rule_set *set = NULL;

		for (size_t j = 0; j < i && !set; j++)
			if (strcmp(items_of(settings, items, j), items_of(settings, items, i)) == 0)
				set = rule_set_share(sets->items[j]);
		if (!set)
			set = load(items_of(settings, items, i));
		if (!set)
			return -1;
		sets->are_shown[i] = !watch || strcmp(settings->watches[i].name, watch) == 0;
		sets->items[sets->count++] = set;
	}
	return 0;
}

static bool is_in(const struct sets *sets, const char *name)
{
	for (size_t i = 0; i < sets->count; i++)
		if (sets->are_shown[i] && rule_set_find(sets->items[i], name))
			return true;
	return false;
}

static int no_such_rule(const struct sets *tried, const struct sets *running, const char *name)
{
	const struct sets *both[] = { tried, running };
	size_t count = 0;
	AUTO(free) char *memory = NULL;
	const char **names = mem_array(1, sizeof(*names)), *nearest;

	for (size_t which = 0; which < ARRAY_SIZE(both); which++)
		for (size_t i = 0; i < both[which]->count; i++) {
			const struct rule_set *set = both[which]->items[i];

			if (!both[which]->are_shown[i])
				continue;
			names = mem_grow(names, count + rule_set_count(set) + 1, sizeof(*names));
			for (size_t j = 0; j < rule_set_count(set); j++)
				names[count++] = rule_set_get(set, j)->name;
			names[count] = NULL;
		}
	memory = (char *)names;
	nearest = parse_nearest(text_of(name), names);
	return command_wrong("backtest", "there is no rule '%s'%s%s%s", name,
			     nearest ? "; did you mean '" : "", nearest ? nearest : "",
			     nearest ? "'?" : "");
}

static int no_such_watch(const struct settings *settings, const char *name)
{
	AUTO(free) char *memory = mem_array(settings->watch_count + 1, sizeof(char *));
	const char **names = (const char **)memory, *nearest;

	for (size_t i = 0; i < settings->watch_count; i++) {
		if (strcmp(settings->watches[i].name, name) == 0)
			return EXIT_FINE;
		names[i] = settings->watches[i].name;
	}
	nearest = parse_nearest(text_of(name), names);
	return command_wrong("backtest", "there is no watch '%s' in %s%s%s%s", name, settings->file,
			     nearest ? "; did you mean '" : "", nearest ? nearest : "",
			     nearest ? "'?" : "");
}

/* ---- While it lasts ---- */

static volatile sig_atomic_t is_interrupted;

static void interrupt(int number)
{
	is_interrupted = 1;
}

/* A second one ends the program at once. */
static void listen_to_interrupts(void)
{
	struct sigaction action = { .sa_handler = interrupt,
				    .sa_flags = SA_RESETHAND | SA_RESTART };

	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
}

/* A store whose file was cut off is no file to look at. */
static void on_missing_page(int number)
{
	static const char text[] =
		"\ncn_monitor backtest: the store is damaged: a part of its file is "
		"missing\n";

	if (write(STDERR_FILENO, text, sizeof(text) - 1) < 0)
		_exit(EXIT_FAILED);
	_exit(EXIT_FAILED);
}

static void ignore_log(enum log_level level, const char *who, const char *line)
{
}

struct bar {
	bool is_on;
	int64_t shown_ms;
};

static bool show_progress(void *ctx, const struct backtest_progress *progress)
{
	struct bar *bar = ctx;
	int64_t now_ms = clock_monotonic_ms();
	int done = (int)(progress->done * BAR_WIDTH);

	if (!bar->is_on || now_ms - bar->shown_ms < SHOW_MS)
		return !is_interrupted;
	bar->shown_ms = now_ms;

	AUTO(free) char *time = progress->time_ms ? clock_format(progress->time_ms) : str_copy("");

	fprintf(stderr, "\r[%.*s%*s] %3d %%  %llu events  %.16s\033[K", done,
		"##############################", BAR_WIDTH - done, "", (int)(progress->done * 100),
		(unsigned long long)progress->events, time);
	return !is_interrupted;
}

static void end_bar(const struct bar *bar)
{
	if (bar->is_on)
		fputs("\r\033[K", stderr);
}

/* ---- The whole ---- */

const struct backtest_rule *shown_find(const struct shown *shown, enum backtest_which which,
				       const char *name)
{
	const struct backtest_side *side = &shown->outcome->sides[which];

	for (size_t i = 0; i < side->set_count; i++) {
		const struct rule *rule = rule_set_find(side->sets[i].set, name);

		if (rule)
			return &side->sets[i].rules[rule->index];
	}
	return NULL;
}

/* Those that --rule lets through. */
static void list_rules(struct shown *shown, enum backtest_which which)
{
	const struct backtest_side *side = &shown->outcome->sides[which];
	const char *only = shown->arguments->rule;
	size_t count = 0;

	for (size_t i = 0; i < side->set_count; i++)
		count += rule_set_count(side->sets[i].set);
	shown->rules[which] = mem_array(count + 1, sizeof(struct backtest_rule *));
	for (size_t i = 0; i < side->set_count; i++)
		for (size_t j = 0; j < rule_set_count(side->sets[i].set); j++) {
			const struct backtest_rule *rule = &side->sets[i].rules[j];

			if (!only || strcmp(rule->rule->name, only) == 0)
				shown->rules[which][shown->rule_count[which]++] = rule;
		}
}

static void show(struct shown *shown)
{
	for (int which = TRIED; which < SIDE_COUNT; which++)
		list_rules(shown, which);
	(shown->arguments->json ? backtest_print_json : backtest_print_text)(shown);
	for (int which = TRIED; which < SIDE_COUNT; which++)
		free(shown->rules[which]);
}

uint64_t shown_jobs(const struct backtest_rule *rule, enum backtest_bound bound)
{
	return rule->counts[bound].jobs + rule->counts[bound].dry_runs +
	       rule->counts[bound].limited;
}

/* Which rules were at work then, and whether they are those that are compared with. */
static int look_at_changes(struct shown *shown, struct store *store, const struct sets *running,
			   struct error *err)
{
	const struct settings *settings = shown->settings;

	for (size_t i = 0; i < settings->watch_count; i++) {
		struct rule_note note;
		size_t changes;
		uint64_t last = UINT64_MAX;

		if (shown->arguments->watch &&
		    strcmp(settings->watches[i].name, shown->arguments->watch) != 0)
			continue;
		if (rule_note_find(store, settings->watches[i].name,
				   shown->outcome->first_seq ? shown->outcome->first_seq : 1, last,
				   &note, &changes, err) < 0)
			return -1;
		shown->changes += changes;
		shown->is_other |= running->count && *note.digest &&
				   strcmp(note.digest, rule_set_digest(running->items[i])) != 0;
	}
	return 0;
}

static char *name_items(const struct settings *settings, const char *items, const char *watch)
{
	char *all = NULL;

	if (items)
		return str_copy(items);
	for (size_t i = 0; i < settings->watch_count; i++) {
		const struct watch_settings *one = &settings->watches[i];
		AUTO(free) char *before = all;

		if ((watch && strcmp(one->name, watch) != 0) ||
		    (before && strstr(before, one->items))) {
			all = TAKE(before);
			continue;
		}
		all = str_format("%s%s%s", before ? before : "", before ? ", " : "", one->items);
	}
	return all;
}

static int run(const struct arguments *arguments, const struct settings *settings,
	       const struct sets *tried, const struct sets *running)
{
	struct store_settings store_settings = settings_of_store(settings);
	AUTO(store_close) struct store *store = NULL;
	AUTO(backtest_free) struct backtest *outcome = NULL;
	AUTO(free) char *tried_items = name_items(settings, arguments->items, arguments->watch);
	AUTO(free) char *running_items = name_items(settings, NULL, arguments->watch);
	struct bar bar = { isatty(STDERR_FILENO), 0 };
	int64_t now_ms = arguments->now_ms;
	AUTO_ERROR err = { 0 };
	struct backtest_wish wish = {
		.settings = settings,
		.sets = { tried->items, running->items },
		.watch = arguments->watch,
		.since_ms = arguments->since_ms < 0 ? 0 : now_ms - arguments->since_ms,
		.until_ms = arguments->until_ms < 0 ? now_ms : now_ms - arguments->until_ms,
		.examples = arguments->lines < 0 ? EXAMPLES : (size_t)arguments->lines,
		.go_on = show_progress,
		.ctx = &bar,
	};
	struct shown shown = { arguments, settings, .items = { tried_items, running_items },
			       .examples = wish.examples, .since_ms = wish.since_ms };
	int result;

	store_settings.reads_only = true;
	result = store_open(&store, &store_settings, &err);
	if (result == 0) {
		/* What judging has to say was said when it was for real. */
		log_redirect(ignore_log);
		result = backtest_run(&outcome, store, &wish, &err);
		log_redirect(NULL);
		end_bar(&bar);
	}
	shown.outcome = outcome;
	if (result == 0)
		result = look_at_changes(&shown, store, running, &err);
	if (result < 0) {
		fprintf(stderr, "cn_monitor backtest: %s\n", error_text(&err));
		return EXIT_FAILED;
	}
	show(&shown);
	return outcome->is_complete ? EXIT_FINE : EXIT_FAILED;
}

int backtest_command(const struct arguments *arguments)
{
	AUTO(settings_free) struct settings *settings = NULL;
	__attribute__((cleanup(sets_clear))) struct sets tried = { 0 }, running = { 0 };
	int result;

	if (arguments->compare && !arguments->items)
		return command_wrong("backtest",
				     "--compare tells what --items FILE would do otherwise "
				     "than the rules of -c: expected --items, too");
	if (arguments->since_ms >= 0 && arguments->until_ms > arguments->since_ms)
		return command_wrong("backtest", "--until is before --since");
	listen_to_interrupts();
	if (!(settings = command_settings(arguments)))
		return EXIT_WRONG;
	if (arguments->watch && (result = no_such_watch(settings, arguments->watch)))
		return result;
	if (load_sets(&tried, settings, arguments->items, arguments->watch) < 0 ||
	    (arguments->compare && load_sets(&running, settings, NULL, arguments->watch) < 0))
		return EXIT_WRONG;
	if (arguments->rule && !is_in(&tried, arguments->rule) && !is_in(&running, arguments->rule))
		return no_such_rule(&tried, &running, arguments->rule);
	signal(SIGBUS, on_missing_page);
	return run(arguments, settings, &tried, &running);
}
