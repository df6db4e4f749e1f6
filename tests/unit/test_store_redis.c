/* What only the Redis store has to stand: a network, a server that dies, and other processes. */
#include "stores.h"

#include "redis_proxy.h"
#include "store/echo.h"
#include "store/redis_connection.h"

struct scene {
	struct fixture f; /* the first of two processes; its store is behind the proxy */
	struct redis_server server;
	struct redis_proxy proxy;
	struct store *other; /* a second process */
};

static const char *const durable[] = { "--appendonly", "yes", "--appendfsync", "always", NULL };

static struct store *open_store(struct scene *scene, const char *url, int64_t timeout_ms,
				const char *name)
{
	AUTO(free) char *log = str_format("%s/%s", scene->server.dir, name);
	struct store_settings settings = { .url = url,
					   .prefix = "a",
					   .log = log,
					   .timeout_ms = timeout_ms,
					   .max_bytes = 64 * 1024 * 1024,
					   .retention_ms = 1000 };
	struct store *store;

	ok(&scene->f, store_open(&store, &settings, &scene->f.err));
	return store;
}

static int setup(void **state)
{
	struct scene *scene = NEW(struct scene);
	AUTO(free) char *url = NULL;
	AUTO(free) char *other = NULL;

	redis_server_start(&scene->server, durable);
	redis_proxy_start(&scene->proxy, &scene->server);
	url = str_format("redis://127.0.0.1:%d/0", scene->proxy.port);
	other = str_format("unix:%s", scene->server.socket);
	scene->f.store = open_store(scene, url, 1000, "a");
	scene->other = open_store(scene, other, 10000, "b");
	*state = scene;
	return 0;
}

static int teardown(void **state)
{
	struct scene *scene = *state;

	store_close(scene->f.store);
	store_close(scene->other);
	redis_proxy_stop(&scene->proxy);
	redis_server_remove(&scene->server);
	error_clear(&scene->f.err);
	free(scene);
	return 0;
}

/* A batch of the filter: one job, and the cursor. Answers what the commit did. */
static int judge(struct scene *scene, struct store *store, const char *file_id, uint64_t seq)
{
	struct job job = { .file_id = (char *)file_id, .due_ms = 1, .body = (char *)"{}" };
	struct store_txn *txn;
	uint64_t id;

	ok(&scene->f, store_begin(store, &txn, &scene->f.err));
	ok(&scene->f, store_job_put(txn, &job, &id, &scene->f.err));
	ok(&scene->f, store_cursor_put(txn, seq, &scene->f.err));
	return store_commit(txn, &scene->f.err);
}

static uint64_t take(struct scene *scene, struct store *store, int64_t now_ms)
{
	struct job job = { 0 };
	int rc = store_job_take(store, now_ms, 100, &job, &scene->f.err);
	uint64_t id = job.id;

	ok(&scene->f, rc);
	job_clear(&job);
	return rc ? id : 0;
}

static int end(struct scene *scene, struct store *store, uint64_t id)
{
	struct job job = { .id = id, .outcome = (char *)"done" };

	return store_job_end(store, &job, JOB_DONE, 10, &scene->f.err);
}

static struct store_counts count(struct scene *scene)
{
	struct store_counts counts;

	ok(&scene->f, store_count(scene->other, &counts, &scene->f.err));
	return counts;
}

static uint64_t cursor(struct scene *scene)
{
	uint64_t seq;

	ok(&scene->f, store_cursor_get(scene->f.store, &seq, &scene->f.err));
	return seq;
}

/* ---- The network ---- */

static void a_step_whose_answer_is_cut_off_anywhere_is_done_once(void **state)
{
	struct scene *scene = *state;
	struct store *store = scene->f.store;
	struct job job = { .file_id = (char *)"1", .due_ms = 1, .body = (char *)"{}" };

	for (int cut_at = 0; cut_at < 12; cut_at++) {
		struct store_txn *txn;
		uint64_t id;

		ok(&scene->f, store_begin(store, &txn, &scene->f.err));
		ok(&scene->f, store_job_put(txn, &job, &id, &scene->f.err));
		scene->proxy.cut_at = cut_at;
		ok(&scene->f, store_commit(txn, &scene->f.err));
		scene->proxy.cut_at = cut_at;
		assert_int_equal(take(scene, store, 10), id);
		assert_int_equal(take(scene, store, 10), 0);
		scene->proxy.cut_at = cut_at;
		ok(&scene->f, end(scene, store, id));
		assert_int_equal(count(scene).jobs_done, cut_at + 1);
		assert_int_equal(count(scene).jobs_waiting + count(scene).jobs_taken, 0);
	}
}

