/* What rules would have done, beside what the filter did. */
#include "filter_fixture.h"

#include "app/backtest.h"
#include "app/backtest_compare.h"

#define ADDED(id, path) "[" ITEM("child_file_added", id, path) "]"
#define LINE_MS 1795367289000

/* Who would change something is refused: the store is read only. */
static struct backtest *try_with(struct monitor *m, struct backtest_wish *wish,
				 struct rule_set *tried, struct rule_set *running)
{
	struct store_settings settings = m->f->settings;
	struct backtest *outcome;
	struct store *store;

	if (m->filter)
		monitor_stop(m);
	fixture_close(m->f);
	settings.reads_only = true;
	settings.watches = false;
	settings.member = NULL;
	ok(m->f, store_open(&store, &settings, &m->f->err));
	wish->settings = &m->settings;
	wish->sets[TRIED] = &tried;
	wish->sets[RUNNING] = running ? &running : NULL;
	wish->until_ms = wish->until_ms ? wish->until_ms : clock_now_ms();
	wish->examples = 2;
	ok(m->f, backtest_run(&outcome, store, wish, &m->f->err));
	store_close(store);
	fixture_open(m->f);
	return outcome;
}

static struct backtest *try_rules(struct monitor *m, struct rule_set *set)
{
	struct backtest_wish wish = { 0 };

	return try_with(m, &wish, set, NULL);
}

static const struct backtest_rule *rule_at(const struct backtest *outcome, size_t index)
{
	return &outcome->sides[TRIED].sets[0].rules[index];
}

struct real {
	const char *rule;
	bool is_dry;
	uint64_t jobs;
};

static bool count_real(void *ctx, const struct job *job)
{
	struct real *real = ctx;
	struct job_body body;
	struct error err = { 0 };

	if (job_body_read(&body, job->body, &err) < 0)
		fail_msg("%s", error_text(&err));
	real->jobs += strcmp(body.rule, real->rule) == 0 && body.is_dry_run == real->is_dry;
	job_body_clear(&body);
	return true;
}

static uint64_t real_jobs(struct monitor *m, const char *rule, bool is_dry)
{
	struct real real = { rule, is_dry, 0 };

	ok(m->f, store_job_visit(m->f->store, JOB_WAITING, 1000000, count_real, &real, &m->f->err));
	return real.jobs;
}

static const char all_kinds[] =
	"watched_items:\n"
	"- {name: stops, when: {event: created, name: '*.0.*'}, priority: 1, stop: yes, actions: "
	"[log]}\n"
	"- {name: zips, when: {event: [created, renamed], extension: .zip}, actions: [log, exec]}\n"
	"- {name: many, when: {event: created}, actions: [log],\n"
	"   threshold: {count: 4, within: 20s, per: directory, distinct: file}}\n"
	"- {name: some, when: {event: written}, actions: [log], throttle: {count: 2, within: 5s}}\n"
	"- {name: bounded, when: {event: created}, actions: [log], limit: {count: 9, within: 1m}}\n"
	"- {name: quiet, when: {event: [created, written]}, actions: [log], settle: {quiet: 3s, "
	"max: "
	"9s}}\n"
	"- {name: empty, when: {event: created}, actions: [log], absent: {event: written, within: "
	"4s}}\n"
	"- {name: moved, when: {old_extension: .tmp}, actions: [log]}\n"
	"- {name: dry, when: {event: removed}, actions: [log], mode: dry_run}\n"
	"- {name: off, when: {event: any}, actions: [log], mode: off}\n";

