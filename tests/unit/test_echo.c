/* The echo ledger, on every implementation of the store. */
#include "stores.h"

#include "store/echo.h"
#include "store/echo_digests.h"

static void expect(struct fixture *f, uint64_t job, enum event_type type, const char *file_id,
		   const char *path)
{
	struct expectation expectation = { job, 0, type, file_id, path };

	ok(f, echo_expect(f->store, &expectation, 1, NULL, 1000, 100, &f->err));
}

static struct event event_of(enum event_type type, const char *file_id, const char *path)
{
	return (struct event){ .type = type, .file_id = text_of(file_id), .path = text_of(path) };
}

/* The job whose echo it is, or 0. */
static uint64_t match(struct fixture *f, const struct event *event, int64_t now_ms)
{
	struct store_txn *txn;
	uint64_t job = 0;
	unsigned step;
	int rc;

	ok(f, store_begin(f->store, &txn, &f->err));
	rc = echo_match(txn, event, now_ms, &job, &step, &f->err);
	ok(f, rc);
	ok(f, store_commit(txn, &f->err));
	return rc ? job : 0;
}

static size_t count_keys(struct fixture *f);

static void an_echo_consumes_its_expectation(void **state)
{
	struct fixture *f = *state;
	struct event event = event_of(CHILD_ACL_CHANGED, "7", "/a");

	expect(f, 3, CHILD_ACL_CHANGED, "7", NULL);
	assert_int_equal(match(f, &event, 1001), 3);
	assert_int_equal(match(f, &event, 1001), 0); /* the second one is somebody else's */
	assert_int_equal(count_keys(f), 0);
}

static void a_lasting_one_is_met_any_number_of_times_until_it_ends(void **state)
{
	struct fixture *f = *state;
	struct expectation expectation = { 3, 0, CHILD_DATA_WRITTEN, "7", "/a", true };
	struct event event = event_of(CHILD_DATA_WRITTEN, "7", "/a");
	struct event elsewhere = event_of(CHILD_DATA_WRITTEN, "7", "/b");

	for (int i = 0; i < 2; i++) { /* renewed, not doubled */
		struct record record = { .watch = TEXT("main"), .bytes = TEXT("[]") };

		ok(f, echo_expect(f->store, &expectation, 1, NULL, 1000, 100, &f->err));
		ok(f, store_log_append(f->store, &record, &event.seq, &f->err));
		fixture_commit(f);
		/* What met it before it was renewed may be judged after that. */
		event.seq = i ? event.seq - 1 : event.seq;
	}
	assert_int_equal(echo_count_open(f->store, 3, 0, 1001, &f->err), 1);
	for (int i = 0; i < 3; i++)
		assert_int_equal(match(f, &event, 1001), 3);
	assert_int_equal(match(f, &elsewhere, 1001), 0);
	ok(f, echo_close(f->store, 3, 0, 1002, &f->err));
	assert_int_equal(match(f, &event, 1001), 3);
	assert_int_equal(match(f, &event, 1002), 0);
}

static void type_file_and_path_must_all_fit(void **state)
{
	struct fixture *f = *state;
	struct event type = event_of(CHILD_OWNER_CHANGED, "7", "/a/b");
	struct event file = event_of(CHILD_FILE_MOVED_TO, "8", "/a/b");
	struct event path = event_of(CHILD_FILE_MOVED_TO, "7", "/a/c");
	struct event all = event_of(CHILD_FILE_MOVED_TO, "7", "/a/b");

	expect(f, 3, CHILD_FILE_MOVED_TO, "7", "/a/b");
	assert_int_equal(match(f, &type, 1001), 0);
	assert_int_equal(match(f, &file, 1001), 0);
	assert_int_equal(match(f, &path, 1001), 0);
	assert_int_equal(match(f, &all, 1001), 3);
}

static void something_that_is_being_created_is_known_by_its_path(void **state)
{
	struct fixture *f = *state;
	struct event other = event_of(CHILD_DIR_ADDED, "99", "/q/2026");
	struct event event = event_of(CHILD_DIR_ADDED, "99", "/q");

	expect(f, 3, CHILD_DIR_ADDED, "", "/q");
	assert_int_equal(match(f, &other, 1001), 0);
	assert_int_equal(match(f, &event, 1001), 3);
}

static void a_path_that_is_not_utf8_is_known_by_its_file_id(void **state)
{
	struct fixture *f = *state;
	struct event event = event_of(CHILD_FILE_MOVED_TO, "7", "/a/\xef\xbf\xbd");

	event.path_is_lossy = true;
	expect(f, 3, CHILD_FILE_MOVED_TO, "7", "/a/b");
	assert_int_equal(match(f, &event, 1001), 3);
}

static void what_was_in_the_log_before_the_request_is_no_echo(void **state)
{
	struct fixture *f = *state;
	struct record record = { .watch = TEXT("main"), .bytes = TEXT("[]") };
	struct event before = event_of(CHILD_ACL_CHANGED, "7", "/a");
	struct event after = before;
	uint64_t seq;

	ok(f, store_log_append(f->store, &record, &seq, &f->err));
	fixture_commit(f);
	expect(f, 3, CHILD_ACL_CHANGED, "7", NULL);
	before.seq = seq;
	after.seq = seq + 1;
	assert_int_equal(match(f, &before, 1001), 0);
	assert_int_equal(match(f, &after, 1001), 3);
}

