/* The store's contract about the log and about waking, on every implementation; the rest is in
 * test_store_state.c and test_store_jobs.c. */
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

struct seen {
	size_t count, stop_after;
	uint64_t first, last;
	size_t bytes;
	struct record record; /* the last, without its texts */
	char watch[16], text[16];
};

static bool see(void *ctx, const struct record *record)
{
	struct seen *seen = ctx;

	if (!seen->count++)
		seen->first = record->seq;
	else
		assert_int_equal(record->seq, seen->last + 1);
	seen->last = record->seq;
	seen->bytes += record->bytes.size;
	seen->record = *record;
	snprintf(seen->watch, sizeof(seen->watch), "%.*s", TEXT_ARGS(record->watch));
	snprintf(seen->text, sizeof(seen->text), "%.*s", TEXT_ARGS(record->bytes));
	return seen->count != seen->stop_after;
}

static struct seen read_all(struct fixture *f, uint64_t after)
{
	struct seen seen = { 0 };
	int64_t count = store_log_read(f->store, after, SIZE_MAX, SIZE_MAX, see, &seen, &f->err);

	ok(f, count);
	assert_int_equal(count, seen.count);
	return seen;
}

/* Something comes behind. */
static struct seen await_more(struct fixture *f, uint64_t after)
{
	struct seen seen = read_all(f, after);

	for (int i = 0; i < 3000 && !seen.count; i++) {
		poll(NULL, 0, 10);
		seen = read_all(f, after);
	}
	assert_true(seen.count > 0);
	return seen;
}

static void note_full(void *ctx, const char *sentence)
{
	*(bool *)ctx |= strstr(sentence, "is full") != NULL;
}

/* Where there is a log before the log, it may be full for a moment only. */
static int commit_or_full(struct fixture *f)
{
	bool is_full = strncmp(f->settings.url, "embedded:", 9) == 0;
	int rc;

	while ((rc = store_log_commit(f->store, &f->err)) < 0 && !is_full) {
		poll(NULL, 0, 10);
		store_advice(f->store, note_full, &is_full);
	}
	return rc;
}

static void a_record_comes_back_as_it_was(void **state)
{
	struct fixture *f = *state;
	struct seen seen;

	assert_int_equal(append(f, 1234, TEXT("[1, 2]")), 1);
	fixture_commit(f);
	seen = read_all(f, 0);
	assert_int_equal(seen.record.seq, 1);
	assert_int_equal(seen.record.time_ms, 1234);
	assert_int_equal(seen.record.origin, ORIGIN_REPAIR);
	assert_string_equal(seen.watch, "main");
	assert_string_equal(seen.text, "[1, 2]");
}

static void what_is_not_committed_is_not_read_and_gone_after_a_restart(void **state)
{
	struct fixture *f = *state;

	append_many(f, 3, 1);
	append(f, 1, TEXT("[]"));
	assert_int_equal(read_all(f, 0).count, 3);
	fixture_reopen(f);
	assert_int_equal(read_all(f, 0).count, 3);
	assert_int_equal(append(f, 1, TEXT("[]")), 4);
}

static void reading_begins_after_the_cursor_and_keeps_to_its_limits(void **state)
{
	struct fixture *f = *state;
	struct seen seen = { 0 }, one = { 0 }, stopped = { .stop_after = 2 };

	append_many(f, 10, 1);
	assert_int_equal(read_all(f, 4).first, 5);
	assert_int_equal(read_all(f, 10).count, 0);
	assert_int_equal(store_log_read(f->store, 2, 3, SIZE_MAX, see, &seen, &f->err), 3);
	assert_int_equal(seen.first, 3);
	assert_int_equal(store_log_read(f->store, 0, 100, 1, see, &one, &f->err), 1);
	assert_int_equal(store_log_read(f->store, 0, 100, 100, see, &stopped, &f->err), 2);
}

static void a_record_of_twenty_mebibytes_comes_back_whole(void **state)
{
	struct fixture *f = *state;
	size_t size = 20 * 1024 * 1024;
	AUTO(free) char *bytes = mem_new(size);

	memset(bytes, 'x', size);
	append(f, 1, TEXT("[]"));
	append(f, 1, (struct text){ bytes, size });
	append(f, 1, TEXT("[]"));
	fixture_commit(f);
	assert_int_equal(read_all(f, 0).bytes, size + 4);
}

static void the_range_is_that_of_durable_records(void **state)
{
	struct fixture *f = *state;
	uint64_t first, last;

	ok(f, store_log_range(f->store, &first, &last, &f->err));
	assert_int_equal(first, 0);
	assert_int_equal(last, 0);
	append_many(f, 5, 1);
	append(f, 1, TEXT("[]"));
	ok(f, store_log_range(f->store, &first, &last, &f->err));
	assert_int_equal(first, 1);
	assert_int_equal(last, 5);
}

