/* filter_fixture: a filter over a store that a test has, with one watch on /home. */
#ifndef TESTS_FILTER_FIXTURE_H
#define TESTS_FILTER_FIXTURE_H

#include "stores.h"

#include <inttypes.h>
#include <uv.h>

#include "app/filter.h"
#include "app/job.h"
#include "app/label.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/log.h"
#include "rule_fixture.h"
#include "store/echo.h"

#define ITEM(type, id, path)                                                   \
	"{\"type\":\"" type "\",\"spine\":[\"2\",\"" id "\"],\"path\":\"" path \
	"\",\"stream_name\":null}"
#define FROM(id, path) ITEM("child_file_moved_from", id, path)
#define TO(id, path) ITEM("child_file_moved_to", id, path)
#define WRITTEN(id, path) ITEM("child_data_written", id, path)
#define ZIP(id) "[" ITEM("child_file_added", id, id ".zip") "]"

#define DAY_MS (24 * 60 * 60 * 1000)

struct monitor {
	struct fixture *f;
	uv_loop_t loop;
	struct filter *filter;
	struct watch_settings watch;
	struct settings settings;
	struct rule_set *set;
	struct buf *troubles;
	int swaps;
	uint64_t swapped_after;
};

static UNUSED struct rule_set *load_rules(const char *text)
{
	AUTO(problems_free) struct problems *problems = problems_new();
	struct rule_set *set = rule_set_parse("rules.yml", text_of(text), &fixture, problems);
	AUTO(free) char *why = problems_format(problems, false);

	if (!set)
		fail_msg("%s", why);
	return set;
}

static void hear_trouble(void *ctx, size_t watch, int64_t heard_ms, const char *reason)
{
	struct monitor *m = ctx;

	assert_true(buf_print(m->troubles, "%zu: %s; ", watch, reason));
}

static void stay_silent(enum log_level level, const char *who, const char *line)
{
}

static void monitor_go_on(struct monitor *m)
{
	fixture_lead(m->f, STORE_FILTER);
	ok(m->f, filter_open(&m->filter, &m->loop, &m->settings, m->f->store, &m->set, &m->f->err));
	filter_on_trouble(m->filter, hear_trouble, m);
}

static UNUSED void monitor_stop(struct monitor *m)
{
	filter_close(TAKE(m->filter));
	while (uv_run(&m->loop, UV_RUN_DEFAULT))
		;
}

static UNUSED void monitor_restart(struct monitor *m)
{
	monitor_stop(m);
	fixture_reopen(m->f);
	monitor_go_on(m);
}

static UNUSED void monitor_start(struct monitor *m, void *state, const char *rules)
{
	*m = (struct monitor){ .f = state };
	log_redirect(stay_silent);
	clock_hold(1795367289000);
	if (m->f->settings.retention_ms < DAY_MS) { /* labels go with their records */
		m->f->settings.retention_ms = DAY_MS;
		fixture_reopen(m->f);
	}
	m->watch = (struct watch_settings){ .name = (char *)"main",
					    .path = (char *)"/home",
					    .recursive = true,
					    .rename_window_ms = 500 };
	m->settings = (struct settings){ .watches = &m->watch, .watch_count = 1 };
	m->troubles = buf_new(1 << 20);
	assert_true(buf_append(m->troubles, "", 0));
	m->set = load_rules(rules);
	uv_loop_init(&m->loop);
	monitor_go_on(m);
}

static UNUSED void monitor_clear(struct monitor *m)
{
	if (m->filter)
		monitor_stop(m);
	uv_loop_close(&m->loop);
	rule_set_free(m->set);
	buf_free(m->troubles);
	clock_release();
	log_redirect(NULL);
}

#define AUTO_MONITOR __attribute__((cleanup(monitor_clear))) struct monitor

