/* The store's contract about transactions on the state, on every implementation. */
#define STORES_ON_GROUPS
#include "stores.h"

static uint64_t append(struct fixture *f, int64_t time_ms, struct text bytes)
{
	struct record record = {
		.time_ms = time_ms, .origin = ORIGIN_REPAIR, .watch = TEXT("main"), .bytes = bytes
	};
	uint64_t seq;

	ok(f, store_log_append(f->store, &record, &seq, &f->err));
	return seq;
}

static void append_many(struct fixture *f, int count, int64_t time_ms)
{
	for (int i = 0; i < count; i++)
		append(f, time_ms, TEXT("[]"));
	fixture_commit(f);
}

static void judge_up_to(struct fixture *f, uint64_t seq)
{
	struct store_txn *txn;

	ok(f, store_begin(f->store, &txn, &f->err));
	ok(f, store_cursor_put(txn, seq, &f->err));
	ok(f, store_commit(txn, &f->err));
}

static struct store_txn *begin(struct fixture *f)
{
	struct store_txn *txn;

	ok(f, store_begin(f->store, &txn, &f->err));
	return txn;
}

static void put(struct fixture *f, struct store_txn *txn, const char *key, const char *value)
{
	ok(f, store_put(txn, SPACE_SETTLE, text_of(key), text_of(value), &f->err));
}

static void a_transaction_is_all_or_nothing(void **state)
{
	struct fixture *f = *state;
	struct store_txn *txn = begin(f);
	AUTO(free) char *own = NULL;
	AUTO(free) char *before = NULL;
	AUTO(free) char *after = NULL;

	put(f, txn, "a", "1");
	ok(f, store_get(txn, SPACE_SETTLE, TEXT("a"), &own, NULL, &f->err));
	assert_string_equal(own, "1"); /* sees its own writes */
	ok(f, store_peek(f->store, SPACE_SETTLE, TEXT("a"), &before, &f->err));
	assert_null(before);
	store_abort(txn);
	ok(f, store_peek(f->store, SPACE_SETTLE, TEXT("a"), &after, &f->err));
	assert_null(after);
}

static void what_is_committed_is_there_after_a_restart(void **state)
{
	struct fixture *f = *state;
	struct store_txn *txn = begin(f);
	AUTO(free) char *value = NULL;
	AUTO(free) char *elsewhere = NULL;
	AUTO(free) char *removed = NULL;

	put(f, txn, "a", "1");
	put(f, txn, "b", "2");
	ok(f, store_delete(txn, SPACE_SETTLE, TEXT("b"), &f->err));
	ok(f, store_delete(txn, SPACE_SETTLE, TEXT("never there"), &f->err));
	ok(f, store_commit(txn, &f->err));
	fixture_reopen(f);
	ok(f, store_peek(f->store, SPACE_SETTLE, TEXT("a"), &value, &f->err));
	assert_string_equal(value, "1");
	ok(f, store_peek(f->store, SPACE_HALVES, TEXT("a"), &elsewhere, &f->err));
	assert_null(elsewhere);
	ok(f, store_peek(f->store, SPACE_SETTLE, TEXT("b"), &removed, &f->err));
	assert_null(removed);
}

struct scan {
	char keys[64];
	int stop_after;
};

static bool see_key(void *ctx, struct text key, struct text value)
{
	struct scan *scan = ctx;
	size_t size = strlen(scan->keys);

	snprintf(scan->keys + size, sizeof(scan->keys) - size, "%.*s=%.*s ", TEXT_ARGS(key),
		 TEXT_ARGS(value));
	return --scan->stop_after != 0;
}

static void a_scan_goes_by_the_bytes_of_the_keys(void **state)
{
	struct fixture *f = *state;
	struct store_txn *txn = begin(f);
	struct scan all = { "", 0 }, from = { "", 2 }, outside = { "", 0 };

	put(f, txn, "b", "2");
	put(f, txn, "aa", "1");
	put(f, txn, "\xff", "4");
	put(f, txn, "c", "3");
	ok(f, store_scan(txn, SPACE_SETTLE, TEXT(""), see_key, &all, &f->err));
	assert_string_equal(all.keys, "aa=1 b=2 c=3 \xff=4 ");
	ok(f, store_scan(txn, SPACE_SETTLE, TEXT("ab"), see_key, &from, &f->err));
	assert_string_equal(from.keys, "b=2 c=3 ");
	ok(f, store_commit(txn, &f->err));
	ok(f, store_peek_scan(f->store, SPACE_SETTLE, TEXT("c"), see_key, &outside, &f->err));
	assert_string_equal(outside.keys, "c=3 \xff=4 ");
}

static void a_key_has_its_limits(void **state)
{
	struct fixture *f = *state;
	char key[STORE_KEY_MAX + 1];
	struct store_txn *txn = begin(f);

	memset(key, 'k', sizeof(key));
	ok(f, store_put(txn, SPACE_META, (struct text){ key, STORE_KEY_MAX }, TEXT("v"), &f->err));
	refused(f,
		store_put(txn, SPACE_META, (struct text){ key, sizeof(key) }, TEXT("v"), &f->err),
		"key");
	refused(f, store_put(txn, SPACE_META, TEXT(""), TEXT("v"), &f->err), "key");
	ok(f, store_commit(txn, &f->err));
}

