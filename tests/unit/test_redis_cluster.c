/* The Redis store on a Redis Cluster: three masters, and a replica of the first. */
#include "redis_group.h"

#include "store/redis_connection.h"
#include "store/store.h"

struct scene {
	struct redis_cluster cluster;
	char dir[64]; /* of local logs */
	struct error err;
};

static struct scene scene;

static int setup(void **state)
{
	snprintf(scene.dir, sizeof(scene.dir), "/tmp/cn_cluster.XXXXXX");
	assert_non_null(mkdtemp(scene.dir));
	cluster_start(&scene.cluster);
	return 0;
}

static int teardown(void **state)
{
	AUTO(free) char *command = str_format("rm -rf %s", scene.dir);

	cluster_remove(&scene.cluster);
	error_clear(&scene.err);
	return system(command);
}

static int slot_of(const char *prefix)
{
	AUTO(free)
	char *slot = redis_tell(&scene.cluster.nodes[0], "CLUSTER KEYSLOT {cn:%s}:", prefix);

	return atoi(slot);
}

/* A prefix whose keys are on that master at the beginning; for free(). */
static char *prefix_on(const char *name, int node)
{
	static const int ends[] = { 5461, 10923, 16384 };

	for (int i = 0;; i++) {
		char *prefix = str_format("%s%d", name, i);
		int slot = slot_of(prefix), at = 0;

		while (slot >= ends[at])
			at++;
		if (at == node)
			return prefix;
		free(prefix);
	}
}

static int try_open(struct store **out, const char *url, const char *prefix, int64_t timeout_ms)
{
	AUTO(free) char *log = str_format("%s/%s", scene.dir, prefix);
	const struct store_settings settings = { .url = url,
						 .prefix = prefix,
						 .log = log,
						 .timeout_ms = timeout_ms,
						 .max_bytes = 64 << 20,
						 .retention_ms = 1000 };

	return store_open(out, &settings, &scene.err);
}

static void refused(const char *url, const char *sentence)
{
	struct store *store;

	/* A busy machine may take long, a failure need not. */
	for (int64_t ms = 200; ms < 60000; ms *= 4) {
		assert_int_equal(try_open(&store, url, "refused", ms), -1);
		if (strstr(error_text(&scene.err), sentence))
			return;
	}
	fail_msg("'%s' is not in: %s", sentence, error_text(&scene.err));
}

static struct store *open_at(int node, const char *prefix, int64_t timeout_ms)
{
	AUTO(free) char *url = str_format("redis://127.0.0.1:%d", scene.cluster.ports[node]);
	struct store *store;

	if (try_open(&store, url, prefix, timeout_ms) < 0)
		fail_msg("%s", error_text(&scene.err));
	return store;
}

/* A job, and the cursor. */
static int put(struct store *store, uint64_t seq)
{
	const struct job job = { .file_id = (char *)"1", .due_ms = 1, .body = (char *)"{}" };
	struct store_txn *txn;
	uint64_t id;

	if (store_begin(store, &txn, &scene.err) < 0)
		return -1;
	if (store_job_put(txn, &job, &id, &scene.err) < 0 ||
	    store_cursor_put(txn, seq, &scene.err) < 0) {
		store_abort(txn);
		return -1;
	}
	return store_commit(txn, &scene.err);
}

static void must_put(struct store *store, uint64_t seq)
{
	if (put(store, seq) < 0)
		fail_msg("%s", error_text(&scene.err));
}

static uint64_t jobs(struct store *store)
{
	struct store_counts counts;

	if (store_count(store, &counts, &scene.err) < 0)
		fail_msg("%s", error_text(&scene.err));
	return counts.jobs_waiting;
}

static void keys_are_found_on_whichever_node_has_them(void **state)
{
	for (int node = 0; node < 3; node++) {
		AUTO(free) char *prefix = prefix_on("found", node);
		AUTO(store_close) struct store *store = open_at((node + 1) % 3, prefix, 20000);

		must_put(store, 1);
		assert_int_equal(jobs(store), 1);
	}
}

static void a_node_that_is_down_is_passed_over(void **state)
{
	AUTO(free) char *prefix = prefix_on("down", 1);
	AUTO(free)
	char *url = str_format("redis://127.0.0.1:1,127.0.0.1:%d", scene.cluster.ports[0]);
	AUTO(store_close) struct store *store = NULL;

	if (try_open(&store, url, prefix, 20000) < 0)
		fail_msg("%s", error_text(&scene.err));
	must_put(store, 1);
}

