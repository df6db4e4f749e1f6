/*
 * fake_world: what deliver needs around it: a store, a loop, a cluster that is a list of files, and
 * two action modules that do what the test says and tell a story.
 */
#ifndef TESTS_FAKE_WORLD_H
#define TESTS_FAKE_WORLD_H

#include "stores.h"

#include "app/delivery.h"
#include "app/inbox.h"
#include "base/clock.h"
#include "store/echo.h"

#define WORLD_NOW_MS 1795366800000

struct world_file {
	char id[16], path[64], change_time[16];
};

/* How a run of a module ends. */
struct world_end {
	enum action_result outcome;
	const char *why;
	const char *path, *change_time; /* into the result */
	const char *memory;             /* remembered as "target", and one expectation is stored */
	enum event_type expects;        /* with memory */
	int64_t not_before_ms;
	bool withdraws;
	bool hangs; /* until world_finish */
};

struct cluster_call {
	struct list link;
	struct world *world;
	char ref[64];
	file_done *done;
	void *ctx;
};

struct world {
	struct fixture *f;
	uv_loop_t loop;
	struct settings settings;
	struct cluster_settings on;
	struct watch_settings watch;
	struct cluster cluster;
	const struct cluster *clusters[1];
	struct deliver *deliver;
	struct world_file files[32];
	size_t file_count;
	enum file_result answer; /* FILE_OK: the truth */
	int answer_status;
	struct list calls;
	struct world_end ends[16]; /* of the next runs; then all are done */
	size_t end_count;
	struct action_run *hanging[16];
	size_t hanging_count;
	struct buf *story;
	bool tells_requests; /* when a run that expected something goes on */
};

static struct world *the_world; /* for the modules and the log */

static UNUSED void tell(const char *format, ...) PRINTF_LIKE(1, 2);
static UNUSED void tell(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	AUTO(free) char *line = str_vformat(format, args);
	va_end(args);
	assert_true(buf_print(the_world->story, "%s\n", line));
}

/* ---- The cluster ---- */

static UNUSED void world_put_file(struct world *world, const char *id, const char *path,
				  const char *change_time)
{
	struct world_file *file = world->files;

	while (file < world->files + world->file_count && strcmp(file->id, id) != 0)
		file++;
	if (file == world->files + world->file_count)
		world->file_count++;
	snprintf(file->id, sizeof(file->id), "%s", id);
	snprintf(file->path, sizeof(file->path), "%s", path);
	snprintf(file->change_time, sizeof(file->change_time), "%s", change_time);
}

static struct cluster_call *world_get(void *self, const char *ref, file_done *done, void *ctx)
{
	struct world *world = self;
	struct cluster_call *call = NEW(struct cluster_call);

	call->world = world;
	snprintf(call->ref, sizeof(call->ref), "%s", ref);
	call->done = done;
	call->ctx = ctx;
	list_append(&world->calls, &call->link);
	return call;
}

static void world_cancel(struct cluster_call *call)
{
	list_remove(&call->link);
	free(call);
}

static void world_answer(struct cluster_call *call)
{
	struct world *world = call->world;
	struct file_info info = { 0 };
	struct file_reply reply = { .result = world->answer,
				    .why = "no such luck",
				    .error_class = "",
				    .status = world->answer_status };

	list_remove(&call->link);
	if (world->answer == FILE_OK) {
		reply.result = FILE_GONE;
		for (size_t i = 0; i < world->file_count; i++) {
			struct world_file *file = &world->files[i];

			if (strcmp(file->id, call->ref) != 0 && strcmp(file->path, call->ref) != 0)
				continue;
			info = (struct file_info){ .id = file->id,
						   .path = file->path,
						   .change_time = file->change_time };
			reply.info = &info;
			reply.result = FILE_OK;
			reply.why = NULL;
		}
	}
	call->done(call->ctx, &reply);
	free(call);
}

/* ---- The modules ---- */

static void end_run_as(struct action_run *run, const struct world_end *end)
{
	if (end->path)
		json_object_set_new(run->result, "path", json_string(end->path));
	if (end->change_time)
		json_object_set_new(run->result, "change_time", json_string(end->change_time));
	run->not_before_ms = end->not_before_ms;
	if (end->withdraws)
		run->action->host->withdraw(run->action->host->self, run);
	if (end->why)
		action_finish(run, end->outcome, "%s", end->why);
	else
		action_finish(run, end->outcome, NULL);
}