static void the_cursor_never_goes_back(void **state)
{
	struct fixture *f = *state;
	uint64_t seq;

	ok(f, store_cursor_get(f->store, &seq, &f->err));
	assert_int_equal(seq, 0);
	judge_up_to(f, 7);
	judge_up_to(f, 3);
	fixture_reopen(f);
	ok(f, store_cursor_get(f->store, &seq, &f->err));
	assert_int_equal(seq, 7);
}

static void labels_go_with_their_records(void **state)
{
	struct fixture *f = *state;
	struct store_txn *txn = begin(f);
	struct scan scan = { "", 0 };

	for (uint64_t seq = 1; seq <= 6; seq++) {
		struct store_key key = store_key(seq);
		char value[] = { (char)('0' + seq), 0 };

		ok(f, store_put(txn, SPACE_LABELS, (struct text){ key.bytes, 8 }, text_of(value),
				&f->err));
	}
	ok(f, store_commit(txn, &f->err));
	append_many(f, 4, 1000);
	append_many(f, 2, 9000);
	judge_up_to(f, 6);
	assert_int_equal(store_state_trim(f->store, 9000, &f->err), 0);
	ok(f, store_peek_scan(f->store, SPACE_LABELS, TEXT(""), see_key, &scan, &f->err));
	assert_non_null(strstr(scan.keys, "=1"));
	assert_int_equal(store_log_trim(f->store, 9000, &f->err), 0);
	assert_int_equal(store_state_trim(f->store, 9000, &f->err), 0);
	scan = (struct scan){ "", 0 };
	ok(f, store_peek_scan(f->store, SPACE_LABELS, TEXT(""), see_key, &scan, &f->err));
	assert_null(strstr(scan.keys, "=4"));
	assert_non_null(strstr(scan.keys, "=5"));
	assert_non_null(strstr(scan.keys, "=6"));
}

/* Answers whether it was put. */
static bool put_large_job(struct fixture *f)
{
	AUTO(free) char *body = mem_new(100001);
	struct job job = { .due_ms = 1, .body = memset(body, 'x', 100000) };
	struct store_txn *txn = begin(f);
	uint64_t id;

	if (store_job_put(txn, &job, &id, &f->err) < 0) {
		store_abort(txn);
		return false;
	}
	ok(f, store_commit(txn, &f->err));
	return true;
}

static void a_full_state_takes_no_more_jobs_but_lets_them_end(void **state)
{
	struct fixture *f = *state;
	struct store_txn *txn;
	struct job job;
	int jobs = 0;

	fixture_close(f);
	f->settings.max_bytes = 2 * 1024 * 1024;
	fixture_open(f);
	while (jobs < 1000 && put_large_job(f))
		jobs++;
	assert_in_range(jobs, 10, 30);
	assert_non_null(strstr(error_text(&f->err), "MAX_SIZE"));
	txn = begin(f); /* cursors, settle timers and expectations are needed to get out of it */
	ok(f, store_cursor_put(txn, 1, &f->err));
	put(f, txn, "timer", "1");
	ok(f, store_commit(txn, &f->err));
	for (int i = 0; i < jobs; i++) {
		assert_int_equal(store_job_take(f->store, 10, 100, &job, &f->err), 1);
		ok(f, store_job_end(f->store, &job, JOB_DONE, 10, &f->err));
		job_clear(&job);
	}
	assert_false(put_large_job(f)); /* the history holds them still */
	ok(f, store_state_trim(f->store, 9000, &f->err));
	assert_true(put_large_job(f));
}

static void a_limit_may_change_while_the_store_is_open(void **state)
{
	struct fixture *f = *state;

	for (int i = 0; i < 20; i++)
		assert_true(put_large_job(f));
	ok(f, store_limit(f->store, 1024 * 1024, f->settings.retention_ms, &f->err));
	assert_false(put_large_job(f)); /* more is in it than it may have now: all of it stays */
	assert_non_null(strstr(error_text(&f->err), "MAX_SIZE"));

	struct store_counts counts;

	ok(f, store_count(f->store, &counts, &f->err));
	assert_int_equal(counts.jobs_waiting, 20);
	ok(f, store_limit(f->store, 4 * f->settings.max_bytes, f->settings.retention_ms, &f->err));
	assert_true(put_large_job(f));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_transaction_is_all_or_nothing),
		cmocka_unit_test(what_is_committed_is_there_after_a_restart),
		cmocka_unit_test(a_scan_goes_by_the_bytes_of_the_keys),
		cmocka_unit_test(a_key_has_its_limits),
		cmocka_unit_test(the_cursor_never_goes_back),
		cmocka_unit_test(labels_go_with_their_records),
		cmocka_unit_test(a_full_state_takes_no_more_jobs_but_lets_them_end),
		cmocka_unit_test(a_limit_may_change_while_the_store_is_open),
	};

	return run_on_every_store(tests, ARRAY_SIZE(tests));
}
