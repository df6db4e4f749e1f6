/* The store's contract about jobs, on every implementation; at the end against a simple model. */
#define STORES_ON_GROUPS
#include "stores.h"

static uint64_t put_job(struct fixture *f, const char *file_id, int64_t due_ms)
{
	struct job job = { .file_id = (char *)file_id,
			   .due_ms = due_ms,
			   .body = (char *)"{\"rule\":\"r\"}" };
	struct store_txn *txn;
	uint64_t id;

	ok(f, store_begin(f->store, &txn, &f->err));
	ok(f, store_job_put(txn, &job, &id, &f->err));
	ok(f, store_commit(txn, &f->err));
	return id;
}

/* The id of the job that was taken, or 0. */
static uint64_t take(struct fixture *f, int64_t now_ms)
{
	struct job job = { 0 };
	uint64_t id = 0;
	int rc = store_job_take(f->store, now_ms, 100, &job, &f->err);

	ok(f, rc);
	if (rc)
		id = job.id;
	job_clear(&job);
	return id;
}

static void end(struct fixture *f, uint64_t id, int64_t now_ms)
{
	struct job job = { .id = id, .outcome = (char *)"done: well" };

	ok(f, store_job_end(f->store, &job, JOB_DONE, now_ms, &f->err));
}

static int64_t next_due(struct fixture *f)
{
	int64_t due_ms;

	ok(f, store_job_next_due(f->store, &due_ms, &f->err));
	return due_ms;
}

static struct store_counts count(struct fixture *f)
{
	struct store_counts counts;

	ok(f, store_count(f->store, &counts, &f->err));
	return counts;
}

static void a_job_comes_back_as_it_was_put(void **state)
{
	struct fixture *f = *state;
	struct job put = {
		.file_id = (char *)"123", .due_ms = 5, .attempts = 2, .body = (char *)"{\"a\":1}"
	};
	struct job job = { 0 };
	struct store_txn *txn;
	uint64_t id;

	ok(f, store_begin(f->store, &txn, &f->err));
	ok(f, store_job_put(txn, &put, &id, &f->err));
	ok(f, store_commit(txn, &f->err));
	fixture_reopen(f);
	assert_int_equal(store_job_take(f->store, 10, 100, &job, &f->err), 1);
	assert_int_equal(job.id, id);
	assert_int_equal(job.due_ms, 5);
	assert_int_equal(job.attempts, 2);
	assert_int_equal(job.state, JOB_TAKEN);
	assert_string_equal(job.file_id, "123");
	assert_string_equal(job.body, "{\"a\":1}");
	job_clear(&job);
}

static void a_job_is_taken_when_it_is_due_and_once(void **state)
{
	struct fixture *f = *state;
	uint64_t id = put_job(f, "1", 50);

	assert_int_equal(next_due(f), 50);
	assert_int_equal(take(f, 49), 0);
	assert_int_equal(take(f, 50), id);
	assert_int_equal(take(f, 50), 0);
}

static void jobs_are_taken_in_the_order_in_which_they_are_due(void **state)
{
	struct fixture *f = *state;
	uint64_t late = put_job(f, "1", 30), soon = put_job(f, "2", 10), mid = put_job(f, "", 20);

	assert_int_equal(take(f, 100), soon);
	assert_int_equal(take(f, 100), mid);
	assert_int_equal(take(f, 100), late);
}

static void jobs_of_one_file_wait_for_each_other_even_for_one_that_retries(void **state)
{
	struct fixture *f = *state;
	uint64_t first = put_job(f, "7", 10), second = put_job(f, "7", 1),
		 other = put_job(f, "8", 20);
	struct job retry = { .id = first, .due_ms = 500, .attempts = 1 };

	assert_int_equal(take(f, 100),
			 first); /* the earlier one, although the other was due first */
	assert_int_equal(take(f, 100), other);
	assert_int_equal(take(f, 100), 0);
	ok(f, store_job_retry(f->store, &retry, &f->err));
	assert_int_equal(take(f, 499), other); /* its lease ran out */
	end(f, other, 499);
	assert_int_equal(take(f, 499), 0);
	assert_int_equal(next_due(f), 500);
	assert_int_equal(take(f, 500), first);
	end(f, first, 510);
	assert_int_equal(take(f, 510), second);
}

