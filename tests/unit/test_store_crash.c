/*
 * What a kill -9 leaves behind: a child works with the store and kills itself at a named point;
 * what it was answered before that must be there, and everything must fit together.
 */
#include "stores.h"

#include <signal.h>
#include <sys/wait.h>

#include "store/echo.h"

#define FILES 5
#define BATCH 7

static struct {
	const char *point;
	int countdown;
	int pipe;
} fate;

static void reached(const char *point)
{
	if (strcmp(point, fate.point) == 0 && --fate.countdown == 0)
		kill(getpid(), SIGKILL);
}

/* What the store answered, told to the parent; it survives the child. */
struct answer {
	enum { COMMITTED, JUDGED, SAVED, ENDED } what;
	uint64_t number;
};

static void answered(int what, uint64_t number)
{
	struct answer answer = { what, number };

	if (write(fate.pipe, &answer, sizeof(answer)) != sizeof(answer))
		_exit(9);
}

/* ---- The child: all three roles, one after the other ---- */

static void must(int rc)
{
	if (rc < 0)
		_exit(8);
}

static void child_watch(struct fixture *f)
{
	struct record record = { .watch = TEXT("main"), .bytes = TEXT("[]") };
	uint64_t seq;

	for (int i = 0; i < BATCH; i++)
		must(store_log_append(f->store, &record, &seq, &f->err));
	must(store_log_commit(f->store, &f->err));
	must(store_log_drain(f->store, 30000, &f->err) - 1);
	answered(COMMITTED, seq);
}

struct batch {
	struct store_txn *txn;
	struct fixture *f;
	uint64_t last;
};

/* One job for each record. */
static bool judge(void *ctx, const struct record *record)
{
	struct batch *batch = ctx;
	char file[8];
	struct job job = { .file_id = file, .due_ms = 1, .body = (char *)"{}" };
	uint64_t id;

	snprintf(file, sizeof(file), "%d", (int)(record->seq % FILES));
	must(store_job_put(batch->txn, &job, &id, &batch->f->err));
	batch->last = record->seq;
	return true;
}

static void child_filter(struct fixture *f)
{
	struct batch batch = { .f = f };
	uint64_t cursor;

	must(store_cursor_get(f->store, &cursor, &f->err));
	must(store_begin(f->store, &batch.txn, &f->err));
	must((int)store_log_read(f->store, cursor, 100, SIZE_MAX, judge, &batch, &f->err));
	must(store_cursor_put(batch.txn, batch.last, &f->err));
	must(store_commit(batch.txn, &f->err));
	answered(JUDGED, batch.last);
}

static void child_act(struct fixture *f, int64_t now_ms)
{
	struct job job;

	while (store_job_take(f->store, now_ms, 1000, &job, &f->err) == 1) {
		struct expectation expectation = { job.id, 0, CHILD_ACL_CHANGED, "1", NULL };

		free(job.body);
		job.body = str_copy("{\"saved\":1}");
		must(echo_expect(f->store, &expectation, 1, &job, now_ms, 1000, &f->err));
		must(store_job_save(f->store, &job, now_ms, 1000, &f->err));
		answered(SAVED, job.id);
		if (job.id % 3 == 0 && job.attempts == 0) {
			job.attempts = 1;
			job.due_ms = now_ms;
			must(store_job_retry(f->store, &job, &f->err));
		} else {
			must(store_job_end(f->store, &job, JOB_DONE, now_ms, &f->err));
			answered(ENDED, job.id);
		}
		job_clear(&job);
	}
}

static void child(struct fixture *f)
{
	must(store_open(&f->store, &f->settings, &f->err));
	store_on_point(reached);
	for (int64_t now_ms = 1; now_ms < 12; now_ms++) {
		child_watch(f);
		child_filter(f);
		child_act(f, now_ms);
		must(store_log_trim(f->store, now_ms + 1000, &f->err));
	}
	_exit(7); /* the point was never reached */
}

/* ---- The parent ---- */

struct known {
	uint64_t committed, judged, ended[256], saved[256];
	size_t ended_count, saved_count;
};

static struct known run_child(struct fixture *f, const char *point, int countdown)
{
	struct known known = { 0 };
	struct answer answer;
	int ends[2], status;
	pid_t pid;

