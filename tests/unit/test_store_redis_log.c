/* The log on its way: from the host that watches into Redis, through a network and a server that
 * fail, and from several hosts. */
#include "redis_scene.h"

#include "store/echo.h"

/* ---- The network ---- */

static void what_is_heard_while_the_server_is_away_comes_in_order_afterwards(void **state)
{
	struct scene *scene = *state;

	append_numbers(scene, scene->a, 1, 20);
	drain(scene, scene->a);
	scene_cut(scene, true);
	append_numbers(scene, scene->a, 21, 3000);
	assert_int_equal(store_log_drain(scene->a, 0, &scene->f.err), 0);
	assert_numbers(scene, 20);
	scene_cut(scene, false);
	drain(scene, scene->a);
	assert_numbers(scene, 3000);
}

static void what_waits_on_a_host_is_forwarded_after_its_restart(void **state)
{
	struct scene *scene = *state;

	lead(scene, scene->a, STORE_WATCH, 60000);
	append_numbers(scene, scene->a, 1, 20);
	drain(scene, scene->a);
	scene_cut(scene, true);
	append_numbers(scene, scene->a, 21, 50);
	store_close(TAKE(scene->a));
	scene->a = scene_open(scene, "a");
	append_numbers(scene, scene->a, 51, 60);
	scene_cut(scene, false);
	drain(scene, scene->a);
	assert_numbers(scene, 60);
}

static void a_batch_whose_answer_is_cut_off_anywhere_is_forwarded_once(void **state)
{
	struct scene *scene = *state;
	int last = 0;

	drain(scene, scene->a);
	scene->proxy.kind = PROXY_FORWARDS;
	for (int cut_at = 0; cut_at < 40; cut_at++) {
		scene->proxy.cut_at = cut_at;
		append_numbers(scene, scene->a, last + 1, last + 5);
		last += 5;
		drain(scene, scene->a);
	}
	assert_numbers(scene, last);
}

static void a_batch_that_arrives_long_after_it_was_sent_is_ignored(void **state)
{
	struct scene *scene = *state;

	drain(scene, scene->a);
	scene->proxy.kind = PROXY_FORWARDS;
	scene->proxy.is_holding = true;
	append_numbers(scene, scene->a, 1, 5);
	drain(scene, scene->a);
	append_numbers(scene, scene->a, 6, 10);
	drain(scene, scene->a);
	redis_proxy_let_through(&scene->proxy);
	assert_numbers(scene, 10);
}

static void a_message_of_twenty_mebibytes_is_forwarded_among_others(void **state)
{
	struct scene *scene = *state;
	size_t size = 20 * 1024 * 1024;
	AUTO(free) char *large = mem_new(size + 1);
	AUTO(free) char *found = NULL;

	memset(large, 'x', size);
	append_numbers(scene, scene->a, 1, 3);
	append_as(scene, scene->a, 1, large);
	append_numbers(scene, scene->a, 4, 6);
	drain(scene, scene->a);
	found = read_log(scene);
	assert_int_equal(strlen(found), strlen("1 2 3 4 5 6 ") + size + 1);
	assert_true(strncmp(found, "1 2 3 xx", 8) == 0);
	assert_string_equal(found + strlen(found) - 8, "x 4 5 6 ");
}

/* ---- A server that forgets ---- */

static void what_the_server_forgot_is_sent_again_under_new_numbers(void **state)
{
	struct scene *scene = *state;
	uint64_t first, before, after;

	append_numbers(scene, scene->a, 1, 20);
	drain(scene, scene->a);
	scene_keep(scene);
	append_numbers(scene, scene->a, 21, 40);
	drain(scene, scene->a);
	ok(&scene->f, store_log_range(scene->a, &first, &before, &scene->f.err));
	scene_forget(scene);
	/* Nobody appends: that it forgot is found out all the same. */
	for (int i = 0; i < 3000; i++) {
		AUTO(free) char *found = read_log(scene);

		if (strstr(found, " 40 "))
			break;
		poll(NULL, 0, 10);
	}
	assert_numbers(scene, 40);
	ok(&scene->f, store_log_range(scene->b, &first, &after, &scene->f.err));
	assert_int_equal(first, 1);
	assert_int_equal(after, before + 20);
	append_numbers(scene, scene->a, 41, 50);
	drain(scene, scene->a);
	assert_numbers(scene, 50);
}

