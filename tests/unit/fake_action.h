/*
 * fake_action: a cluster and a host for the tests of action modules. The cluster is a list of
 * files; every request and every expectation becomes a line of the story, in order, so that a test
 * can see that the expectation came first.
 */
#ifndef TESTS_FAKE_ACTION_H
#define TESTS_FAKE_ACTION_H

#include "check.h"

#include "action/action.h"
#include "base/buf.h"
#include "base/clock.h"

#define NOW_MS 1795366800123 /* 2026-11-22T17:00:00.123Z */

struct fake_file {
	char *id;
	char *path;
	enum file_type type;
};

/* What befalls the next request of this kind. */
struct fake_fault {
	const char *call; /* "move" */
	enum file_result result;
	int64_t retry_after_ms;
	bool is_applied; /* it happened all the same: the answer was lost */
	unsigned skip;   /* so many of them go well first */
};

struct cluster_call {
	struct fake *fake;
	file_done *done;
	snapshot_done *told; /* instead of done */
	int befalls;
	void *ctx;
	struct file_reply reply;
	struct file_info info;
	struct file_tags tags;
};

struct fake {
	uv_loop_t loop;
	struct cluster cluster;
	struct action_host host;
	struct buf *story;
	/* The lock and the one tag of every file. */
	char *retention;
	bool legal_hold;
	char *tag_key, *tag_value;
	char *snapshot;     /* the suffix of the one that there is */
	unsigned mode_left; /* what a change of the mode comes to; 0: what was asked for */
	struct fake_file files[160];
	size_t file_count;
	struct fake_fault faults[8];
	size_t fault_count;
	struct cluster_call *call; /* the one under way */
	action_expected *expected; /* waits for the store; no request goes out before */
	void *expected_ctx;
	unsigned next_id;
	json_t *stored; /* run->memory, as the last expect() stored it */
	bool expect_fails;
	void (*before_move)(struct fake *fake); /* somebody else is faster; once */
	/* What deliver would own: */
	struct action *action;
	struct event *event;
	struct file_info info;
	struct file_change_seen {
		char *text;
	} change;
};

static inline void fake_tell(struct fake *fake, const char *format, ...) PRINTF_LIKE(2, 3);
static inline void fake_tell(struct fake *fake, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	AUTO(free) char *line = str_vformat(format, args);
	va_end(args);
	assert_true(buf_print(fake->story, "%s\n", line));
}

static inline struct fake_file *fake_find(struct fake *fake, const char *ref)
{
	for (size_t i = 0; i < fake->file_count; i++)
		if (strcmp(fake->files[i].id, ref) == 0 || strcmp(fake->files[i].path, ref) == 0)
			return &fake->files[i];
	return NULL;
}

static inline struct fake_file *fake_add(struct fake *fake, const char *id, const char *path,
					 enum file_type type)
{
	struct fake_file *file = &fake->files[fake->file_count++];

	assert_true(fake->file_count < ARRAY_SIZE(fake->files));
	*file = (struct fake_file){ str_copy(id), str_copy(path), type };
	return file;
}

static inline void fake_remove(struct fake *fake, const char *ref)
{
	struct fake_file *file = fake_find(fake, ref);

	assert_non_null(file);
	free(file->id);
	free(file->path);
	*file = fake->files[--fake->file_count];
}

static inline void fake_place(struct fake *fake, const char *ref, const char *path)
{
	struct fake_file *file = fake_find(fake, ref);

	assert_non_null(file);
	free(file->path);
	file->path = str_copy(path);
}

static inline void fake_fault(struct fake *fake, struct fake_fault fault)
{
	fake->faults[fake->fault_count++] = fault;
}

static inline struct cluster_call *fake_call(struct fake *fake, file_done *done, void *ctx)
{
	struct cluster_call *call = NEW(struct cluster_call);

	assert_null(fake->call); /* one request at a time */
	assert_null(fake->expected);
	call->fake = fake;
	call->done = done;
	call->ctx = ctx;
	fake->call = call;
	return call;
}