static void a_commit_that_happened_unheard_is_seen_by_who_reads_the_cursor(void **state)
{
	struct scene *scene = *state;
	struct store_txn *txn;
	struct job job = { .due_ms = 1, .body = (char *)"{}" };
	uint64_t id;

	ok(&scene->f, store_begin(scene->f.store, &txn, &scene->f.err));
	ok(&scene->f, store_job_put(txn, &job, &id, &scene->f.err));
	ok(&scene->f, store_cursor_put(txn, 7, &scene->f.err));
	scene->proxy.is_closed = true;
	scene->proxy.cut_at = 0;
	assert_int_equal(store_commit(txn, &scene->f.err), -1);
	scene->proxy.is_closed = false;
	assert_int_equal(cursor(scene), 7);
	assert_int_equal(count(scene).jobs_waiting, 1);
	ok(&scene->f, judge(scene, scene->f.store, "", 8));
	assert_int_equal(count(scene).jobs_waiting, 2);
}

static void a_commit_that_arrives_after_it_was_given_up_is_refused(void **state)
{
	struct scene *scene = *state;
	struct store_txn *txn;
	struct job job = { .due_ms = 1, .body = (char *)"{}" };
	uint64_t id;

	ok(&scene->f, store_begin(scene->f.store, &txn, &scene->f.err));
	ok(&scene->f, store_job_put(txn, &job, &id, &scene->f.err));
	ok(&scene->f, store_cursor_put(txn, 7, &scene->f.err));
	scene->proxy.is_closed = true;
	scene->proxy.is_holding = true;
	assert_int_equal(store_commit(txn, &scene->f.err), -1);
	scene->proxy.is_closed = false;
	assert_int_equal(cursor(scene), 0); /* it did not happen, and from now on it cannot */
	redis_proxy_let_through(&scene->proxy);
	assert_int_equal(count(scene).jobs_waiting, 0);
	ok(&scene->f, judge(scene, scene->f.store, "", 7));
	redis_proxy_let_through(&scene->proxy); /* nor later */
	assert_int_equal(count(scene).jobs_waiting, 1);
	assert_int_equal(cursor(scene), 7);
}

static void an_end_that_happened_unheard_can_be_repeated(void **state)
{
	struct scene *scene = *state;
	struct store_txn *txn;
	struct job job = { .outcome = (char *)"done" };

	ok(&scene->f, judge(scene, scene->f.store, "1", 1));
	ok(&scene->f, judge(scene, scene->f.store, "1", 2));
	job.id = take(scene, scene->f.store, 10);
	ok(&scene->f, store_begin(scene->f.store, &txn, &scene->f.err));
	ok(&scene->f, store_job_end_in(txn, &job, JOB_DONE, 10, &scene->f.err));
	scene->proxy.is_closed = true;
	scene->proxy.cut_at = 0;
	assert_int_equal(store_commit(txn, &scene->f.err), -1);
	scene->proxy.is_closed = false;
	ok(&scene->f, end(scene, scene->f.store, job.id));
	assert_int_equal(count(scene).jobs_done, 1);
	assert_int_equal(take(scene, scene->f.store, 10), job.id + 1);
	refused(&scene->f, end(scene, scene->f.store, job.id + 2), "not taken");
}

static void a_server_that_is_away_costs_a_call_its_time_and_nothing_else(void **state)
{
	struct scene *scene = *state;
	struct store_counts counts;

	ok(&scene->f, judge(scene, scene->f.store, "1", 1));
	scene->proxy.is_closed = true;
	redis_server_kill(&scene->server);
	assert_int_equal(store_count(scene->f.store, &counts, &scene->f.err), -1);
	redis_server_start(&scene->server, durable);
	scene->proxy.is_closed = false;
	assert_int_equal(cursor(scene), 1);
	ok(&scene->f, judge(scene, scene->f.store, "1", 2));
	assert_int_equal(count(scene).jobs_waiting, 2);
}

