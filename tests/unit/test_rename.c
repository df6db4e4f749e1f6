#include "stores.h"

#include "app/rename.h"
#include "base/buf.h"

/* A renames over a store, and what it judged: "from /a; renamed /b < /a; in /c; out /d; ". */
struct heard {
	struct fixture *f;
	struct renames *renames;
	struct buf *text;
	uint64_t seq;
	struct store_txn *txn;
	enum origin origin;
};

static int judge(void *ctx, const struct event *event, const struct echo *echo, struct error *err)
{
	struct heard *heard = ctx;
	bool is_from = event->type == CHILD_FILE_MOVED_FROM || event->type == CHILD_DIR_MOVED_FROM;
	const char *what = event->kinds & EVENT_RENAMED     ? "renamed"
			   : event->kinds & EVENT_MOVED_IN  ? "in"
			   : event->kinds & EVENT_MOVED_OUT ? "out"
			   : is_from                        ? "from"
							    : "to";

	assert_true(buf_print(heard->text, "%s%s %.*s", echo->is_echo ? "echo " : "", what,
			      TEXT_ARGS(event->path)));
	if (event->old_path.size)
		assert_true(buf_print(heard->text, " < %.*s", TEXT_ARGS(event->old_path)));
	assert_true(buf_print(heard->text, "; "));
	return 0;
}

static void begin(struct heard *heard)
{
	assert_int_equal(store_begin(heard->f->store, &heard->txn, &heard->f->err), 0);
}

static void commit(struct heard *heard)
{
	assert_int_equal(renames_save(heard->renames, heard->txn, &heard->f->err), 0);
	assert_int_equal(store_commit(TAKE(heard->txn), &heard->f->err), 0);
}

static void restart(struct heard *heard)
{
	renames_free(heard->renames);
	heard->renames = renames_new(judge, heard);
	fixture_reopen(heard->f);
	assert_int_equal(renames_load(heard->renames, heard->f->store, &heard->f->err), 0);
}

static void setup(struct heard *heard, void **state)
{
	*heard = (struct heard){ .f = *state };
	heard->text = buf_new(1 << 20);
	assert_true(buf_append(heard->text, "", 0));
	heard->renames = renames_new(judge, heard);
}

static void clear(struct heard *heard)
{
	renames_free(heard->renames);
	buf_free(heard->text);
}

#define HEARD __attribute__((cleanup(clear))) struct heard

static void take_at(struct heard *heard, int64_t time_ms, enum event_type type, const char *id,
		    const char *path)
{
	static const struct echo foreign;
	struct event event = {
		.type = type,
		.kinds = EVENT_KIND(type),
		.file_id = text_of(id),
		.path = text_of(path),
		.watch = TEXT("main"),
		.seq = 1 + heard->seq / 100,
		.index = heard->seq % 100,
		.time_ms = time_ms,
		.origin = heard->origin,
	};

	heard->seq++;
	assert_int_equal(
		renames_take(heard->renames, heard->txn, &event, &foreign, 500, &heard->f->err), 0);
}

static void take(struct heard *heard, enum event_type type, const char *id, const char *path)
{
	take_at(heard, 1000, type, id, path);
}

static void expire(struct heard *heard, int64_t now_ms)
{
	assert_true(renames_expire(heard->renames, heard->txn, now_ms, 1000, &heard->f->err) >= 0);
}

static bool count_key(void *ctx, struct text key, struct text value)
{
	(*(size_t *)ctx)++;
	return true;
}

static size_t count_stored(struct heard *heard)
{
	size_t count = 0;

	assert_int_equal(store_peek_scan(heard->f->store, SPACE_HALVES, TEXT_NONE, count_key,
					 &count, &heard->f->err),
			 0);
	return count;
}

static void two_halves_are_one_rename_in_either_order(void **state)
{
	HEARD heard;

	setup(&heard, state);
	begin(&heard);
	take(&heard, CHILD_FILE_MOVED_FROM, "7", "/a");
	assert_string_equal(heard.text->data, "");
	take(&heard, CHILD_FILE_MOVED_TO, "7", "/b");
	assert_string_equal(heard.text->data, "from /a; renamed /b < /a; ");
	buf_reset(heard.text);
	take(&heard, CHILD_DIR_MOVED_TO, "8", "/d");
	take(&heard, CHILD_DIR_MOVED_FROM, "8", "/c");
	assert_string_equal(heard.text->data, "from /c; renamed /d < /c; ");
	commit(&heard);
	assert_int_equal(count_stored(&heard), 0);
	assert_true(renames_next_due(heard.renames) == INT64_MAX);
}