static void jobs_without_a_file_have_no_order(void **state)
{
	struct fixture *f = *state;

	put_job(f, "", 10);
	put_job(f, "", 10);
	assert_int_not_equal(take(f, 10), 0);
	assert_int_not_equal(take(f, 10), 0);
}

static void file_ids_that_begin_alike_are_different_files(void **state)
{
	struct fixture *f = *state;
	char longer[601] = "";
	uint64_t ids[4];

	memset(longer, '9', 600);
	ids[0] = put_job(f, "1", 1);
	ids[1] = put_job(f, "12", 2);
	ids[2] = put_job(f, longer, 3);
	longer[599] = '8';
	ids[3] = put_job(f, longer, 4);
	for (size_t i = 0; i < ARRAY_SIZE(ids); i++)
		assert_int_equal(take(f, 10), ids[i]);
}

static void a_lease_that_ran_out_makes_the_job_due_again(void **state)
{
	struct fixture *f = *state;
	uint64_t id = put_job(f, "1", 10);
	struct job prolong = { .id = id };

	assert_int_equal(take(f, 10), id); /* until 110 */
	assert_int_equal(next_due(f), 110);
	ok(f, store_job_save(f->store, &prolong, 50, 100, &f->err));
	assert_int_equal(take(f, 149), 0);
	assert_int_equal(take(f, 150), id);
}

static void release_makes_every_taken_job_due_at_once(void **state)
{
	struct fixture *f = *state;
	uint64_t id = put_job(f, "1", 10);

	assert_int_equal(take(f, 10), id);
	ok(f, store_job_release_all(f->store, &f->err));
	assert_int_equal(count(f).jobs_taken, 0);
	assert_int_equal(take(f, 10), id);
}

static void a_job_that_was_taken_when_the_process_died_is_due_after_its_start(void **state)
{
	struct fixture *f = *state;
	uint64_t id = put_job(f, "1", 10);

	assert_int_equal(take(f, 10), id);
	fixture_reopen(f);
	ok(f, store_job_release_all(f->store, &f->err));
	assert_int_equal(take(f, 10), id);
}

static void progress_is_there_after_a_restart(void **state)
{
	struct fixture *f = *state;
	uint64_t id = put_job(f, "1", 10);
	struct job progress = { .id = id, .attempts = 3, .body = (char *)"{\"step\":1}" };
	struct job job = { 0 };

	assert_int_equal(take(f, 10), id);
	ok(f, store_job_save(f->store, &progress, 20, 100, &f->err));
	fixture_reopen(f);
	ok(f, store_job_release_all(f->store, &f->err));
	assert_int_equal(store_job_take(f->store, 20, 100, &job, &f->err), 1);
	assert_int_equal(job.attempts, 3);
	assert_string_equal(job.body, "{\"step\":1}");
	job_clear(&job);
}

struct shown {
	uint64_t ids[8];
	size_t count;
	char outcome[64];
	int64_t ended_ms;
};

static bool show(void *ctx, const struct job *job)
{
	struct shown *shown = ctx;

	shown->ids[shown->count++] = job->id;
	snprintf(shown->outcome, sizeof(shown->outcome), "%s", job->outcome ? job->outcome : "");
	shown->ended_ms = job->ended_ms;
	return true;
}

static void what_ended_is_in_the_history_newest_first(void **state)
{
	struct fixture *f = *state;
	uint64_t a = put_job(f, "1", 10), b = put_job(f, "2", 10);
	struct shown shown = { 0 }, one = { 0 };

	take(f, 10);
	take(f, 10);
	end(f, b, 20);
	end(f, a, 30);
	ok(f, store_job_visit(f->store, JOB_DONE, 10, show, &shown, &f->err));
	assert_int_equal(shown.count, 2);
	assert_int_equal(shown.ids[0], a);
	assert_int_equal(shown.ids[1], b);
	assert_int_equal(shown.ended_ms, 20);
	assert_string_equal(shown.outcome, "done: well");
	ok(f, store_job_visit(f->store, JOB_DONE, 1, show, &one, &f->err));
	assert_int_equal(one.count, 1);
	assert_int_equal(one.ids[0], a);
}

