/* Where the roles meet: each in its own thread, on one store. For the thread sanitizer. */
#include "stores.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>

#include "store/echo.h"

#define RECORDS 600

struct race {
	struct fixture *f;
	atomic_uint filter_wakes, act_wakes;
	_Atomic uint64_t ended;
	atomic_bool is_broken;
};

static void broken(struct race *race, const struct error *err)
{
	print_error("%s\n", error_text(err));
	race->is_broken = true;
}

static void wake(void *ctx)
{
	++*(atomic_uint *)ctx;
}

static void *watch(void *ctx)
{
	struct race *race = ctx;
	struct store *store = race->f->store;
	struct record record = { .watch = TEXT("main"), .bytes = TEXT("[]") };
	AUTO_ERROR err = { 0 };
	uint64_t seq;

	for (int i = 1; i <= RECORDS && !race->is_broken; i++) {
		if (store_log_append(store, &record, &seq, &err) < 0 ||
		    (i % 5 == 0 && store_log_commit(store, &err) < 0) ||
		    (i % 50 == 0 && store_log_trim(store, 2000, &err) < 0))
			broken(race, &err);
	}
	return NULL;
}

struct batch {
	struct store_txn *txn;
	struct error err;
	uint64_t last;
	bool is_broken;
};

static bool judge(void *ctx, const struct record *record)
{
	struct batch *batch = ctx;
	struct store_key key = store_key(record->seq);
	char file[8];
	struct job job = { .file_id = file, .due_ms = 1, .body = (char *)"{}" };
	uint64_t id;

	snprintf(file, sizeof(file), "%d", (int)(record->seq % 7));
	batch->is_broken = store_job_put(batch->txn, &job, &id, &batch->err) < 0 ||
			   store_put(batch->txn, SPACE_LABELS, (struct text){ key.bytes, 8 },
				     TEXT("{}"), &batch->err) < 0;
	batch->last = record->seq;
	return !batch->is_broken;
}

static void *filter(void *ctx)
{
	struct race *race = ctx;
	struct store *store = race->f->store;
	uint64_t cursor = 0, job;
	unsigned step;
	struct event echo = { .type = CHILD_ACL_CHANGED, .file_id = TEXT("1"), .path = TEXT("/a") };

	while (cursor < RECORDS && !race->is_broken) {
		struct batch batch = { 0 };

		if (store_begin(store, &batch.txn, &batch.err) < 0 ||
		    store_log_read(store, cursor, 20, SIZE_MAX, judge, &batch, &batch.err) < 0 ||
		    batch.is_broken ||
		    echo_match(batch.txn, &echo, 2, &job, &step, &batch.err) < 0 ||
		    (batch.last && store_cursor_put(batch.txn, batch.last, &batch.err) < 0) ||
		    store_commit(batch.txn, &batch.err) < 0) {
			broken(race, &batch.err);
			break;
		}
		cursor = MAX(cursor, batch.last);
		sched_yield();
	}
	return NULL;
}

static int act_once(struct race *race, struct error *err)
{
	struct store *store = race->f->store;
	struct job job;
	int rc = store_job_take(store, 10, 100000, &job, err);

	if (rc <= 0) {
		sched_yield();
		return rc;
	}

	struct expectation expectation = { job.id, 0, CHILD_ACL_CHANGED, "1", NULL };
	int64_t due_ms;

	if (job.attempts == 0 && job.id % 5 == 0) {
		job.attempts = 1;
		rc = store_job_retry(store, &job, err);
	} else {
		rc = echo_expect(store, &expectation, 1, &job, 1, 100000, err);
		if (rc == 0)
			rc = store_job_end(store, &job, JOB_DONE, 10, err);
		race->ended++;
	}
	job_clear(&job);
	return rc < 0 ? -1 : store_job_next_due(store, &due_ms, err);
}

static void *act(void *ctx)
{
	struct race *race = ctx;
	AUTO_ERROR err = { 0 };

	while (race->ended < RECORDS && !race->is_broken)
		if (act_once(race, &err) < 0)
			broken(race, &err);
	return NULL;
}

static bool look_at_job(void *ctx, const struct job *job)
{
	return job->id > 0;
}

static bool look_at_pair(void *ctx, struct text key, struct text value)
{
	return key.size && value.size;
}

/* The main thread: status, tail, tidying. */
static void look(struct race *race)
{
	struct store *store = race->f->store;
	struct gap gap = { .watch = "main", .from_ms = 1 };
	struct store_counts counts;
	AUTO_ERROR err = { 0 };

	if (store_count(store, &counts, &err) < 0 ||
	    store_job_visit(store, JOB_DONE, 10, look_at_job, NULL, &err) < 0 ||
	    store_job_visit(store, JOB_TAKEN, 10, look_at_job, NULL, &err) < 0 ||
	    store_peek_scan(store, SPACE_LABELS, TEXT(""), look_at_pair, NULL, &err) < 0 ||
	    store_gap_put(store, &gap, &err) < 0 || store_state_trim(store, 20, &err) < 0)
		broken(race, &err);
}

static void the_roles_meet_in_the_store_and_every_record_becomes_one_job_done(void **state)
{
	struct race race = { .f = *state };
	struct store_counts counts;
	pthread_t threads[3];

	store_on_wake(race.f->store, STORE_FILTER, wake, &race.filter_wakes);
	store_on_wake(race.f->store, STORE_ACT, wake, &race.act_wakes);
	pthread_create(&threads[0], NULL, watch, &race);
	pthread_create(&threads[1], NULL, filter, &race);
	pthread_create(&threads[2], NULL, act, &race);
	while (race.ended < RECORDS && !race.is_broken)
		look(&race);
	for (size_t i = 0; i < ARRAY_SIZE(threads); i++)
		pthread_join(threads[i], NULL);
	assert_false(race.is_broken);
	ok(race.f, store_count(race.f->store, &counts, &race.f->err));
	assert_int_equal(counts.jobs_done, RECORDS);
	assert_int_equal(counts.jobs_waiting + counts.jobs_taken, 0);
	assert_in_range(race.filter_wakes, 1, RECORDS);
	assert_true(race.act_wakes > 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_roles_meet_in_the_store_and_every_record_becomes_one_job_done),
	};

	return run_on_every_store(tests, ARRAY_SIZE(tests));
}
