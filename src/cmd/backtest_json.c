/* backtest_json: the outcome of a backtest, for programs; docs/rules.md has its shape. */
#include <jansson.h>
#include <stdio.h>

#include "base/clock.h"
#include "cmd/backtest.h"

AUTO_DEFINE(json_t *, json_decref)

static json_t *number(uint64_t value)
{
	return json_integer((json_int_t)value);
}

static json_t *time_json(int64_t ms)
{
	AUTO(free) char *text = ms ? clock_format(ms) : NULL;

	return text ? json_string(text) : json_null();
}

static json_t *bounds(uint64_t sure, uint64_t most)
{
	return json_pack("{s:o,s:o}", "sure", number(sure), "most", number(most));
}

static json_t *bounds_of(const uint64_t *numbers, const struct backtest_side *side)
{
	return bounds(numbers[SURE], numbers[shown_bound(side)]);
}

static json_t *files_json(struct distinct *const files[BOUND_COUNT],
			  const struct backtest_side *side)
{
	const struct distinct *sure = files[SURE], *most = files[shown_bound(side)];
	json_t *object = bounds(sure ? distinct_count(sure) : 0, most ? distinct_count(most) : 0);
	bool is_exact = (!sure || distinct_is_exact(sure)) && (!most || distinct_is_exact(most));

	json_object_set_new(object, "exact", json_boolean(is_exact));
	return object;
}

static json_t *peak_json(const struct backtest_peak *peak)
{
	if (!peak->jobs)
		return json_null();
	return json_pack("{s:o,s:o}", "time", time_json(peak->minute * 60000), "jobs",
			 number(peak->jobs));
}

static json_t *texts_json(const char *const *texts, size_t count)
{
	json_t *list = json_array();

	for (size_t i = 0; i < count; i++)
		json_array_append_new(list, json_string(texts[i]));
	return list;
}

static void add_key(void *ctx, const char *key)
{
	json_array_append_new(ctx, json_string(key));
}

static json_t *rule_json(const struct backtest_rule *shown, const struct backtest_side *side)
{
	static const char *const modes[] = { "enforce", "dry_run", "off" };
	const struct rule *rule = shown->rule;
	const struct backtest_counts *sure = &shown->counts[SURE];
	const struct backtest_counts *most = &shown->counts[shown_bound(side)];
	enum backtest_bound bound = shown->example_count[SURE] ? SURE : shown_bound(side);
	json_t *object =
		json_pack("{s:s,s:s,s:i,s:s}", "rule", rule->name, "file", rule->place.file, "line",
			  rule->place.line, "mode", modes[rule->mode]);
	json_t *keys = json_array();

	rule_visit_questions(rule, add_key, keys);
	json_object_set_new(object, "depends_on", keys);
	json_object_set_new(object, "matches", bounds(sure->matches, most->matches));
	json_object_set_new(object, "jobs", bounds(sure->jobs, most->jobs));
	json_object_set_new(object, "dry_runs", bounds(sure->dry_runs, most->dry_runs));
	json_object_set_new(object, "limited", bounds(sure->limited, most->limited));
	json_object_set_new(object, "limit_reached", time_json(most->limited_ms));
	json_object_set_new(object, "counted", bounds(sure->counted, most->counted));
	json_object_set_new(object, "throttled", bounds(sure->throttled, most->throttled));
	json_object_set_new(object, "waiting", bounds(sure->waiting, most->waiting));
	json_object_set_new(object, "files", files_json(shown->files, side));
	json_object_set_new(object, "busiest_minute", peak_json(&shown->peak));
	json_object_set_new(object, "examples",
			    texts_json((const char *const *)shown->examples[bound],
				       shown->example_count[bound]));
	return object;
}

static json_t *actions_json(const struct backtest_side *side)
{
	json_t *object = json_object();

	for (size_t i = 0; i < side->action_count; i++)
		json_object_set_new(object, side->actions[i].module,
				    bounds_of(side->actions[i].jobs, side));
	return object;
}