static void a_database_but_0_is_refused(void **state)
{
	AUTO(free) char *url = str_format("redis://127.0.0.1:%d/3", scene.cluster.ports[0]);

	refused(url, "a Redis Cluster has no database but 0");
}

static void move_keys(int slot, int from, int to, int count)
{
	AUTO(free)
	char *keys =
		redis_tell(&scene.cluster.nodes[from], "CLUSTER GETKEYSINSLOT %d %d", slot, count);
	char *rest = keys, *key;

	while ((key = strtok_r(rest, "\n", &rest))) {
		AUTO(free)
		char *answer =
			redis_tell(&scene.cluster.nodes[from], "MIGRATE 127.0.0.1 %d %s 0 10000",
				   scene.cluster.ports[to], key);

		assert_string_equal(answer, "OK");
	}
}

static void a_step_waits_until_its_keys_are_in_one_place_again(void **state)
{
	AUTO(free) char *prefix = prefix_on("moved", 1);
	AUTO(store_close) struct store *store = open_at(1, prefix, 2000);
	AUTO(store_close) struct store *patient = open_at(1, prefix, 20000);
	AUTO(free) char *from = cluster_id(&scene.cluster, 1);
	AUTO(free) char *to = cluster_id(&scene.cluster, 2);
	int slot = slot_of(prefix);

	must_put(patient, 1);
	free(redis_tell(&scene.cluster.nodes[2], "CLUSTER SETSLOT %d IMPORTING %s", slot, from));
	free(redis_tell(&scene.cluster.nodes[1], "CLUSTER SETSLOT %d MIGRATING %s", slot, to));
	assert_int_equal(put(store, 2), -1);
	assert_non_null(strstr(error_text(&scene.err), "ASK"));
	move_keys(slot, 1, 2, 3);
	assert_int_equal(put(store, 2), -1);
	assert_non_null(strstr(error_text(&scene.err), "ASK"));
	move_keys(slot, 1, 2, 1000);
	free(redis_tell(&scene.cluster.nodes[2], "CLUSTER SETSLOT %d NODE %s", slot, to));
	free(redis_tell(&scene.cluster.nodes[1], "CLUSTER SETSLOT %d NODE %s", slot, to));
	must_put(patient, 2);
	assert_int_equal(jobs(patient), 2);
}

static void a_node_that_sends_us_in_circles_is_left(void **state)
{
	struct redis_liar liar;
	AUTO(free) char *url = NULL;
	struct store *store;

	liar_start(&liar);
	snprintf(liar.answer, sizeof(liar.answer), "-MOVED 7 127.0.0.1:%d\r\n", liar.port);
	url = str_format("redis://127.0.0.1:%d", liar.port);
	refused(url, "sent from node to node");
	assert_in_range(liar.asked, 6, 10000);
	/* Without a host it is another port of the same. */
	snprintf(liar.answer, sizeof(liar.answer), "-MOVED 7 :%d\r\n", scene.cluster.ports[0]);
	if (try_open(&store, url, "circle", 20000) < 0)
		fail_msg("%s", error_text(&scene.err));
	store_close(store);
	snprintf(liar.answer, sizeof(liar.answer), "-MOVED 7 nowhere\r\n");
	refused(url, "MOVED");
	liar_stop(&liar);
}

/* The last test: afterwards the first node is down. */
static void a_master_that_dies_is_replaced_by_its_replica(void **state)
{
	AUTO(free) char *prefix = prefix_on("dies", 0);
	AUTO(store_close) struct store *store = open_at(0, prefix, 60000);

	must_put(store, 1);
	must_put(store, 2);
	redis_await_copy(&scene.cluster.nodes[0], &scene.cluster.nodes[3]);
	redis_server_kill(&scene.cluster.nodes[0]);
	must_put(store, 3);
	assert_int_equal(jobs(store), 3);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(keys_are_found_on_whichever_node_has_them),
		cmocka_unit_test(a_node_that_is_down_is_passed_over),
		cmocka_unit_test(a_database_but_0_is_refused),
		cmocka_unit_test(a_step_waits_until_its_keys_are_in_one_place_again),
		cmocka_unit_test(a_node_that_sends_us_in_circles_is_left),
		cmocka_unit_test(a_master_that_dies_is_replaced_by_its_replica),
	};

	if (!redis_server_is_installed())
		return 77; /* not tested */
	return cmocka_run_group_tests(tests, setup, teardown);
}