static void an_attempt_after_a_crash_renews_instead_of_doubling(void **state)
{
	struct fixture *f = *state;
	struct event event = event_of(CHILD_ACL_CHANGED, "7", "/a");

	expect(f, 3, CHILD_ACL_CHANGED, "7", NULL);
	fixture_reopen(f);
	expect(f, 3, CHILD_ACL_CHANGED, "7", NULL);
	assert_int_equal(echo_count_open(f->store, 3, 0, 1001, &f->err), 1);
	assert_int_equal(match(f, &event, 1001), 3);
	assert_int_equal(match(f, &event, 1001), 0);
}

static void two_equal_events_can_be_expected_at_once(void **state)
{
	struct fixture *f = *state;
	struct event event = event_of(CHILD_MTIME_CHANGED, "7", "/a");
	struct expectation two[] = {
		{ 3, 1, CHILD_MTIME_CHANGED, "7", NULL },
		{ 3, 1, CHILD_MTIME_CHANGED, "7", NULL },
	};

	ok(f, echo_expect(f->store, two, 2, NULL, 1000, 100, &f->err));
	ok(f, echo_expect(f->store, two, 2, NULL, 1000, 100, &f->err));
	assert_int_equal(match(f, &event, 1001), 3);
	assert_int_equal(match(f, &event, 1001), 3);
	assert_int_equal(match(f, &event, 1001), 0);
}

static void a_later_phase_of_a_step_leaves_the_earlier_open(void **state)
{
	struct fixture *f = *state;
	struct event made = event_of(CHILD_DIR_ADDED, "9", "/q");
	struct event moved = event_of(CHILD_FILE_MOVED_TO, "7", "/q/a");

	expect(f, 3, CHILD_DIR_ADDED, "", "/q");
	expect(f, 3, CHILD_FILE_MOVED_TO, "7", "/q/a");
	assert_int_equal(echo_count_open(f->store, 3, 0, 1001, &f->err), 2);
	assert_int_equal(match(f, &made, 1001), 3);
	assert_int_equal(match(f, &moved, 1001), 3);
}

static void what_is_withdrawn_is_foreign_again(void **state)
{
	struct fixture *f = *state;
	struct event event = event_of(CHILD_ACL_CHANGED, "7", "/a");

	expect(f, 3, CHILD_ACL_CHANGED, "7", NULL);
	expect(f, 4, CHILD_ACL_CHANGED, "7", NULL);
	ok(f, echo_withdraw(f->store, 3, 0, &f->err));
	ok(f, echo_withdraw(f->store, 5, 0, &f->err)); /* nothing to withdraw is fine */
	assert_int_equal(match(f, &event, 1001), 4);
	assert_int_equal(match(f, &event, 1001), 0);
}

static void what_is_closed_ends_when_it_is_said_to(void **state)
{
	struct fixture *f = *state;
	struct event event = event_of(CHILD_ACL_CHANGED, "7", "/a");

	expect(f, 3, CHILD_ACL_CHANGED, "7", NULL);
	expect(f, 4, CHILD_ACL_CHANGED, "7", NULL);
	ok(f, echo_close(f->store, 3, 0, 5000, &f->err));
	assert_int_equal(echo_count_open(f->store, 3, 0, 4999, &f->err), 1);
	assert_int_equal(echo_count_open(f->store, 3, 0, 5000, &f->err), 0);
	assert_int_equal(match(f, &event, 5000), 4);
	assert_int_equal(match(f, &event, 5000), 0);
}

static int64_t expire(struct fixture *f, int64_t now_ms)
{
	struct store_txn *txn;
	int64_t count;

	ok(f, store_begin(f->store, &txn, &f->err));
	count = echo_expire(txn, now_ms, &f->err);
	ok(f, count);
	ok(f, store_commit(txn, &f->err));
	return count;
}

static bool count_key(void *ctx, struct text key, struct text value)
{
	++*(size_t *)ctx;
	return true;
}

static size_t count_keys(struct fixture *f)
{
	size_t count = 0;

	ok(f, store_peek_scan(f->store, SPACE_EXPECT, TEXT(""), count_key, &count, &f->err));
	return count;
}

static void what_expired_leaves_nothing_behind(void **state)
{
	struct fixture *f = *state;

	expect(f, 3, CHILD_ACL_CHANGED, "7", NULL);
	expect(f, 4, CHILD_FILE_MOVED_TO, "7", "/b");
	ok(f, echo_close(f->store, 3, 0, 5000, &f->err));
	assert_int_equal(expire(f, 4999), 0);
	assert_int_equal(echo_count(f->store, &f->err), 2);
	assert_int_equal(expire(f, 5000), 1);
	assert_int_equal(echo_count(f->store, &f->err), 1);
	assert_int_equal(expire(f, 1000 + 10 * 60 * 1000), 1); /* never closed: ten minutes */
	assert_int_equal(echo_count(f->store, &f->err), 0);
	assert_int_equal(count_keys(f), 0);
}