static void history_goes_with_the_retention_and_dead_letters_stay(void **state)
{
	struct fixture *f = *state;
	uint64_t a = put_job(f, "1", 10), b = put_job(f, "2", 10), c = put_job(f, "3", 10);
	struct job dead = { .id = c, .outcome = (char *)"gave up" };
	struct shown shown = { 0 };

	for (int i = 0; i < 3; i++)
		take(f, 10);
	end(f, a, 100);
	end(f, b, 900);
	ok(f, store_job_end(f->store, &dead, JOB_DEAD, 100, &f->err));
	assert_int_equal(store_state_trim(f->store, 1500, &f->err), 0); /* the retention is 1000 */
	assert_int_equal(count(f).jobs_done, 1);
	assert_int_equal(count(f).jobs_dead, 1);
	ok(f, store_job_visit(f->store, JOB_DEAD, 10, show, &shown, &f->err));
	assert_int_equal(shown.ids[0], c);
	assert_string_equal(shown.outcome, "gave up");
}

static void what_waits_and_what_is_taken_are_told_apart(void **state)
{
	struct fixture *f = *state;
	uint64_t a = put_job(f, "1", 10), b = put_job(f, "1", 10);
	struct shown waiting = { 0 }, taken = { 0 };

	take(f, 10);
	ok(f, store_job_visit(f->store, JOB_WAITING, 10, show, &waiting, &f->err));
	ok(f, store_job_visit(f->store, JOB_TAKEN, 10, show, &taken, &f->err));
	assert_int_equal(waiting.count, 1);
	assert_int_equal(waiting.ids[0], b);
	assert_int_equal(taken.count, 1);
	assert_int_equal(taken.ids[0], a);
}

static void a_job_that_is_not_taken_cannot_be_ended(void **state)
{
	struct fixture *f = *state;
	uint64_t id = put_job(f, "1", 10);
	struct job job = { .id = id, .due_ms = 1 };

	refused(f, store_job_end(f->store, &job, JOB_DONE, 1, &f->err), "not taken");
	refused(f, store_job_retry(f->store, &job, &f->err), "not taken");
	refused(f, store_job_save(f->store, &job, 1, 1, &f->err), "not taken");
	take(f, 10);
	end(f, id, 10);
	refused(f, store_job_end(f->store, &job, JOB_DEAD, 1, &f->err), "not taken");
	assert_int_equal(count(f).jobs_done, 1);
	assert_int_equal(count(f).jobs_dead, 0);
}

static void jobs_end_together_in_one_transaction_or_none_does(void **state)
{
	struct fixture *f = *state;
	struct job a = { .id = put_job(f, "1", 10) }, b = { .id = put_job(f, "1", 10) };
	struct store_txn *txn;

	take(f, 10);
	ok(f, store_begin(f->store, &txn, &f->err));
	ok(f, store_job_end_in(txn, &a, JOB_DONE, 20, &f->err));
	store_abort(txn);
	assert_int_equal(count(f).jobs_taken, 1);
	ok(f, store_begin(f->store, &txn, &f->err));
	ok(f, store_job_end_in(txn, &a, JOB_DONE, 20, &f->err));
	ok(f, store_commit(txn, &f->err));
	assert_int_equal(take(f, 20), b.id);
	assert_int_equal(count(f).jobs_done, 1);
}

static void ids_are_never_given_twice(void **state)
{
	struct fixture *f = *state;
	uint64_t a = put_job(f, "1", 10);

	take(f, 10);
	end(f, a, 10);
	ok(f, store_state_trim(f->store, 9000, &f->err));
	fixture_reopen(f);
	assert_in_range(put_job(f, "1", 10), a + 1, UINT64_MAX);
}

/* ---- Dead letters ---- */

/* Puts a job, and has it given up at now_ms. */
static uint64_t put_dead(struct fixture *f, const char *file_id, int64_t now_ms)
{
	struct job dead = { .id = put_job(f, file_id, now_ms),
			    .attempts = 3,
			    .body = (char *)"{\"step\":1}",
			    .outcome = (char *)"gave up" };

	assert_int_equal(take(f, now_ms), dead.id);
	ok(f, store_job_end(f->store, &dead, JOB_DEAD, now_ms, &f->err));
	return dead.id;
}

/* 1 or 0, as store_dead_retry answers. */
static int retry_dead(struct fixture *f, uint64_t id, int64_t ended_ms, int64_t due_ms)
{
	struct job job = { .id = id, .ended_ms = ended_ms, .due_ms = due_ms };
	struct store_txn *txn;
	int there;

	ok(f, store_begin(f->store, &txn, &f->err));
	ok(f, there = store_dead_retry(txn, &job, &f->err));
	ok(f, store_commit(txn, &f->err));
	return there;
}