static inline void fake_info(struct file_info *info, const struct fake_file *file)
{
	*info = (struct file_info){
		.id = str_copy(file->id),
		.path = str_copy(file->path),
		.type = file->type,
		.size = 4711,
		.mode = 0644,
		.owner = str_copy("12884902888"), /* (3 << 32) + 1000 */
		.group = str_copy("513"),
		.owner_type = str_copy("NFS_UID"),
		.owner_value = str_copy("1000"),
		.group_type = str_copy("LOCAL_GROUP"),
		.group_value = str_copy("Users"),
		.change_time = str_copy("2026-11-22T17:00:01.5Z"),
		.num_links = 1,
		.etag = str_copy("\"77\""),
	};
}

static inline void fake_answer(struct cluster_call *call, enum file_result result,
			       const struct fake_file *file)
{
	static const char *const why[] = {
		[FILE_OK] = NULL,
		[FILE_GONE] = "No such entry",
		[FILE_EXISTS] = "The name is taken",
		[FILE_BUSY] = "Somebody holds it open",
		[FILE_CHANGED] = "The ETag does not match",
		[FILE_DENIED] = "Access denied",
		[FILE_REFUSED] = "Invalid request",
		[FILE_LATER] = "Service unavailable",
		[FILE_AMBIGUOUS] = "The connection broke",
	};

	call->reply.result = result;
	call->reply.why = why[result];
	call->reply.error_class = "";
	if (result == FILE_OK && file) {
		fake_info(&call->info, file);
		call->reply.info = &call->info;
	}
}

/* 0: none; 1: a fault answered; 2: a fault answers, but the request is to be applied first. */
static inline int fake_befalls(struct cluster_call *call, const char *name)
{
	struct fake *fake = call->fake;

	for (size_t i = 0; i < fake->fault_count; i++) {
		struct fake_fault fault = fake->faults[i];

		if (strcmp(fault.call, name) != 0)
			continue;
		if (fault.skip) {
			fake->faults[i].skip--;
			continue;
		}
		memmove(&fake->faults[i], &fake->faults[i + 1],
			(--fake->fault_count - i) * sizeof(fault));
		fake_answer(call, fault.result, NULL);
		call->reply.retry_after_ms = fault.retry_after_ms;
		return fault.is_applied ? 2 : 1;
	}
	return 0;
}

static inline struct cluster_call *fake_get(void *self, const char *ref, file_done *done, void *ctx)
{
	struct cluster_call *call = fake_call(self, done, ctx);
	const struct fake_file *file = fake_find(self, ref);

	fake_tell(self, "get %s", ref);
	if (!fake_befalls(call, "get"))
		fake_answer(call, file ? FILE_OK : FILE_GONE, file);
	return call;
}

static inline char *fake_child(struct fake *fake, const char *directory, const char *name)
{
	const struct fake_file *parent = fake_find(fake, directory);

	return parent && parent->type == FILE_DIRECTORY
		       ? path_join(text_of(parent->path), text_of(name))
		       : NULL;
}

static inline struct cluster_call *fake_find_in(void *self, const char *directory, const char *name,
						file_done *done, void *ctx)
{
	struct cluster_call *call = fake_call(self, done, ctx);
	AUTO(free) char *path = fake_child(self, directory, name);
	const struct fake_file *file = path ? fake_find(self, path) : NULL;

	fake_tell(self, "find %.20s in %s", name, directory);
	if (!fake_befalls(call, "find"))
		fake_answer(call, file ? FILE_OK : FILE_GONE, file);
	return call;
}

static inline struct cluster_call *fake_move(void *self, const char *source_path,
					     const char *directory, const char *name, bool replace,
					     file_done *done, void *ctx)
{
	struct fake *fake = self;
	struct cluster_call *call = fake_call(self, done, ctx);
	AUTO(free) char *target = NULL;
	struct fake_file *source;
	int befalls;

	if (fake->before_move)
		TAKE(fake->before_move)(fake);
	target = fake_child(self, directory, name);
	source = fake_find(self, source_path);
	fake_tell(self, "move %.60s to %.100s%s", source_path, target ? target : "nowhere",
		  replace ? " replacing" : "");
	befalls = fake_befalls(call, "move");
	if (befalls == 1)
		return call;
	if (!source || !target) {
		fake_answer(call, FILE_GONE, NULL);
		return call;
	}
	if (fake_find(self, target)) {
		if (!replace) {
			fake_answer(call, FILE_EXISTS, NULL);
			return call;
		}
		fake_remove(self, target);
		source = fake_find(self, source_path);
	}
	fake_place(self, source->id, target);
	if (!befalls)
		fake_answer(call, FILE_OK, source);
	return call;
}

