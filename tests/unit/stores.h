/*
 * stores: runs each test once per implementation of the store, on a fresh one.
 *
 * A new implementation is a line in store_kinds; a test gets a struct fixture as its *state. Tests
 * of the contract define STORES_ON_GROUPS before they include this: they run on a Redis Cluster and
 * under Sentinels, too.
 */
#ifndef TESTS_STORES_H
#define TESTS_STORES_H

#include "check.h"

#include <poll.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#ifdef STORES_ON_GROUPS
#include "redis_group.h"
#endif
#include "redis_server.h"
#include "store/store.h"

struct fixture {
	char dir[64]; /* below it, whatever the implementation keeps */
	char *url, *sentinels, *log;
	struct store_settings settings;
	struct store *store;
	struct error err;
};

struct store_kind {
	const char *name;
	char *(*url)(const char *dir); /* for free() */
	bool (*is_here)(void);         /* NULL: always */
	char *(*sentinels)(void);      /* NULL: none */
};

static UNUSED char *embedded_url(const char *dir)
{
	return str_format("embedded:%s/store", dir);
}

/* One server for all tests of a program; each test has a prefix of its own. */
static struct redis_server stores_server;

static UNUSED char *redis_url(const char *dir)
{
	if (!stores_server.pid)
		redis_server_start(&stores_server, NULL);
	return str_format("unix:%s", stores_server.socket);
}

#ifdef STORES_ON_GROUPS
static struct redis_cluster stores_cluster;
static struct redis_watched stores_watched;

static UNUSED char *stores_cluster_url(const char *dir)
{
	if (!stores_cluster.nodes[0].pid)
		cluster_start(&stores_cluster);
	return cluster_url(&stores_cluster);
}

static UNUSED char *stores_watched_url(const char *dir)
{
	if (!stores_watched.master.pid)
		watched_start(&stores_watched, false);
	return str_copy("redis://mymaster");
}

static UNUSED char *stores_sentinels(void)
{
	return watched_sentinels(&stores_watched);
}
#endif

static const struct store_kind store_kinds[] = {
	{ "embedded", embedded_url, NULL, NULL },
	{ "redis", redis_url, redis_server_is_installed, NULL },
#ifdef STORES_ON_GROUPS
	{ "redis cluster", stores_cluster_url, redis_server_is_installed, NULL },
	{ "redis sentinel", stores_watched_url, redis_server_is_installed, stores_sentinels },
#endif
};

/* All that was committed can be read. */
static UNUSED void fixture_drain(struct fixture *f)
{
	int rc = store_log_drain(f->store, 30000, &f->err);

	if (rc <= 0)
		fail_msg("not drained: %s", rc < 0 ? error_text(&f->err) : "30 s are over");
}

static UNUSED void fixture_open(struct fixture *f)
{
	if (store_open(&f->store, &f->settings, &f->err) < 0)
		fail_msg("%s", error_text(&f->err));
	fixture_drain(f);
}

static UNUSED void fixture_commit(struct fixture *f)
{
	if (store_log_commit(f->store, &f->err) < 0)
		fail_msg("%s", error_text(&f->err));
	fixture_drain(f);
}

/* Becomes the active process of a role, also after one that was killed. */
static UNUSED void fixture_lead(struct fixture *f, enum store_role role)
{
	struct store_lease lease;
	int rc = 0;

	for (int i = 0;
	     i < 3000 && (rc = store_lease_take(f->store, role, 50, &lease, &f->err)) == 0; i++)
		poll(NULL, 0, 10);
	if (rc <= 0)
		fail_msg("no lease: %s", rc < 0 ? error_text(&f->err) : lease.holder);
}

/* Waits for what another thread counts up. */
static UNUSED void fixture_await(const atomic_int *count, int wanted)
{
	for (int i = 0; i < 3000 && *count < wanted; i++)
		poll(NULL, 0, 10);
	assert_int_equal(*count, wanted);
}

static UNUSED void fixture_close(struct fixture *f)
{
	store_close(f->store);
	f->store = NULL;
}