static int drop_dead(struct fixture *f, uint64_t id, int64_t ended_ms, int64_t now_ms)
{
	struct job job = { .id = id, .ended_ms = ended_ms, .outcome = (char *)"dropped" };
	struct store_txn *txn;
	int there;

	ok(f, store_begin(f->store, &txn, &f->err));
	ok(f, there = store_dead_drop(txn, &job, now_ms, &f->err));
	ok(f, store_commit(txn, &f->err));
	return there;
}

static void a_dead_letter_is_found_by_its_job(void **state)
{
	struct fixture *f = *state;
	uint64_t other = put_dead(f, "7", 10), id = put_dead(f, "8", 20);
	struct job job = { 0 };

	put_dead(f, "9", 30);
	assert_int_equal(store_dead_get(f->store, id, &job, &f->err), 1);
	assert_int_equal(job.id, id);
	assert_int_equal(job.state, JOB_DEAD);
	assert_int_equal(job.ended_ms, 20);
	assert_int_equal(job.attempts, 3);
	assert_string_equal(job.file_id, "8");
	assert_string_equal(job.body, "{\"step\":1}");
	assert_string_equal(job.outcome, "gave up");
	job_clear(&job);
	assert_int_equal(drop_dead(f, other, 10, 40), 1);
	assert_int_equal(store_dead_get(f->store, other, &job, &f->err), 0);
	assert_int_equal(store_dead_get(f->store, 99, &job, &f->err), 0);
}

static void a_dead_letter_that_is_tried_again_is_the_same_job_with_fresh_attempts(void **state)
{
	struct fixture *f = *state;
	uint64_t id = put_dead(f, "7", 10);
	struct job job = { 0 };

	assert_int_equal(retry_dead(f, id, 10, 50), 1);
	assert_int_equal(count(f).jobs_dead, 0);
	assert_int_equal(count(f).jobs_waiting, 1);
	fixture_reopen(f);
	assert_int_equal(next_due(f), 50);
	assert_int_equal(store_job_take(f->store, 50, 100, &job, &f->err), 1);
	assert_int_equal(job.id, id);
	assert_int_equal(job.attempts, 0);
	assert_string_equal(job.body, "{\"step\":1}");
	assert_null(job.outcome);
	job_clear(&job);
	end(f, id, 60);
	assert_int_equal(count(f).jobs_done, 1);
	assert_in_range(put_job(f, "7", 70), id + 1, UINT64_MAX);
}

static void a_dead_letter_comes_back_behind_its_files_job_whose_turn_it_is(void **state)
{
	struct fixture *f = *state;
	uint64_t older = put_dead(f, "7", 10), dead = put_dead(f, "7", 20);
	uint64_t under_way = put_job(f, "7", 30), last = put_job(f, "7", 30);
	struct job retry = { .id = under_way, .due_ms = 40 };

	assert_int_equal(take(f, 30), under_way);
	assert_int_equal(retry_dead(f, dead, 20, 30), 1);
	assert_int_equal(retry_dead(f, older, 10, 30), 1);
	assert_int_equal(take(f, 35), 0);
	ok(f, store_job_retry(f->store, &retry, &f->err));
	assert_int_equal(take(f, 40), under_way);
	assert_int_equal(take(f, 40), 0);
	end(f, under_way, 41);
	assert_int_equal(take(f, 41), older);
	assert_int_equal(take(f, 41), 0);
	end(f, older, 42);
	assert_int_equal(take(f, 42), dead);
	end(f, dead, 43);
	assert_int_equal(take(f, 43), last);
	end(f, last, 44);
	assert_int_equal(next_due(f), 0);
}

static void a_dead_letter_that_is_dropped_is_in_the_history(void **state)
{
	struct fixture *f = *state;
	uint64_t id = put_dead(f, "7", 10);
	struct shown shown = { 0 };

	assert_int_equal(drop_dead(f, id, 10, 500), 1);
	assert_int_equal(count(f).jobs_dead, 0);
	ok(f, store_job_visit(f->store, JOB_DONE, 10, show, &shown, &f->err));
	assert_int_equal(shown.count, 1);
	assert_int_equal(shown.ids[0], id);
	assert_string_equal(shown.outcome, "dropped");
	assert_int_equal(shown.ended_ms, 500);
	assert_int_equal(take(f, 1000), 0);
}