static void other_files_between_and_other_messages_do_not_matter(void **state)
{
	HEARD heard;

	setup(&heard, state);
	begin(&heard);
	take(&heard, CHILD_FILE_MOVED_FROM, "7", "/a");
	take(&heard, CHILD_FILE_MOVED_FROM, "8", "/c");
	commit(&heard);
	begin(&heard);
	take(&heard, CHILD_FILE_MOVED_TO, "8", "/d");
	take(&heard, CHILD_FILE_MOVED_TO, "7", "/b");
	commit(&heard);
	assert_string_equal(heard.text->data,
			    "from /c; renamed /d < /c; from /a; renamed /b < /a; ");
	assert_int_equal(count_stored(&heard), 0);
}

static void a_half_that_stays_alone_left_the_tree_or_came_in(void **state)
{
	HEARD heard;

	setup(&heard, state);
	begin(&heard);
	take(&heard, CHILD_FILE_MOVED_FROM, "7", "/a");
	take_at(&heard, 1200, CHILD_FILE_MOVED_TO, "8", "/b");
	assert_int_equal(renames_next_due(heard.renames), 1500);
	expire(&heard, 1499);
	assert_string_equal(heard.text->data, "");
	expire(&heard, 1500);
	assert_string_equal(heard.text->data, "out /a; ");
	expire(&heard, 1700);
	assert_string_equal(heard.text->data, "out /a; in /b; ");
	commit(&heard);
	assert_int_equal(count_stored(&heard), 0);
}

static void a_half_waits_through_a_restart(void **state)
{
	HEARD heard;

	setup(&heard, state);
	begin(&heard);
	take(&heard, CHILD_FILE_MOVED_FROM, "7", "/a\n\"x\"");
	take(&heard, CHILD_FILE_MOVED_FROM, "9", "/z");
	commit(&heard);
	restart(&heard);
	assert_int_equal(renames_next_due(heard.renames), 1500);
	begin(&heard);
	take(&heard, CHILD_FILE_MOVED_TO, "7", "/b");
	expire(&heard, 1500);
	commit(&heard);
	assert_string_equal(heard.text->data, "from /a\n\"x\"; renamed /b < /a\n\"x\"; out /z; ");
	restart(&heard);
	assert_true(renames_next_due(heard.renames) == INT64_MAX);
}

static void after_a_transaction_that_failed_it_is_as_before(void **state)
{
	HEARD heard;

	setup(&heard, state);
	begin(&heard);
	take(&heard, CHILD_FILE_MOVED_FROM, "7", "/a");
	commit(&heard);
	begin(&heard);
	take(&heard, CHILD_FILE_MOVED_FROM, "8", "/c");
	take(&heard, CHILD_FILE_MOVED_TO, "7", "/b");
	store_abort(TAKE(heard.txn));
	assert_int_equal(renames_load(heard.renames, heard.f->store, &heard.f->err), 0);
	buf_reset(heard.text);
	begin(&heard);
	take(&heard, CHILD_FILE_MOVED_TO, "7", "/b");
	expire(&heard, 9999);
	commit(&heard);
	assert_string_equal(heard.text->data, "from /a; renamed /b < /a; ");
}

static void a_file_renamed_twice_is_two_renames_in_order(void **state)
{
	HEARD heard;

	setup(&heard, state);
	begin(&heard);
	take(&heard, CHILD_FILE_MOVED_FROM, "7", "/a");
	take(&heard, CHILD_FILE_MOVED_FROM, "7", "/b");
	take(&heard, CHILD_FILE_MOVED_TO, "7", "/b");
	take(&heard, CHILD_FILE_MOVED_TO, "7", "/c");
	commit(&heard);
	assert_string_equal(heard.text->data,
			    "from /a; renamed /b < /a; from /b; renamed /c < /b; ");
}