static void trimming_drops_what_is_judged_and_old_and_nothing_else(void **state)
{
	struct fixture *f = *state;
	uint64_t first, last;

	append_many(f, 5, 1000);
	append_many(f, 5, 5000);
	assert_int_equal(store_log_trim(f->store, 9000, &f->err), 0);
	assert_int_equal(read_all(f, 0).count, 10); /* nothing is judged */
	judge_up_to(f, 3);
	assert_int_equal(store_log_trim(f->store, 5500, &f->err), 0);
	assert_in_range(read_all(f, 0).first, 1, 4); /* of what is stored in one piece, none */
	judge_up_to(f, 10);
	assert_int_equal(store_log_trim(f->store, 5500, &f->err), 0);
	assert_int_equal(read_all(f, 0).first, 6); /* the rest is young */
	assert_int_equal(store_log_trim(f->store, 9000, &f->err), 0);
	ok(f, store_log_range(f->store, &first, &last, &f->err));
	assert_int_equal(last, 0);
}

static void numbers_go_on_after_everything_was_trimmed(void **state)
{
	struct fixture *f = *state;

	append_many(f, 5, 1);
	judge_up_to(f, 5);
	assert_int_equal(store_log_trim(f->store, 9000, &f->err), 0);
	fixture_reopen(f);
	assert_int_equal(append(f, 1, TEXT("[]")), 6);
}

/* Bytes of which none can be saved, for free(). */
static char *noise(size_t size)
{
	char *bytes = mem_new(size);
	uint64_t random = 20261122;

	for (size_t i = 0; i < size; i++) {
		random ^= random << 13;
		random ^= random >> 7;
		random ^= random << 17;
		bytes[i] = (char)(random >> 32);
	}
	return bytes;
}

static void a_full_log_refuses_more_and_loses_nothing_unread(void **state)
{
	struct fixture *f = *state;
	size_t size = 8 * 1024 * 1024;
	AUTO(free) char *bytes = noise(size);
	struct seen seen;
	uint64_t appended = 0;
	int rc;

	do {
		appended = append(f, 1, (struct text){ bytes, size });
		rc = commit_or_full(f);
	} while (rc == 0 && appended < 100);
	refused(f, rc, "MAX_SIZE");
	assert_in_range(appended, 5, 18);
	seen = read_all(f, 0);
	assert_int_equal(seen.first, 1);
	assert_in_range(seen.last, 4, appended - 1);
	refused(f, store_log_commit(f->store, &f->err), "full");
	/* What is judged makes room, without waiting for a trim, and what was kept goes in. */
	seen.last = 3;
	while (seen.last < appended) {
		uint64_t judged = seen.last;

		judge_up_to(f, judged);
		for (int i = 0; i < 3000 && store_log_commit(f->store, &f->err) < 0; i++)
			poll(NULL, 0, 10);
		seen = await_more(f, judged);
	}
}

static void a_record_that_never_fits_is_refused_at_once(void **state)
{
	struct fixture *f = *state;
	size_t size = 60 * 1024 * 1024;
	AUTO(free) char *bytes = mem_new(size);
	struct record record = { .bytes = { bytes, size }, .watch = TEXT("main") };
	uint64_t seq;

	refused(f, store_log_append(f->store, &record, &seq, &f->err), "MAX_SIZE");
	assert_int_equal(append(f, 1, TEXT("[]")), 1);
}

static void a_log_past_its_limit_is_trimmed_although_it_is_young(void **state)
{
	struct fixture *f = *state;
	size_t size = 4 * 1024 * 1024;
	AUTO(free) char *bytes = noise(size);
	struct store_counts counts;

	for (int i = 0; i < 40; i++) {
		uint64_t seq = append(f, 1, (struct text){ bytes, size });

		fixture_commit(f);
		judge_up_to(f, seq);
	}
	assert_int_equal(read_all(f, 0).last, 40);
	ok(f, store_count(f->store, &counts, &f->err));
	assert_in_range(counts.log_bytes, 20 * 1024 * 1024, 64 * 1024 * 1024);
}

struct gaps {
	int count;
	struct gap last;
	char reason[32];
};

static void see_gap(void *ctx, const struct gap *gap)
{
	struct gaps *gaps = ctx;

	gaps->count++;
	gaps->last = *gap;
	snprintf(gaps->reason, sizeof(gaps->reason), "%s", gap->reason);
}

