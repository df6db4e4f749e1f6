#include "stores.h"

#include "app/label.h"
#include "app/repair_close.h"
#include "app/repair_state.h"
#include "app/settings.h"

static struct store_txn *begin(struct fixture *f)
{
	struct store_txn *txn;

	ok(f, store_begin(f->store, &txn, &f->err));
	return txn;
}

static uint64_t add_gap(struct fixture *f, const char *watch, int64_t from_ms, int64_t until_ms)
{
	struct gap gap = { .from_ms = from_ms, .until_ms = until_ms, .reason = (char *)"r" };

	snprintf(gap.watch, sizeof(gap.watch), "%s", watch);
	ok(f, store_gap_put(f->store, &gap, &f->err));
	assert_int_equal(store_log_drain(f->store, 5000, &f->err), 1);
	return gap.id;
}

static void lead(struct fixture *f)
{
	fixture_lead(f, STORE_WATCH);
}

static void a_state_that_is_not_there_is_an_empty_one(void **state)
{
	struct fixture *f = *state;
	struct repair_state found;

	ok(f, repair_state_load(&found, f->store, "main", &f->err));
	assert_string_equal(found.suffix, "");
	assert_int_equal(found.baseline.id, -1);
	assert_int_equal(found.candidate.id, -1);
	assert_int_equal(found.method, REPAIR_NONE);
	assert_int_equal(found.done_gap, 0);
}

static void a_state_is_read_as_it_was_written(void **state)
{
	struct fixture *f = *state;
	struct repair_state written = {
		.suffix = "cn_monitor_a\"b_main_1",
		.baseline = { 7, "95200597194320772806937149443", INT64_MAX, 1, 2, 3, 4 },
		.candidate = { .id = -1 },
		.done_gap = 1000001,
		.method = REPAIR_SCAN,
		.older = { .id = -1 },
		.newer = { .id = 0, .source = "2" },
		.from_ms = 5,
		.until_ms = 6,
		.begun_ms = 7,
		.begun_seq = 8,
		.last_gap = 9,
		.next_task = INT64_MAX,
		.why = "a \"reason\"",
		.counts = { 1, 2, 3, 4, 5, 6 },
	};
	struct repair_state found;

	lead(f);
	ok(f, repair_state_save(&written, f->store, "main", &f->err));
	ok(f, repair_state_load(&found, f->store, "main", &f->err));
	assert_string_equal(found.suffix, written.suffix);
	assert_int_equal(found.baseline.id, 7);
	assert_string_equal(found.baseline.source, written.baseline.source);
	assert_int_equal(found.baseline.taken_ns, INT64_MAX);
	assert_int_equal(found.baseline.covers_ms, 3);
	assert_int_equal(found.baseline.seq, 4);
	assert_int_equal(found.candidate.id, -1);
	assert_int_equal(found.newer.id, 0);
	assert_int_equal(found.done_gap, 1000001);
	assert_int_equal(found.method, REPAIR_SCAN);
	assert_int_equal(found.from_ms, 5);
	assert_int_equal(found.until_ms, 6);
	assert_int_equal(found.begun_seq, 8);
	assert_int_equal(found.last_gap, 9);
	assert_int_equal(found.next_task, INT64_MAX);
	assert_string_equal(found.why, written.why);
	assert_memory_equal(&found.counts, &written.counts, sizeof(found.counts));
	ok(f, repair_state_load(&found, f->store, "other", &f->err));
	assert_string_equal(found.suffix, "");
}

static void tasks_come_newest_first_and_only_those_of_the_watch(void **state)
{
	struct fixture *f = *state;
	struct store_txn *txn;
	struct repair_task *task;
	struct list list;
	uint64_t expected = 10;

	lead(f);
	txn = begin(f);
	for (uint64_t number = 30; number >= 10; number--) {
		AUTO(repair_task_free)
		struct repair_task *put = repair_task_new(TASK_MOVED, "5", "/a\n\"b");

		put->number = number;
		put->old_path = str_copy("/old");
		put->next = number == 10 ? NULL : str_copy("/v1/x");
		put->is_changed = true;
		ok(f, repair_task_put(put, txn, "main", &f->err));
		ok(f, repair_task_put(put, txn, "main/2", &f->err));
	}
	ok(f, repair_task_delete(12, txn, "main", &f->err));
	ok(f, store_commit(txn, &f->err));
	list_init(&list);
	assert_int_equal(repair_tasks_load(&list, f->store, "main", 0, 5, &f->err), 5);
	list_for_each (task, &list, link) {
		assert_int_equal(task->number, expected);
		expected += expected == 11 ? 2 : 1;
		assert_int_equal(task->kind, TASK_MOVED);
		assert_string_equal(task->id, "5");
		assert_string_equal(task->path, "/a\n\"b");
		assert_string_equal(task->old_path, "/old");
		assert_true(task->is_changed && task->is_saved);
		assert_true(!task->next == (task->number == 10));
		repair_task_free(task);
	}
	assert_int_equal(repair_tasks_load(&list, f->store, "main", 0, 100, &f->err), 20);
	list_for_each (task, &list, link)
		repair_task_free(task);
}

