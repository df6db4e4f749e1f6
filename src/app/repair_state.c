#include "app/repair_state.h"

#include <inttypes.h>
#include <stdio.h>

static const char *const method_names[] = { "", "snapshot", "scan", "expand", "asked" };

const char *repair_method_name(enum repair_method method)
{
	return method_names[method];
}

#define NUMBER_SIZE 16 /* digits of a task's number in its key */

static char *state_key(const char *watch)
{
	return str_format("s/%s", watch);
}

static char *task_key(const char *watch, uint64_t number)
{
	return str_format("t/%s/%016" PRIx64, watch, number);
}

static char *outcome_key(uint64_t gap)
{
	return str_format("g/%016" PRIx64, gap);
}

static const char *text_at(const json_t *object, const char *name)
{
	const char *text = json_string_value(json_object_get(object, name));

	return text ? text : "";
}

static int64_t number_at(const json_t *object, const char *name)
{
	return json_integer_value(json_object_get(object, name));
}

/* ---- State ---- */

static json_t *snapshot_json(const struct repair_snapshot *snapshot)
{
	return json_pack("{s:I,s:s,s:I,s:I,s:I,s:I,s:I}", "id", (json_int_t)snapshot->id, "source",
			 snapshot->source, "taken_ns", (json_int_t)snapshot->taken_ns, "sent_ms",
			 (json_int_t)snapshot->sent_ms, "answered_ms",
			 (json_int_t)snapshot->answered_ms, "covers_ms",
			 (json_int_t)snapshot->covers_ms, "seq", (json_int_t)snapshot->seq);
}

static void read_snapshot(struct repair_snapshot *out, const json_t *object)
{
	*out = (struct repair_snapshot){ .id = -1 };
	if (!json_is_object(object))
		return;
	out->id = number_at(object, "id");
	snprintf(out->source, sizeof(out->source), "%s", text_at(object, "source"));
	out->taken_ns = number_at(object, "taken_ns");
	out->sent_ms = number_at(object, "sent_ms");
	out->answered_ms = number_at(object, "answered_ms");
	out->covers_ms = number_at(object, "covers_ms");
	out->seq = (uint64_t)number_at(object, "seq");
}

static json_t *state_json(const struct repair_state *state)
{
	const struct repair_counts *counts = &state->counts;

	return json_pack(
		"{s:s,s:o,s:o,s:I,s:s,s:o,s:o,s:I,s:I,s:I,s:I,s:I,s:I,s:s,s:{s:I,s:I,s:I,"
		"s:I,s:I,s:I}}",
		"suffix", state->suffix, "baseline", snapshot_json(&state->baseline), "candidate",
		snapshot_json(&state->candidate), "done_gap", (json_int_t)state->done_gap, "method",
		method_names[state->method], "older", snapshot_json(&state->older), "newer",
		snapshot_json(&state->newer), "from_ms", (json_int_t)state->from_ms, "until_ms",
		(json_int_t)state->until_ms, "begun_ms", (json_int_t)state->begun_ms, "begun_seq",
		(json_int_t)state->begun_seq, "last_gap", (json_int_t)state->last_gap, "next_task",
		(json_int_t)state->next_task, "why", state->why, "counts", "tasks",
		(json_int_t)counts->tasks, "differences", (json_int_t)counts->differences, "known",
		(json_int_t)counts->known, "unreadable", (json_int_t)counts->unreadable, "requests",
		(json_int_t)counts->requests, "interruptions", (json_int_t)counts->interruptions);
}

static void read_state(struct repair_state *out, const json_t *object)
{
	const json_t *counts = json_object_get(object, "counts");

	*out = (struct repair_state){ .done_gap = (uint64_t)number_at(object, "done_gap"),
				      .from_ms = number_at(object, "from_ms"),
				      .until_ms = number_at(object, "until_ms"),
				      .begun_ms = number_at(object, "begun_ms"),
				      .begun_seq = (uint64_t)number_at(object, "begun_seq"),
				      .last_gap = (uint64_t)number_at(object, "last_gap"),
				      .next_task = (uint64_t)number_at(object, "next_task") };
	out->counts = (struct repair_counts){ (uint64_t)number_at(counts, "tasks"),
					      (uint64_t)number_at(counts, "differences"),
					      (uint64_t)number_at(counts, "known"),
					      (uint64_t)number_at(counts, "unreadable"),
					      (uint64_t)number_at(counts, "requests"),
					      (uint64_t)number_at(counts, "interruptions") };
	snprintf(out->suffix, sizeof(out->suffix), "%s", text_at(object, "suffix"));
	snprintf(out->why, sizeof(out->why), "%s", text_at(object, "why"));
	for (int i = 0; i < (int)ARRAY_SIZE(method_names); i++)
		if (strcmp(text_at(object, "method"), method_names[i]) == 0)
			out->method = i;
	read_snapshot(&out->baseline, json_object_get(object, "baseline"));
	read_snapshot(&out->candidate, json_object_get(object, "candidate"));
	read_snapshot(&out->older, json_object_get(object, "older"));
	read_snapshot(&out->newer, json_object_get(object, "newer"));
}

