/* The Redis store under Sentinels: a master, a replica and three of them, all with a password. */
#include "redis_group.h"

#include "store/redis_connection.h"
#include "store/store.h"

struct scene {
	struct redis_watched watched;
	char dir[64]; /* of local logs */
	struct error err;
};

static struct scene scene;

#define URL "redis://:" GROUP_PASSWORD "@mymaster"

static int setup(void **state)
{
	snprintf(scene.dir, sizeof(scene.dir), "/tmp/cn_sentinel.XXXXXX");
	assert_non_null(mkdtemp(scene.dir));
	watched_start(&scene.watched, true);
	watched_await(&scene.watched);
	return 0;
}

static int teardown(void **state)
{
	AUTO(free) char *command = str_format("rm -rf %s", scene.dir);

	watched_remove(&scene.watched);
	error_clear(&scene.err);
	return system(command);
}

static int try_open(struct store **out, const char *url, const char *sentinels, const char *prefix,
		    int64_t timeout_ms)
{
	AUTO(free) char *log = str_format("%s/%s", scene.dir, prefix);
	const struct store_settings settings = { .url = url,
						 .sentinels = sentinels,
						 .prefix = prefix,
						 .log = log,
						 .timeout_ms = timeout_ms,
						 .max_bytes = 64 << 20,
						 .retention_ms = 1000 };

	return store_open(out, &settings, &scene.err);
}

static struct store *must_open(const char *sentinels, const char *prefix, int64_t timeout_ms)
{
	struct store *store;

	if (try_open(&store, URL, sentinels, prefix, timeout_ms) < 0)
		fail_msg("%s", error_text(&scene.err));
	return store;
}

static void refused(const char *url, const char *sentinels, const char *sentence)
{
	struct store *store;

	/* A busy machine may take long, a failure need not. */
	for (int64_t ms = 200; ms < 60000; ms *= 4) {
		assert_int_equal(try_open(&store, url, sentinels, "refused", ms), -1);
		if (strstr(error_text(&scene.err), sentence))
			break;
	}
	if (!strstr(error_text(&scene.err), sentence))
		fail_msg("'%s' is not in: %s", sentence, error_text(&scene.err));
	if (strstr(error_text(&scene.err), "sesame"))
		fail_msg("a secret is in: %s", error_text(&scene.err));
}

/* A job, and the cursor. */
static void put(struct store *store, uint64_t seq)
{
	const struct job job = { .file_id = (char *)"1", .due_ms = 1, .body = (char *)"{}" };
	struct store_txn *txn;
	uint64_t id;

	if (store_begin(store, &txn, &scene.err) < 0)
		fail_msg("%s", error_text(&scene.err));
	if (store_job_put(txn, &job, &id, &scene.err) < 0 ||
	    store_cursor_put(txn, seq, &scene.err) < 0 || store_commit(txn, &scene.err) < 0)
		fail_msg("%s", error_text(&scene.err));
}

static uint64_t jobs(struct store *store)
{
	struct store_counts counts;

	if (store_count(store, &counts, &scene.err) < 0)
		fail_msg("%s", error_text(&scene.err));
	return counts.jobs_waiting;
}

static void sentinels_know_the_master(void **state)
{
	AUTO(free) char *all = watched_sentinels(&scene.watched);
	AUTO(store_close) struct store *store = must_open(all, "known", 20000);

	put(store, 1);
	assert_int_equal(jobs(store), 1);
}

static void dead_sentinels_are_passed_over(void **state)
{
	AUTO(free)
	char *some = str_format("127.0.0.1:1, localhost:2,127.0.0.1:%d",
				scene.watched.sentinel_ports[1]);
	AUTO(store_close) struct store *store = must_open(some, "dead", 20000);

	put(store, 1);
	refused(URL, "127.0.0.1:1, 127.0.0.1:2", "no sentinel knows the master 'mymaster'");
}

/* As a sentinel shows a master. */
static void lie(struct redis_liar *liar, int port, const char *epoch)
{
	char text[16];

	snprintf(text, sizeof(text), "%d", port);
	snprintf(liar->answer, sizeof(liar->answer),
		 "*6\r\n$2\r\nip\r\n$9\r\n127.0.0.1\r\n$4\r\nport\r\n$%zu\r\n%s\r\n"
		 "$12\r\nconfig-epoch\r\n$%zu\r\n%s\r\n",
		 strlen(text), text, strlen(epoch), epoch);
}

static void a_sentinel_that_names_no_master_is_not_believed(void **state)
{
	struct redis_liar liar;
	AUTO(free) char *sentinels = NULL;
	AUTO(free) char *alone = NULL;
	struct store *store;

	liar_start(&liar);
	sentinels = str_format("127.0.0.1:%d,127.0.0.1:%d,127.0.0.1:%d", liar.port,
			       scene.watched.sentinel_ports[0], scene.watched.sentinel_ports[1]);
	alone = str_format("127.0.0.1:%d", liar.port);
	/* A replica; a port that nobody listens on; nonsense. */
	lie(&liar, scene.watched.replica_port, "9");
	store = must_open(sentinels, "lied", 20000);
	put(store, 1);
	store_close(store);
	refused(URL, alone, "is not the master, although a sentinel says so");
	lie(&liar, 1, "9");
	store = must_open(sentinels, "lied", 20000);
	assert_int_equal(jobs(store), 1);
	store_close(store);
	snprintf(liar.answer, sizeof(liar.answer), "*-1\r\n");
	store = must_open(sentinels, "lied", 20000);
	assert_int_equal(jobs(store), 1);
	store_close(store);
	liar_stop(&liar);
}

static void a_wrong_name_or_password_is_told(void **state)
{
	AUTO(free) char *all = watched_sentinels(&scene.watched);

	refused("redis://:" GROUP_PASSWORD "@other", all, "No such master");
	refused("redis://:sesame-street@mymaster", all, "WRONGPASS");
	refused("redis://mymaster", all, "NOAUTH");
}

/* The last test: it leaves the first master stopped. */
static void a_master_that_falls_silent_is_replaced_within_one_call(void **state)
{
	AUTO(free) char *all = watched_sentinels(&scene.watched);
	AUTO(store_close) struct store *store = must_open(all, "silent", 30000);

	put(store, 1);
	redis_await_copy(&scene.watched.master, &scene.watched.replica);
	kill(scene.watched.master.pid, SIGSTOP);
	put(store, 2);
	assert_int_equal(jobs(store), 2);
	AWAIT(&scene.watched.replica, "ROLE", "master");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sentinels_know_the_master),
		cmocka_unit_test(dead_sentinels_are_passed_over),
		cmocka_unit_test(a_sentinel_that_names_no_master_is_not_believed),
		cmocka_unit_test(a_wrong_name_or_password_is_told),
		cmocka_unit_test(a_master_that_falls_silent_is_replaced_within_one_call),
	};

	if (!redis_server_is_installed())
		return 77; /* not tested */
	return cmocka_run_group_tests(tests, setup, teardown);
}
