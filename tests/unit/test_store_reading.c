/* A store that is opened for reading only. Beside a process that writes it:
 * tests/e2e/test_backtest.py. */
#include "stores.h"

#include <sys/wait.h>

#include "store/store_lmdb.h"

static void append(struct fixture *f, const char *bytes)
{
	struct record record = { .time_ms = 1000, .watch = TEXT("main"), .bytes = text_of(bytes) };
	uint64_t seq;

	ok(f, store_log_append(f->store, &record, &seq, &f->err));
	fixture_commit(f);
}

static struct store *open_to_read(struct fixture *f)
{
	struct store_settings settings = f->settings;
	struct store *reader;

	settings.reads_only = true;
	settings.watches = false;
	settings.member = NULL;
	fixture_close(f); /* LMDB may not be opened twice in one process */
	ok(f, store_open(&reader, &settings, &f->err));
	return reader;
}

static bool add_bytes(void *ctx, const struct record *record)
{
	char **all = ctx;
	AUTO(free) char *before = *all;

	*all = str_format("%s%.*s ", before, TEXT_ARGS(record->bytes));
	return true;
}

static void assert_log(struct fixture *f, struct store *store, const char *wanted)
{
	AUTO(free) char *all = str_copy("");
	int64_t count = store_log_read(store, 0, SIZE_MAX, SIZE_MAX, add_bytes, &all, &f->err);

	if (count < 0)
		fail_msg("%s", error_text(&f->err));
	assert_string_equal(all, wanted);
}

static void what_was_written_is_read(void **state)
{
	struct fixture *f = *state;
	AUTO(store_close) struct store *reader = NULL;
	AUTO(free) char *value = NULL;
	struct store_txn *txn;
	uint64_t cursor;

	append(f, "one");
	append(f, "two");
	fixture_lead(f, STORE_FILTER);
	ok(f, store_begin(f->store, &txn, &f->err));
	ok(f, store_put(txn, SPACE_LABELS, TEXT("key"), TEXT("value"), &f->err));
	ok(f, store_cursor_put(txn, 2, &f->err));
	ok(f, store_commit(txn, &f->err));
	reader = open_to_read(f);
	assert_log(f, reader, "one two ");
	ok(f, store_cursor_get(reader, &cursor, &f->err));
	assert_int_equal(cursor, 2);
	ok(f, store_peek(reader, SPACE_LABELS, TEXT("key"), &value, &f->err));
	assert_string_equal(value, "value");
}

static void nothing_can_be_written(void **state)
{
	struct fixture *f = *state;
	struct store *reader;
	struct record record = { .time_ms = 1, .watch = TEXT("main"), .bytes = TEXT("x") };
	struct store_txn *txn;
	struct job job;
	uint64_t seq;

	append(f, "one");
	reader = open_to_read(f);
	assert_int_equal(store_begin(reader, &txn, &f->err), -1);
	assert_string_equal(error_text(&f->err), "the store was opened for reading only");
	assert_int_equal(store_log_append(reader, &record, &seq, &f->err), -1);
	assert_int_equal(store_log_commit(reader, &f->err), -1);
	assert_int_equal(store_log_trim(reader, INT64_MAX / 2, &f->err), -1);
	assert_int_equal(store_state_trim(reader, INT64_MAX / 2, &f->err), -1);
	assert_int_equal(store_job_take(reader, 0, 1000, &job, &f->err), -1);
	assert_int_equal(store_job_release_all(reader, &f->err), -1);
	assert_int_equal(store_note_put(reader, "note", TEXT("x"), &f->err), -1);
	store_close(reader);
	fixture_open(f);
	assert_log(f, f->store, "one ");
}

/* ---- Only of the embedded one ---- */

static void a_store_that_is_not_there_is_not_made(void **state)
{
	char dir[] = "/tmp/cn-reading-XXXXXX";
	struct error err = { 0 };
	struct store *reader;

	assert_non_null(mkdtemp(dir));

	AUTO(free) char *url = str_format("embedded:%s/store", dir);
	AUTO(free)
	char *wanted = str_format("store %s/store is not there: has cn_monitor run yet?", dir);
	struct store_settings settings = { .url = url, .reads_only = true };

	assert_int_equal(store_open(&reader, &settings, &err), -1);
	assert_string_equal(error_text(&err), wanted);
	error_clear(&err);
	assert_int_equal(rmdir(dir), 0); /* it is empty */
}

static bool die(void *ctx, const struct record *record)
{
	_exit(record->seq == 1 ? 0 : 1);
}

/* What it saw would never be used again, and the log grow for ever. */
static void a_reader_that_is_killed_is_forgotten(void **state)
{
	struct fixture *f = *state;
	int dead = -1, status;
	pid_t reader;

	append(f, "one");
	reader = fork();
	if (!reader) {
		struct store_settings settings = f->settings;
		struct store *store;

		settings.reads_only = true;
		if (store_open(&store, &settings, NULL) < 0 ||
		    store_log_read(store, 0, 1, 1, die, NULL, NULL) < 0)
			_exit(2);
		_exit(3);
	}
	assert_int_equal(waitpid(reader, &status, 0), reader);
	assert_int_equal(status, 0);
	assert_true(store_log_trim(f->store, 0, &f->err) >= 0);
	assert_int_equal(mdb_reader_check(lmdb_of(f->store)->log.env, &dead), 0);
	assert_int_equal(dead, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_was_written_is_read),
		cmocka_unit_test(nothing_can_be_written),
	};
	const struct CMUnitTest embedded[] = {
		cmocka_unit_test(a_reader_that_is_killed_is_forgotten),
		cmocka_unit_test(a_store_that_is_not_there_is_not_made),
	};

	return run_on_every_store(tests, ARRAY_SIZE(tests)) +
	       run_on_one_store(embedded, ARRAY_SIZE(embedded), &store_kinds[0]);
}