int repair_state_load(struct repair_state *out, struct store *store, const char *watch,
		      struct error *err)
{
	AUTO(free) char *key = state_key(watch);
	AUTO(free) char *value = NULL;
	json_t *object;

	if (store_peek(store, SPACE_REPAIR, text_of(key), &value, err) < 0)
		return -1;
	object = value ? json_loads(value, 0, NULL) : NULL;
	if (value && !object)
		return error_set(err, "what is known of the repairs of watch '%s' is damaged",
				 watch);
	read_state(out, object);
	json_decref(object);
	return 0;
}

/* Takes object. */
static int put_json(struct store_txn *txn, const char *key, json_t *object, struct error *err)
{
	AUTO(free) char *value = json_dumps(object, JSON_COMPACT);

	json_decref(object);
	if (!value) /* a path that is not UTF-8 has been shown as U+FFFD by the
		       cluster already */
		return error_set(err, "%s cannot be written as JSON", key);
	return store_put(txn, SPACE_REPAIR, text_of(key), text_of(value), err);
}

int repair_state_put(const struct repair_state *state, struct store_txn *txn, const char *watch,
		     struct error *err)
{
	AUTO(free) char *key = state_key(watch);

	return put_json(txn, key, state_json(state), err);
}

int repair_state_save(const struct repair_state *state, struct store *store, const char *watch,
		      struct error *err)
{
	AUTO(store_abort) struct store_txn *txn = NULL;

	if (store_begin(store, &txn, err) < 0 || store_fence(txn, STORE_WATCH, err) < 0 ||
	    repair_state_put(state, txn, watch, err) < 0)
		return -1;
	return store_commit(TAKE(txn), err) < 0 ? -1 : 0;
}

/* ---- Tasks ---- */

struct repair_task *repair_task_new(enum task_kind kind, const char *id, const char *path)
{
	struct repair_task *task = NEW(struct repair_task);

	task->kind = kind;
	task->id = str_copy(id);
	task->path = str_copy(path);
	list_init(&task->link);
	list_init(&task->changes);
	list_init(&task->children);
	return task;
}

void repair_task_free(struct repair_task *task)
{
	if (!task)
		return;
	list_remove(&task->link);
	free(task->id);
	free(task->path);
	free(task->old_path);
	free(task->next);
	free(task);
}

int repair_task_put(const struct repair_task *task, struct store_txn *txn, const char *watch,
		    struct error *err)
{
	AUTO(free) char *key = task_key(watch, task->number);

	return put_json(txn, key,
			json_pack("{s:i,s:s,s:s,s:s?,s:s?,s:b}", "kind", task->kind, "id", task->id,
				  "path", task->path, "old_path", task->old_path, "next",
				  task->next, "is_changed", task->is_changed),
			err);
}

int repair_task_delete(uint64_t number, struct store_txn *txn, const char *watch, struct error *err)
{
	AUTO(free) char *key = task_key(watch, number);

	return store_delete(txn, SPACE_REPAIR, text_of(key), err);
}

struct loading {
	struct list *list;
	const char *start; /* of the keys of this watch's tasks */
	size_t most;
	int64_t count;
};

static bool load_task(void *ctx, struct text key, struct text value)
{
	struct loading *loading = ctx;
	struct text start = text_of(loading->start);
	struct repair_task *task;
	json_t *object;

	if (!text_starts_with(key, start))
		return false;
	if (key.size - start.size != NUMBER_SIZE)
		return true; /* of a watch whose name begins like this one's */
	AUTO(free)
	char *number = str_copy_n(key.data + start.size, key.size - start.size);

	object = json_loadb(value.data, value.size, 0, NULL);
	task = repair_task_new(
		(enum task_kind)MIN(MAX(number_at(object, "kind"), 0), TASK_KINDS - 1),
		text_at(object, "id"), text_at(object, "path"));
	task->number = strtoull(number, NULL, 16);
	task->old_path = str_copy(json_string_value(json_object_get(object, "old_path")));
	task->next = str_copy(json_string_value(json_object_get(object, "next")));
	task->is_changed = json_is_true(json_object_get(object, "is_changed"));
	task->is_saved = true;
	json_decref(object);
	list_append(loading->list, &task->link);
	return ++loading->count < (int64_t)loading->most;
}

