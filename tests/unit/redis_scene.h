/* redis_scene: two hosts that share a Redis server, the first of them behind a proxy; each with a
 * local log of its own. */
#ifndef TESTS_REDIS_SCENE_H
#define TESTS_REDIS_SCENE_H

#include "stores.h"

#include "base/buf.h"
#include "base/clock.h"
#include "redis_proxy.h"

struct scene {
	struct fixture f; /* for ok() */
	struct redis_server server;
	struct redis_proxy proxy;
	struct store *a, *b;
	int64_t max_bytes;
};

static const char *const durable[] = { "--appendonly", "yes", "--appendfsync", "always", NULL };

static UNUSED int scene_try(struct scene *scene, struct store **out, const char *name)
{
	bool is_a = name[0] == 'a';
	AUTO(free)
	char *url = is_a ? str_format("redis://127.0.0.1:%d/0", scene->proxy.port)
			 : str_format("unix:%s", scene->server.socket);
	AUTO(free) char *log = str_format("%s/%s", scene->server.dir, name);
	AUTO(free) char *member = str_format("host-%s/run/1", name);
	struct store_settings settings = { .url = url,
					   .prefix = "x",
					   .log = log,
					   .timeout_ms = is_a ? 5000 : 10000,
					   .max_bytes = scene->max_bytes,
					   .retention_ms = 1000000,
					   .member = member,
					   .watches = true };

	return store_open(out, &settings, &scene->f.err);
}

static UNUSED struct store *scene_open(struct scene *scene, const char *name)
{
	struct store *store;

	ok(&scene->f, scene_try(scene, &store, name));
	return store;
}

static UNUSED int scene_setup(void **state)
{
	struct scene *scene = NEW(struct scene);

	scene->max_bytes = 64 * 1024 * 1024;
	redis_server_start(&scene->server, durable);
	redis_proxy_start(&scene->proxy, &scene->server);
	scene->a = scene_open(scene, "a");
	scene->b = scene_open(scene, "b");
	*state = scene;
	return 0;
}

static UNUSED int scene_teardown(void **state)
{
	struct scene *scene = *state;

	store_close(scene->a);
	store_close(scene->b);
	redis_proxy_stop(&scene->proxy);
	redis_server_remove(&scene->server);
	error_clear(&scene->f.err);
	free(scene);
	return 0;
}

#define SCENE_TEST(name) cmocka_unit_test_setup_teardown(name, scene_setup, scene_teardown)

/* The server is away for a, or again there. */
static UNUSED void scene_cut(struct scene *scene, bool is_cut)
{
	scene->proxy.is_closed = is_cut;
	for (int i = 0; is_cut && i < 3000 && scene->proxy.open_count; i++)
		poll(NULL, 0, 10);
	assert_true(!is_cut || !scene->proxy.open_count);
}

/* ---- A server that forgets ---- */

/* What the server has now; it is killed for that, and started again. */
static UNUSED void scene_keep(struct scene *scene)
{
	AUTO(free)
	char *command = str_format("rm -rf %s/kept && cp -a %s/appendonlydir %s/kept",
				   scene->server.dir, scene->server.dir, scene->server.dir);

	redis_server_kill(&scene->server);
	assert_int_equal(system(command), 0);
	redis_server_start(&scene->server, durable);
}

/* It forgets what came since. */
static UNUSED void scene_forget(struct scene *scene)
{
	AUTO(free)
	char *command = str_format("rm -rf %s/appendonlydir && cp -a %s/kept %s/appendonlydir",
				   scene->server.dir, scene->server.dir, scene->server.dir);

	redis_server_kill(&scene->server);
	assert_int_equal(system(command), 0);
	redis_server_start(&scene->server, durable);
}

/* ---- Records: each is a number ---- */

static UNUSED void append_as(struct scene *scene, struct store *store, int64_t time_ms,
			     const char *text)
{
	struct record record = { .time_ms = time_ms,
				 .watch = TEXT("main"),
				 .bytes = text_of(text) };
	uint64_t seq;

	ok(&scene->f, store_log_append(store, &record, &seq, &scene->f.err));
	ok(&scene->f, store_log_commit(store, &scene->f.err));
}

static UNUSED void append_numbers(struct scene *scene, struct store *store, int from, int until)
{
	for (int i = from; i <= until; i++) {
		AUTO(free) char *text = str_format("%d", i);
		struct record record = { .time_ms = clock_now_ms(),
					 .watch = TEXT("main"),
					 .bytes = text_of(text) };
		uint64_t seq;

		ok(&scene->f, store_log_append(store, &record, &seq, &scene->f.err));
		if (i % 7 == 0 || i == until)
			ok(&scene->f, store_log_commit(store, &scene->f.err));
	}
}

static UNUSED void drain(struct scene *scene, struct store *store)
{
	assert_int_equal(store_log_drain(store, 30000, &scene->f.err), 1);
}

struct heard_log {
	struct buf *text; /* what was read, each with a space behind it */
	uint64_t last;
};

static UNUSED bool hear_record(void *ctx, const struct record *record)
{
	struct heard_log *heard = ctx;

	assert_true(record->seq > heard->last);
	heard->last = record->seq;
	assert_true(buf_print(heard->text, "%.*s ", TEXT_ARGS(record->bytes)));
	return true;
}

/* The whole log as any process sees it, for free(). */
static UNUSED char *read_log(struct scene *scene)
{
	struct heard_log heard = { buf_new(1 << 26), 0 };
	char *text;

	assert_true(buf_append(heard.text, "", 0));
	ok(&scene->f,
	   store_log_read(scene->b, 0, SIZE_MAX, SIZE_MAX, hear_record, &heard, &scene->f.err));
	text = buf_take(heard.text);
	buf_free(heard.text);
	return text ? text : str_copy("");
}

static UNUSED void assert_numbers(struct scene *scene, int until)
{
	AUTO(free) char *found = read_log(scene);
	AUTO(buf_free) struct buf *wanted = buf_new(1 << 24);

	for (int i = 1; i <= until; i++)
		assert_true(buf_print(wanted, "%d ", i));
	assert_string_equal(found, wanted->data);
}

static UNUSED void find_sentence(void *ctx, const char *sentence)
{
	const char **wanted = ctx;

	if (*wanted && strstr(sentence, *wanted))
		*wanted = NULL;
}

static UNUSED bool advises(struct store *store, const char *wanted)
{
	store_advice(store, find_sentence, &wanted);
	return !wanted;
}

/* Takes the lease, waiting for its end if need be. */
static UNUSED struct store_lease lead(struct scene *scene, struct store *store,
				      enum store_role role, int64_t ttl_ms)
{
	struct store_lease lease = { 0 };
	int rc = 0;

	for (int i = 0;
	     i < 3000 && (rc = store_lease_take(store, role, ttl_ms, &lease, &scene->f.err)) == 0;
	     i++)
		poll(NULL, 0, 10);
	if (rc != 1)
		fail_msg("no lease: %s", rc < 0 ? error_text(&scene->f.err) : lease.holder);
	return lease;
}

#endif