static void gaps_that_are_over_wait_until_they_are_dealt_with(void **state)
{
	struct fixture *f = *state;
	struct watch_settings watch = { .name = (char *)"main" };
	struct settings settings = { .watches = &watch, .watch_count = 1 };
	struct repair_state repair = { .suffix = "x", .method = REPAIR_SNAPSHOT };
	struct repair_gaps gaps;
	struct list none;
	int64_t since_ms;
	uint64_t first, last;

	list_init(&none);
	lead(f);
	ok(f, repair_waits_since(f->store, &settings, &since_ms, &f->err));
	assert_int_equal(since_ms, INT64_MAX);
	add_gap(f, "other", 1, 2);
	first = add_gap(f, "main", 100, 200);
	last = add_gap(f, "main", 150, 300);
	ok(f, repair_gaps_find(&gaps, f->store, "main", 0, &f->err));
	assert_int_equal(gaps.count, 2);
	assert_int_equal(gaps.from_ms, 100);
	assert_int_equal(gaps.until_ms, 300);
	assert_int_equal(gaps.last, last);
	ok(f, repair_gaps_find(&gaps, f->store, "main", first, &f->err));
	assert_int_equal(gaps.count, 1);
	ok(f, repair_waits_since(f->store, &settings, &since_ms, &f->err));
	assert_int_equal(since_ms, 100);

	repair.last_gap = last;
	ok(f, repair_close_begin(f->store, "main", &repair, &none, &f->err));
	AUTO(json_decref) json_t *amid = repair_outcome_get(f->store, first);
	assert_string_equal(json_string_value(json_object_get(amid, "state")), "repairing");
	repair.counts.differences = 5;
	ok(f, repair_close_repaired(f->store, "main", &repair, false, &f->err));
	assert_int_equal(repair.method, REPAIR_NONE);
	assert_int_equal(repair.done_gap, last);
	AUTO(json_decref) json_t *outcome = repair_outcome_get(f->store, last);
	assert_string_equal(json_string_value(json_object_get(outcome, "state")), "repaired");
	assert_int_equal(json_integer_value(json_object_get(outcome, "differences")), 5);
	ok(f, repair_waits_since(f->store, &settings, &since_ms, &f->err));
	assert_int_equal(since_ms, INT64_MAX);
}

static void one_that_is_open_holds_what_its_repair_will_need(void **state)
{
	struct fixture *f = *state;
	struct watch_settings watch = { .name = (char *)"main" };
	struct settings settings = { .watches = &watch, .watch_count = 1 };
	struct repair_gaps gaps;
	int64_t since_ms;

	lead(f);
	add_gap(f, "main", 100, 0);
	ok(f, repair_waits_since(f->store, &settings, &since_ms, &f->err));
	assert_int_equal(since_ms, 100);
	ok(f, repair_gaps_find(&gaps, f->store, "main", 0, &f->err));
	assert_int_equal(gaps.count, 0);
	watch.gap_repair = GAP_REPAIR_OFF;
	ok(f, repair_waits_since(f->store, &settings, &since_ms, &f->err));
	assert_int_equal(since_ms, INT64_MAX);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_state_that_is_not_there_is_an_empty_one),
		cmocka_unit_test(a_state_is_read_as_it_was_written),
		cmocka_unit_test(tasks_come_newest_first_and_only_those_of_the_watch),
		cmocka_unit_test(gaps_that_are_over_wait_until_they_are_dealt_with),
		cmocka_unit_test(one_that_is_open_holds_what_its_repair_will_need),
	};

	return run_on_every_store(tests, ARRAY_SIZE(tests));
}