static json_t *rules_json(const struct shown *shown, enum backtest_which which)
{
	json_t *list = json_array();

	for (size_t i = 0; i < shown->rule_count[which]; i++)
		json_array_append_new(
			list, rule_json(shown->rules[which][i], &shown->outcome->sides[which]));
	return list;
}

static json_t *only_json(const struct compared_rule *files, enum backtest_which which)
{
	return json_pack("{s:o,s:o}", "count", number(files ? files->only[which] : 0), "examples",
			 files ? texts_json(files->examples[which], files->example_count[which])
			       : json_array());
}

static json_t *differing_json(const struct shown *shown, const char *name)
{
	const struct compared_rule *files =
		name ? compared_find(shown->outcome->compared, name, shown->examples)
		     : compared_all(shown->outcome->compared, shown->examples);

	return json_pack("{s:o,s:o}", "only_tried", only_json(files, TRIED), "only_running",
			 only_json(files, RUNNING));
}

static json_t *jobs_json(const struct shown *shown, const struct backtest_rule *rule,
			 enum backtest_which which)
{
	if (!rule)
		return json_null();
	return bounds(shown_jobs(rule, SURE),
		      shown_jobs(rule, shown_bound(&shown->outcome->sides[which])));
}

static void add_difference(const struct shown *shown, json_t *list, const char *name)
{
	json_t *object = differing_json(shown, name);

	json_object_set_new(object, "rule", json_string(name));
	json_object_set_new(object, "tried",
			    jobs_json(shown, shown_find(shown, TRIED, name), TRIED));
	json_object_set_new(object, "running",
			    jobs_json(shown, shown_find(shown, RUNNING, name), RUNNING));
	json_array_append_new(list, object);
}

static json_t *comparison_json(const struct shown *shown)
{
	json_t *list = json_array();

	for (size_t i = 0; i < shown->rule_count[TRIED]; i++)
		add_difference(shown, list, shown->rules[TRIED][i]->rule->name);
	for (size_t i = 0; i < shown->rule_count[RUNNING]; i++) {
		const char *name = shown->rules[RUNNING][i]->rule->name;

		if (!shown_find(shown, TRIED, name))
			add_difference(shown, list, name);
	}
	return json_pack("{s:s,s:b,s:b,s:o,s:o}", "items", shown->items[RUNNING],
			 "other_rules_then", shown->is_other || shown->changes > 0, "cut",
			 compared_is_cut(shown->outcome->compared), "rules", list, "files",
			 differing_json(shown, NULL));
}

void backtest_print_json(const struct shown *shown)
{
	const struct backtest *outcome = shown->outcome;
	const struct backtest_side *side = &outcome->sides[TRIED];
	AUTO(json_decref)
	json_t *object = json_pack(
		"{s:s,s:b,s:o,s:o,s:o,s:o,s:o,s:o,s:o,s:o,s:o}", "items", shown->items[TRIED],
		"complete", outcome->is_complete, "from", time_json(outcome->from_ms), "until",
		time_json(outcome->until_ms), "log_from", time_json(outcome->log_from_ms),
		"messages", number(outcome->records), "events", number(outcome->events), "echoes",
		number(outcome->echoes), "not_judged_yet", number(outcome->unjudged),
		"of_other_watches", number(outcome->strange), "dropped_meanwhile",
		number(outcome->overtaken));

	json_object_set_new(object, "log_until", time_json(outcome->log_until_ms));
	json_object_set_new(object, "jobs", bounds_of(side->jobs, side));
	json_object_set_new(object, "dry_runs", bounds_of(side->written, side));
	json_object_set_new(object, "files", files_json(side->files, side));
	json_object_set_new(object, "changed_files", files_json(side->changed, side));
	json_object_set_new(object, "actions", actions_json(side));
	json_object_set_new(object, "busiest_minute", peak_json(&side->peak));
	json_object_set_new(object, "rules", rules_json(shown, TRIED));
	if (outcome->compares)
		json_object_set_new(object, "compare", comparison_json(shown));
	json_dumpf(object, stdout, JSON_COMPACT);
	putchar('\n');
}