/* A run that waits for the store. */
struct waiting {
	struct action_run *run;
	struct world_end end;
};

static void go_on(struct action_run *run, const struct world_end *end)
{
	if (end->hangs)
		the_world->hanging[the_world->hanging_count++] = run;
	else
		end_run_as(run, end);
}

static void expected(void *ctx, const char *why)
{
	struct waiting *waiting = ctx;
	struct action_run *run = waiting->run;
	struct world_end end = waiting->end;

	free(TAKE(run->data));
	if (why) {
		tell("job %d is not stored", (int)run->job);
		action_finish(run, ACTION_RETRY, "%s", why);
		return;
	}
	if (the_world->tells_requests)
		tell("request of job %d", (int)run->job);
	go_on(run, &end);
}

static void probe_start(struct action_run *run)
{
	struct world *world = the_world;
	struct world_end end = { 0 };
	const char *memory = json_string_value(json_object_get(run->memory, "target"));
	const char *earlier =
		json_string_value(json_object_get(json_object_get(run->results, "probe"), "path"));

	if (world->end_count) {
		end = world->ends[0];
		memmove(world->ends, world->ends + 1, --world->end_count * sizeof(end));
	}
	tell("%s job %d step %u attempt %u at %s%s%s%s%s", run->action->type->name, (int)run->job,
	     run->step, run->attempt, run->file ? run->file->path : "no file",
	     memory ? " remembering " : "", memory ? memory : "", earlier ? " after " : "",
	     earlier ? earlier : "");
	if (end.memory) {
		AUTO(free) char *id = text_copy(run->event->file_id);
		struct action_effect effect = { end.expects, id, NULL };
		struct waiting *waiting = NEW(struct waiting);

		*waiting = (struct waiting){ run, end };
		run->data = waiting;
		json_object_set_new(run->memory, "target", json_string(end.memory));
		run->action->host->expect(run->action->host->self, run, &effect, 1, expected,
					  waiting);
		return;
	}
	go_on(run, &end);
}

static void probe_cancel(struct action_run *run)
{
	free(TAKE(run->data));
	tell("cancel job %d", (int)run->job);
}

static char *probe_plan(struct action_run *run)
{
	return str_format("would probe %.*s", TEXT_ARGS(run->event->path));
}

static const struct config_key probe_keys[] = { { 0 } };

static const struct action_type probe = {
	.name = "probe",
	.keys = probe_keys,
	.config_size = 1,
	.needs_file = true,
	.is_built_in_change = true,
	.plan = probe_plan,
	.start = probe_start,
	.cancel = probe_cancel,
};

static const struct action_type plain = {
	.name = "plain",
	.keys = probe_keys,
	.config_size = 1,
	.plan = probe_plan,
	.start = probe_start,
	.cancel = probe_cancel,
};

static char *the_server(const struct action *action)
{
	return str_copy("the server");
}

static const struct action_type served = {
	.name = "served",
	.keys = probe_keys,
	.config_size = 1,
	.server = the_server,
	.plan = probe_plan,
	.start = probe_start,
	.cancel = probe_cancel,
};

static const struct action_type *find_type(const char *name)
{
	const struct action_type *const types[] = { &probe, &plain, &served };

	for (size_t i = 0; i < ARRAY_SIZE(types); i++)
		if (strcmp(types[i]->name, name) == 0)
			return types[i];
	return NULL;
}

/* ---- The world ---- */

static void hear(enum log_level level, const char *who, const char *line)
{
	static const char *const names[] = { "error", "warn", "info", "debug" };

	if (level != LOG_DEBUG)
		tell("%s %s: %s", names[level], who, line);
}

static UNUSED void world_open_deliver(struct world *world)
{
	ok(world->f, deliver_open(&world->deliver, &world->loop, NULL, &world->settings,
				  world->f->store, world->clusters, NULL, &world->f->err));
	action_cache_find_with(world->deliver->cache, find_type);
}

static UNUSED void world_close_deliver(struct world *world)
{
	deliver_close(world->deliver);
	world->deliver = NULL;
	while (uv_run(&world->loop, UV_RUN_NOWAIT))
		;
}

