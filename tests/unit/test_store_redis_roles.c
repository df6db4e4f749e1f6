/* Several processes over one Redis: who is active, who is woken, who hears what. */
#include "redis_scene.h"

#include <pthread.h>

#include "store/redis_connection.h"

/* ---- Leases ---- */

static int take(struct scene *scene, struct store *store, int64_t ttl_ms, struct store_lease *out)
{
	int rc = store_lease_take(store, STORE_FILTER, ttl_ms, out, &scene->f.err);

	ok(&scene->f, rc);
	return rc;
}

static void a_lease_that_is_renewed_stays_where_it_is(void **state)
{
	struct scene *scene = *state;
	struct store_lease lease;
	int64_t until_ms = redis_now_ms() + 700;

	assert_int_equal(take(scene, scene->a, 300, &lease), 1);
	/* Each look of b's finds it renewed since the last. */
	while (redis_now_ms() < until_ms) {
		assert_int_equal(take(scene, scene->b, 300, &lease), 0);
		assert_string_equal(lease.holder, "host-a/run/1");
		assert_int_equal(take(scene, scene->a, 300, &lease), 1);
		assert_int_equal(lease.token, 1);
	}
}

static void a_standby_takes_over_after_a_whole_lease_without_a_renewal(void **state)
{
	struct scene *scene = *state;
	struct store_lease lease;
	int64_t start_ms;

	assert_int_equal(take(scene, scene->a, 400, &lease), 1);
	start_ms = redis_now_ms();
	lease = lead(scene, scene->b, STORE_FILTER, 400);
	assert_true(redis_now_ms() - start_ms >= 400);
	assert_int_equal(lease.token, 2);
	assert_string_equal(lease.holder, "host-b/run/1");
	assert_int_equal(take(scene, scene->a, 400, &lease), 0);
}

static void a_lease_that_is_dropped_goes_at_once(void **state)
{
	struct scene *scene = *state;
	struct store_lease lease;

	assert_int_equal(take(scene, scene->a, 600000, &lease), 1);
	assert_int_equal(take(scene, scene->b, 600000, &lease), 0);
	ok(&scene->f, store_lease_drop(scene->b, STORE_FILTER, &scene->f.err)); /* not its own */
	assert_int_equal(take(scene, scene->b, 600000, &lease), 0);
	ok(&scene->f, store_lease_drop(scene->a, STORE_FILTER, &scene->f.err));
	assert_int_equal(store_lease_look(scene->b, STORE_FILTER, &lease, &scene->f.err), 0);
	assert_int_equal(take(scene, scene->b, 600000, &lease), 1);
	assert_int_equal(lease.token, 2);
}

static void after_an_outage_who_was_active_goes_on(void **state)
{
	struct scene *scene = *state;
	struct store_lease lease;

	assert_int_equal(take(scene, scene->a, 200, &lease), 1);
	assert_int_equal(take(scene, scene->b, 200, &lease), 0);
	redis_server_kill(&scene->server);
	poll(NULL, 0, 300); /* the lease is over by any clock */
	redis_server_start(&scene->server, durable);
	/* b has not watched it run out: it could not have been renewed. */
	assert_int_equal(take(scene, scene->b, 200, &lease), 0);
	assert_int_equal(take(scene, scene->a, 200, &lease), 1);
	assert_int_equal(lease.token, 1);
}

static void a_commit_of_who_lost_the_lease_is_refused(void **state)
{
	struct scene *scene = *state;
	struct store_lease lease;
	struct store_txn *txn;
	uint64_t cursor;

	assert_int_equal(take(scene, scene->a, 200, &lease), 1);
	ok(&scene->f, store_begin(scene->a, &txn, &scene->f.err));
	ok(&scene->f, store_fence(txn, STORE_FILTER, &scene->f.err));
	ok(&scene->f, store_cursor_put(txn, 7, &scene->f.err));
	lead(scene, scene->b, STORE_FILTER, 200);
	refused(&scene->f, store_commit(txn, &scene->f.err), "host-b/run/1 does");
	ok(&scene->f, store_cursor_get(scene->b, &cursor, &scene->f.err));
	assert_int_equal(cursor, 0);
	/* Nor does it help to have had it before. */
	ok(&scene->f, store_begin(scene->a, &txn, &scene->f.err));
	ok(&scene->f, store_fence(txn, STORE_FILTER, &scene->f.err));
	ok(&scene->f, store_cursor_put(txn, 7, &scene->f.err));
	refused(&scene->f, store_commit(txn, &scene->f.err), "lease of filter");
}