static void an_expectation_and_the_progress_of_its_job_are_one(void **state)
{
	struct fixture *f = *state;
	struct expectation expectation = { 1, 0, CHILD_ACL_CHANGED, "7", NULL };
	struct job job = { .file_id = (char *)"7", .body = (char *)"{}" };
	struct job progress = { .attempts = 1, .body = (char *)"{\"memory\":1}" };
	struct job taken = { 0 };
	struct store_txn *txn;

	ok(f, store_begin(f->store, &txn, &f->err));
	ok(f, store_job_put(txn, &job, &progress.id, &f->err));
	ok(f, store_commit(txn, &f->err));
	/* Not taken: neither is stored. */
	refused(f, echo_expect(f->store, &expectation, 1, &progress, 1000, 100, &f->err),
		"not taken");
	assert_int_equal(count_keys(f), 0);
	assert_int_equal(store_job_take(f->store, 1000, 100, &taken, &f->err), 1);
	job_clear(&taken);
	ok(f, echo_expect(f->store, &expectation, 1, &progress, 1000, 100, &f->err));
	fixture_reopen(f);
	assert_int_equal(store_job_take(f->store, 1000, 100, &taken, &f->err), 1);
	assert_string_equal(taken.body, "{\"memory\":1}");
	assert_int_equal(echo_count_open(f->store, 1, 0, 1001, &f->err), 1);
	job_clear(&taken);
}

static void digests_tell_at_once_what_cannot_be_an_echo(void **state)
{
	struct fixture *f = *state;
	AUTO(echo_digests_free) struct echo_digests *digests = echo_digests_new();
	struct event by_id = event_of(CHILD_ACL_CHANGED, "7", "/a");
	struct event by_path = event_of(CHILD_DIR_ADDED, "99", "/q");
	struct event foreign = event_of(CHILD_ACL_CHANGED, "8", "/b");

	assert_int_equal(echo_digests_read(digests, f->store, 10, &f->err), 1);
	assert_false(echo_digests_may_have(digests, &by_id));
	expect(f, 3, CHILD_ACL_CHANGED, "7", NULL);
	expect(f, 4, CHILD_DIR_ADDED, "", "/q");
	assert_int_equal(echo_digests_read(digests, f->store, 2, &f->err), 1);
	assert_true(echo_digests_may_have(digests, &by_id));
	assert_true(echo_digests_may_have(digests, &by_path));
	assert_false(echo_digests_may_have(digests, &foreign));
	assert_int_equal(match(f, &by_id, 1001), 3);
	assert_int_equal(echo_digests_read(digests, f->store, 2, &f->err), 1);
	assert_false(echo_digests_may_have(digests, &by_id));
}

static void digests_of_more_than_are_wanted_are_not_known(void **state)
{
	struct fixture *f = *state;
	AUTO(echo_digests_free) struct echo_digests *digests = echo_digests_new();

	for (unsigned i = 0; i < 50; i++) {
		AUTO(free) char *id = str_format("%u", i);

		expect(f, i + 1, CHILD_ACL_CHANGED, id, NULL);
	}
	assert_int_equal(echo_digests_read(digests, f->store, 49, &f->err), 0);
	assert_int_equal(echo_digests_read(digests, f->store, 50, &f->err), 1);
	for (unsigned i = 0; i < 50; i++) {
		AUTO(free) char *id = str_format("%u", i);
		struct event event = event_of(CHILD_ACL_CHANGED, id, "/a");

		assert_true(echo_digests_may_have(digests, &event));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_echo_consumes_its_expectation),
		cmocka_unit_test(a_lasting_one_is_met_any_number_of_times_until_it_ends),
		cmocka_unit_test(type_file_and_path_must_all_fit),
		cmocka_unit_test(something_that_is_being_created_is_known_by_its_path),
		cmocka_unit_test(a_path_that_is_not_utf8_is_known_by_its_file_id),
		cmocka_unit_test(what_was_in_the_log_before_the_request_is_no_echo),
		cmocka_unit_test(an_attempt_after_a_crash_renews_instead_of_doubling),
		cmocka_unit_test(two_equal_events_can_be_expected_at_once),
		cmocka_unit_test(a_later_phase_of_a_step_leaves_the_earlier_open),
		cmocka_unit_test(what_is_withdrawn_is_foreign_again),
		cmocka_unit_test(what_is_closed_ends_when_it_is_said_to),
		cmocka_unit_test(what_expired_leaves_nothing_behind),
		cmocka_unit_test(an_expectation_and_the_progress_of_its_job_are_one),
		cmocka_unit_test(digests_tell_at_once_what_cannot_be_an_echo),
		cmocka_unit_test(digests_of_more_than_are_wanted_are_not_known),
	};

	return run_on_every_store(tests, ARRAY_SIZE(tests));
}