/* A history that each rule has something to say about, and some of it close together. */
static void live_through(struct monitor *m)
{
	static const char *const endings[] = { "0.zip", "1.zip", "2.doc", "3.tmp" };

	for (int i = 0; i < 60; i++) {
		int id = 100 + i % 17;
		const char *ending = endings[i % 4];
		const char *type = i % 5 == 4     ? "child_data_written"
				   : i % 11 == 10 ? "child_file_removed"
						  : "child_file_added";
		AUTO(free)
		char *message = str_format(
			"[{\"type\":\"%s\",\"spine\":[\"2\",\"%d\"],\"path\":\"d%d/f%d.%s\","
			"\"stream_name\":null}]",
			type, id, i % 3, id, ending);
		AUTO(free)
		char *halves =
			str_format("[{\"type\":\"child_file_moved_from\",\"spine\":[\"2\",\"%d\"],"
				   "\"path\":\"x.tmp\",\"stream_name\":null},"
				   "{\"type\":\"child_file_moved_to\",\"spine\":[\"2\",\"%d\"],"
				   "\"path\":\"x%d.zip\",\"stream_name\":null}]",
				   id, id, i);

		if (i % 7 == 3)
			expect_echo(m, 17, CHILD_FILE_ADDED, i % 2 ? "104" : "109");
		hear(m, i % 6 == 5 ? halves : message);
		if (i % 13 == 0)
			hear(m, "[" FROM("77", "gone.doc") "]"); /* its other half never comes */
		pass(m, i % 4 == 0 ? 2500 : 300);
	}
	pass(m, 60000);
	pass(m, 60000);
}

static void the_jobs_are_those_of_the_filter(void **state)
{
	AUTO_MONITOR m;
	AUTO(backtest_free) struct backtest *outcome = NULL;
	uint64_t echoes, events;

	monitor_start(&m, *state, all_kinds);
	live_through(&m);
	echoes = status_of(&m).echoes;
	events = status_of(&m).events;
	assert_true(echoes > 0);
	outcome = try_rules(&m, m.set);
	assert_true(outcome->is_complete);
	assert_int_equal(outcome->events, events);
	assert_int_equal(outcome->echoes, echoes);
	assert_false(outcome->sides[TRIED].has_bounds);
	for (size_t i = 0; i < rule_set_count(m.set); i++) {
		const struct backtest_rule *rule = rule_at(outcome, i);
		const struct backtest_counts *counts = &rule->counts[SURE];
		uint64_t real = real_jobs(&m, rule->rule->name, false);
		uint64_t dry = real_jobs(&m, rule->rule->name, true);

		if (counts->jobs != real || counts->dry_runs + counts->limited != dry)
			fail_msg("%s: %" PRIu64 " jobs and %" PRIu64 " dry runs, in fact %" PRIu64
				 " and %" PRIu64,
				 rule->rule->name, counts->jobs, counts->dry_runs + counts->limited,
				 real, dry);
		assert_int_equal(!real && !dry, rule->rule->mode == RULE_OFF);
	}
}

static void files_examples_actions_and_the_busiest_minute_are_told(void **state)
{
	AUTO_MONITOR m;
	AUTO(backtest_free) struct backtest *outcome = NULL;
	const struct backtest_side *side;
	const struct backtest_rule *rule;

	monitor_start(
		&m, *state,
		"watched_items:\n"
		"- {name: a, when: {event: created}, actions: [{permissions: {mode: '0640'}}, "
		"log]}\n"
		"- {name: b, when: {event: written}, actions: [log]}\n");
	hear(&m, ADDED("1", "one"));
	hear(&m, ADDED("1", "one"));
	hear(&m, ADDED("2", "two"));
	pass(&m, 60000);
	hear(&m, ADDED("3", "three"));
	hear(&m, "[" WRITTEN("4", "four") "]");
	pass(&m, 0);
	outcome = try_rules(&m, m.set);
	side = &outcome->sides[TRIED];
	rule = rule_at(outcome, 0);
	assert_int_equal(rule->counts[SURE].jobs, 4);
	assert_int_equal(distinct_count(rule->files[SURE]), 3);
	assert_int_equal(rule->example_count[SURE], 2);
	assert_string_equal(rule->examples[SURE][0], "/home/one");
	assert_string_equal(rule->examples[SURE][1], "/home/two");
	assert_int_equal(rule->peak.jobs, 3);
	assert_int_equal(rule->peak.minute, LINE_MS / 60000);
	assert_int_equal(distinct_count(side->files[SURE]), 4);
	assert_int_equal(distinct_count(side->changed[SURE]), 3);
	assert_int_equal(side->action_count, 2);
	assert_string_equal(side->actions[1].module, "log");
	assert_int_equal(side->actions[1].jobs[SURE], 5);
}