static void what_is_no_dead_letter_is_neither_tried_again_nor_dropped(void **state)
{
	struct fixture *f = *state;
	uint64_t dead = put_dead(f, "7", 10), waiting = put_job(f, "8", 10);

	assert_int_equal(retry_dead(f, waiting, 10, 20), 0);
	assert_int_equal(drop_dead(f, waiting, 10, 20), 0);
	assert_int_equal(retry_dead(f, dead, 10, 20), 1);
	assert_int_equal(retry_dead(f, dead, 10, 20), 0);
	assert_int_equal(drop_dead(f, dead, 10, 20), 0);
	assert_int_equal(count(f).jobs_waiting, 2);
	assert_int_equal(count(f).jobs_done, 0);
}

static void count_wake(void *ctx)
{
	++*(unsigned *)ctx;
}

static void dead_letters_are_decided_together_or_not_at_all_and_act_is_woken(void **state)
{
	struct fixture *f = *state;
	struct job again = { .id = put_dead(f, "7", 10), .ended_ms = 10, .due_ms = 20 };
	struct job gone = { .id = put_dead(f, "8", 11), .ended_ms = 11, .outcome = (char *)"d" };
	struct store_txn *txn;
	unsigned wakes = 0;

	store_on_wake(f->store, STORE_ACT, count_wake, &wakes);
	ok(f, store_begin(f->store, &txn, &f->err));
	assert_int_equal(store_dead_retry(txn, &again, &f->err), 1);
	assert_int_equal(store_dead_drop(txn, &gone, 20, &f->err), 1);
	store_abort(txn);
	assert_int_equal(count(f).jobs_dead, 2);
	assert_int_equal(take(f, 20), 0);
	assert_int_equal(wakes, 0);
	ok(f, store_begin(f->store, &txn, &f->err));
	assert_int_equal(store_dead_retry(txn, &again, &f->err), 1);
	assert_int_equal(store_dead_drop(txn, &gone, 20, &f->err), 1);
	ok(f, store_commit(txn, &f->err));
	assert_int_equal(count(f).jobs_dead, 0);
	assert_int_equal(take(f, 20), again.id);
	assert_int_equal(wakes, 1);
	store_on_wake(f->store, STORE_ACT, NULL, NULL);
}

/* ---- Against a model ---- */

#define MODEL_STEPS 5000
#define MODEL_JOBS 2000

struct model_job {
	uint64_t id;
	char file[4];
	int64_t due_ms, lease_ms; /* lease 0: waits */
	bool ended;
};

struct model {
	struct model_job jobs[MODEL_JOBS];
	size_t count;
	uint64_t random;
};

static unsigned roll(struct model *model, unsigned sides)
{
	model->random = model->random * 6364136223846793005ull + 1442695040888963407ull;
	return (unsigned)(model->random >> 33) % sides;
}

static bool is_first(const struct model *model, const struct model_job *job)
{
	if (!job->file[0])
		return true;
	for (const struct model_job *other = model->jobs; other < job; other++)
		if (!other->ended && strcmp(other->file, job->file) == 0)
			return false;
	return true;
}

/* The job that must be taken now: the earliest due (then by id) of those that may be. */
static struct model_job *model_next(struct model *model, int64_t now_ms)
{
	struct model_job *best = NULL;

	for (struct model_job *job = model->jobs; job < model->jobs + model->count; job++)
		if (!job->ended && job->due_ms <= now_ms && job->lease_ms <= now_ms &&
		    (!best || job->due_ms < best->due_ms) && is_first(model, job))
			best = job;
	return best;
}

static struct model_job *model_any_taken(struct model *model)
{
	size_t from = roll(model, (unsigned)model->count + 1);

	for (size_t i = 0; i < model->count; i++) {
		struct model_job *job = &model->jobs[(from + i) % model->count];

		if (!job->ended && job->lease_ms)
			return job;
	}
	return NULL;
}

static void model_put(struct fixture *f, struct model *model, int64_t now_ms)
{
	struct model_job *job = &model->jobs[model->count];

	if (model->count == MODEL_JOBS)
		return;
	if (roll(model, 4))
		snprintf(job->file, sizeof(job->file), "%u", roll(model, 10));
	job->due_ms = now_ms + (int64_t)roll(model, 30);
	job->id = put_job(f, job->file, job->due_ms);
	model->count++;
}

static void model_take(struct fixture *f, struct model *model, int64_t now_ms)
{
	struct model_job *expected = model_next(model, now_ms);
	uint64_t id = take(f, now_ms);

	assert_int_equal(id, expected ? expected->id : 0);
	if (expected)
		expected->lease_ms = now_ms + 100;
}

