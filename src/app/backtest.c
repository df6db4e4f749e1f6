#include "app/backtest.h"

#include "app/backtest_compare.h"
#include "app/backtest_count.h"
#include "app/judge.h"
#include "app/past_echoes.h"
#include "app/scratch_store.h"
#include "app/settle.h"

#define BATCH_BYTES (16 * 1024 * 1024) /* read in one go: longer would keep the log's old pages */
#define TIMERS_AT_ONCE 10000
#define EXACT_MOST (8 * 1024 * 1024) /* files that are counted exactly, all counts together */

/* One set of rules under one bound. */
struct trial_run {
	struct backtest_work *work;
	struct backtest_side *side;
	enum backtest_which which;
	enum backtest_bound bound;
	struct trial trial;
	struct store *scratch;
	struct store_txn *txn;
	struct judge *judge;
	uint64_t last; /* the last record it judged */
};

struct backtest_work {
	struct backtest *result;
	const struct backtest_wish *wish;
	struct store *store;
	struct past_echoes *echoes;
	struct trial_run runs[SIDE_COUNT * BOUND_COUNT];
	size_t run_count;
	uint64_t first, last; /* records to read */
	uint64_t after;       /* the last one that was read */
	int64_t time_ms;      /* of that */
	bool is_over;
	int failed;
	struct error *err;
};

/* ---- What the judge tells ---- */

static int find_echo(void *ctx, const struct event *event, struct echo *out, struct error *err)
{
	struct trial_run *run = ctx;

	return past_echoes_find(run->work->echoes, event, out, err);
}

static void matched(void *ctx, const struct rule_set *set, const struct rule *rule, bool is_sure)
{
	struct trial_run *run = ctx;

	backtest_rule_of(run->side, set, rule)->counts[run->bound].matches++;
}

static uint64_t file_of(const struct event *event)
{
	return hash_text(hash_text(0, event->watch),
			 event->file_id.size ? event->file_id : event->path);
}

static void ended(void *ctx, const struct rule_set *set, const struct rule *rule,
		  const struct event *event, int64_t time_ms, enum trial_end end)
{
	struct trial_run *run = ctx;
	struct backtest *result = run->work->result;
	struct backtest_rule *counted = backtest_rule_of(run->side, set, rule);
	uint64_t file;

	if (end == TRIAL_COUNTED || end == TRIAL_THROTTLED) {
		counted->counts[run->bound].counted += end == TRIAL_COUNTED;
		counted->counts[run->bound].throttled += end == TRIAL_THROTTLED;
		return;
	}
	file = file_of(event);
	backtest_count_job(result, run->side, counted, run->bound, event, file, time_ms, end,
			   run->work->wish->examples);
	if (result->compared && (run->bound == MOST || !run->side->has_bounds))
		compared_add(result->compared, run->which, rule->name, event->path, file,
			     backtest_changes_files(counted));
}

/* ---- Runs ---- */

static int run_open(struct backtest_work *work, enum backtest_which which,
		    enum backtest_bound bound, struct error *err)
{
	struct trial_run *run = &work->runs[work->run_count++];

	run->work = work;
	run->side = &work->result->sides[which];
	run->which = which;
	run->bound = bound;
	run->trial = (struct trial){ run, bound == MOST, find_echo, matched, ended };
	if (scratch_store_open(&run->scratch, err) < 0)
		return -1;
	run->judge = judge_new(work->wish->settings, run->scratch, work->wish->sets[which]);
	judge_try(run->judge, &run->trial);
	return judge_load(run->judge, err);
}

static void run_close(struct trial_run *run)
{
	store_abort(run->txn);
	judge_free(run->judge);
	store_close(run->scratch);
}

static int open_runs(struct backtest_work *work, struct error *err)
{
	for (int which = TRIED; which < SIDE_COUNT; which++) {
		if (!work->wish->sets[which])
			continue;
		if (run_open(work, which, SURE, err) < 0)
			return -1;
		if (work->result->sides[which].has_bounds && run_open(work, which, MOST, err) < 0)
			return -1;
	}
	return 0;
}

static int run_begin(struct trial_run *run, int64_t now_ms, struct error *err)
{
	if (store_begin(run->scratch, &run->txn, err) < 0)
		return -1;
	return judge_begin(run->judge, run->txn, run->last, now_ms, err);
}