static inline struct cluster_call *fake_make_directory(void *self, const char *directory,
						       const char *name, file_done *done, void *ctx)
{
	struct fake *fake = self;
	struct cluster_call *call = fake_call(self, done, ctx);
	AUTO(free) char *path = fake_child(self, directory, name);
	int befalls;

	fake_tell(self, "make %.100s", path ? path : "nowhere");
	befalls = fake_befalls(call, "make");
	if (befalls == 1)
		return call;
	if (!path) {
		fake_answer(call, FILE_GONE, NULL);
	} else if (fake_find(self, path)) {
		fake_answer(call, FILE_EXISTS, NULL);
	} else {
		AUTO(free) char *id = str_format("9%u", ++fake->next_id);
		const struct fake_file *made = fake_add(self, id, path, FILE_DIRECTORY);

		if (!befalls)
			fake_answer(call, FILE_OK, made);
	}
	return call;
}

static inline struct cluster_call *fake_change(void *self, const char *id, const char *etag,
					       const struct file_change *change, file_done *done,
					       void *ctx)
{
	struct fake *fake = self;
	struct cluster_call *call = fake_call(self, done, ctx);
	const struct fake_file *file = fake_find(self, id);

	fake_tell(self, "change %s if %s:%s%s%s%s%s%s%s%s%s%s", id, etag ? etag : "any",
		  change->mode ? " mode " : "", change->mode ? change->mode : "",
		  change->owner_type ? " owner " : "", change->owner_type ? change->owner_type : "",
		  change->owner_type ? " " : "", change->owner_type ? change->owner_value : "",
		  change->group_type ? " group " : "", change->group_type ? change->group_type : "",
		  change->group_type ? " " : "", change->group_type ? change->group_value : "");
	if (!fake_befalls(call, "change")) {
		fake_answer(call, file ? FILE_OK : FILE_GONE, file);
		if (change->mode && fake->mode_left)
			call->info.mode = fake->mode_left;
		else if (change->mode)
			call->info.mode = (unsigned)strtoul(change->mode, NULL, 8);
	}
	return call;
}

static inline void fake_show_lock(struct fake *fake, struct cluster_call *call)
{
	call->info.has_lock = true;
	call->info.retention = str_copy(fake->retention);
	call->info.legal_hold = fake->legal_hold;
}

static inline struct cluster_call *fake_get_lock(void *self, const char *id, file_done *done,
						 void *ctx)
{
	struct fake *fake = self;
	struct cluster_call *call = fake_call(self, done, ctx);
	const struct fake_file *file = fake_find(self, id);

	fake_tell(self, "look at the lock of %s", id);
	if (!fake_befalls(call, "get_lock")) {
		fake_answer(call, file ? FILE_OK : FILE_GONE, file);
		fake_show_lock(fake, call);
	}
	return call;
}

static inline struct cluster_call *fake_lock(void *self, const char *id, const char *etag,
					     const struct file_lock *lock, file_done *done,
					     void *ctx)
{
	struct fake *fake = self;
	struct cluster_call *call = fake_call(self, done, ctx);
	const struct fake_file *file = fake_find(self, id);
	int befalls = fake_befalls(call, "lock");

	fake_tell(self, "lock %s if %s: %s %d", id, etag, lock->retention ? lock->retention : "-",
		  lock->legal_hold);
	if (befalls == 1)
		return call;
	if (lock->retention) {
		free(fake->retention);
		fake->retention = str_copy(lock->retention);
	}
	if (lock->legal_hold >= 0)
		fake->legal_hold = lock->legal_hold;
	if (!befalls) {
		fake_answer(call, FILE_OK, file);
		fake_show_lock(fake, call);
	}
	return call;
}

