#include "app/repair_close.h"

#include "base/clock.h"

/* ---- Gaps of a watch ---- */

struct finding {
	const char *watch;
	uint64_t after, until; /* numbers */
	struct repair_gaps gaps;
	uint64_t *ids;
	uint64_t oldest; /* of all watches; 0: there is none */
};

static void find_one(void *ctx, const struct gap *gap)
{
	struct finding *finding = ctx;
	struct repair_gaps *gaps = &finding->gaps;

	if (!finding->oldest || gap->id < finding->oldest)
		finding->oldest = gap->id;
	if (strcmp(gap->watch, finding->watch) != 0 || !gap->until_ms ||
	    gap->id <= finding->after || gap->id > finding->until)
		return;
	gaps->from_ms = gaps->count ? MIN(gaps->from_ms, gap->from_ms) : gap->from_ms;
	gaps->until_ms = MAX(gaps->until_ms, gap->until_ms);
	gaps->last = MAX(gaps->last, gap->id);
	finding->ids = mem_grow(finding->ids, gaps->count + 1, sizeof(*finding->ids));
	finding->ids[gaps->count++] = gap->id;
}

static int find(struct finding *finding, struct store *store, struct error *err)
{
	return store_gap_visit(store, find_one, finding, err);
}

int repair_gaps_find(struct repair_gaps *out, struct store *store, const char *watch,
		     uint64_t after, struct error *err)
{
	struct finding finding = { .watch = watch, .after = after, .until = UINT64_MAX };
	int result = find(&finding, store, err);

	if (result == 0)
		*out = finding.gaps;
	free(finding.ids);
	return result;
}

int repair_gaps_last(struct store *store, const char *watch, uint64_t *out, struct error *err)
{
	struct repair_gaps gaps;

	if (repair_gaps_find(&gaps, store, watch, 0, err) < 0)
		return -1;
	*out = gaps.last;
	return 0;
}

/* ---- Outcomes ---- */

static const char *const unknown_snapshot[] = {
	"what was created and removed again within the gap",
	"how often and in which order something changed: many changes of one file "
	"are one",
	"which entries of an ACL changed, and anything about named streams", NULL
};
static const char *const unknown_scan[] = {
	"what was removed or moved out, also what was created and removed again",
	"how often and in which order something changed: many changes of one file "
	"are one",
	"whether a file whose times say neither written nor created was renamed or "
	"got other "
	"permissions: the times of its directory decide",
	"moved directories, and changes of directories themselves", NULL
};

static json_t *what_is_unknown(const struct repair_state *state, bool may_repeat)
{
	const char *const *sentences =
		state->method == REPAIR_SCAN ? unknown_scan : unknown_snapshot;
	json_t *list = json_array();

	for (; *sentences; sentences++)
		json_array_append_new(list, json_string(*sentences));
	if (state->counts.unreadable) {
		AUTO(free)
		char *text = str_format("%llu places that could not be looked at (no right to, or "
					"a name that is not UTF-8)",
					(unsigned long long)state->counts.unreadable);

		json_array_append_new(list, json_string(text));
	}
	if (may_repeat)
		json_array_append_new(
			list,
			json_string("which of the differences the stream had told already, "
				    "as far as it told of more than 500000 objects: those may "
				    "have been judged twice"));
	return list;
}

static json_t *outcome_of(const struct repair_state *state, const char *what, bool may_repeat)
{
	const struct repair_counts *counts = &state->counts;
	json_t *outcome = json_pack("{s:s,s:s,s:s}", "state", what, "method",
				    repair_method_name(state->method), "why", state->why);

	if (state->method == REPAIR_SNAPSHOT)
		json_object_set_new(outcome, "snapshots",
				    json_pack("[I,I]", (json_int_t)state->older.id,
					      (json_int_t)state->newer.id));
	json_object_set_new(outcome, "differences", json_integer((json_int_t)counts->differences));
	json_object_set_new(outcome, "told_by_stream", json_integer((json_int_t)counts->known));
	json_object_set_new(outcome, "requests", json_integer((json_int_t)counts->requests));
	json_object_set_new(outcome, "interruptions",
			    json_integer((json_int_t)counts->interruptions));
	if (strcmp(what, "repaired") == 0) {
		AUTO(free) char *time = clock_format(clock_now_ms());

		json_object_set_new(outcome, "closed", json_string(time));
		json_object_set_new(outcome, "unknown", what_is_unknown(state, may_repeat));
	}
	return outcome;
}

/* For each gap of the repair, in one transaction with the state. Takes outcome;
 * tasks may be NULL.
 */
static int put_all(struct store *store, const char *watch, const struct repair_state *state,
		   const struct finding *finding, json_t *outcome, struct list *tasks,
		   struct error *err)
{
	AUTO(store_abort) struct store_txn *txn = NULL;
	struct repair_task *task;
	int result = store_begin(store, &txn, err) < 0 || store_fence(txn, STORE_WATCH, err) < 0
			     ? -1
			     : repair_state_put(state, txn, watch, err);

	for (size_t i = 0; result == 0 && i < finding->gaps.count; i++)
		result = repair_outcome_put(txn, finding->ids[i], outcome, err);
	if (tasks)
		list_for_each (task, tasks, link)
			if (result == 0)
				result = repair_task_put(task, txn, watch, err);
	if (result == 0 && finding->oldest)
		result = repair_outcomes_trim(txn, finding->oldest, err);
	json_decref(outcome);
	if (result == 0)
		result = store_commit(TAKE(txn), err) < 0 ? -1 : 0;
	return result;
}

