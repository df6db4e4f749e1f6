#include "app/backtest_count.h"

#include "app/modules.h"

#define EFFECTS_MOST 16

/* ---- Sides ---- */

static void add_set(struct backtest_side *side, struct rule_set *set)
{
	struct backtest_set *added;

	for (size_t i = 0; i < side->set_count; i++)
		if (side->sets[i].set == set)
			return;
	side->sets = mem_grow(side->sets, side->set_count + 1, sizeof(*side->sets));
	added = &side->sets[side->set_count++];
	added->set = rule_set_share(set);
	added->rules = mem_array(rule_set_count(set) + 1, sizeof(*added->rules));
	for (size_t i = 0; i < rule_set_count(set); i++) {
		added->rules[i].rule = rule_set_get(set, i);
		added->rules[i].changes = -1;
	}
	side->has_bounds |= rule_set_asks_cluster(set);
}

void backtest_side_init(struct backtest *backtest, enum backtest_which which,
			const struct backtest_wish *wish)
{
	struct backtest_side *side = &backtest->sides[which];

	for (size_t i = 0; i < wish->settings->watch_count; i++)
		if (!wish->watch || strcmp(wish->watch, wish->settings->watches[i].name) == 0)
			add_set(side, wish->sets[which][i]);
	for (int bound = 0; bound < BOUND_COUNT; bound++) {
		side->files[bound] = distinct_new(&backtest->room);
		side->changed[bound] = distinct_new(&backtest->room);
	}
}

static void rule_clear(struct backtest_rule *rule)
{
	for (int bound = 0; bound < BOUND_COUNT; bound++) {
		distinct_free(rule->files[bound]);
		for (size_t i = 0; i < rule->example_count[bound]; i++)
			free(rule->examples[bound][i]);
		free(rule->examples[bound]);
	}
}

void backtest_side_clear(struct backtest_side *side)
{
	for (size_t i = 0; i < side->set_count; i++) {
		for (size_t j = 0; j < rule_set_count(side->sets[i].set); j++)
			rule_clear(&side->sets[i].rules[j]);
		free(side->sets[i].rules);
		rule_set_free(side->sets[i].set);
	}
	free(side->sets);
	free(side->actions);
	for (int bound = 0; bound < BOUND_COUNT; bound++) {
		distinct_free(side->files[bound]);
		distinct_free(side->changed[bound]);
	}
}

struct backtest_rule *backtest_rule_of(struct backtest_side *side, const struct rule_set *set,
				       const struct rule *rule)
{
	size_t i = 0;

	while (side->sets[i].set != set)
		i++;
	return &side->sets[i].rules[rule->index];
}

/* ---- Jobs ---- */

static bool step_changes(const struct rule_step *step)
{
	struct event_effect effects[EFFECTS_MOST] = { 0 };
	size_t count = app_modules.effects(app_modules.ctx, step->module, step->options, effects,
					   EFFECTS_MOST);

	for (size_t i = 0; i < count; i++) {
		free(effects[i].path);
		free(effects[i].name);
	}
	return count > 0;
}

bool backtest_changes_files(struct backtest_rule *rule)
{
	if (rule->changes < 0) {
		rule->changes = 0;
		for (size_t i = 0; i < rule->rule->step_count && !rule->changes; i++)
			rule->changes = step_changes(&rule->rule->steps[i]);
	}
	return rule->changes;
}

static void add_actions(struct backtest_side *side, const struct rule *rule,
			enum backtest_bound bound)
{
	for (size_t i = 0; i < rule->step_count; i++) {
		const char *module = rule->steps[i].module;
		size_t at = 0;

		while (at < side->action_count && strcmp(side->actions[at].module, module) != 0)
			at++;
		if (at == side->action_count) {
			side->actions = mem_grow(side->actions, at + 1, sizeof(*side->actions));
			side->actions[side->action_count++] =
				(struct backtest_action){ .module = module };
		}
		side->actions[at].jobs[bound]++;
	}
}

static void add_peak(struct backtest_peak *peak, int64_t time_ms)
{
	int64_t minute = time_ms / 60000;

	if (minute != peak->now) {
		peak->now = minute;
		peak->jobs_now = 0;
	}
	if (++peak->jobs_now > peak->jobs) {
		peak->jobs = peak->jobs_now;
		peak->minute = minute;
	}
}

static void add_example(struct backtest_rule *rule, enum backtest_bound bound, struct text path,
			size_t most)
{
	if (rule->example_count[bound] >= most)
		return;
	for (size_t i = 0; i < rule->example_count[bound]; i++)
		if (text_is(path, rule->examples[bound][i]))
			return;
	rule->examples[bound] = mem_grow(rule->examples[bound], rule->example_count[bound] + 1,
					 sizeof(*rule->examples[bound]));
	rule->examples[bound][rule->example_count[bound]++] = text_copy(path);
}

void backtest_count_job(struct backtest *backtest, struct backtest_side *side,
			struct backtest_rule *rule, enum backtest_bound bound,
			const struct event *event, uint64_t file, int64_t time_ms,
			enum trial_end end, size_t examples)
{
	struct backtest_counts *counts = &rule->counts[bound];

	if (!rule->files[bound])
		rule->files[bound] = distinct_new(&backtest->room);
	distinct_add(rule->files[bound], file);
	add_example(rule, bound, event->path, examples);
	if (end != TRIAL_JOB) {
		counts->dry_runs += end == TRIAL_DRY_RUN;
		counts->limited += end == TRIAL_LIMITED;
		if (end == TRIAL_LIMITED && !counts->limited_ms)
			counts->limited_ms = time_ms;
		side->written[bound]++;
		return;
	}
	counts->jobs++;
	side->jobs[bound]++;
	add_actions(side, rule->rule, bound);
	distinct_add(side->files[bound], file);
	if (backtest_changes_files(rule))
		distinct_add(side->changed[bound], file);
	if (bound == MOST || !side->has_bounds) {
		add_peak(&rule->peak, time_ms);
		add_peak(&side->peak, time_ms);
	}
}