static int run_end(struct trial_run *run, struct error *err)
{
	struct judge_counts counts;

	if (judge_end(run->judge, run->last, err) < 0)
		return -1;
	if (store_commit(TAKE(run->txn), err) < 0)
		return error_prefix(err, "what is counted (in TMPDIR: has that "
					 "room?)");
	counts = judge_committed(run->judge);
	if (run == run->work->runs) {
		run->work->result->events += counts.events;
		run->work->result->echoes += counts.echoes;
	}
	return 0;
}

/* What ended before this time comes before it. */
static int run_expire(struct trial_run *run, int64_t now_ms, struct error *err)
{
	while (judge_next_due(run->judge) <= now_ms)
		if (judge_expire(run->judge, now_ms, TIMERS_AT_ONCE, err) < 0)
			return -1;
	return 0;
}

static void ignore_trouble(void *ctx, size_t watch, const char *reason)
{
}

static int run_judge(struct trial_run *run, const struct record *record, struct error *err)
{
	if (run_expire(run, record->time_ms, err) < 0)
		return -1;
	run->last = record->seq;
	return judge_record(run->judge, record, ignore_trouble, NULL, err);
}

/* ---- Records ---- */

static bool is_known(const struct settings *settings, struct text watch)
{
	for (size_t i = 0; i < settings->watch_count; i++)
		if (text_is(watch, settings->watches[i].name))
			return true;
	return false;
}

static bool is_wanted(struct backtest_work *work, const struct record *record)
{
	if (work->wish->watch)
		return text_is(record->watch, work->wish->watch);
	if (is_known(work->wish->settings, record->watch))
		return true;
	work->result->strange++;
	return false;
}

static bool take_record(void *ctx, const struct record *record)
{
	struct backtest_work *work = ctx;
	struct backtest *result = work->result;

	if (record->seq > work->last || record->time_ms > work->wish->until_ms) {
		work->is_over = true;
		return false;
	}
	work->after = record->seq;
	work->time_ms = record->time_ms;
	if (!is_wanted(work, record))
		return true;
	if (!result->records++)
		result->from_ms = record->time_ms;
	result->until_ms = record->time_ms;
	for (size_t i = 0; i < work->run_count && !work->failed; i++)
		work->failed = run_judge(&work->runs[i], record, work->err);
	return !work->failed;
}

/* Records that the filter's trimming took away before we came to them. */
static int look_for_trimmed(struct backtest_work *work, struct error *err)
{
	uint64_t first, last;

	if (store_log_range(work->store, &first, &last, err) < 0)
		return -1;
	if (first <= work->after + 1)
		return 0;
	work->result->overtaken += MIN(first - 1, work->last) - work->after;
	work->after = first - 1;
	return 0;
}

/* One read transaction of the log, so that its old pages can be used again soon. */
static int read_batch(struct backtest_work *work, struct error *err)
{
	int64_t count;

	if (look_for_trimmed(work, err) < 0)
		return -1;
	for (size_t i = 0; i < work->run_count; i++)
		if (run_begin(&work->runs[i], work->time_ms, err) < 0)
			return -1;
	count = store_log_read(work->store, work->after, SIZE_MAX, BATCH_BYTES, take_record, work,
			       err);
	if (count < 0 || work->failed)
		return -1;
	work->is_over |= !count || work->after >= work->last;
	for (size_t i = 0; i < work->run_count; i++)
		if (run_end(&work->runs[i], err) < 0)
			return -1;
	return 0;
}

static bool go_on(struct backtest_work *work)
{
	uint64_t all = work->last - work->first + 1, done = work->after + 1 - work->first;
	struct backtest_progress progress = { all ? (double)done / (double)all : 1,
					      work->result->events, work->time_ms };

	return !work->wish->go_on || work->wish->go_on(work->wish->ctx, &progress);
}

/* When nothing more comes it is the clock that says what is due. */
static int let_time_pass(struct backtest_work *work, struct error *err)
{
	for (size_t i = 0; i < work->run_count; i++) {
		struct trial_run *run = &work->runs[i];

		if (run_begin(run, work->wish->until_ms, err) < 0 ||
		    run_expire(run, work->wish->until_ms, err) < 0 || run_end(run, err) < 0)
			return -1;
	}
	return 0;
}

static void count_waiting(void *ctx, const char *watch, const char *name)
{
	struct trial_run *run = ctx;
	const struct settings *settings = run->work->wish->settings;

	for (size_t i = 0; i < settings->watch_count; i++) {
		const struct rule_set *set = run->work->wish->sets[run->which][i];
		const struct rule *rule = strcmp(settings->watches[i].name, watch) == 0
						  ? rule_set_find(set, name)
						  : NULL;

		if (rule)
			backtest_rule_of(run->side, set, rule)->counts[run->bound].waiting++;
	}
}