/* Everything that can happen now happens. */
static UNUSED void world_settle(struct world *world)
{
	for (int round = 0; round < 20; round++) {
		struct cluster_call *call;

		deliver_tick(world->deliver);
		list_for_each (call, &world->calls, link)
			world_answer(call);
		uv_run(&world->loop, UV_RUN_NOWAIT);
	}
}

/* The story since it was asked for last. For free(). */
static UNUSED char *world_story(struct world *world)
{
	return buf_take(world->story);
}

static UNUSED void world_end(struct world *world, struct world_end end)
{
	world->ends[world->end_count++] = end;
}

static UNUSED void world_finish(struct world *world, struct world_end end)
{
	struct action_run *run = world->hanging[0];

	assert_in_range(world->hanging_count, 1, 16);
	memmove(world->hanging, world->hanging + 1,
		--world->hanging_count * sizeof(world->hanging[0]));
	end_run_as(run, &end);
}

static UNUSED void world_restart(struct world *world)
{
	world_close_deliver(world);
	world->hanging_count = 0;
	fixture_reopen(world->f);
	world_open_deliver(world);
}

static UNUSED void put_job_of(struct world *world, const struct rule *rule, const char *file_id,
			      const char *path)
{
	struct event event = { .type = CHILD_FILE_ADDED,
			       .type_name = TEXT("child_file_added"),
			       .kinds = EVENT_KIND(CHILD_FILE_ADDED),
			       .path = text_of(path),
			       .file_id = text_of(file_id),
			       .watch = TEXT("main"),
			       .seq = 1 };
	AUTO(free) char *body = job_body_new(rule, "digest", &event);
	struct job job = { .file_id = (char *)file_id, .due_ms = clock_now_ms(), .body = body };
	struct store_txn *txn;
	uint64_t id;

	ok(world->f, store_begin(world->f->store, &txn, &world->f->err));
	ok(world->f, store_job_put(txn, &job, &id, &world->f->err));
	ok(world->f, store_commit(txn, &world->f->err));
}

/* modules: names of the steps, separated by commas. */
static UNUSED void put_job(struct world *world, const char *modules, const char *file_id,
			   const char *path)
{
	struct rule_step steps[8] = { 0 };
	struct rule rule = { .name = "r", .steps = steps };
	AUTO(free) char *names = str_copy(modules);
	char *save = NULL;

	for (char *name = strtok_r(names, ",", &save); name; name = strtok_r(NULL, ",", &save)) {
		steps[rule.step_count].module = name;
		steps[rule.step_count++].options = "{}";
	}
	put_job_of(world, &rule, file_id, path);
}

#define LEASE_MS 60000

static int world_setup(void **state)
{
	struct world *world;

	if (fixture_setup(state) < 0)
		return -1;
	world = NEW(struct world);
	the_world = world;
	world->f = *state;
	world->story = buf_new(1 << 20);
	world->on.name = (char *)"default";
	world->watch = (struct watch_settings){ .name = (char *)"main", .on = &world->on };
	world->settings.watches = &world->watch;
	world->settings.watch_count = 1;
	world->settings.store.url = (char *)"embedded:store";
	world->settings.act.attempts = 3;
	world->settings.act.back_off_ms = 1000;
	world->settings.act.back_off_max_ms = 60000;
	world->settings.act.circuit_breaker = 2;
	world->settings.act.concurrency = 2;
	world->settings.act.echo_expiry_ms = 60000;
	world->settings.act.lease_ms = LEASE_MS;
	world->cluster =
		(struct cluster){ .self = world, .get = world_get, .cancel = world_cancel };
	world->clusters[0] = &world->cluster;
	world->answer_status = 200;
	list_init(&world->calls);
	uv_loop_init(&world->loop);
	clock_hold(WORLD_NOW_MS);
	log_redirect(hear);
	world_open_deliver(world);
	*state = world;
	return 0;
}

static int world_teardown(void **state)
{
	struct world *world = *state;

	if (world->deliver)
		world_close_deliver(world);
	log_redirect(NULL);
	clock_release();
	assert_int_equal(uv_loop_close(&world->loop), 0);
	assert_true(list_is_empty(&world->calls));
	buf_free(world->story);
	*state = world->f;
	free(world);
	return fixture_teardown(state);
}

#define assert_story(world, expected)                         \
	do {                                                  \
		AUTO(free) char *story_ = world_story(world); \
		assert_string_equal(story_, expected);        \
	} while (0)

#endif
