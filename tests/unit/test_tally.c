/* What rules count over time: thresholds, throttles, limits; the filter over real stores. */
#include "filter_fixture.h"

#define ADDED(id, path) "[" ITEM("child_file_added", id, path) "]"

#define RULES(options)                 \
	"watched_items:\n"             \
	"  - name: many\n"             \
	"    when: {event: created}\n" \
	"    " options "\n"            \
	"    actions: [log]\n"

static bool add_result(void *ctx, const struct job *job)
{
	char **all = ctx;
	struct error err = { 0 };
	struct job_body body;
	AUTO(free) char *later = *all;

	if (job_body_read(&body, job->body, &err) < 0)
		fail_msg("%s", error_text(&err));

	AUTO(free) char *results = json_dumps(body.results, JSON_COMPACT | JSON_SORT_KEYS);

	*all = str_format("%s%s; %s", body.is_dry_run ? "dry " : "", results, later);
	job_body_clear(&body);
	return true;
}

/* What the jobs that wait carry, oldest first. */
static void assert_results(struct monitor *m, const char *wanted)
{
	AUTO(free) char *all = str_copy("");

	ok(m->f, store_job_visit(m->f->store, JOB_WAITING, 1000000, add_result, &all, &m->f->err));
	assert_string_equal(all, wanted);
}

static void say(struct monitor *m, const char *id, const char *path, int64_t after_ms)
{
	AUTO(free)
	char *message = str_format("[{\"type\":\"child_file_added\",\"spine\":[\"2\",\"%s\"],"
				   "\"path\":\"%s\",\"stream_name\":null}]",
				   id, path);

	clock_advance(after_ms);
	hear(m, message);
	settle_down(m);
}

static bool count_key(void *ctx, struct text key, struct text value)
{
	(*(size_t *)ctx)++;
	return true;
}

static size_t stored_windows(struct monitor *m)
{
	size_t count = 0;

	ok(m->f,
	   store_peek_scan(m->f->store, SPACE_TALLY, TEXT_NONE, count_key, &count, &m->f->err));
	return count;
}

#define FILES(count, files, list) \
	"{\"threshold\":{\"count\":" #count ",\"files\":\"" files "\",\"list\":[" list "]}}; "
#define FILE_ITEM(path, id) "{\"file_id\":\"" id "\",\"path\":\"" path "\"}"

static void a_threshold_is_reached_within_its_time_and_counts_anew(void **state)
{
	AUTO_MONITOR m;

	monitor_start(&m, *state, RULES("threshold: {count: 3, within: 10s}"));
	say(&m, "1", "a", 0);
	say(&m, "2", "b", 9000);
	assert_results(&m, "");
	assert_label(&m, 2, 0, "{\"rules\":[\"many\"],\"counted\":[\"many\"]}");
	say(&m, "3", "c", 1000); /* the first does not count any more */
	assert_results(&m, "");
	say(&m, "2", "b", 7000);
	assert_results(&m, FILES(3, "/home/b\\n/home/c",
				 FILE_ITEM("/home/b", "2") "," FILE_ITEM("/home/c", "3")));
	assert_label(&m, 4, 0, "{\"rules\":[\"many\"],\"jobs\":[1]}");
	say(&m, "5", "d", 0);
	say(&m, "6", "e", 0);
	assert_int_equal(status_of(&m).jobs, 1);
	say(&m, "7", "f", 0);
	assert_int_equal(status_of(&m).jobs, 2);
}

static void many_events_of_one_message_are_counted_one_by_one(void **state)
{
	AUTO_MONITOR m;

	monitor_start(&m, *state, RULES("threshold: {count: 2, within: 1s}"));
	hear(&m,
	     "[" ITEM("child_file_added", "1", "a") "," ITEM("child_file_added", "2", "b") "," ITEM(
		     "child_file_added", "3", "c") "," ITEM("child_file_added", "4",
							    "d") "," ITEM("child_file_added", "5",
									  "e") "]");
	settle_down(&m);
	assert_int_equal(status_of(&m).jobs, 2);
}