static void what_came_in_and_moves_on_at_once_was_not_renamed_to_itself(void **state)
{
	HEARD heard;

	setup(&heard, state);
	begin(&heard);
	take(&heard, CHILD_FILE_MOVED_TO, "7", "/a");
	take(&heard, CHILD_FILE_MOVED_FROM, "7", "/a");
	take(&heard, CHILD_FILE_MOVED_TO, "7", "/b");
	assert_string_equal(heard.text->data, "in /a; from /a; renamed /b < /a; ");
	buf_reset(heard.text);

	take(&heard, CHILD_FILE_MOVED_FROM, "8", "/a");
	take(&heard, CHILD_FILE_MOVED_TO, "8", "/a");
	expire(&heard, 1500);
	assert_string_equal(heard.text->data, "out /a; in /a; ");
	commit(&heard);
}

static void what_came_in_and_out_is_no_rename_though_its_directory_moved(void **state)
{
	HEARD heard;

	setup(&heard, state);
	begin(&heard);
	take(&heard, CHILD_FILE_MOVED_TO, "7", "/d/a");
	take(&heard, CHILD_DIR_MOVED_FROM, "8", "/d");
	take(&heard, CHILD_DIR_MOVED_TO, "8", "/e");
	take(&heard, CHILD_DIR_MOVED_FROM, "8", "/e");
	take(&heard, CHILD_DIR_MOVED_TO, "8", "/f");
	buf_reset(heard.text);
	take(&heard, CHILD_FILE_MOVED_FROM, "7", "/f/a");
	expire(&heard, 1500);
	assert_string_equal(heard.text->data, "in /d/a; out /f/a; ");
	commit(&heard);
}

/* From where something was before a gap, and how it moves on since. */
static void what_a_repair_found_and_the_stream_tells_are_no_pair(void **state)
{
	HEARD heard;

	setup(&heard, state);
	begin(&heard);
	heard.origin = ORIGIN_REPAIR;
	take(&heard, CHILD_FILE_MOVED_FROM, "7", "/old");
	heard.origin = ORIGIN_LIVE;
	take(&heard, CHILD_FILE_MOVED_TO, "7", "/b");
	take(&heard, CHILD_FILE_MOVED_FROM, "7", "/a");
	assert_string_equal(heard.text->data, "from /a; renamed /b < /a; ");
	expire(&heard, 1500);
	assert_string_equal(heard.text->data, "from /a; renamed /b < /a; out /old; ");
	commit(&heard);
}

static void a_file_and_a_directory_are_no_pair(void **state)
{
	HEARD heard;

	setup(&heard, state);
	begin(&heard);
	take(&heard, CHILD_FILE_MOVED_FROM, "7", "/a");
	take(&heard, CHILD_DIR_MOVED_TO, "7", "/b");
	expire(&heard, 1500);
	commit(&heard);
	assert_string_equal(heard.text->data, "out /a; in /b; ");
}

static void without_ids_only_neighbours_are_a_pair(void **state)
{
	HEARD heard;

	setup(&heard, state);
	begin(&heard);
	take(&heard, CHILD_FILE_MOVED_FROM, "", "/a");
	take(&heard, CHILD_FILE_MOVED_TO, "", "/b");
	assert_string_equal(heard.text->data, "from /a; renamed /b < /a; ");
	buf_reset(heard.text);
	take(&heard, CHILD_FILE_MOVED_FROM, "", "/a");
	take(&heard, CHILD_DIR_MOVED_TO, "", "/x");
	take(&heard, CHILD_FILE_MOVED_TO, "", "/b");
	take(&heard, CHILD_FILE_MOVED_FROM, "", "/c");
	expire(&heard, 1500);
	commit(&heard);
	assert_string_equal(heard.text->data, "out /a; in /x; in /b; out /c; ");
}