static void an_outage_is_waited_for_once(void **state)
{
	struct scene *scene = *state;
	AUTO(free) char *url = str_format("unix:%s", scene->server.socket);
	struct store *patient = open_store(scene, url, 4000, "c");
	struct store_counts counts;
	int64_t start_ms, found_ms;

	redis_server_kill(&scene->server);
	start_ms = redis_now_ms();
	assert_int_equal(store_count(patient, &counts, &scene->f.err), -1);
	found_ms = redis_now_ms();
	assert_true(found_ms - start_ms >= 3000); /* it tried, and might have lived through it */
	for (int i = 0; i < 10; i++)
		assert_int_equal(store_count(patient, &counts, &scene->f.err), -1);
	assert_true(redis_now_ms() - found_ms < 30000); /* ten such waits would take 40 s */
	redis_server_start(&scene->server, durable);
	ok(&scene->f, store_count(patient, &counts, &scene->f.err));
	store_close(patient);
}

/* ---- The server's death ---- */

#define KILLS 5

struct worker {
	struct store *store; /* it waits for ten seconds */
	atomic_bool is_over, is_broken;
	_Atomic uint64_t put;
	uint64_t ended;
};

/* One batch of the filter; every second time a job is done. */
static int work_once(struct worker *worker, struct error *err)
{
	char file[8];
	struct job job = { .file_id = file, .due_ms = 1, .body = (char *)"{}" };
	struct store_txn *txn;
	uint64_t id;
	int rc;

	snprintf(file, sizeof(file), "%d", (int)(worker->put % 3));
	if (store_begin(worker->store, &txn, err) < 0)
		return -1;
	if (store_job_put(txn, &job, &id, err) < 0 ||
	    store_cursor_put(txn, ++worker->put, err) < 0) {
		store_abort(txn);
		return -1;
	}
	if (store_commit(txn, err) < 0)
		return -1;
	if (worker->put % 2)
		return 0;
	if (store_job_take(worker->store, 10, 100, &job, err) != 1)
		return error_prefix(err, "nothing to take");
	worker->ended++;
	rc = store_job_end(worker->store, &job, JOB_DONE, 10, err);
	job_clear(&job);
	return rc;
}

static void *work(void *ctx)
{
	struct worker *worker = ctx;
	AUTO_ERROR err = { 0 };

	while (!worker->is_over && !worker->is_broken)
		if (work_once(worker, &err) < 0) {
			print_error("%s\n", error_text(&err));
			worker->is_broken = true;
		}
	return NULL;
}

static void a_server_killed_again_and_again_loses_and_doubles_nothing(void **state)
{
	struct scene *scene = *state;
	struct worker worker = { .store = scene->other };
	pthread_t thread;

	pthread_create(&thread, NULL, work, &worker);
	/* On a slow machine it takes more of them until enough has happened. */
	for (int i = 0; i < KILLS || (i < 100 * KILLS && worker.put <= 20); i++) {
		poll(NULL, 0, 60); /* amid whatever happens */
		redis_server_kill(&scene->server);
		redis_server_start(&scene->server, durable);
	}
	worker.is_over = true;
	pthread_join(thread, NULL);
	assert_false(worker.is_broken);
	assert_int_equal(count(scene).jobs_done, worker.ended);
	assert_int_equal(count(scene).jobs_waiting + count(scene).jobs_taken,
			 worker.put - worker.ended);
	assert_true(worker.put > 20);
}

static void set_memory(struct scene *scene, const char *limit)
{
	AUTO(free) char *line = str_format("CONFIG SET maxmemory %s", limit);
	char answer[64];

	assert_true(redis_server_ask(&scene->server, line, answer));
	assert_string_equal(answer, "+OK\r\n");
}

static void a_full_server_does_a_commit_whole_or_not_at_all(void **state)
{
	struct scene *scene = *state;
	struct store_txn *txn;
	struct job job = { .due_ms = 1, .body = (char *)"{}" };
	AUTO(free) char *settled = NULL;
	uint64_t id;
	int rc;

	ok(&scene->f, store_begin(scene->other, &txn, &scene->f.err));
	ok(&scene->f, store_put(txn, SPACE_SETTLE, TEXT("timer"), TEXT("1"), &scene->f.err));
	ok(&scene->f, store_commit(txn, &scene->f.err));
	set_memory(scene, "1");
	refused(&scene->f, judge(scene, scene->other, "1", 1), "OOM");
	/* Deleting is allowed, and what follows it then is, too. */
	ok(&scene->f, store_begin(scene->other, &txn, &scene->f.err));
	ok(&scene->f, store_delete(txn, SPACE_SETTLE, TEXT("timer"), &scene->f.err));
	ok(&scene->f, store_job_put(txn, &job, &id, &scene->f.err));
	rc = store_commit(txn, &scene->f.err);
	ok(&scene->f,
	   store_peek(scene->other, SPACE_SETTLE, TEXT("timer"), &settled, &scene->f.err));
	assert_int_equal(count(scene).jobs_waiting, rc == 0);
	assert_int_equal(settled == NULL, rc == 0);
	set_memory(scene, "0");
	ok(&scene->f, judge(scene, scene->other, "1", 1));
	assert_int_equal(cursor(scene), 1);
}