static inline struct cluster_call *fake_get_tags(void *self, const char *id, const char *key,
						 file_done *done, void *ctx)
{
	struct fake *fake = self;
	struct cluster_call *call = fake_call(self, done, ctx);

	fake_tell(self, "look at tag %s of %s", key ? key : "*", id);
	if (fake_befalls(call, "get_tags"))
		return call;
	fake_answer(call, fake_find(self, id) ? FILE_OK : FILE_GONE, NULL);
	if (fake->tag_value && (!key || strcmp(key, fake->tag_key) == 0)) {
		file_tags_add(&call->tags, fake->tag_key, text_of(fake->tag_value));
		call->tags.etag = str_copy("\"78\"");
	}
	call->reply.tags = &call->tags;
	return call;
}

static inline void fake_put_tag(struct fake *fake, const char *key, const char *value)
{
	free(fake->tag_key);
	free(fake->tag_value);
	fake->tag_key = str_copy(key);
	fake->tag_value = str_copy(value);
}

static inline struct cluster_call *fake_set_tag(void *self, const char *id,
						const struct tag_change *change, file_done *done,
						void *ctx)
{
	static const char *const names[] = { "add", "replace", "remove" };
	struct fake *fake = self;
	struct cluster_call *call = fake_call(self, done, ctx);
	AUTO(free) char *value = text_copy(change->value);
	int befalls = fake_befalls(call, "set_tag");

	fake_tell(self, "%s tag %s of %s if %s: %.*s", names[change->how], change->key, id,
		  change->etag ? change->etag : "any", TEXT_ARGS(change->value));
	if (befalls == 1)
		return call;
	fake_put_tag(fake, change->key, change->how == TAG_REMOVE ? NULL : value);
	if (!befalls)
		fake_answer(call, FILE_OK, NULL);
	return call;
}

static inline struct cluster_call *fake_remove_file(void *self, const char *id, file_done *done,
						    void *ctx)
{
	struct cluster_call *call = fake_call(self, done, ctx);
	int befalls = fake_befalls(call, "remove");
	bool is_there = fake_find(self, id);

	fake_tell(self, "remove %s", id);
	if (befalls == 1)
		return call;
	if (is_there)
		fake_remove(self, id);
	if (!befalls)
		fake_answer(call, is_there ? FILE_OK : FILE_GONE, NULL);
	return call;
}

/* The one snapshot that there is is number 5; its name is kept. */
static inline struct cluster_call *fake_snapshot_call(struct fake *fake, const char *name,
						      snapshot_done *done, void *ctx)
{
	struct cluster_call *call = fake_call(fake, NULL, ctx);
	int befalls = fake_befalls(call, name);

	call->told = done;
	if (!befalls)
		call->reply.result = FILE_OK;
	call->befalls = befalls;
	return call;
}

static inline struct cluster_call *fake_take_snapshot(void *self, const char *directory,
						      const char *suffix, int64_t expires_ms,
						      snapshot_done *done, void *ctx)
{
	struct fake *fake = self;
	struct cluster_call *call = fake_snapshot_call(self, "take_snapshot", done, ctx);

	fake_tell(self, "snapshot of %s as %s for %lld s", directory, suffix,
		  (long long)(expires_ms - NOW_MS) / 1000);
	if (call->befalls != 1) {
		free(fake->snapshot);
		fake->snapshot = str_copy(suffix);
	}
	return call;
}

static inline struct cluster_call *fake_find_snapshot(void *self, const char *suffix,
						      snapshot_done *done, void *ctx)
{
	struct fake *fake = self;
	struct cluster_call *call = fake_snapshot_call(self, "find_snapshot", done, ctx);

	fake_tell(self, "find the snapshot %s", suffix);
	if (!call->befalls && (!fake->snapshot || strcmp(fake->snapshot, suffix) != 0))
		call->reply.result = FILE_GONE;
	return call;
}