static void what_only_the_cluster_knows_gives_bounds(void **state)
{
	AUTO_MONITOR m;
	AUTO(backtest_free) struct backtest *outcome = NULL;
	AUTO(rule_set_free)
	struct rule_set *set = load_rules(
		"watched_items:\n"
		"- {name: large, when: {event: created, size: {over: 10}}, stop: yes, actions: "
		"[log]}\n"
		"- {name: after, when: {event: created}, actions: [log]}\n"
		"- {name: either, when: {any: [{extension: .zip}, {owner: joe}]}, actions: [log]}\n"
		"- {name: slow, when: {event: created, owner: joe}, settle: 1s, actions: [log]}\n");
	static const struct {
		uint64_t sure, most;
	} wanted[] = { { 0, 2 }, { 0, 2 }, { 0, 2 }, { 0, 2 } };

	monitor_start(&m, *state, all_kinds);
	hear(&m, ADDED("1", "a.zip"));
	hear(&m, ADDED("2", "b.doc"));
	pass(&m, 5000);
	outcome = try_rules(&m, set);
	assert_true(outcome->sides[TRIED].has_bounds);
	for (size_t i = 0; i < ARRAY_SIZE(wanted); i++) {
		assert_int_equal(rule_at(outcome, i)->counts[SURE].jobs, wanted[i].sure);
		assert_int_equal(rule_at(outcome, i)->counts[MOST].jobs, wanted[i].most);
	}
}

static void what_does_not_depend_on_the_cluster_is_sure(void **state)
{
	AUTO_MONITOR m;
	AUTO(backtest_free) struct backtest *outcome = NULL;
	AUTO(rule_set_free)
	struct rule_set *set = load_rules(
		"watched_items:\n"
		"- {name: either, when: {any: [{extension: .zip}, {owner: joe}]}, actions: [log]}\n"
		"- {name: never, when: {extension: .x, owner: joe}, actions: [log]}\n"
		"- {name: counts, when: {event: created, not: {all: [{extension: .doc}, {owner: "
		"joe}]}},"
		" threshold: {count: 2, within: 1m}, actions: [log]}\n");

	monitor_start(&m, *state, all_kinds);
	hear(&m, ADDED("1", "a.zip"));
	hear(&m, ADDED("2", "b.doc"));
	hear(&m, ADDED("3", "c.zip"));
	hear(&m, ADDED("4", "d.doc"));
	pass(&m, 5000);
	outcome = try_rules(&m, set);
	assert_int_equal(rule_at(outcome, 0)->counts[SURE].jobs, 2);
	assert_int_equal(rule_at(outcome, 0)->counts[MOST].jobs, 4);
	assert_int_equal(rule_at(outcome, 1)->counts[MOST].matches, 0);
	assert_int_equal(rule_at(outcome, 2)->counts[SURE].jobs, 1);
	assert_int_equal(rule_at(outcome, 2)->counts[MOST].jobs, 2);
}