/* ---- Two processes ---- */

static void jobs_of_one_file_keep_their_order_over_all_processes(void **state)
{
	struct scene *scene = *state;

	ok(&scene->f, judge(scene, scene->f.store, "1", 1));
	ok(&scene->f, judge(scene, scene->f.store, "1", 2));
	ok(&scene->f, judge(scene, scene->f.store, "2", 3));
	assert_int_equal(take(scene, scene->f.store, 10), 1);
	assert_int_equal(take(scene, scene->other, 10), 3);
	assert_int_equal(take(scene, scene->other, 10), 0);
	ok(&scene->f, end(scene, scene->f.store, 1));
	assert_int_equal(take(scene, scene->other, 10), 2);
}

static void who_lost_its_lease_to_another_is_refused(void **state)
{
	struct scene *scene = *state;
	struct job progress = { .id = 1, .body = (char *)"{\"late\":1}" };

	ok(&scene->f, judge(scene, scene->f.store, "1", 1));
	assert_int_equal(take(scene, scene->f.store, 10), 1);
	assert_int_equal(take(scene, scene->other, 109), 0);
	assert_int_equal(take(scene, scene->other, 110), 1);
	refused(&scene->f, store_job_save(scene->f.store, &progress, 120, 100, &scene->f.err),
		"not taken");
	progress.body = NULL;
	refused(&scene->f, store_job_save(scene->f.store, &progress, 120, 100, &scene->f.err),
		"not taken");
	refused(&scene->f, end(scene, scene->f.store, 1), "not taken");
	ok(&scene->f, end(scene, scene->other, 1));
}

static void a_process_that_closes_its_store_gives_back_what_it_took(void **state)
{
	struct scene *scene = *state;

	ok(&scene->f, judge(scene, scene->f.store, "1", 1));
	ok(&scene->f, judge(scene, scene->f.store, "2", 2));
	assert_int_equal(take(scene, scene->f.store, 10), 1);
	assert_int_equal(take(scene, scene->other, 10), 2);
	store_close(TAKE(scene->f.store));
	assert_int_equal(take(scene, scene->other, 10), 1);
	assert_int_equal(take(scene, scene->other, 10), 0);
}

static void of_two_filters_with_the_same_record_one_is_refused(void **state)
{
	struct scene *scene = *state;
	struct job job = { .due_ms = 1, .body = (char *)"{}" };
	struct store_txn *txn;
	uint64_t id;

	ok(&scene->f, store_begin(scene->f.store, &txn, &scene->f.err));
	ok(&scene->f, store_job_put(txn, &job, &id, &scene->f.err));
	ok(&scene->f, store_cursor_put(txn, 1, &scene->f.err));
	ok(&scene->f, judge(scene, scene->other, "", 1));
	refused(&scene->f, store_commit(txn, &scene->f.err), "another process");
	assert_int_equal(count(scene).jobs_waiting, 1);
	assert_int_equal(cursor(scene), 1);
}

static void an_expectation_that_was_consumed_meanwhile_does_not_come_back(void **state)
{
	struct scene *scene = *state;
	struct expectation expectation = { 1, 0, CHILD_ACL_CHANGED, "7", NULL };
	struct event event = { .type = CHILD_ACL_CHANGED,
			       .file_id = TEXT("7"),
			       .path = TEXT("/a") };
	struct store_txn *closing, *matching;
	uint64_t job;
	unsigned step;

	ok(&scene->f, echo_expect(scene->other, &expectation, 1, NULL, 1000, 100, &scene->f.err));
	ok(&scene->f, store_begin(scene->f.store, &closing, &scene->f.err));
	ok(&scene->f, echo_close_in(closing, 1, 0, 5000, &scene->f.err));
	ok(&scene->f, store_begin(scene->other, &matching, &scene->f.err));
	assert_int_equal(echo_match(matching, &event, 1001, &job, &step, &scene->f.err), 1);
	ok(&scene->f, store_commit(matching, &scene->f.err));
	refused_as(&scene->f, store_commit(closing, &scene->f.err), STORE_CONFLICT,
		   "another process");
	ok(&scene->f, store_begin(scene->other, &matching, &scene->f.err));
	assert_int_equal(echo_match(matching, &event, 1001, &job, &step, &scene->f.err), 0);
	store_abort(matching);
}