int repair_close_begin(struct store *store, const char *watch, const struct repair_state *state,
		       struct list *first, struct error *err)
{
	struct finding finding = { .watch = watch,
				   .after = state->done_gap,
				   .until = state->last_gap };
	int result = find(&finding, store, err);

	if (result == 0)
		result = put_all(store, watch, state, &finding,
				 outcome_of(state, "repairing", false), first, err);
	free(finding.ids);
	return result;
}

int repair_close_begin_inside(struct store *store, const char *watch,
			      const struct repair_state *state, const struct repair_task *first,
			      const char *key, struct error *err)
{
	AUTO(store_abort) struct store_txn *txn = NULL;

	if (store_begin(store, &txn, err) < 0 || store_fence(txn, STORE_WATCH, err) < 0 ||
	    repair_state_put(state, txn, watch, err) < 0 ||
	    repair_task_put(first, txn, watch, err) < 0 ||
	    store_delete(txn, SPACE_REPAIR, text_of(key), err) < 0)
		return -1;
	return store_commit(TAKE(txn), err) < 0 ? -1 : 0;
}

static int close_with(struct store *store, const char *watch, struct repair_state *state,
		      json_t *outcome, struct error *err)
{
	struct finding finding = { .watch = watch,
				   .after = state->done_gap,
				   .until = state->last_gap };
	int result = find(&finding, store, err);

	if (result < 0) {
		json_decref(outcome);
		return -1;
	}
	state->done_gap = state->last_gap;
	state->method = REPAIR_NONE;
	state->why[0] = '\0';
	result = put_all(store, watch, state, &finding, outcome, NULL, err);
	free(finding.ids);
	return result;
}

int repair_close_repaired(struct store *store, const char *watch, struct repair_state *state,
			  bool may_repeat, struct error *err)
{
	return close_with(store, watch, state, outcome_of(state, "repaired", may_repeat), err);
}

int repair_close_unrepaired(struct store *store, const char *watch, struct repair_state *state,
			    const char *why, struct error *err)
{
	struct repair_state before = *state;
	json_t *outcome = json_pack("{s:s,s:s,s:[s]}", "state", "unrepaired", "why", why, "unknown",
				    "whatever happened in this time");

	if (close_with(store, watch, state, outcome, err) == 0)
		return 0;
	*state = before;
	return -1;
}

int repair_close_clear(struct store *store, const char *watch, const struct repair_state *state,
		       struct error *err)
{
	struct list tasks;
	int64_t count;
	int result = 0;

	do {
		AUTO(store_abort) struct store_txn *txn = NULL;
		struct repair_task *task;

		list_init(&tasks);
		count = repair_tasks_load(&tasks, store, watch, 0, 1000, err);
		if (count < 0 || store_begin(store, &txn, err) < 0 ||
		    store_fence(txn, STORE_WATCH, err) < 0 ||
		    repair_state_put(state, txn, watch, err) < 0)
			result = -1;
		list_for_each (task, &tasks, link) {
			if (result == 0)
				result = repair_task_delete(task->number, txn, watch, err);
			repair_task_free(task);
		}
		if (result == 0)
			result = store_commit(TAKE(txn), err) < 0 ? -1 : 0;
	} while (result == 0 && count);
	return result;
}

/* ---- For others ---- */

static const struct watch_settings *find_watch(const struct settings *settings, const char *name)
{
	for (size_t i = 0; i < settings->watch_count; i++)
		if (strcmp(settings->watches[i].name, name) == 0)
			return &settings->watches[i];
	return NULL;
}

struct waiting {
	const struct settings *settings;
	uint64_t *done; /* by watch */
	int64_t since_ms;
};

static void note_waiting(void *ctx, const struct gap *gap)
{
	struct waiting *waiting = ctx;
	const struct watch_settings *watch = find_watch(waiting->settings, gap->watch);

	if (watch && watch->gap_repair != GAP_REPAIR_OFF &&
	    gap->id > waiting->done[watch - waiting->settings->watches])
		waiting->since_ms = MIN(waiting->since_ms, gap->from_ms);
}

int repair_waits_since(struct store *store, const struct settings *settings, int64_t *out_ms,
		       struct error *err)
{
	struct waiting waiting = { settings, mem_array(settings->watch_count, sizeof(uint64_t)),
				   INT64_MAX };
	int result = 0;

	for (size_t i = 0; result == 0 && i < settings->watch_count; i++) {
		struct repair_state state;

		result = repair_state_load(&state, store, settings->watches[i].name, err);
		if (result == 0)
			waiting.done[i] = state.done_gap;
	}
	if (result == 0)
		result = store_gap_visit(store, note_waiting, &waiting, err);
	free(waiting.done);
	if (result == 0)
		*out_ms = waiting.since_ms;
	return result;
}

json_t *repair_gap_json(struct store *store, const struct settings *settings, const struct gap *gap)
{
	const struct watch_settings *watch = find_watch(settings, gap->watch);
	json_t *outcome = repair_outcome_get(store, gap->id);
	struct repair_state state;

	/* One that ends twice: it was open again. */
	if (!gap->until_ms) {
		json_decref(outcome);
		return json_pack("{s:s}", "state", "open");
	}
	if (outcome)
		return outcome;
	if (!watch || watch->gap_repair == GAP_REPAIR_OFF)
		return json_pack("{s:s,s:s}", "state", "unrepaired", "why",
				 watch ? "GAP_REPAIR is off" : "the watch is no more");
	if (repair_state_load(&state, store, gap->watch, NULL) == 0 && gap->id > state.done_gap)
		return json_pack("{s:s}", "state", "waiting");
	return json_pack("{s:s,s:s}", "state", "unrepaired", "why",
			 "it is older than the first repair");
}