static void what_was_counted_survives_a_restart(void **state)
{
	AUTO_MONITOR m;

	monitor_start(&m, *state, RULES("threshold: {count: 3, within: 10s}"));
	say(&m, "1", "a", 0);
	say(&m, "2", "b", 0);
	monitor_restart(&m);
	assert_results(&m, "");
	say(&m, "3", "c", 9999);
	assert_int_equal(status_of(&m).jobs, 1);
}

static void groups_count_apart_and_the_same_file_counts_once(void **state)
{
	AUTO_MONITOR m;

	monitor_start(&m, *state,
		      RULES("threshold: {count: 2, within: 10s, per: directory, distinct: file}"));
	say(&m, "1", "x/a", 0);
	say(&m, "1", "x/a", 0);
	say(&m, "2", "y/b", 0);
	say(&m, "2", "y/b", 0);
	assert_results(&m, "");
	say(&m, "3", "y/c", 0);
	assert_results(&m, FILES(2, "/home/y/b\\n/home/y/c",
				 FILE_ITEM("/home/y/b", "2") "," FILE_ITEM("/home/y/c", "3")));
}

static void directories_may_be_what_is_counted(void **state)
{
	AUTO_MONITOR m;

	monitor_start(&m, *state, RULES("threshold: {count: 2, within: 10s, distinct: directory}"));
	say(&m, "1", "x/a", 0);
	say(&m, "2", "x/b", 0);
	assert_results(&m, "");
	say(&m, "3", "y/c", 0);
	assert_int_equal(status_of(&m).jobs, 1);
}

static void a_window_that_is_over_leaves_nothing_behind(void **state)
{
	AUTO_MONITOR m;

	monitor_start(&m, *state,
		      RULES("threshold: {count: 2, within: 10s, per: file}\n"
			    "    throttle: {count: 1, within: 5s}"));
	say(&m, "1", "a", 0);
	say(&m, "2", "b", 0);
	say(&m, "2", "b", 5000);
	say(&m, "1", "a", 2000);
	assert_true(stored_windows(&m) > 0);
	monitor_restart(&m);
	pass(&m, 10000);
	assert_int_equal(stored_windows(&m), 0);
	assert_int_equal(status_of(&m).jobs, 0);
}

static char said[4096];

static void remember_line(enum log_level level, const char *who, const char *line)
{
	if (strcmp(who, "filter") == 0 && strlen(said) + strlen(line) + 4 < sizeof(said))
		sprintf(said + strlen(said), "%s\n", line);
}

static void a_throttle_counts_what_it_leaves_out_and_says_so(void **state)
{
	AUTO_MONITOR m;

	monitor_start(&m, *state, RULES("throttle: {count: 2, within: 10s}"));
	*said = '\0';
	log_redirect(remember_line);
	say(&m, "1", "a", 0);
	say(&m, "2", "b", 1000);
	say(&m, "3", "c", 1000);
	say(&m, "4", "d", 1000);
	assert_label(&m, 4, 0, "{\"rules\":[\"many\"],\"throttled\":[\"many\"]}");
	assert_int_equal(status_of(&m).jobs, 2);
	monitor_restart(&m);
	say(&m, "5", "e", 7000);
	assert_results(&m, "{\"throttle\":{\"suppressed\":0}}; {\"throttle\":{\"suppressed\":0}}; "
			   "{\"throttle\":{\"suppressed\":2}}; ");
	say(&m, "6", "f", 0);
	pass(&m, 9999);
	pass(&m, 1);
	assert_string_equal(
		said,
		"rule 'many' is throttled: more than 2 in 10 s; what comes is counted and left "
		"out, first /home/c\n"
		"rule 'many' is throttled: more than 2 in 10 s; what comes is counted and left "
		"out, first /home/f\n"
		"rule 'many' is not throttled any more: 1 were left out\n");
}

static void a_throttle_per_file_holds_back_that_file_alone(void **state)
{
	AUTO_MONITOR m;

	monitor_start(&m, *state, RULES("throttle: {count: 1, within: 10s, per: file}"));
	say(&m, "1", "a", 0);
	say(&m, "1", "a", 0);
	say(&m, "2", "b", 0);
	assert_jobs(&m, "many child_file_added /home/a; many child_file_added /home/b; ");
}