#define TAKERS 3
#define JOBS 600

struct taker {
	char url[128], log[128];
	uint64_t done;
	_Atomic uint64_t *last_of_file;
	atomic_bool *is_broken;
};

static void *take_many(void *ctx)
{
	struct taker *taker = ctx;
	struct store_settings settings = { .url = taker->url,
					   .prefix = "a",
					   .log = taker->log,
					   .timeout_ms = 10000,
					   .max_bytes = 1024 * 1024 };
	AUTO(store_close) struct store *store = NULL;
	AUTO_ERROR err = { 0 };
	struct job job;
	int rc = store_open(&store, &settings, &err);

	while (rc == 0 && (rc = store_job_take(store, 10, 100000, &job, &err)) == 1) {
		size_t file = (size_t)atoi(job.file_id);

		/* Nobody else has a job of this file now, and the earlier ones are done. */
		if (atomic_exchange(&taker->last_of_file[file], job.id) >= job.id)
			*taker->is_broken = true;
		rc = store_job_end(store, &job, JOB_DONE, 10, &err);
		taker->done++;
		job_clear(&job);
	}
	if (rc < 0) {
		print_error("%s\n", error_text(&err));
		*taker->is_broken = true;
	}
	return NULL;
}

static void three_processes_do_each_job_once_and_each_file_in_order(void **state)
{
	struct scene *scene = *state;
	_Atomic uint64_t last_of_file[7] = { 0 };
	atomic_bool is_broken = false;
	struct taker takers[TAKERS];
	pthread_t threads[TAKERS];
	uint64_t done = 0;

	for (uint64_t i = 0; i < JOBS; i++) {
		char file[8];

		snprintf(file, sizeof(file), "%d", (int)(i % 7));
		ok(&scene->f, judge(scene, scene->other, file, i + 1));
	}
	for (int i = 0; i < TAKERS; i++) {
		takers[i] = (struct taker){ .last_of_file = last_of_file, .is_broken = &is_broken };
		snprintf(takers[i].url, sizeof(takers[i].url), "unix:%s", scene->server.socket);
		snprintf(takers[i].log, sizeof(takers[i].log), "%s/t%d", scene->server.dir, i);
		pthread_create(&threads[i], NULL, take_many, &takers[i]);
	}
	for (int i = 0; i < TAKERS; i++) {
		pthread_join(threads[i], NULL);
		done += takers[i].done;
	}
	assert_false(is_broken);
	/* A taker may find nothing free and leave while another has the last ones. */
	while (count(scene).jobs_waiting) {
		ok(&scene->f, end(scene, scene->other, take(scene, scene->other, 10)));
		done++;
	}
	assert_int_equal(done, JOBS);
	assert_int_equal(count(scene).jobs_done, JOBS);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_step_whose_answer_is_cut_off_anywhere_is_done_once),
		TEST(a_commit_that_happened_unheard_is_seen_by_who_reads_the_cursor),
		TEST(a_commit_that_arrives_after_it_was_given_up_is_refused),
		TEST(an_end_that_happened_unheard_can_be_repeated),
		TEST(a_server_that_is_away_costs_a_call_its_time_and_nothing_else),
		TEST(an_outage_is_waited_for_once),
		TEST(a_server_killed_again_and_again_loses_and_doubles_nothing),
		TEST(a_full_server_does_a_commit_whole_or_not_at_all),
		TEST(jobs_of_one_file_keep_their_order_over_all_processes),
		TEST(who_lost_its_lease_to_another_is_refused),
		TEST(a_process_that_closes_its_store_gives_back_what_it_took),
		TEST(of_two_filters_with_the_same_record_one_is_refused),
		TEST(an_expectation_that_was_consumed_meanwhile_does_not_come_back),
		TEST(three_processes_do_each_job_once_and_each_file_in_order),
	};

	if (!redis_server_is_installed())
		return 77; /* not tested */
	return cmocka_run_group_tests(tests, NULL, NULL);
}