static void who_was_given_more_goes_before_if_the_server_forgot(void **state)
{
	struct scene *scene = *state;
	struct store_lease lease;

	assert_int_equal(take(scene, scene->a, 200, &lease), 1);
	scene_keep(scene);
	assert_int_equal(lead(scene, scene->b, STORE_FILTER, 200).token, 2);
	scene_forget(scene);
	assert_int_equal(take(scene, scene->a, 600000, &lease), 1);
	assert_int_equal(take(scene, scene->b, 600000, &lease), 1);
	assert_int_equal(lease.token, 2);
	assert_int_equal(take(scene, scene->a, 600000, &lease), 0);
}

static void a_watch_that_was_active_starts_without_the_server(void **state)
{
	struct scene *scene = *state;
	struct store_lease lease;
	struct store *store;

	lead(scene, scene->a, STORE_WATCH, 200);
	append_numbers(scene, scene->a, 1, 3);
	drain(scene, scene->a);
	store_close(TAKE(scene->a));
	scene_cut(scene, true);
	scene->a = scene_open(scene, "a");
	assert_int_equal(store_lease_take(scene->a, STORE_WATCH, 200, &lease, &scene->f.err), 1);
	assert_true(lease.is_unconfirmed);
	assert_int_equal(lease.token, 1);
	assert_int_equal(store_lease_take(scene->a, STORE_FILTER, 200, &lease, &scene->f.err), -1);
	append_numbers(scene, scene->a, 4, 5);
	scene_cut(scene, false);
	drain(scene, scene->a);
	assert_numbers(scene, 5);
	assert_int_equal(store_lease_take(scene->a, STORE_WATCH, 200, &lease, &scene->f.err), 1);
	assert_false(lease.is_unconfirmed);
	assert_int_equal(lease.token, 1);
	/* One that never was does not. */
	scene_cut(scene, true);
	assert_int_equal(scene_try(scene, &store, "another"), -1);
}

static void *ask_for_lease(void *ctx)
{
	struct scene *scene = ctx;
	struct store_lease lease;
	AUTO_ERROR err = { 0 };

	if (store_lease_take(scene->a, STORE_WATCH, 200, &lease, &err) != 1)
		print_error("%s\n", error_text(&err));
	return NULL;
}

static void what_is_heard_does_not_wait_for_who_asks_about_the_lease(void **state)
{
	struct scene *scene = *state;
	pthread_t thread;
	int64_t start_ms;

	lead(scene, scene->a, STORE_WATCH, 200);
	scene_cut(scene, true);
	pthread_create(&thread, NULL, ask_for_lease, scene); /* it tries for five seconds */
	start_ms = redis_now_ms();
	while (redis_now_ms() < start_ms + 200)
		append_numbers(scene, scene->a, 1, 1);
	assert_true(redis_now_ms() < start_ms + 3000);
	pthread_join(thread, NULL);
	scene_cut(scene, false);
}

/* ---- Waking and telling ---- */

static void count_wake(void *ctx)
{
	++*(atomic_int *)ctx;
}

static void await_more(const atomic_int *count, int before)
{
	for (int i = 0; i < 3000 && *count <= before; i++)
		poll(NULL, 0, 10);
	assert_true(*count > before);
}

static void what_one_process_does_wakes_the_others(void **state)
{
	struct scene *scene = *state;
	struct job job = { .due_ms = 1, .body = (char *)"{}" };
	atomic_int filter = 0, act = 0;
	struct store_txn *txn;
	uint64_t id;
	int before;

	store_on_wake(scene->b, STORE_FILTER, count_wake, &filter);
	store_on_wake(scene->b, STORE_ACT, count_wake, &act);
	append_numbers(scene, scene->a, 1, 1);
	await_more(&filter, 0);
	ok(&scene->f, store_begin(scene->a, &txn, &scene->f.err));
	ok(&scene->f, store_job_put(txn, &job, &id, &scene->f.err));
	ok(&scene->f, store_commit(txn, &scene->f.err));
	await_more(&act, 0);
	/* The first after an outage comes without a commit: something may have happened meanwhile.
	 */
	before = act;
	redis_server_kill(&scene->server);
	redis_server_start(&scene->server, durable);
	await_more(&act, before);
	store_on_wake(scene->b, STORE_FILTER, NULL, NULL);
	store_on_wake(scene->b, STORE_ACT, NULL, NULL);
}