static void an_echo_stays_one_while_it_waits(void **state)
{
	HEARD heard;
	struct echo echo = { true, 17, 2 };
	struct event event = { .type = CHILD_FILE_MOVED_FROM,
			       .kinds = EVENT_KIND(CHILD_FILE_MOVED_FROM),
			       .file_id = TEXT("7"),
			       .path = TEXT("/a"),
			       .watch = TEXT("main"),
			       .seq = 1,
			       .time_ms = 1000 };

	setup(&heard, state);
	begin(&heard);
	assert_int_equal(renames_take(heard.renames, heard.txn, &event, &echo, 500, &heard.f->err),
			 0);
	commit(&heard);
	restart(&heard);
	begin(&heard);
	event.type = CHILD_FILE_MOVED_TO;
	event.kinds = EVENT_KIND(CHILD_FILE_MOVED_TO);
	event.path = TEXT("/b");
	event.index = 1;
	assert_int_equal(renames_take(heard.renames, heard.txn, &event, &echo, 500, &heard.f->err),
			 0);
	commit(&heard);
	assert_string_equal(heard.text->data, "echo from /a; echo renamed /b < /a; ");
}

/* We moved it out of the watched directory, and somebody moved it back at once. */
static void half_of_our_move_and_half_of_a_strangers_are_no_pair(void **state)
{
	HEARD heard;
	struct echo echo = { true, 17, 2 };
	struct event event = { .type = CHILD_FILE_MOVED_FROM,
			       .kinds = EVENT_KIND(CHILD_FILE_MOVED_FROM),
			       .file_id = TEXT("7"),
			       .path = TEXT("/a"),
			       .watch = TEXT("main"),
			       .seq = 1,
			       .time_ms = 1000 };

	setup(&heard, state);
	begin(&heard);
	assert_int_equal(renames_take(heard.renames, heard.txn, &event, &echo, 500, &heard.f->err),
			 0);
	heard.seq = 100;
	take(&heard, CHILD_FILE_MOVED_TO, "7", "/a");
	assert_string_equal(heard.text->data, "echo out /a; ");
	take(&heard, CHILD_FILE_MOVED_FROM, "7", "/b");
	assert_string_equal(heard.text->data, "echo out /a; from /b; renamed /a < /b; ");
	expire(&heard, 2000);
	assert_string_equal(heard.text->data, "echo out /a; from /b; renamed /a < /b; ");
	commit(&heard);
}

static void a_clock_that_was_put_back_holds_no_half_for_ever(void **state)
{
	HEARD heard;

	setup(&heard, state);
	begin(&heard);
	take_at(&heard, 3600000, CHILD_FILE_MOVED_FROM, "7", "/a");
	expire(&heard, 3600100);
	assert_string_equal(heard.text->data, "");
	expire(&heard, 1000);
	assert_string_equal(heard.text->data, "out /a; ");
	commit(&heard);
}

static void more_halves_than_memory_is_meant_for_are_judged_oldest_first(void **state)
{
	HEARD heard;

	setup(&heard, state);
	begin(&heard);
	for (int i = 0; i <= 100000; i++) {
		char id[16];

		snprintf(id, sizeof(id), "%d", i);
		take(&heard, CHILD_FILE_MOVED_FROM, id, "/a");
	}
	assert_string_equal(heard.text->data, "out /a; ");
	store_abort(TAKE(heard.txn));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(two_halves_are_one_rename_in_either_order),
		cmocka_unit_test(other_files_between_and_other_messages_do_not_matter),
		cmocka_unit_test(a_half_that_stays_alone_left_the_tree_or_came_in),
		cmocka_unit_test(a_half_waits_through_a_restart),
		cmocka_unit_test(after_a_transaction_that_failed_it_is_as_before),
		cmocka_unit_test(a_file_renamed_twice_is_two_renames_in_order),
		cmocka_unit_test(what_came_in_and_moves_on_at_once_was_not_renamed_to_itself),
		cmocka_unit_test(what_came_in_and_out_is_no_rename_though_its_directory_moved),
		cmocka_unit_test(what_a_repair_found_and_the_stream_tells_are_no_pair),
		cmocka_unit_test(a_file_and_a_directory_are_no_pair),
		cmocka_unit_test(without_ids_only_neighbours_are_a_pair),
		cmocka_unit_test(an_echo_stays_one_while_it_waits),
		cmocka_unit_test(half_of_our_move_and_half_of_a_strangers_are_no_pair),
		cmocka_unit_test(a_clock_that_was_put_back_holds_no_half_for_ever),
		cmocka_unit_test(more_halves_than_memory_is_meant_for_are_judged_oldest_first),
	};

	return run_on_every_store(tests, ARRAY_SIZE(tests));
}