static void only_the_time_asked_for_is_judged(void **state)
{
	AUTO_MONITOR m;
	struct backtest_wish wish = { .since_ms = LINE_MS + 3000, .until_ms = LINE_MS + 6000 };
	AUTO(backtest_free) struct backtest *outcome = NULL;

	monitor_start(&m, *state,
		      "watched_items:\n- {name: a, when: {event: created}, actions: [log]}\n");
	for (int i = 0; i < 10; i++) {
		AUTO(free) char *message = str_format(ADDED("%d", "f%d"), i, i);

		hear(&m, message);
		pass(&m, 1000);
	}
	outcome = try_with(&m, &wish, m.set, NULL);
	assert_int_equal(rule_at(outcome, 0)->counts[SURE].jobs, 4);
	assert_string_equal(rule_at(outcome, 0)->examples[SURE][0], "/home/f3");
	assert_int_equal(outcome->from_ms, LINE_MS + 3000);
	assert_int_equal(outcome->until_ms, LINE_MS + 6000);
	assert_int_equal(outcome->log_from_ms, LINE_MS);
}

static void files_that_still_wait_at_the_end_are_told(void **state)
{
	AUTO_MONITOR m;
	struct backtest_wish wish = { .until_ms = LINE_MS + 2500 };
	AUTO(backtest_free) struct backtest *outcome = NULL;

	monitor_start(
		&m, *state,
		"watched_items:\n"
		"- {name: quiet, when: {event: created}, settle: 2s, actions: [log]}\n"
		"- {name: empty, when: {event: created}, absent: {event: written, within: 1h}, "
		"actions: [log]}\n");
	for (int i = 0; i < 3; i++) {
		AUTO(free) char *message = str_format(ADDED("%d", "f%d"), i, i);

		hear(&m, message);
		pass(&m, 1000);
	}
	outcome = try_with(&m, &wish, m.set, NULL);
	assert_int_equal(rule_at(outcome, 0)->counts[SURE].jobs, 1);
	assert_int_equal(rule_at(outcome, 0)->counts[SURE].waiting, 2);
	assert_int_equal(rule_at(outcome, 1)->counts[SURE].jobs, 0);
	assert_int_equal(rule_at(outcome, 1)->counts[SURE].waiting, 3);
}

static void two_sets_are_told_apart_by_the_files_that_they_change(void **state)
{
	AUTO_MONITOR m;
	struct backtest_wish wish = { 0 };
	AUTO(backtest_free) struct backtest *outcome = NULL;
	AUTO(rule_set_free)
	struct rule_set *tried = load_rules(
		"watched_items:\n- {name: a, when: {event: created, extension: [.b, .c]}, actions: "
		"[permissions]}\n- {name: tells, when: {event: created}, actions: [log]}\n");
	const struct compared_rule *files;

	monitor_start(&m, *state,
		      "watched_items:\n- {name: a, when: {event: created, extension: [.a, .b]}, "
		      "actions: [permissions]}\n- {name: gone, when: {extension: .c}, actions: "
		      "[permissions]}\n");
	hear(&m, ADDED("1", "1.a"));
	hear(&m, ADDED("2", "2.b"));
	hear(&m, ADDED("3", "3.c"));
	hear(&m, ADDED("4", "4.a"));
	pass(&m, 0);
	outcome = try_with(&m, &wish, tried, m.set);
	files = compared_find(outcome->compared, "a", 1);
	assert_int_equal(files->only[TRIED], 1);
	assert_string_equal(files->examples[TRIED][0], "/home/3.c");
	assert_int_equal(files->only[RUNNING], 2);
	assert_int_equal(files->example_count[RUNNING], 1);
	assert_string_equal(files->examples[RUNNING][0], "/home/1.a");
	files = compared_all(outcome->compared, 1);
	assert_int_equal(files->only[TRIED],
			 0); /* the rule that is gone did; a log line changes none */
	assert_int_equal(files->only[RUNNING], 2);
	assert_false(compared_is_cut(outcome->compared));
}