struct heard {
	pthread_mutex_t lock;
	char text[256];
	atomic_int count;
};

static void hear(void *ctx, struct text message)
{
	struct heard *heard = ctx;
	size_t size;

	pthread_mutex_lock(&heard->lock);
	size = strlen(heard->text);
	snprintf(heard->text + size, sizeof(heard->text) - size, "%.*s ", TEXT_ARGS(message));
	pthread_mutex_unlock(&heard->lock);
	heard->count++;
}

static void a_message_reaches_every_process_once_across_an_outage(void **state)
{
	struct scene *scene = *state;
	struct heard a = { .lock = PTHREAD_MUTEX_INITIALIZER };
	struct heard b = { .lock = PTHREAD_MUTEX_INITIALIZER };

	store_on_message(scene->a, hear, &a);
	store_on_message(scene->b, hear, &b);
	ok(&scene->f, store_tell(scene->a, TEXT("1"), &scene->f.err));
	ok(&scene->f, store_tell(scene->b, TEXT("2"), &scene->f.err));
	fixture_await(&a.count, 2);
	scene_cut(scene, true);
	ok(&scene->f, store_tell(scene->b, TEXT("3"), &scene->f.err));
	fixture_await(&b.count, 3);
	scene_cut(scene, false);
	fixture_await(&a.count, 3);
	redis_server_kill(&scene->server);
	redis_server_start(&scene->server, durable);
	ok(&scene->f, store_tell(scene->b, TEXT("4"), &scene->f.err));
	fixture_await(&a.count, 4);
	fixture_await(&b.count, 4);
	assert_string_equal(a.text, "1 2 3 4 ");
	assert_string_equal(b.text, "1 2 3 4 ");
	store_on_message(scene->a, NULL, NULL);
	store_on_message(scene->b, NULL, NULL);
}

static void note_member(void *ctx, const char *name, struct text status_json, int64_t age_ms)
{
	struct buf *all = ctx;

	assert_true(buf_print(all, "%s=%.*s ", name, TEXT_ARGS(status_json)));
}

static char *members(struct scene *scene)
{
	AUTO(buf_free) struct buf *all = buf_new(1 << 20);

	assert_true(buf_append(all, "", 0));
	ok(&scene->f, store_member_visit(scene->b, note_member, all, &scene->f.err));
	return buf_take(all);
}

static void each_process_sees_the_status_of_all_until_they_leave(void **state)
{
	struct scene *scene = *state;
	AUTO(free) char *both = NULL;
	AUTO(free) char *one = NULL;

	ok(&scene->f, store_member_put(scene->b, TEXT("{\"n\": 1}"), 600000, &scene->f.err));
	ok(&scene->f, store_member_put(scene->a, TEXT("{\"n\": 2}"), 600000, &scene->f.err));
	both = members(scene);
	assert_string_equal(both, "host-a/run/1={\"n\": 2} host-b/run/1={\"n\": 1} ");
	store_close(TAKE(scene->a));
	one = members(scene);
	assert_string_equal(one, "host-b/run/1={\"n\": 1} ");
}

/* ---- Jobs ---- */

static void several_jobs_are_taken_at_once_one_of_each_file(void **state)
{
	struct scene *scene = *state;
	struct job jobs[10];
	struct store_txn *txn;
	int64_t count;

	ok(&scene->f, store_begin(scene->b, &txn, &scene->f.err));
	for (int i = 0; i < 9; i++) {
		char file[8];
		struct job job = { .file_id = file, .due_ms = 1, .body = (char *)"{}" };
		uint64_t id;

		snprintf(file, sizeof(file), "%d", i % 3);
		ok(&scene->f, store_job_put(txn, &job, &id, &scene->f.err));
	}
	ok(&scene->f, store_commit(txn, &scene->f.err));
	/* The answer is lost, and all of them are handed out the second time. */
	scene->proxy.cut_at = 0;
	count = store_job_take_many(scene->a, 10, 1000, jobs, ARRAY_SIZE(jobs), &scene->f.err);
	assert_int_equal(count, 3);
	for (int i = 0; i < count; i++) {
		assert_int_equal(jobs[i].id, i + 1);
		assert_int_equal(store_job_is_ours(scene->a, jobs[i].id, &scene->f.err), 1);
		ok(&scene->f, store_job_end(scene->a, &jobs[i], JOB_DONE, 10, &scene->f.err));
		assert_int_equal(store_job_is_ours(scene->a, jobs[i].id, &scene->f.err), 0);
		job_clear(&jobs[i]);
	}
	count = store_job_take_many(scene->b, 10, 1000, jobs, 2, &scene->f.err);
	assert_int_equal(count, 2);
	for (int i = 0; i < count; i++)
		job_clear(&jobs[i]);
}