static int look_who_waits(struct backtest_work *work, struct error *err)
{
	for (size_t i = 0; i < work->run_count; i++)
		if (settle_visit(work->runs[i].scratch, count_waiting, &work->runs[i], err) < 0)
			return -1;
	return 0;
}

static int read_all(struct backtest_work *work, struct error *err)
{
	work->is_over = work->first > work->last;
	while (!work->is_over) {
		if (!go_on(work))
			return look_who_waits(work, err);
		if (read_batch(work, err) < 0)
			return -1;
	}
	work->result->is_complete = true;
	return let_time_pass(work, err) < 0 ? -1 : look_who_waits(work, err);
}

/* ---- Where to begin ---- */

struct look {
	int64_t time_ms;
	bool is_there;
};

static bool look_at_time(void *ctx, const struct record *record)
{
	struct look *look = ctx;

	*look = (struct look){ record->time_ms, true };
	return false;
}

/* When the first record with a number >= seq was received. */
static int time_of(struct store *store, uint64_t seq, struct look *out, struct error *err)
{
	*out = (struct look){ 0 };
	return store_log_read(store, seq - 1, 1, 1, look_at_time, out, err) < 0 ? -1 : 0;
}

/* The first record that was received at since_ms or later, times growing as numbers do. */
static int find_first(struct backtest_work *work, uint64_t first, struct error *err)
{
	uint64_t high = work->last + 1;
	struct look look;

	if (time_of(work->store, first, &look, err) < 0)
		return -1;
	work->result->log_from_ms = look.time_ms;
	if (time_of(work->store, work->last, &look, err) < 0)
		return -1;
	work->result->log_until_ms = look.time_ms;
	while (first < high) {
		uint64_t middle = first + (high - first) / 2;

		if (time_of(work->store, middle, &look, err) < 0)
			return -1;
		if (look.is_there && look.time_ms < work->wish->since_ms)
			first = middle + 1;
		else
			high = middle;
	}
	work->first = work->result->first_seq = first;
	work->after = first - 1;
	return 0;
}

static int find_records(struct backtest_work *work, struct error *err)
{
	uint64_t first, last, cursor;

	if (store_log_range(work->store, &first, &last, err) < 0 ||
	    store_cursor_get(work->store, &cursor, err) < 0)
		return -1;
	if (!first)
		return error_set(err, "the log is empty: nothing was heard yet, or it is older "
				      "than [STORE] RETENTION");
	if (cursor < first)
		return error_set(err,
				 "the log holds %llu messages, and no filter has judged one of "
				 "them yet: which of them are echoes of own actions is not "
				 "known",
				 (unsigned long long)(last - first + 1));
	work->last = MIN(cursor, last);
	work->result->unjudged = last - work->last;
	return find_first(work, first, err);
}

/* ---- Life ---- */

static void work_clear(struct backtest_work *work)
{
	for (size_t i = 0; i < work->run_count; i++)
		run_close(&work->runs[i]);
	past_echoes_free(work->echoes);
}

int backtest_run(struct backtest **out, struct store *store, const struct backtest_wish *wish,
		 struct error *err)
{
	AUTO(backtest_free) struct backtest *result = NEW(struct backtest);
	__attribute__((cleanup(work_clear))) struct backtest_work work = {
		.result = result, .wish = wish, .store = store, .err = err
	};

	result->room = EXACT_MOST;
	result->compares = wish->sets[RUNNING] != NULL;
	if (result->compares)
		result->compared = compared_new();
	for (int which = TRIED; which < SIDE_COUNT; which++)
		if (wish->sets[which])
			backtest_side_init(result, which, wish);
	work.echoes = past_echoes_new(store);
	if (find_records(&work, err) < 0 || open_runs(&work, err) < 0 || read_all(&work, err) < 0)
		return -1;
	*out = TAKE(result);
	return 0;
}

void backtest_free(struct backtest *backtest)
{
	if (!backtest)
		return;
	for (int which = TRIED; which < SIDE_COUNT; which++)
		if (backtest->sides[which].files[SURE])
			backtest_side_clear(&backtest->sides[which]);
	compared_free(backtest->compared);
	free(backtest);
}