int64_t repair_tasks_load(struct list *list, struct store *store, const char *watch, uint64_t from,
			  size_t most, struct error *err)
{
	AUTO(free) char *start = str_format("t/%s/", watch);
	AUTO(free) char *key = task_key(watch, from);
	struct loading loading = { list, start, most, 0 };

	if (store_peek_scan(store, SPACE_REPAIR, text_of(key), load_task, &loading, err) < 0)
		return -1;
	return loading.count;
}

/* ---- Directories that were moved in ---- */

static char *moved_in_start(struct text watch)
{
	return str_format("x/%.*s/", TEXT_ARGS(watch));
}

int repair_moved_in_put(struct store_txn *txn, const struct event *event, struct error *err)
{
	AUTO(free) char *start = moved_in_start(event->watch);
	AUTO(free)
	char *key = str_format("%s%016" PRIx64 "%08" PRIx32, start, event->seq, event->index);

	return put_json(txn, key,
			json_pack("{s:s%,s:s%,s:I}", "id", event->file_id.data, event->file_id.size,
				  "path", event->path.data, event->path.size, "seq",
				  (json_int_t)event->seq),
			err);
}

struct moved_in_search {
	const char *start;
	struct repair_moved_in *out;
	bool is_found;
};

static bool take_moved_in(void *ctx, struct text key, struct text value)
{
	struct moved_in_search *search = ctx;
	json_t *object;

	if (!text_starts_with(key, text_of(search->start)))
		return false;
	if (key.size - strlen(search->start) != NUMBER_SIZE + 8)
		return true; /* of another watch, as with tasks */
	object = json_loadb(value.data, value.size, 0, NULL);
	*search->out = (struct repair_moved_in){ text_copy(key), str_copy(text_at(object, "id")),
						 str_copy(text_at(object, "path")),
						 (uint64_t)number_at(object, "seq") };
	search->is_found = true;
	json_decref(object);
	return false;
}

int repair_moved_in_next(struct repair_moved_in *out, struct store *store, const char *watch,
			 struct error *err)
{
	AUTO(free) char *start = moved_in_start(text_of(watch));
	struct moved_in_search search = { start, out };

	if (store_peek_scan(store, SPACE_REPAIR, text_of(start), take_moved_in, &search, err) < 0)
		return -1;
	return search.is_found;
}

void repair_moved_in_clear(struct repair_moved_in *moved_in)
{
	free(moved_in->key);
	free(moved_in->id);
	free(moved_in->path);
}

/* ---- Outcomes ---- */

int repair_outcome_put(struct store_txn *txn, uint64_t gap, const json_t *outcome,
		       struct error *err)
{
	AUTO(free) char *key = outcome_key(gap);

	return put_json(txn, key, json_incref((json_t *)outcome), err);
}

json_t *repair_outcome_get(struct store *store, uint64_t gap)
{
	AUTO(free) char *key = outcome_key(gap);
	AUTO(free) char *value = NULL;

	if (store_peek(store, SPACE_REPAIR, text_of(key), &value, NULL) < 0 || !value)
		return NULL;
	return json_loads(value, 0, NULL);
}

struct old_keys {

	char *before;
	char *keys[64];
	size_t count;
};

static bool collect_old(void *ctx, struct text key, struct text value)
{
	struct old_keys *old = ctx;

	if (text_compare(key, text_of(old->before)) >= 0 || old->count == ARRAY_SIZE(old->keys))
		return false;
	old->keys[old->count++] = text_copy(key);
	return true;
}

int repair_outcomes_trim(struct store_txn *txn, uint64_t first, struct error *err)
{
	AUTO(free) char *before = outcome_key(first);
	struct old_keys old = { before };
	int result = store_scan(txn, SPACE_REPAIR, TEXT("g/"), collect_old, &old, err);

	for (size_t i = 0; i < old.count; i++) {
		if (result == 0)
			result = store_delete(txn, SPACE_REPAIR, text_of(old.keys[i]), err);
		free(old.keys[i]);
	}
	return result;
}