#define MANY_TRIPPED "many (since 2026-11-22T17:08:09.000Z: more than 2 jobs in 10 s)"

static void a_rule_that_reaches_its_limit_becomes_a_dry_run_until_it_is_changed(void **state)
{
	AUTO_MONITOR m;

	monitor_start(&m, *state, RULES("limit: {count: 2, within: 10s}"));
	*said = '\0';
	log_redirect(remember_line);
	say(&m, "1", "a", 0);
	say(&m, "2", "b", 0);
	say(&m, "3", "c", 0);
	assert_string_equal(status_of(&m).tripped, MANY_TRIPPED);
	assert_label(&m, 3, 0, "{\"rules\":[\"many\"],\"limited\":[\"many\"],\"jobs\":[3]}");
	pass(&m, DAY_MS);
	monitor_restart(&m);
	say(&m, "4", "d", 0);
	assert_string_equal(status_of(&m).tripped, MANY_TRIPPED);
	assert_results(&m, "{}; {}; dry {}; dry {}; ");
	assert_string_equal(said, "rule 'many' has reached its limit of 2 jobs in 10 s and is a "
				  "dry run from now on, from /home/c on; change the rule to set "
				  "it to work again\n");
	/* Another rule of the file, and how this one is written, are no changes of it. */
	offer(&m, RULES("limit: {within: 10000ms, count: 2}") "  - {name: another, when: {event: "
							      "removed}, actions: [log]}\n");
	settle_down(&m);
	assert_string_equal(status_of(&m).tripped, MANY_TRIPPED);
	say(&m, "5", "e", 0);
	assert_results(&m, "{}; {}; dry {}; dry {}; dry {}; ");
	offer(&m, RULES("limit: {count: 3, within: 10s}"));
	settle_down(&m);
	assert_string_equal(status_of(&m).tripped, "");
	say(&m, "6", "f", 0);
	assert_results(&m, "{}; {}; dry {}; dry {}; dry {}; {}; ");
}

static void a_limit_slides_with_time(void **state)
{
	AUTO_MONITOR m;

	monitor_start(&m, *state, RULES("limit: {count: 2, within: 10s}"));
	for (int i = 0; i < 20; i++)
		say(&m, "1", "a", 5000);
	assert_string_equal(status_of(&m).tripped, "");
	assert_int_equal(status_of(&m).jobs, 20);
}

static bool add_stop(void *ctx, const struct job *job)
{
	char **all = ctx;
	struct error err = { 0 };
	struct job_body body;
	AUTO(free) char *before = *all;

	if (job_body_read(&body, job->body, &err) < 0)
		fail_msg("%s", error_text(&err));

	AUTO(free) char *why = job_body_take_stop(&body);

	*all = str_format("%s; %s", why ? why : "go", before);
	job_body_clear(&body);
	return true;
}

/* What is said of the jobs that wait, the oldest first. */
static char *stops(struct monitor *m)
{
	char *all = str_copy("");

	ok(m->f, store_job_visit(m->f->store, JOB_WAITING, 1000000, add_stop, &all, &m->f->err));
	return all;
}

static int count_of(const char *word, const char *text)
{
	int count = 0;

	while ((text = strstr(text, word))) {
		text += strlen(word);
		count++;
	}
	return count;
}

static void an_echo_of_an_echo_of_an_echo_is_one_too_many(void **state)
{
	AUTO_MONITOR m;

	monitor_start(&m, *state,
		      "watched_items:\n"
		      "- {name: own, on_own: yes, when: {event: created}, actions: [log]}\n");
	m.settings.act.max_depth = 2;
	say(&m, "1", "a", 0);
	for (uint64_t job = 1; job <= 3; job++) {
		expect_echo(&m, job, CHILD_FILE_ADDED, "1");
		if (job == 2)
			monitor_restart(&m);
		say(&m, "1", "a", 1000);
	}
	AUTO(free) char *all = stops(&m);
	assert_string_equal(
		all, "go; go; go; stopped: it comes of 3 jobs in a row, each set off by what the "
		     "one before it did (jobs 1 -> 2 -> 3; [ACT] MAX_DEPTH is 2); ");
	say(&m, "2", "b", 1000); /* somebody else's, and the first again */
	assert_label(&m, 4, 0,
		     "{\"echo_of\":3,\"step\":0,\"rules\":[\"own\"],\"stopped\":[\"own\"],\"jobs\":"
		     "[4]}");
	assert_label(&m, 5, 0, "{\"rules\":[\"own\"],\"jobs\":[5]}");
}