/* ---- Rights ---- */

static void a_user_needs_no_more_than_the_manual_says(void **state)
{
	struct scene *scene = *state;
	AUTO(free) char *url = str_format("unix://few:sesame@%s", scene->server.socket);
	AUTO(free) char *log = str_format("%s/few", scene->server.dir);
	struct store_settings settings = { .url = url,
					   .prefix = "mine",
					   .log = log,
					   .timeout_ms = 10000,
					   .max_bytes = scene->max_bytes,
					   .member = "few",
					   .watches = true };
	struct heard heard = { .lock = PTHREAD_MUTEX_INITIALIZER };
	struct job job = { .due_ms = 1, .body = (char *)"{}" }, taken;
	struct gap gap = { .watch = "main", .reason = (char *)"reset" };
	struct store_lease lease;
	struct store_txn *txn;
	struct store *store;
	char answer[64];
	uint64_t id;

	assert_true(redis_server_ask(&scene->server,
				     "ACL SETUSER few on >sesame ~{cn:mine}:* +@scripting +@read "
				     "+@write +@connection +time",
				     answer));
	assert_string_equal(answer, "+OK\r\n");
	ok(&scene->f, store_open(&store, &settings, &scene->f.err));
	store_on_message(store, hear, &heard);
	for (int role = 0; role < STORE_ROLE_COUNT; role++)
		assert_int_equal(store_lease_take(store, (enum store_role)role, 60000, &lease,
						  &scene->f.err),
				 1);
	append_numbers(scene, store, 1, 3);
	ok(&scene->f, store_gap_put(store, &gap, &scene->f.err));
	ok(&scene->f, store_note_put(store, "alive/main", TEXT("1"), &scene->f.err));
	drain(scene, store);
	ok(&scene->f, store_member_put(store, TEXT("{}"), 60000, &scene->f.err));
	ok(&scene->f, store_tell(store, TEXT("hello"), &scene->f.err));
	fixture_await(&heard.count, 1);
	ok(&scene->f, store_begin(store, &txn, &scene->f.err));
	ok(&scene->f, store_fence(txn, STORE_FILTER, &scene->f.err));
	ok(&scene->f, store_job_put(txn, &job, &id, &scene->f.err));
	ok(&scene->f, store_cursor_put(txn, 3, &scene->f.err));
	ok(&scene->f, store_commit(txn, &scene->f.err));
	assert_int_equal(store_job_take(store, 10, 1000, &taken, &scene->f.err), 1);
	ok(&scene->f, store_job_end(store, &taken, JOB_DEAD, 10, &scene->f.err));
	job_clear(&taken);
	ok(&scene->f, store_log_trim(store, 1, &scene->f.err));
	ok(&scene->f, store_state_trim(store, 1, &scene->f.err));
	store_close(store);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		SCENE_TEST(a_lease_that_is_renewed_stays_where_it_is),
		SCENE_TEST(a_standby_takes_over_after_a_whole_lease_without_a_renewal),
		SCENE_TEST(a_lease_that_is_dropped_goes_at_once),
		SCENE_TEST(after_an_outage_who_was_active_goes_on),
		SCENE_TEST(a_commit_of_who_lost_the_lease_is_refused),
		SCENE_TEST(who_was_given_more_goes_before_if_the_server_forgot),
		SCENE_TEST(a_watch_that_was_active_starts_without_the_server),
		SCENE_TEST(what_is_heard_does_not_wait_for_who_asks_about_the_lease),
		SCENE_TEST(what_one_process_does_wakes_the_others),
		SCENE_TEST(a_message_reaches_every_process_once_across_an_outage),
		SCENE_TEST(each_process_sees_the_status_of_all_until_they_leave),
		SCENE_TEST(several_jobs_are_taken_at_once_one_of_each_file),
		SCENE_TEST(a_user_needs_no_more_than_the_manual_says),
	};

	if (!redis_server_is_installed())
		return 77; /* not tested */
	return cmocka_run_group_tests(tests, NULL, NULL);
}