static UNUSED void fixture_reopen(struct fixture *f)
{
	fixture_close(f);
	fixture_open(f);
}

static UNUSED int fixture_setup(void **state)
{
	const struct store_kind *kind = *state;
	struct fixture *f = NEW(struct fixture);

	snprintf(f->dir, sizeof(f->dir), "%s/cn_store.XXXXXX",
		 access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
	if (!mkdtemp(f->dir))
		return -1;
	f->url = kind->url(f->dir);
	f->sentinels = kind->sentinels ? kind->sentinels() : NULL;
	f->log = str_format("%s/store", f->dir);
	f->settings = (struct store_settings){
		.url = f->url,
		.sentinels = f->sentinels,
		.prefix = strrchr(f->dir, '/') + 1,
		.log = f->log,
		.timeout_ms = 10000, /* machines may be busy */
		.max_bytes = 64 * 1024 * 1024,
		.retention_ms = 1000,
		.sync = true,
		.member = "host-1/run/1",
		.watches = true,
	};
	fixture_open(f);
	*state = f;
	return 0;
}

static UNUSED int fixture_teardown(void **state)
{
	struct fixture *f = *state;
	AUTO(free) char *command = str_format("rm -rf %s", f->dir);
	int rc;

	store_close(f->store);
	error_clear(&f->err);
	rc = system(command);
	free(f->url);
	free(f->sentinels);
	free(f->log);
	free(f);
	return rc;
}

static UNUSED int run_on_one_store(const struct CMUnitTest *tests, size_t count,
				   const struct store_kind *kind)
{
	struct CMUnitTest *all = mem_array(count, sizeof(*all));
	char **names = mem_array(count, sizeof(*names));
	int failed;

	for (size_t i = 0; i < count; i++) {
		names[i] = str_format("%s (%s)", tests[i].name, kind->name);
		all[i] = tests[i];
		all[i].name = names[i];
		if (!all[i].setup_func) {
			all[i].setup_func = fixture_setup;
			all[i].teardown_func = fixture_teardown;
		}
		all[i].initial_state = (void *)kind;
	}
	failed = _cmocka_run_group_tests(kind->name, all, count, NULL, NULL);
	for (size_t i = 0; i < count; i++)
		free(names[i]);
	free(names);
	free(all);
	return failed;
}

static UNUSED int run_on_every_store(const struct CMUnitTest *tests, size_t count)
{
	int failed = 0;

	for (size_t i = 0; i < ARRAY_SIZE(store_kinds); i++) {
		if (store_kinds[i].is_here && !store_kinds[i].is_here())
			print_message("skipped because: the server of %s is not installed\n",
				      store_kinds[i].name);
		else
			failed += run_on_one_store(tests, count, &store_kinds[i]);
	}
	redis_server_remove(&stores_server);
#ifdef STORES_ON_GROUPS
	cluster_remove(&stores_cluster);
	watched_remove(&stores_watched);
#endif
	return failed;
}

/* Nothing is stored, as before the first start. */
static UNUSED void fixture_wipe(struct fixture *f)
{
	AUTO(free) char *command = str_format("rm -rf %s/store", f->dir);
	char answer[64];

	assert_int_equal(system(command), 0);
	if (stores_server.pid)
		assert_true(redis_server_ask(&stores_server, "FLUSHALL", answer));
}

/* A failure shows the store's own sentence. */
#define ok(f, call)                                            \
	do {                                                   \
		if ((call) < 0)                                \
			fail_msg("%s", error_text(&(f)->err)); \
	} while (0)

#define refused(f, call, sentence) refused_as(f, call, -1, sentence)
#define refused_as(f, call, answer, sentence)                                            \
	do {                                                                             \
		assert_int_equal((call), answer);                                        \
		if (!strstr(error_text(&(f)->err), (sentence)))                          \
			fail_msg("'%s' is not in: %s", sentence, error_text(&(f)->err)); \
	} while (0)

#endif