static void a_rule_that_fires_on_one_file_again_and_again_leaves_it_alone(void **state)
{
	AUTO_MONITOR m;

	monitor_start(&m, *state,
		      "watched_items:\n"
		      "- {name: run, when: {event: created}, actions: {exec: /bin/true}}\n"
		      "- {name: tell, when: {event: created}, actions: [log]}\n");
	m.settings.act.runs_per_file = 3;
	m.settings.act.runs_within_ms = 10000;
	for (int i = 0; i < 6; i++) {
		if (i == 4)
			monitor_restart(&m);
		say(&m, "1", "a", 1000);
	}
	say(&m, "2", "b", 1000); /* another file */
	assert_label(&m, 3, 0, "{\"rules\":[\"run\",\"tell\"],\"jobs\":[5,6]}");
	assert_label(&m, 4, 0,
		     "{\"rules\":[\"run\",\"tell\"],\"stopped\":[\"run\"],\"jobs\":[7,8]}");
	assert_label(&m, 5, 0, "{\"rules\":[\"run\",\"tell\"],\"stopped\":[\"run\"],\"jobs\":[9]}");
	assert_label(&m, 7, 0, "{\"rules\":[\"run\",\"tell\"],\"jobs\":[11,12]}");
	AUTO(free) char *all = stops(&m);
	assert_int_equal(count_of("stopped: the rule has fired 3 times in 10 s on this file", all),
			 1);
	assert_int_equal(count_of("stopped", all), 1);
	say(&m, "1", "a", 500); /* it has not been quiet for long enough */
	assert_label(&m, 8, 0,
		     "{\"rules\":[\"run\",\"tell\"],\"stopped\":[\"run\"],\"jobs\":[13]}");
	pass(&m, 11000);
	say(&m, "1", "a", 0);
	assert_label(&m, 9, 0, "{\"rules\":[\"run\",\"tell\"],\"jobs\":[14,15]}");
	pass(&m, 25000);
	assert_int_equal(stored_windows(&m), 0);
}

static void a_store_that_fails_counts_nothing_twice(void **state)
{
	AUTO_MONITOR m;

	monitor_start(&m, *state, RULES("threshold: {count: 3, within: 1h}"));
	say(&m, "1", "a", 0);
	if (strncmp(m.f->url, "embedded:", 9) == 0) {
		fill_store(&m, true);
		say(&m, "2", "b", 0);
		say(&m, "3", "c", 0);
		say(&m, "4", "d", 0);
		assert_int_equal(status_of(&m).jobs, 0);
		fill_store(&m, false);
		pass(&m, 1000);
		assert_int_equal(status_of(&m).jobs, 1);
		assert_int_equal(status_of(&m).cursor, 4);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_threshold_is_reached_within_its_time_and_counts_anew),
		cmocka_unit_test(many_events_of_one_message_are_counted_one_by_one),
		cmocka_unit_test(what_was_counted_survives_a_restart),
		cmocka_unit_test(groups_count_apart_and_the_same_file_counts_once),
		cmocka_unit_test(directories_may_be_what_is_counted),
		cmocka_unit_test(a_window_that_is_over_leaves_nothing_behind),
		cmocka_unit_test(a_throttle_counts_what_it_leaves_out_and_says_so),
		cmocka_unit_test(a_throttle_per_file_holds_back_that_file_alone),
		cmocka_unit_test(
			a_rule_that_reaches_its_limit_becomes_a_dry_run_until_it_is_changed),
		cmocka_unit_test(a_limit_slides_with_time),
		cmocka_unit_test(an_echo_of_an_echo_of_an_echo_is_one_too_many),
		cmocka_unit_test(a_rule_that_fires_on_one_file_again_and_again_leaves_it_alone),
		cmocka_unit_test(a_store_that_fails_counts_nothing_twice),
	};

	return run_on_every_store(tests, ARRAY_SIZE(tests));
}
