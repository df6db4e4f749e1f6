/* The history's chain, on every implementation of the store, and what each kind of change shows as.
 */
#include "stores.h"

#include "base/buf.h"
#include "base/clock.h"
#include "store/chain.h"
#include "store/chain_part.h"

#define KEEP_MS (7 * 86400000ll)

static uint64_t end_job(struct fixture *f, enum job_state state)
{
	struct job job = { .file_id = (char *)"7", .body = (char *)"{\"rule\":\"r\"}" };
	struct store_txn *txn;
	struct job taken = { 0 };

	ok(f, store_begin(f->store, &txn, &f->err));
	ok(f, store_job_put(txn, &job, &job.id, &f->err));
	ok(f, store_commit(txn, &f->err));
	assert_int_equal(store_job_take(f->store, clock_now_ms(), 10000, &taken, &f->err), 1);
	taken.outcome = str_copy("moved to /q/a");
	ok(f, store_job_end(f->store, &taken, state, clock_now_ms(), &f->err));
	job.id = taken.id;
	job_clear(&taken);
	return job.id;
}

static void seal(struct fixture *f)
{
	ok(f, chain_seal(f->store, clock_now_ms(), KEEP_MS, 1000, &f->err));
}

static void keep(void *ctx, const char *sentence)
{
	struct buf *all = ctx;

	assert_true(buf_print(all, "%s\n", sentence));
}

/* What is found to be wrong. For free(). */
static char *verify(struct fixture *f, const struct chain_head *known, struct chain_report *report)
{
	AUTO(buf_free) struct buf *all = buf_new(SIZE_MAX / 2);

	ok(f, chain_verify(f->store, KEEP_MS, known, keep, all, 100, report, &f->err));
	return buf_take(all);
}

static void assert_wrong(struct fixture *f, const char *sentence)
{
	struct chain_report report;
	AUTO(free) char *found = verify(f, NULL, &report);

	if (sentence ? !strstr(found, sentence) : *found != '\0')
		fail_msg("found: %s", found);
	assert_int_equal(report.wrong != 0, sentence != NULL);
}

static void what_happened_is_as_it_was_written(void **state)
{
	struct fixture *f = *state;
	struct chain_report report;

	assert_wrong(f, NULL);
	for (int i = 0; i < 5; i++)
		end_job(f, i % 2 ? JOB_DEAD : JOB_DONE);
	AUTO(free) char *before = verify(f, NULL, &report);
	assert_int_equal(report.unsealed, 5);
	seal(f);
	AUTO(free) char *after = verify(f, NULL, &report);
	assert_string_equal(before, "");
	assert_string_equal(after, "");
	assert_int_equal(report.unsealed, 0);
	assert_int_equal(report.links, 5);
	assert_int_equal(report.entries, 5);
	assert_int_equal(report.head.number, 5);
}

static void dead_letters_may_be_tried_again_and_dropped(void **state)
{
	struct fixture *f = *state;
	struct job again = { 0 }, dropped = { 0 };
	uint64_t first = end_job(f, JOB_DEAD), second = end_job(f, JOB_DEAD);
	struct store_txn *txn;

	seal(f);
	assert_int_equal(store_dead_get(f->store, first, &again, &f->err), 1);
	assert_int_equal(store_dead_get(f->store, second, &dropped, &f->err), 1);
	free(dropped.outcome);
	dropped.outcome = str_copy("dropped by hand");
	ok(f, store_begin(f->store, &txn, &f->err));
	assert_int_equal(store_dead_retry(txn, &again, &f->err), 1);
	assert_int_equal(store_dead_drop(txn, &dropped, clock_now_ms(), &f->err), 1);
	ok(f, store_commit(txn, &f->err));
	assert_wrong(f, NULL);
	seal(f);
	assert_wrong(f, NULL);
	job_clear(&again);
	job_clear(&dropped);
}

struct bytes {
	char key[64], value[256];
	size_t key_size, value_size;
	char letter;
	unsigned skip;
};

static bool find_key(void *ctx, struct text key, struct text value)
{
	struct bytes *bytes = ctx;

	if (key.data[0] != bytes->letter)
		return false;
	if (bytes->skip--)
		return true;
	memcpy(bytes->key, key.data, key.size);
	memcpy(bytes->value, value.data, value.size);
	bytes->key_size = key.size;
	bytes->value_size = value.size;
	return false;
}

/* Somebody writes the store: the n-th key with this letter has one byte changed, or goes. */
static void meddle(struct fixture *f, char letter, unsigned n, int at)
{
	struct bytes bytes = { .letter = letter, .skip = n };
	struct store_txn *txn;

	ok(f, store_peek_scan(f->store, SPACE_CHAIN, (struct text){ &letter, 1 }, find_key, &bytes,
			      &f->err));
	assert_true(bytes.key_size > 0);
	struct text key = { bytes.key, bytes.key_size };
	ok(f, store_begin(f->store, &txn, &f->err));
	if (at < 0) {
		ok(f, store_delete(txn, SPACE_CHAIN, key, &f->err));
	} else {
		bytes.value[at] ^= 1;
		ok(f, store_put(txn, SPACE_CHAIN, key,
				(struct text){ bytes.value, bytes.value_size }, &f->err));
	}
	ok(f, store_commit(txn, &f->err));
}

static void a_link_that_is_changed_is_found(void **state)
{
	struct fixture *f = *state;

	for (int i = 0; i < 4; i++)
		end_job(f, JOB_DONE);
	seal(f);
	meddle(f, 'l', 1, offsetof(struct link, mark.digest));
	assert_wrong(f, "link 2 (job 2) does not follow from the one before it");
	assert_wrong(f, "job 2, ended");
}