static void the_range_ends_with_a_record_whatever_numbers_others_have_seen(void **state)
{
	struct scene *scene = *state;
	uint64_t first, last;

	append_numbers(scene, scene->a, 1, 20);
	drain(scene, scene->a);
	scene_keep(scene);
	/* The host that heard these is gone for good; b has seen their numbers. */
	append_numbers(scene, scene->a, 21, 40);
	drain(scene, scene->a);
	store_close(TAKE(scene->a));
	ok(&scene->f, store_log_range(scene->b, &first, &last, &scene->f.err));
	assert_int_equal(last, 40);
	scene_forget(scene);
	ok(&scene->f, store_log_range(scene->b, &first, &last, &scene->f.err));
	assert_int_equal(last, 20);
	append_as(scene, scene->b, 1, "21");
	drain(scene, scene->b);
	assert_numbers(scene, 21);
	ok(&scene->f, store_log_range(scene->b, &first, &last, &scene->f.err));
	assert_int_equal(last, 41);
}

static void a_filter_sees_that_the_server_forgot_and_judges_again(void **state)
{
	struct scene *scene = *state;
	struct store *store = scene->b;
	struct store_txn *txn;
	uint64_t cursor;

	append_numbers(scene, scene->a, 1, 20);
	drain(scene, scene->a);
	scene_keep(scene);
	ok(&scene->f, store_begin(store, &txn, &scene->f.err));
	ok(&scene->f, store_cursor_check(txn, 0, &scene->f.err));
	ok(&scene->f, store_cursor_put(txn, 20, &scene->f.err));
	ok(&scene->f, store_commit(txn, &scene->f.err));
	scene_forget(scene);
	ok(&scene->f, store_begin(store, &txn, &scene->f.err));
	ok(&scene->f, store_cursor_check(txn, 20, &scene->f.err));
	ok(&scene->f, store_cursor_put(txn, 25, &scene->f.err));
	refused(&scene->f, store_commit(txn, &scene->f.err), "forgotten its last moments");
	ok(&scene->f, store_cursor_get(store, &cursor, &scene->f.err));
	assert_int_equal(cursor, 0);
}

static int match(struct scene *scene, const char *file_id)
{
	struct event event = { .type = CHILD_ACL_CHANGED,
			       .file_id = text_of(file_id),
			       .path = TEXT("/a"),
			       .seq = 1000 };
	struct store_txn *txn;
	uint64_t job;
	unsigned step;
	int rc;

	ok(&scene->f, store_begin(scene->b, &txn, &scene->f.err));
	ok(&scene->f, rc = echo_match(txn, &event, 10, &job, &step, &scene->f.err));
	ok(&scene->f, store_commit(txn, &scene->f.err));
	return rc;
}

static void expect(struct scene *scene, uint64_t job, const char *file_id)
{
	struct expectation expectation = { job, 0, CHILD_ACL_CHANGED, file_id, NULL };

	ok(&scene->f, echo_expect(scene->a, &expectation, 1, NULL, 1, 60000, &scene->f.err));
}

static void an_echo_that_the_server_forgot_to_expect_is_still_an_echo(void **state)
{
	struct scene *scene = *state;
	int64_t count = 0;

	expect(scene, 1, "kept");
	expect(scene, 2, "consumed");
	assert_int_equal(match(scene, "consumed"), 1);
	scene_keep(scene);
	expect(scene, 3, "forgotten");
	scene_forget(scene);
	for (int i = 0; i < 3000 && count < 2; i++) {
		count = echo_count(scene->b, &scene->f.err);
		ok(&scene->f, count);
		poll(NULL, 0, 10);
	}
	assert_int_equal(match(scene, "forgotten"), 1);
	assert_int_equal(match(scene, "kept"), 1);
	assert_int_equal(match(scene, "consumed"), 0); /* what the server kept is not put again */
}