static inline struct cluster_call *fake_drop_snapshot(void *self, int64_t id, snapshot_done *done,
						      void *ctx)
{
	struct fake *fake = self;
	struct cluster_call *call = fake_snapshot_call(self, "drop_snapshot", done, ctx);

	fake_tell(self, "drop the snapshot %lld", (long long)id);
	if (!call->befalls && !fake->snapshot)
		call->reply.result = FILE_GONE;
	free(TAKE(fake->snapshot));
	return call;
}

static inline void fake_cancel(struct cluster_call *call)
{
	fake_tell(call->fake, "cancel");
	call->fake->call = NULL;
	file_info_clear(&call->info);
	file_tags_clear(&call->tags);
	free(call);
}

static inline const struct cluster *fake_cluster(void *self, const char *watch)
{
	struct fake *fake = self;

	assert_string_equal(watch, "main");
	return &fake->cluster;
}

static inline void fake_expect(void *self, struct action_run *run,
			       const struct action_effect *effects, size_t count,
			       action_expected *done, void *ctx)
{
	struct fake *fake = self;

	assert_null(fake->call);
	assert_null(fake->expected);
	fake->expected = done;
	fake->expected_ctx = ctx;
	if (fake->expect_fails)
		return;
	for (size_t i = 0; i < count; i++)
		fake_tell(fake, "expect %s %s %.100s", event_type_name(effects[i].type),
			  *effects[i].file_id ? effects[i].file_id : "new",
			  effects[i].path ? effects[i].path : "anywhere");
	json_decref(fake->stored);
	fake->stored = json_deep_copy(run->memory);
}

/* The store took what is expected, or did not. */
static inline void fake_store(struct fake *fake)
{
	action_expected *expected = TAKE(fake->expected);

	assert_non_null(expected);
	expected(fake->expected_ctx, fake->expect_fails ? "the store is full" : NULL);
}

/* As deliver does it: what the run waited for does not come any more. */
static inline void fake_cancel_run(struct fake *fake, struct action_run *run)
{
	fake->expected = NULL;
	run->action->type->cancel(run);
}

static inline void fake_astray(void *self, struct action_run *run, const char *file_id)
{
	fake_tell(self, "%s is astray", file_id);
}

static inline void fake_arrived(void *self, struct action_run *run, const char *file_id,
				const char *path, bool is_directory)
{
	fake_tell(self, "judge %s at %s as new", file_id, path);
}

static inline void fake_withdraw(void *self, struct action_run *run)
{
	(void)run;
	fake_tell(self, "withdraw");
}

static inline void fake_finished(void *self, struct action_run *run)
{
	static const char *const names[] = { "done", "retry", "rejected", "gone", "changed" };

	fake_tell(self, "%s", names[run->outcome]);
	uv_stop(&((struct fake *)self)->loop);
}

static inline struct fake *fake_new(void)
{
	struct fake *fake = NEW(struct fake);

	clock_hold(NOW_MS);
	uv_loop_init(&fake->loop);
	fake->story = buf_new(1 << 20);
	fake->cluster = (struct cluster){ .self = fake,
					  .get = fake_get,
					  .move = fake_move,
					  .make_directory = fake_make_directory,
					  .change = fake_change,
					  .find = fake_find_in,
					  .cancel = fake_cancel,
					  .get_lock = fake_get_lock,
					  .lock = fake_lock,
					  .get_tags = fake_get_tags,
					  .set_tag = fake_set_tag,
					  .take_snapshot = fake_take_snapshot,
					  .find_snapshot = fake_find_snapshot,
					  .drop_snapshot = fake_drop_snapshot,
					  .remove = fake_remove_file };
	fake->host = (struct action_host){ .self = fake,
					   .loop = &fake->loop,
					   .cluster = fake_cluster,
					   .expect = fake_expect,
					   .astray = fake_astray,
					   .arrived = fake_arrived,
					   .withdraw = fake_withdraw,
					   .finished = fake_finished };
	fake_add(fake, "2", "/", FILE_DIRECTORY);
	return fake;
}