/* What another watch heard, and one that is not in the settings any more. */
static void only_the_watch_asked_for_is_judged_and_its_rules_shown(void **state)
{
	AUTO_MONITOR m;
	struct backtest_wish wish = { .until_ms = LINE_MS + 1000 };
	struct watch_settings watches[2];
	const struct settings settings = { .watches = watches, .watch_count = 2 };
	AUTO(rule_set_free)
	struct rule_set *lab =
		load_rules("watched_items:\n- {name: lab, when: {event: any}, actions: [log]}\n");
	AUTO(backtest_free) struct backtest *both = NULL;
	AUTO(backtest_free) struct backtest *one = NULL;

	monitor_start(&m, *state,
		      "watched_items:\n- {name: main, when: {event: any}, actions: [log]}\n");
	hear(&m, ADDED("1", "a"));
	hear_as(&m, "lab", ADDED("2", "b"));
	hear_as(&m, "gone", ADDED("3", "c"));
	pass(&m, 0);
	watches[0] = watches[1] = m.watch;
	watches[1].name = (char *)"lab";

	struct rule_set *const sets[] = { m.set, lab };

	wish.settings = &settings;
	wish.sets[TRIED] = sets;
	ok(m.f, backtest_run(&both, m.f->store, &wish, &m.f->err));
	assert_int_equal(both->records, 2);
	assert_int_equal(both->strange, 1);
	assert_int_equal(both->sides[TRIED].set_count, 2);
	assert_int_equal(both->sides[TRIED].jobs[SURE], 2);
	wish.watch = "lab";
	ok(m.f, backtest_run(&one, m.f->store, &wish, &m.f->err));
	assert_int_equal(one->records, 1);
	assert_int_equal(one->sides[TRIED].set_count, 1);
	assert_int_equal(rule_at(one, 0)->counts[SURE].jobs, 1);
}

static bool stop_at_once(void *ctx, const struct backtest_progress *progress)
{
	return false;
}

static void who_stops_gets_what_is_known(void **state)
{
	AUTO_MONITOR m;
	struct backtest_wish wish = { .go_on = stop_at_once };
	AUTO(backtest_free) struct backtest *outcome = NULL;

	monitor_start(&m, *state, all_kinds);
	hear(&m, ADDED("1", "1.a"));
	pass(&m, 0);
	outcome = try_with(&m, &wish, m.set, NULL);
	assert_false(outcome->is_complete);
	assert_int_equal(outcome->events, 0);
}

static void a_log_without_judged_records_is_refused(void **state)
{
	AUTO_MONITOR m;
	struct backtest_wish wish = { 0 };
	struct backtest *outcome;
	struct rule_set *const *sets;

	monitor_start(&m, *state, all_kinds);
	sets = &m.set;
	wish.settings = &m.settings;
	wish.sets[TRIED] = sets;
	assert_int_equal(backtest_run(&outcome, m.f->store, &wish, &m.f->err), -1);
	assert_string_equal(error_text(&m.f->err),
			    "the log is empty: nothing was heard yet, or it is older than [STORE] "
			    "RETENTION");
	hear(&m, ADDED("1", "1.a"));
	assert_int_equal(backtest_run(&outcome, m.f->store, &wish, &m.f->err), -1);
	assert_string_equal(error_text(&m.f->err),
			    "the log holds 1 messages, and no filter has judged one of them yet: "
			    "which of them are echoes of own actions is not known");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_jobs_are_those_of_the_filter),
		cmocka_unit_test(files_examples_actions_and_the_busiest_minute_are_told),
		cmocka_unit_test(what_only_the_cluster_knows_gives_bounds),
		cmocka_unit_test(what_does_not_depend_on_the_cluster_is_sure),
		cmocka_unit_test(only_the_time_asked_for_is_judged),
		cmocka_unit_test(files_that_still_wait_at_the_end_are_told),
		cmocka_unit_test(two_sets_are_told_apart_by_the_files_that_they_change),
		cmocka_unit_test(only_the_watch_asked_for_is_judged_and_its_rules_shown),
		cmocka_unit_test(who_stops_gets_what_is_known),
		cmocka_unit_test(a_log_without_judged_records_is_refused),
	};

	return run_on_every_store(tests, ARRAY_SIZE(tests));
}