	assert_int_equal(pipe(ends), 0);
	pid = fork();
	if (pid == 0) {
		close(ends[0]);
		fate.point = point;
		fate.countdown = countdown;
		fate.pipe = ends[1];
		child(f);
	}
	close(ends[1]);
	while (read(ends[0], &answer, sizeof(answer)) == sizeof(answer)) {
		if (answer.what == COMMITTED)
			known.committed = answer.number;
		else if (answer.what == JUDGED)
			known.judged = answer.number;
		else if (answer.what == SAVED)
			known.saved[known.saved_count++] = answer.number;
		else
			known.ended[known.ended_count++] = answer.number;
	}
	close(ends[0]);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	if (!WIFSIGNALED(status) || WTERMSIG(status) != SIGKILL)
		fail_msg("%s: the child ended with status %x", point, status);
	return known;
}

struct jobs {
	uint64_t seen[512];
	bool done[512], saved[512];
	size_t count;
	bool is_done;
};

static bool see_job(void *ctx, const struct job *job)
{
	struct jobs *jobs = ctx;

	assert_in_range(job->id, 1, 511);
	assert_int_equal(jobs->seen[job->id], 0); /* waits or is done, not both */
	jobs->seen[job->id] = 1;
	jobs->done[job->id] = jobs->is_done;
	jobs->saved[job->id] = strstr(job->body, "saved") != NULL;
	jobs->count++;
	return true;
}

static bool count_record(void *ctx, const struct record *record)
{
	uint64_t *last = ctx;

	if (*last)
		assert_int_equal(record->seq, *last + 1);
	*last = record->seq;
	return true;
}

static void check(struct fixture *f, const struct known *known)
{
	struct jobs jobs = { 0 };
	uint64_t cursor, last = 0, first, end;

	ok(f, store_cursor_get(f->store, &cursor, &f->err));
	ok(f, store_log_range(f->store, &first, &end, &f->err));
	ok(f, store_log_read(f->store, 0, SIZE_MAX, SIZE_MAX, count_record, &last, &f->err));
	assert_int_equal(last, end);
	if (known->committed > cursor)
		assert_in_range(last, known->committed, known->committed + BATCH);
	assert_in_range(cursor, known->judged, known->judged + BATCH);
	ok(f, store_job_visit(f->store, JOB_WAITING, SIZE_MAX, see_job, &jobs, &f->err));
	/* Where others may be at work, a killed process's jobs come back after their leases. */
	ok(f, store_job_visit(f->store, JOB_TAKEN, SIZE_MAX, see_job, &jobs, &f->err));
	jobs.is_done = true;
	ok(f, store_job_visit(f->store, JOB_DONE, SIZE_MAX, see_job, &jobs, &f->err));
	assert_int_equal(jobs.count, cursor); /* one job a record: none lost, none doubled */
	for (size_t i = 0; i < known->ended_count; i++)
		assert_true(jobs.done[known->ended[i]]);
	for (size_t i = 0; i < known->saved_count; i++)
		assert_true(jobs.saved[known->saved[i]]);
}

/* Goes on after the crash until nothing is left to do. */
static void finish(struct fixture *f)
{
	struct store_counts counts;
	uint64_t cursor;
	struct job job;
	int rc;

	while ((rc = store_job_take(f->store, 5000, 1000, &job, &f->err)) == 1) {
		ok(f, store_job_end(f->store, &job, JOB_DONE, 100, &f->err));
		job_clear(&job);
	}
	ok(f, rc);
	ok(f, store_cursor_get(f->store, &cursor, &f->err));
	ok(f, store_count(f->store, &counts, &f->err));
	assert_int_equal(counts.jobs_done, cursor);
	assert_int_equal(counts.jobs_waiting + counts.jobs_taken, 0);
}

static void a_kill_at_any_point_loses_and_doubles_nothing(void **state)
{
	struct fixture *f = *state;
	static const char *const points[] = {
		"log.commit.before", "log.commit.amid", "log.commit.after",    "log.trim.before",
		"log.trim.amid",     "log.trim.after",  "state.commit.before", "state.commit.after",
		"job.save.before",   "job.save.after",  "job.retry.before",    "job.retry.after",
		"job.end.before",    "job.end.after",
	};
	static const int countdowns[] = { 1, 3, 10 };

	for (size_t i = 0; i < ARRAY_SIZE(points) * ARRAY_SIZE(countdowns); i++) {
		struct known known;

		fixture_close(f);
		fixture_wipe(f);
		known = run_child(f, points[i / ARRAY_SIZE(countdowns)],
				  countdowns[i % ARRAY_SIZE(countdowns)]);
		fixture_open(f);
		ok(f, store_job_release_all(f->store, &f->err));
		check(f, &known);
		finish(f);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_kill_at_any_point_loses_and_doubles_nothing),
	};

	return run_on_every_store(tests, ARRAY_SIZE(tests));
}