static inline void fake_free(struct fake *fake)
{
	while (fake->file_count)
		fake_remove(fake, fake->files[0].id);
	action_close(fake->action);
	if (fake->host.http)
		http_close((struct http *)fake->host.http);
	while (uv_run(&fake->loop, UV_RUN_DEFAULT)) /* more than once after uv_stop */
		;
	assert_int_equal(uv_loop_close(&fake->loop), 0);
	buf_free(fake->story);
	file_info_clear(&fake->info);
	json_decref(fake->stored);
	free(fake->event);
	free(fake->retention);
	free(fake->tag_key);
	free(fake->tag_value);
	free(fake->snapshot);
	free(fake);
	clock_release();
}
AUTO_DEFINE(struct fake *, fake_free)

/* Opens the module; what is wrong with the options fails the test. */
static inline void fake_open(struct fake *fake, const char *module, const char *options)
{
	AUTO_ERROR err = { 0 };

	if (action_open(&fake->action, action_type_find(module), options, &fake->host, &err) < 0)
		fail_msg("%s", error_text(&err));
}

/* A run as deliver would start it, for the file with this id (NULL: none was read). */
static inline struct action_run *fake_run(struct fake *fake, const char *id, const char *path)
{
	struct action_run *run = NEW(struct action_run);
	struct event event = {
		.type = CHILD_FILE_ADDED,
		.type_name = TEXT("child_file_added"),
		.kinds = EVENT_KIND(CHILD_FILE_ADDED),
		.path = text_of(path),
		.file_id = text_of(id),
		.parent_id = TEXT("3"),
		.watch = TEXT("main"),
		.seq = 9,
		.time_ms = NOW_MS,
	};

	free(fake->event);
	fake->event = event_copy(&event);
	file_info_clear(&fake->info);
	memset(&fake->info, 0, sizeof(fake->info));
	run->action = fake->action;
	run->job = 12;
	run->attempt = 1;
	run->rule = "no-media";
	run->cluster_name = "default";
	run->event = fake->event;
	if (id && fake_find(fake, id)) {
		fake_info(&fake->info, fake_find(fake, id));
		run->file = &fake->info;
	}
	run->memory = json_deep_copy(fake->stored);
	buf_reset(fake->story);
	return run;
}

static inline void fake_run_free(struct action_run *run)
{
	json_decref(run->memory);
	json_decref(run->result);
	free(run->why);
	free(run);
}
AUTO_DEFINE(struct action_run *, fake_run_free)

/* Answers the request that is under way. */
static inline void fake_answer_call(struct fake *fake)
{
	struct cluster_call *call = TAKE(fake->call);

	assert_non_null(call);
	if (call->told) {
		AUTO(free) char *name = str_format("5_%s", fake->snapshot ? fake->snapshot : "");
		const struct snapshot_reply reply = { call->reply.result,
						      call->reply.why ? call->reply.why : "",
						      call->reply.retry_after_ms, 5, name };

		call->told(call->ctx, &reply);
	} else {
		call->done(call->ctx, &call->reply);
	}
	file_info_clear(&call->info);
	file_tags_clear(&call->tags);
	free(call);
}

static inline void fake_start(struct fake *fake, struct action_run *run)
{
	run->action->type->start(run);
	if (fake->expected)
		fake_store(fake);
}

/* Answers the request that is under way; what is expected then is stored. */
static inline void fake_turn(struct fake *fake)
{
	fake_answer_call(fake);
	if (fake->expected)
		fake_store(fake);
}

/* Answers until the run waits for the store. */
static inline void fake_wait_for_store(struct fake *fake)
{
	while (!fake->expected)
		fake_answer_call(fake);
}

/* Starts the run and turns until it is finished. */
static inline void fake_go(struct fake *fake, struct action_run *run)
{
	fake_start(fake, run);
	while (!run->is_finished) {
		if (fake->call)
			fake_turn(fake);
		else
			uv_run(&fake->loop, UV_RUN_DEFAULT);
	}
	assert_null(fake->call);
	assert_null(fake->expected);
}

#define assert_story(fake, ...) assert_string_equal((fake)->story->data, __VA_ARGS__)

#endif