static void model_leave(struct fixture *f, struct model *model, int64_t now_ms)
{
	struct model_job *job = model_any_taken(model);
	struct job change;

	if (!job)
		return;
	change = (struct job){ .id = job->id, .due_ms = now_ms + (int64_t)roll(model, 20) };
	if (roll(model, 3)) {
		ok(f, store_job_end(f->store, &change, roll(model, 5) ? JOB_DONE : JOB_DEAD, now_ms,
				    &f->err));
		job->ended = true;
	} else {
		ok(f, store_job_retry(f->store, &change, &f->err));
		job->due_ms = change.due_ms;
	}
	job->lease_ms = 0;
}

static void model_restart(struct fixture *f, struct model *model)
{
	fixture_reopen(f);
	ok(f, store_job_release_all(f->store, &f->err));
	for (size_t i = 0; i < model->count; i++)
		model->jobs[i].lease_ms = 0;
}

static void model_compare(struct fixture *f, const struct model *model)
{
	struct store_counts counts = count(f);
	uint64_t open = 0, taken = 0;

	for (size_t i = 0; i < model->count; i++) {
		open += !model->jobs[i].ended;
		taken += model->jobs[i].lease_ms > 0;
	}
	assert_int_equal(counts.jobs_waiting + counts.jobs_taken, open);
	assert_int_equal(counts.jobs_taken, taken);
	assert_int_equal(counts.jobs_done + counts.jobs_dead, model->count - open);
}

static void thousands_of_random_steps_do_what_a_simple_model_does(void **state)
{
	struct fixture *f = *state;
	struct model *model = NEW(struct model);
	int64_t now_ms = 1000;

	fixture_close(f);
	f->settings.sync = false;
	fixture_open(f);
	model->random = 42;
	for (int step = 0; step < MODEL_STEPS; step++) {
		unsigned what = roll(model, 1000);

		now_ms += roll(model, 4);
		if (what < 300)
			model_put(f, model, now_ms);
		else if (what < 700)
			model_take(f, model, now_ms);
		else if (what < 998)
			model_leave(f, model, now_ms);
		else
			model_restart(f, model);
		if (step % 100 == 0)
			model_compare(f, model);
	}
	model_compare(f, model);
	free(model);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_job_comes_back_as_it_was_put),
		cmocka_unit_test(a_job_is_taken_when_it_is_due_and_once),
		cmocka_unit_test(jobs_are_taken_in_the_order_in_which_they_are_due),
		cmocka_unit_test(jobs_of_one_file_wait_for_each_other_even_for_one_that_retries),
		cmocka_unit_test(jobs_without_a_file_have_no_order),
		cmocka_unit_test(file_ids_that_begin_alike_are_different_files),
		cmocka_unit_test(a_lease_that_ran_out_makes_the_job_due_again),
		cmocka_unit_test(release_makes_every_taken_job_due_at_once),
		cmocka_unit_test(a_job_that_was_taken_when_the_process_died_is_due_after_its_start),
		cmocka_unit_test(progress_is_there_after_a_restart),
		cmocka_unit_test(what_ended_is_in_the_history_newest_first),
		cmocka_unit_test(history_goes_with_the_retention_and_dead_letters_stay),
		cmocka_unit_test(what_waits_and_what_is_taken_are_told_apart),
		cmocka_unit_test(a_job_that_is_not_taken_cannot_be_ended),
		cmocka_unit_test(jobs_end_together_in_one_transaction_or_none_does),
		cmocka_unit_test(ids_are_never_given_twice),
		cmocka_unit_test(a_dead_letter_is_found_by_its_job),
		cmocka_unit_test(
			a_dead_letter_that_is_tried_again_is_the_same_job_with_fresh_attempts),
		cmocka_unit_test(a_dead_letter_comes_back_behind_its_files_job_whose_turn_it_is),
		cmocka_unit_test(a_dead_letter_that_is_dropped_is_in_the_history),
		cmocka_unit_test(what_is_no_dead_letter_is_neither_tried_again_nor_dropped),
		cmocka_unit_test(dead_letters_are_decided_together_or_not_at_all_and_act_is_woken),
		cmocka_unit_test(thousands_of_random_steps_do_what_a_simple_model_does),
	};

	return run_on_every_store(tests, ARRAY_SIZE(tests));
}