/* A filter that reads the echo in the same transaction in which it saw that nothing is expected. */
struct late {
	struct scene *scene;
	struct store_txn *txn;
	int matched, count;
};

static bool judge_late(void *ctx, const struct record *record)
{
	struct late *late = ctx;
	struct scene *scene = late->scene;
	struct event event = { .type = CHILD_ACL_CHANGED,
			       .file_id = TEXT("7"),
			       .path = TEXT("/a"),
			       .seq = record->seq };
	uint64_t job;
	unsigned step;
	int rc;

	if (!late->txn)
		ok(&scene->f, store_begin(scene->b, &late->txn, &scene->f.err));
	ok(&scene->f, rc = echo_match(late->txn, &event, 10, &job, &step, &scene->f.err));
	late->matched += rc;
	if (late->count++)
		return true;
	expect(scene, 1, "7");
	append_as(scene, scene->a, 1, "echo");
	drain(scene, scene->a);
	return true;
}

static void an_echo_that_is_expected_while_the_filter_is_at_work_is_found(void **state)
{
	struct scene *scene = *state;
	struct late late = { .scene = scene };
	AUTO(free) char *large = mem_new(2 * 1024 * 1024);
	uint64_t random = 1;

	/* More than is read at once, and nothing that could be compressed away. */
	for (size_t i = 0; i < 2 * 1024 * 1024 - 1; i++) {
		random = random * 6364136223846793005u + 1442695040888963407u;
		large[i] = (char)('0' + (random >> 33) % 64);
	}
	append_as(scene, scene->a, 1, large);
	append_as(scene, scene->a, 1, "other");
	drain(scene, scene->a);
	ok(&scene->f,
	   store_log_read(scene->b, 0, SIZE_MAX, SIZE_MAX, judge_late, &late, &scene->f.err));
	assert_int_equal(late.count, 3);
	assert_int_equal(late.matched, 1);
	ok(&scene->f, store_commit(late.txn, &scene->f.err));
}

struct found_gap {
	struct gap gap;
	char reason[128];
	int count;
};

static void find_gap(void *ctx, const struct gap *gap)
{
	struct found_gap *found = ctx;

	found->count++;
	found->gap = *gap;
	snprintf(found->reason, sizeof(found->reason), "%s", gap->reason);
}

static struct found_gap last_gap(struct scene *scene, struct store *store)
{
	struct found_gap found = { 0 };

	ok(&scene->f, store_gap_visit(store, find_gap, &found, &scene->f.err));
	return found;
}

static void what_neither_server_nor_host_has_any_more_is_a_gap(void **state)
{
	struct scene *scene = *state;
	AUTO(free) char *large = mem_new(300 * 1024);
	AUTO(free) char *found = NULL;
	struct found_gap gap;
	char answer[64];

	memset(large, 'x', 300 * 1024 - 1);
	store_close(TAKE(scene->a));
	scene->max_bytes = 1024 * 1024;
	scene->a = scene_open(scene, "a");
	for (int i = 0; i < 8; i++) {
		struct store_txn *txn;

		append_as(scene, scene->a, 1000 + i, large);
		drain(scene, scene->a);
		ok(&scene->f, store_begin(scene->b, &txn, &scene->f.err));
		ok(&scene->f, store_cursor_put(txn, (uint64_t)i + 1, &scene->f.err));
		ok(&scene->f, store_commit(txn, &scene->f.err));
	}
	assert_true(redis_server_ask(&scene->server, "FLUSHALL", answer));
	append_as(scene, scene->a, 2000, "last");
	drain(scene, scene->a);
	found = read_log(scene);
	assert_non_null(strstr(found, " last "));
	assert_true(advises(scene->a, "records that were forwarded are lost"));
	gap = last_gap(scene, scene->b);
	assert_int_equal(gap.count, 1);
	assert_non_null(strstr(gap.reason, "forgot"));
	assert_in_range(gap.gap.until_ms, 1000, 1007);
}