static void a_gap_is_closed_under_its_number(void **state)
{
	struct fixture *f = *state;
	struct gap gap = {
		.watch = "main", .from_ms = 10, .reason = (char *)"reset", .after_seq = 7
	};
	struct gap other = { .watch = "other", .reason = NULL };
	struct gaps gaps = { 0 };
	struct store_counts counts;

	ok(f, store_gap_put(f->store, &gap, &f->err));
	assert_int_equal(gap.id, 1);
	gap.until_ms = 20;
	ok(f, store_gap_put(f->store, &gap, &f->err));
	fixture_reopen(f);
	ok(f, store_gap_visit(f->store, see_gap, &gaps, &f->err));
	assert_int_equal(gaps.count, 1);
	assert_int_equal(gaps.last.until_ms, 20);
	assert_int_equal(gaps.last.from_ms, 10);
	assert_int_equal(gaps.last.after_seq, 7);
	assert_string_equal(gaps.last.watch, "main");
	assert_string_equal(gaps.reason, "reset");
	ok(f, store_gap_put(f->store, &other, &f->err));
	assert_int_equal(other.id, 2);
	fixture_drain(f);
	ok(f, store_count(f->store, &counts, &f->err));
	assert_int_equal(counts.gaps, 2);
}

static void a_note_is_what_was_noted_last(void **state)
{
	struct fixture *f = *state;
	AUTO(free) char *none = NULL;
	AUTO(free) char *note = NULL;

	ok(f, store_note_get(f->store, "complete/main", &none, &f->err));
	assert_null(none);
	ok(f, store_note_put(f->store, "complete/main", TEXT("1"), &f->err));
	ok(f, store_note_put(f->store, "complete/main", TEXT("22"), &f->err));
	fixture_reopen(f);
	ok(f, store_note_get(f->store, "complete/main", &note, &f->err));
	assert_string_equal(note, "22");
}

/* ---- Waking ---- */

static void count_wake(void *ctx)
{
	++*(atomic_int *)ctx;
}

static void a_commit_wakes_who_has_something_to_do(void **state)
{
	struct fixture *f = *state;
	atomic_int filter = 0, act = 0;
	struct job job = { .file_id = (char *)"1", .body = (char *)"{}" };
	uint64_t id;
	struct store_txn *txn;
	int before;

	store_on_wake(f->store, STORE_FILTER, count_wake, &filter);
	store_on_wake(f->store, STORE_ACT, count_wake, &act);
	append(f, 1, TEXT("[]"));
	before = filter; /* a store over a network wakes for nothing once it is connected */
	fixture_commit(f);
	assert_true(filter > before);
	before = filter;
	ok(f, store_log_commit(f->store, &f->err));
	assert_int_equal(filter, before); /* there was nothing to commit */
	ok(f, store_begin(f->store, &txn, &f->err));
	ok(f, store_job_put(txn, &job, &id, &f->err));
	before = act;
	ok(f, store_commit(txn, &f->err));
	assert_int_equal(act, before + 1);
	before = filter;
	ok(f, store_begin(f->store, &txn, &f->err));
	ok(f, store_put(txn, SPACE_INBOX, TEXT("1"), TEXT("{}"), &f->err));
	ok(f, store_commit(txn, &f->err));
	assert_int_equal(filter, before + 1);
	before = act;
	ok(f, store_begin(f->store, &txn, &f->err));
	ok(f, store_job_put(txn, &job, &id, &f->err));
	store_abort(txn);
	assert_int_equal(act, before);
	store_on_wake(f->store, STORE_FILTER, NULL, NULL);
	before = filter;
	append_many(f, 1, 1);
	assert_int_equal(filter, before);
	store_on_wake(f->store, STORE_ACT, NULL, NULL);
}

static void an_unknown_kind_of_store_is_refused(void **state)
{
	struct fixture *f = *state;
	struct store_settings settings = f->settings;
	struct store *store;

	settings.url = "carved-in-stone:/x";
	refused(f, store_open(&store, &settings, &f->err), "expected a URL");
	settings.url = "embedded:";
	refused(f, store_open(&store, &settings, &f->err), "expected a URL");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_record_comes_back_as_it_was),
		cmocka_unit_test(what_is_not_committed_is_not_read_and_gone_after_a_restart),
		cmocka_unit_test(reading_begins_after_the_cursor_and_keeps_to_its_limits),
		cmocka_unit_test(a_record_of_twenty_mebibytes_comes_back_whole),
		cmocka_unit_test(the_range_is_that_of_durable_records),
		cmocka_unit_test(trimming_drops_what_is_judged_and_old_and_nothing_else),
		cmocka_unit_test(numbers_go_on_after_everything_was_trimmed),
		cmocka_unit_test(a_full_log_refuses_more_and_loses_nothing_unread),
		cmocka_unit_test(a_record_that_never_fits_is_refused_at_once),
		cmocka_unit_test(a_log_past_its_limit_is_trimmed_although_it_is_young),
		cmocka_unit_test(a_gap_is_closed_under_its_number),
		cmocka_unit_test(a_note_is_what_was_noted_last),
		cmocka_unit_test(a_commit_wakes_who_has_something_to_do),
		cmocka_unit_test(an_unknown_kind_of_store_is_refused),
	};

	return run_on_every_store(tests, ARRAY_SIZE(tests));
}