static void a_link_that_is_missing_is_found(void **state)
{
	struct fixture *f = *state;

	for (int i = 0; i < 4; i++)
		end_job(f, JOB_DONE);
	seal(f);
	meddle(f, 'l', 1, -1);
	assert_wrong(f, "links 2 to 2 are missing");
}

static void a_newest_link_that_is_missing_is_found(void **state)
{
	struct fixture *f = *state;

	for (int i = 0; i < 4; i++)
		end_job(f, JOB_DONE);
	seal(f);
	meddle(f, 'l', 3, -1);
	assert_wrong(f, "links 4 to 4 are missing, the newest ones");
}

/* Its mark is gone before it is sealed: as if somebody had written it into the history. */
static void a_job_without_a_link_is_found(void **state)
{
	struct fixture *f = *state;

	end_job(f, JOB_DONE);
	seal(f);
	end_job(f, JOB_DONE);
	meddle(f, 'u', 0, -1);
	seal(f);
	assert_wrong(f, NULL); /* it may be that new */
	clock_hold(clock_now_ms() + 5000);
	assert_wrong(f, "has no link: it was added");
	clock_release();
}

static void a_job_that_is_gone_is_found(void **state)
{
	struct fixture *f = *state;
	struct job gone = { .id = 77, .body = (char *)"{}", .ended_ms = clock_now_ms() };
	struct store_txn *txn;

	end_job(f, JOB_DONE);
	ok(f, store_begin(f->store, &txn, &f->err));
	ok(f, chain_mark(txn, CHAIN_DONE, &gone, &f->err));
	ok(f, store_commit(txn, &f->err));
	seal(f);
	assert_wrong(f, "job 77, ended");
	assert_wrong(f, "is not there any more");
}

/* Who changes a job of the history and marks that as its end. */
static void a_job_that_ends_twice_is_found(void **state)
{
	struct fixture *f = *state;
	struct job job = { .id = 1, .body = (char *)"{}", .ended_ms = clock_now_ms() };
	struct store_txn *txn;

	assert_int_equal(end_job(f, JOB_DONE), 1);
	seal(f);
	ok(f, store_begin(f->store, &txn, &f->err));
	ok(f, chain_mark(txn, CHAIN_DONE, &job, &f->err));
	ok(f, store_commit(txn, &f->err));
	seal(f);
	assert_wrong(f, "job 1 ended for good by link 1, and once more by link 2");
}

static void a_link_that_was_kept_tells_of_a_chain_made_anew(void **state)
{
	struct fixture *f = *state;
	struct chain_head head, other;
	struct chain_report report;

	end_job(f, JOB_DONE);
	seal(f);
	ok(f, chain_get_head(f->store, &head, &f->err));
	end_job(f, JOB_DONE);
	seal(f);
	AUTO(free) char *fine = verify(f, &head, &report);
	assert_string_equal(fine, "");
	other = head;
	other.hex[0] = other.hex[0] == '0' ? '1' : '0';
	AUTO(free) char *anew = verify(f, &other, &report);
	assert_non_null(strstr(anew, "link 1 is not the one that was kept"));
	other.number = 9;
	AUTO(free) char *cut = verify(f, &other, &report);
	assert_non_null(strstr(cut, "link 9, which was kept, is not there: the chain ends at 2"));
}

static void old_links_are_forgotten_and_the_rest_still_holds(void **state)
{
	struct fixture *f = *state;
	struct chain_report report;

	for (int i = 0; i < 3; i++)
		end_job(f, JOB_DONE);
	seal(f);
	ok(f, chain_seal(f->store, clock_now_ms() + KEEP_MS + 1000, KEEP_MS, 10, &f->err));
	end_job(f, JOB_DONE);
	seal(f);
	AUTO(free) char *found = verify(f, NULL, &report);
	assert_string_equal(found, "");
	assert_int_equal(report.links, 1);
	assert_int_equal(report.oldest.number, 4);
	assert_int_equal(report.older, 3);
}

static void a_head_is_a_number_and_a_digest(void **state)
{
	struct chain_head head;

	assert_true(
		chain_parse_head("17:"
				 "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef",
				 &head));
	assert_int_equal(head.number, 17);
	assert_false(chain_parse_head("17", &head));
	assert_false(chain_parse_head("17:00", &head));
	assert_false(
		chain_parse_head("0:"
				 "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef",
				 &head));
	assert_false(
		chain_parse_head("x:"
				 "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef",
				 &head));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_happened_is_as_it_was_written),
		cmocka_unit_test(dead_letters_may_be_tried_again_and_dropped),
		cmocka_unit_test(a_link_that_is_changed_is_found),
		cmocka_unit_test(a_link_that_is_missing_is_found),
		cmocka_unit_test(a_newest_link_that_is_missing_is_found),
		cmocka_unit_test(a_job_without_a_link_is_found),
		cmocka_unit_test(a_job_that_is_gone_is_found),
		cmocka_unit_test(a_job_that_ends_twice_is_found),
		cmocka_unit_test(a_link_that_was_kept_tells_of_a_chain_made_anew),
		cmocka_unit_test(old_links_are_forgotten_and_the_rest_still_holds),
		cmocka_unit_test(a_head_is_a_number_and_a_digest),
	};

	return run_on_every_store(tests, ARRAY_SIZE(tests));
}