static void a_host_that_lost_the_end_of_its_log_gives_no_number_twice(void **state)
{
	struct scene *scene = *state;
	AUTO(free)
	char *keep = str_format("cp -a %s/a %s/old", scene->server.dir, scene->server.dir);
	AUTO(free)
	char *lose = str_format("rm -rf %s/a && mv %s/old %s/a", scene->server.dir,
				scene->server.dir, scene->server.dir);

	append_numbers(scene, scene->a, 1, 10);
	drain(scene, scene->a);
	store_close(TAKE(scene->a));
	assert_int_equal(system(keep), 0);
	scene->a = scene_open(scene, "a");
	append_numbers(scene, scene->a, 11, 20);
	drain(scene, scene->a);
	store_close(TAKE(scene->a));
	assert_int_equal(system(lose), 0);
	scene->a = scene_open(scene, "a");
	append_numbers(scene, scene->a, 21, 25);
	drain(scene, scene->a);
	assert_numbers(scene, 25);
}

/* ---- Two hosts ---- */

static void what_a_host_heard_counts_until_the_next_one_had_the_lease(void **state)
{
	struct scene *scene = *state;
	AUTO(free) char *found = NULL;
	struct store_lease lease;
	int64_t then_ms;

	lead(scene, scene->a, STORE_WATCH, 300);
	append_as(scene, scene->a, clock_now_ms(), "1");
	drain(scene, scene->a);
	scene_cut(scene, true);
	then_ms = clock_now_ms();
	append_as(scene, scene->a, then_ms - 60000, "2");
	lease = lead(scene, scene->b, STORE_WATCH, 300);
	assert_int_equal(lease.token, 2);
	while (clock_now_ms() <= then_ms)
		poll(NULL, 0, 1);
	append_as(scene, scene->a, clock_now_ms() + 60000, "late");
	append_as(scene, scene->b, clock_now_ms(), "3");
	drain(scene, scene->b);
	scene_cut(scene, false);
	drain(scene, scene->a);
	found = read_log(scene);
	assert_string_equal(found, "1 3 2 ");
	assert_true(advises(scene->a, "1 records of this host were refused"));
	assert_int_equal(store_lease_take(scene->a, STORE_WATCH, 300, &lease, &scene->f.err), 0);
	assert_string_equal(lease.holder, "host-b/run/1");
}

static void records_of_before_and_after_a_takeover_in_one_piece_are_told_apart(void **state)
{
	struct scene *scene = *state;
	AUTO(free) char *found = NULL;

	lead(scene, scene->a, STORE_WATCH, 300);
	drain(scene, scene->a);
	scene_cut(scene, true);
	for (int i = 0; i < 10; i++)
		append_as(scene, scene->a, clock_now_ms() + (i < 5 ? -60000 : 60000),
			  i < 5 ? "early" : "late");
	lead(scene, scene->b, STORE_WATCH, 300);
	scene_cut(scene, false);
	drain(scene, scene->a);
	found = read_log(scene);
	assert_string_equal(found, "early early early early early ");
	assert_true(advises(scene->a, "5 records of this host were refused"));
}