static UNUSED void hear_as(struct monitor *m, const char *watch, const char *message)
{
	struct record record = { .time_ms = clock_now_ms(),
				 .watch = text_of(watch),
				 .bytes = text_of(message) };
	uint64_t seq;

	ok(m->f, store_log_append(m->f->store, &record, &seq, &m->f->err));
	fixture_commit(m->f);
}

static UNUSED void hear(struct monitor *m, const char *message)
{
	hear_as(m, "main", message);
}

/* Runs the loop until nothing is left to do at once. */
static UNUSED void settle_down(struct monitor *m)
{
	filter_wake(m->filter);
	do
		uv_run(&m->loop, UV_RUN_NOWAIT);
	while (uv_backend_timeout(&m->loop) == 0);
	uv_run(&m->loop, UV_RUN_NOWAIT);
}

static UNUSED void pass(struct monitor *m, int64_t ms)
{
	clock_advance(ms);
	settle_down(m);
}

static UNUSED void count_swap(void *ctx, uint64_t after_seq)
{
	struct monitor *m = ctx;

	m->swaps++;
	m->swapped_after = after_seq;
}

static UNUSED void offer(struct monitor *m, const char *rules)
{
	filter_offer(m->filter, 0, load_rules(rules), count_swap, m);
}

static UNUSED struct filter_status status_of(struct monitor *m)
{
	struct filter_status status;

	filter_get_status(m->filter, &status);
	return status;
}

static UNUSED void expect_echo(struct monitor *m, uint64_t job, enum event_type type,
			       const char *id)
{
	struct expectation expectation = { job, 0, type, id, NULL };

	ok(m->f, echo_expect(m->f->store, &expectation, 1, NULL, clock_now_ms(), 1000, &m->f->err));
}

static bool put_in_front(void *ctx, const struct job *job)
{
	char **all = ctx;
	struct error err = { 0 };
	struct job_body body;

	if (job_body_read(&body, job->body, &err) < 0)
		fail_msg("%s", error_text(&err));

	const struct event *event = body.event;
	AUTO(free) char *later = *all;

	*all = str_format("%s %s %.*s%s%.*s; %s", body.rule, event_type_name(event->type),
			  TEXT_ARGS(event->path), event->old_path.size ? " < " : "",
			  TEXT_ARGS(event->old_path), later);
	job_body_clear(&body);
	return true;
}

/* The jobs that wait, oldest first: "rule type path < old path; ". */
static UNUSED void assert_jobs(struct monitor *m, const char *wanted)
{
	AUTO(free) char *all = str_copy("");

	ok(m->f,
	   store_job_visit(m->f->store, JOB_WAITING, 1000000, put_in_front, &all, &m->f->err));
	assert_string_equal(all, wanted);
}

static UNUSED void assert_label(struct monitor *m, uint64_t seq, uint32_t index, const char *wanted)
{
	char key[LABEL_KEY_SIZE];
	AUTO(free) char *label = NULL;

	label_key(key, seq, index);
	ok(m->f, store_peek(m->f->store, SPACE_LABELS, (struct text){ key, sizeof(key) }, &label,
			    &m->f->err));
	if (!wanted)
		assert_null(label);
	else if (!label || strcmp(label, wanted) != 0)
		fail_msg("label of %" PRIu64 ".%u: %s instead of %s", seq, index,
			 label ? label : "none", wanted);
}

/* While the state is full, no job can be put. */
static UNUSED void fill_store(struct monitor *m, bool full)
{
	size_t size = 1 << 20;
	AUTO(free) char *ballast = mem_new(size);
	struct store_txn *txn;

	ok(m->f, store_begin(m->f->store, &txn, &m->f->err));
	for (int i = 0; i < 65; i++) {
		AUTO(free) char *key = str_format("ballast %d", i);

		if (full)
			ok(m->f, store_put(txn, SPACE_META, text_of(key),
					   (struct text){ ballast, size }, &m->f->err));
		else
			ok(m->f, store_delete(txn, SPACE_META, text_of(key), &m->f->err));
	}
	ok(m->f, store_commit(txn, &m->f->err));
}

#endif