static void a_successor_sees_notes_and_gaps_and_closes_what_is_open(void **state)
{
	struct scene *scene = *state;
	struct gap gap = { .watch = "main",
			   .from_ms = 10,
			   .reason = (char *)"reset",
			   .after_seq = GAP_AFTER_ALL };
	AUTO(free) char *note = NULL;
	struct found_gap found;

	append_numbers(scene, scene->b, 1, 7); /* so that numbers of a host and of the log differ */
	drain(scene, scene->b);
	lead(scene, scene->a, STORE_WATCH, 300);
	append_numbers(scene, scene->a, 8, 10);
	ok(&scene->f, store_gap_put(scene->a, &gap, &scene->f.err));
	ok(&scene->f, store_note_put(scene->a, "alive/main", TEXT("9"), &scene->f.err));
	drain(scene, scene->a);
	ok(&scene->f, store_lease_drop(scene->a, STORE_WATCH, &scene->f.err));
	lead(scene, scene->b, STORE_WATCH, 300);
	ok(&scene->f, store_note_get(scene->b, "alive/main", &note, &scene->f.err));
	assert_string_equal(note, "9");
	found = last_gap(scene, scene->b);
	assert_int_equal(found.count, 1);
	assert_int_equal(found.gap.id, gap.id);
	assert_int_equal(found.gap.after_seq, 10);
	found.gap.until_ms = 20;
	found.gap.reason = (char *)"reset; and so on";
	ok(&scene->f, store_gap_put(scene->b, &found.gap, &scene->f.err));
	drain(scene, scene->b);
	found = last_gap(scene, scene->a);
	assert_int_equal(found.count, 1);
	assert_int_equal(found.gap.until_ms, 20);
	assert_int_equal(found.gap.after_seq, 10);
	assert_string_equal(found.reason, "reset; and so on");
}

static void notes_of_who_lost_the_lease_are_not_believed(void **state)
{
	struct scene *scene = *state;
	AUTO(free) char *note = NULL;
	AUTO(free) char *other = NULL;
	struct gap gap = { .watch = "main", .from_ms = 10, .reason = (char *)"reset" };
	struct found_gap found;

	lead(scene, scene->a, STORE_WATCH, 300);
	drain(scene, scene->a);
	scene_cut(scene, true);
	ok(&scene->f, store_note_put(scene->a, "alive/main", TEXT("5"), &scene->f.err));
	ok(&scene->f, store_gap_put(scene->a, &gap, &scene->f.err));
	ok(&scene->f, store_note_get(scene->a, "alive/main", &note, &scene->f.err));
	assert_string_equal(note, "5");
	lead(scene, scene->b, STORE_WATCH, 300);
	ok(&scene->f, store_note_put(scene->b, "alive/main", TEXT("7"), &scene->f.err));
	drain(scene, scene->b);
	scene_cut(scene, false);
	drain(scene, scene->a);
	ok(&scene->f, store_note_get(scene->a, "alive/main", &other, &scene->f.err));
	assert_string_equal(other, "7");
	/* That it did not hear is news all the same; it ends where the other one took over. */
	found = last_gap(scene, scene->b);
	assert_int_equal(found.count, 1);
	assert_true(found.gap.until_ms > 10);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		SCENE_TEST(what_is_heard_while_the_server_is_away_comes_in_order_afterwards),
		SCENE_TEST(what_waits_on_a_host_is_forwarded_after_its_restart),
		SCENE_TEST(a_batch_whose_answer_is_cut_off_anywhere_is_forwarded_once),
		SCENE_TEST(a_batch_that_arrives_long_after_it_was_sent_is_ignored),
		SCENE_TEST(a_message_of_twenty_mebibytes_is_forwarded_among_others),
		SCENE_TEST(what_the_server_forgot_is_sent_again_under_new_numbers),
		SCENE_TEST(the_range_ends_with_a_record_whatever_numbers_others_have_seen),
		SCENE_TEST(a_filter_sees_that_the_server_forgot_and_judges_again),
		SCENE_TEST(an_echo_that_the_server_forgot_to_expect_is_still_an_echo),
		SCENE_TEST(an_echo_that_is_expected_while_the_filter_is_at_work_is_found),
		SCENE_TEST(what_neither_server_nor_host_has_any_more_is_a_gap),
		SCENE_TEST(a_host_that_lost_the_end_of_its_log_gives_no_number_twice),
		SCENE_TEST(what_a_host_heard_counts_until_the_next_one_had_the_lease),
		SCENE_TEST(records_of_before_and_after_a_takeover_in_one_piece_are_told_apart),
		SCENE_TEST(a_successor_sees_notes_and_gaps_and_closes_what_is_open),
		SCENE_TEST(notes_of_who_lost_the_lease_are_not_believed),
	};

	if (!redis_server_is_installed())
		return 77; /* not tested */
	return cmocka_run_group_tests(tests, NULL, NULL);
}
