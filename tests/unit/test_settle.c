#include "stores.h"

#include "app/settle.h"
#include "base/buf.h"

/* Timers over a store, and what fired: "rule /path; ". */
struct heard {
	struct fixture *f;
	struct settle *settle;
	struct buf *text;
	struct store_txn *txn;
	bool asks; /* whether files are open, where they may be */
	unsigned fired;
};

static const struct rule quick = { .name = "quick", .settle_ms = 1000 };
static const struct rule bounded = { .name = "bounded", .settle_ms = 1000, .settle_max_ms = 2500 };
static const struct rule slow = { .name = "slow", .settle_ms = 5000 };

static int fire(void *ctx, struct text rule, const struct event *event, bool may_be_open,
		struct error *err)
{
	struct heard *heard = ctx;

	heard->fired += !(heard->asks && may_be_open);
	if (heard->asks && may_be_open)
		return SETTLE_ASK;
	assert_true(buf_print(heard->text, "%.*s %s %.*s; ", TEXT_ARGS(rule),
			      event_type_name(event->type), TEXT_ARGS(event->path)));
	return 0;
}

static void begin(struct heard *heard)
{
	ok(heard->f, store_begin(heard->f->store, &heard->txn, &heard->f->err));
}

static void commit(struct heard *heard)
{
	ok(heard->f, store_commit(TAKE(heard->txn), &heard->f->err));
}

static void setup(struct heard *heard, void **state)
{
	*heard = (struct heard){ .f = *state };
	heard->text = buf_new(1 << 20);
	assert_true(buf_append(heard->text, "", 0));
	heard->settle = settle_new();
	begin(heard);
}

static void clear(struct heard *heard)
{
	store_abort(heard->txn);
	settle_free(heard->settle);
	buf_free(heard->text);
}

#define HEARD __attribute__((cleanup(clear))) struct heard

static struct event event_at(int64_t time_ms, enum event_type type, const char *id,
			     const char *path)
{
	return (struct event){
		.type = type,
		.kinds = EVENT_KIND(type),
		.file_id = text_of(id),
		.path = text_of(path),
		.watch = TEXT("main"),
		.seq = 1,
		.time_ms = time_ms,
	};
}

static void match(struct heard *heard, const struct rule *rule, int64_t time_ms, const char *id,
		  const char *path)
{
	struct event event = event_at(time_ms, CHILD_FILE_ADDED, id, path);

	ok(heard->f, settle_start(heard->settle, heard->txn, rule, &event, &heard->f->err));
}

static void hear(struct heard *heard, int64_t time_ms, enum event_type type, const char *id,
		 const char *path)
{
	struct event event = event_at(time_ms, type, id, path);

	ok(heard->f, settle_hear(heard->settle, heard->txn, &event, false, &heard->f->err));
}

static void expire(struct heard *heard, int64_t now_ms)
{
	ok(heard->f,
	   settle_expire(heard->settle, heard->txn, now_ms, 1000, fire, heard, &heard->f->err));
}

static bool count_key(void *ctx, struct text key, struct text value)
{
	(*(size_t *)ctx)++;
	return true;
}

static void assert_empty(struct heard *heard)
{
	size_t count = 0;

	ok(heard->f,
	   store_scan(heard->txn, SPACE_SETTLE, TEXT_NONE, count_key, &count, &heard->f->err));
	assert_int_equal(count, 0);
	expire(heard, 0);
	assert_true(settle_next_due(heard->settle) == INT64_MAX);
}

static void a_file_that_is_quiet_fires_its_rule_once(void **state)
{
	HEARD heard;

	setup(&heard, state);
	match(&heard, &quick, 10000, "7", "/a");
	assert_int_equal(settle_next_due(heard.settle), 11000);
	expire(&heard, 10999);
	assert_string_equal(heard.text->data, "");
	expire(&heard, 11000);
	expire(&heard, 20000);
	assert_string_equal(heard.text->data, "quick child_file_added /a; ");
	assert_empty(&heard);
}

static void each_change_starts_the_time_anew_and_reading_does_not(void **state)
{
	HEARD heard;

	setup(&heard, state);
	match(&heard, &quick, 10000, "7", "/a");
	match(&heard, &slow, 10000, "7", "/a");
	match(&heard, &quick, 10000, "8", "/b");
	hear(&heard, 10900, CHILD_DATA_WRITTEN, "7", "/a");
	expire(&heard, 11000);
	assert_string_equal(heard.text->data, "quick child_file_added /b; ");
	hear(&heard, 11500, CHILD_ACL_CHANGED, "7", "/a");
	hear(&heard, 12400, CHILD_ATIME_CHANGED, "7", "/a");
	expire(&heard, 12499);
	assert_string_equal(heard.text->data, "quick child_file_added /b; ");
	expire(&heard, 12500);
	assert_string_equal(heard.text->data,
			    "quick child_file_added /b; quick child_file_added /a; ");
	expire(&heard, 16499);
	assert_int_equal(settle_next_due(heard.settle), 16500);
	expire(&heard, 16500);
	assert_non_null(strstr(heard.text->data, "slow child_file_added /a; "));
	assert_empty(&heard);
}

static void a_file_that_never_becomes_quiet_fires_at_last(void **state)
{
	HEARD heard;

	setup(&heard, state);
	match(&heard, &bounded, 10000, "7", "/a");
	for (int64_t now = 10500; now < 12500; now += 500) {
		expire(&heard, now);
		hear(&heard, now, CHILD_DATA_WRITTEN, "7", "/a");
	}
	match(&heard, &bounded, 12400, "7", "/a");
	expire(&heard, 12499);
	assert_string_equal(heard.text->data, "");
	expire(&heard, 12500);
	assert_string_equal(heard.text->data, "bounded child_file_added /a; ");
	assert_empty(&heard);
}

static const struct rule waiting = {
	.name = "waiting",
	.absent = EVENT_KIND(CHILD_DATA_WRITTEN) | EVENT_KIND(CHILD_ATIME_CHANGED),
	.absent_ms = 5000,
};

static void what_does_not_follow_in_time_fires_and_what_does_not(void **state)
{
	HEARD heard;

	setup(&heard, state);
	match(&heard, &waiting, 10000, "7", "/a");
	match(&heard, &waiting, 10000, "8", "/b");
	match(&heard, &waiting, 10000, "9", "/c");
	match(&heard, &waiting, 10000, "10", "/d");
	hear(&heard, 12000, CHILD_MTIME_CHANGED, "7", "/a"); /* nothing that it waits for */
	match(&heard, &waiting, 14000, "7", "/a");           /* and it goes on waiting */
	hear(&heard, 12000, CHILD_DATA_WRITTEN, "8", "/b");
	hear(&heard, 12000, CHILD_ATIME_CHANGED, "9", "/c");
	hear(&heard, 12000, CHILD_FILE_REMOVED, "10", "/d");
	expire(&heard, 14999);
	assert_string_equal(heard.text->data, "");
	expire(&heard, 15000);
	assert_string_equal(heard.text->data, "waiting child_file_added /a; ");
	assert_empty(&heard);
}

static void what_we_do_ourselves_is_not_what_was_waited_for(void **state)
{
	HEARD heard;
	struct event own = event_at(12000, CHILD_DATA_WRITTEN, "7", "/a");
	struct event moved = event_at(13000, CHILD_FILE_MOVED_TO, "7", "/b");

	setup(&heard, state);
	match(&heard, &waiting, 10000, "7", "/a");
	ok(heard.f, settle_hear(heard.settle, heard.txn, &own, true, &heard.f->err));
	ok(heard.f, settle_hear(heard.settle, heard.txn, &moved, false, &heard.f->err));
	expire(&heard, 15000);
	assert_string_equal(heard.text->data, "waiting child_file_added /b; ");
	assert_empty(&heard);
}

static void a_removed_file_fires_nothing(void **state)
{
	HEARD heard;
	struct event out = event_at(10100, CHILD_FILE_MOVED_FROM, "8", "/b");

	setup(&heard, state);
	out.kinds |= EVENT_MOVED_OUT;
	match(&heard, &quick, 10000, "7", "/a");
	match(&heard, &slow, 10000, "7", "/a");
	match(&heard, &quick, 10000, "8", "/b");
	hear(&heard, 10100, CHILD_FILE_REMOVED, "7", "/a");
	ok(heard.f, settle_hear(heard.settle, heard.txn, &out, false, &heard.f->err));
	expire(&heard, 99999);
	assert_string_equal(heard.text->data, "");
	assert_empty(&heard);
}

static void a_renamed_file_fires_under_its_new_path(void **state)
{
	HEARD heard;

	setup(&heard, state);
	match(&heard, &quick, 10000, "7", "/a");
	hear(&heard, 10100, CHILD_FILE_MOVED_FROM, "7", "/a");
	hear(&heard, 10100, CHILD_FILE_MOVED_TO, "7", "/c");
	expire(&heard, 11000);
	assert_string_equal(heard.text->data, "quick child_file_added /c; ");
	assert_empty(&heard);
}

static void our_own_change_is_no_noise_but_our_own_move_counts(void **state)
{
	HEARD heard;
	struct event chmod = event_at(10900, CHILD_ACL_CHANGED, "7", "/a");
	struct event move = event_at(10900, CHILD_FILE_MOVED_TO, "7", "/q/a");

	setup(&heard, state);
	match(&heard, &quick, 10000, "7", "/a");
	ok(heard.f, settle_hear(heard.settle, heard.txn, &chmod, true, &heard.f->err));
	ok(heard.f, settle_hear(heard.settle, heard.txn, &move, true, &heard.f->err));
	expire(&heard, 11000);
	assert_string_equal(heard.text->data, "quick child_file_added /q/a; ");
	assert_empty(&heard);
}

static void timers_survive_a_restart(void **state)
{
	HEARD heard;

	setup(&heard, state);
	match(&heard, &slow, 10000, "7", "/a");
	match(&heard, &quick, 10000, "7", "/a");
	hear(&heard, 10500, CHILD_DATA_WRITTEN, "7", "/a");
	commit(&heard);
	fixture_reopen(heard.f);
	settle_free(heard.settle);
	heard.settle = settle_new();
	ok(heard.f, settle_load(heard.settle, heard.f->store, &heard.f->err));
	assert_int_equal(settle_next_due(heard.settle), 11000); /* sooner than it is due */
	begin(&heard);
	expire(&heard, 11499);
	assert_string_equal(heard.text->data, "");
	expire(&heard, 15500);
	assert_string_equal(heard.text->data,
			    "quick child_file_added /a; slow child_file_added /a; ");
	assert_empty(&heard);
}

static void a_reload_that_shortens_the_time_is_heeded(void **state)
{
	HEARD heard;
	const struct rule shorter = { .name = "slow", .settle_ms = 1000 };

	setup(&heard, state);
	match(&heard, &slow, 10000, "7", "/a");
	match(&heard, &shorter, 11000, "7", "/a");
	assert_true(settle_next_due(heard.settle) <= 12000);
	expire(&heard, 12000);
	assert_string_equal(heard.text->data, "slow child_file_added /a; ");
	assert_empty(&heard);
}

static void files_without_ids_and_names_of_any_length_have_timers(void **state)
{
	HEARD heard;
	AUTO(free) char *path = str_format("/%019999d", 7);
	AUTO(free) char *other = str_format("/%019999d", 8);
	AUTO(free) char *name = str_format("%0400d", 1);
	const struct rule rule = { .name = name, .settle_ms = 1000 };

	setup(&heard, state);
	match(&heard, &rule, 10000, "", path);
	match(&heard, &rule, 10000, "", other);
	match(&heard, &quick, 10000, "", "/a");
	hear(&heard, 10900, CHILD_DATA_WRITTEN, "", other);
	expire(&heard, 11000);
	assert_non_null(strstr(heard.text->data, path));
	assert_null(strstr(heard.text->data, other));
	assert_non_null(strstr(heard.text->data, "quick child_file_added /a; "));
	assert_non_null(strstr(heard.text->data, name));
	expire(&heard, 11900);
	assert_non_null(strstr(heard.text->data, other));
	assert_empty(&heard);
}

static void other_watches_and_ids_that_begin_alike_are_other_files(void **state)
{
	HEARD heard;
	struct event other = event_at(10900, CHILD_FILE_REMOVED, "7", "/a");

	setup(&heard, state);
	other.watch = TEXT("second");
	match(&heard, &quick, 10000, "7", "/a");
	hear(&heard, 10900, CHILD_FILE_REMOVED, "77", "/a");
	hear(&heard, 10900, CHILD_FILE_REMOVED, "", "/a");
	ok(heard.f, settle_hear(heard.settle, heard.txn, &other, false, &heard.f->err));
	expire(&heard, 11000);
	assert_string_equal(heard.text->data, "quick child_file_added /a; ");
}

static void a_clock_that_was_put_back_holds_no_timer_for_ever(void **state)
{
	HEARD heard;

	setup(&heard, state);
	match(&heard, &quick, 3600000, "7", "/a");
	match(&heard, &slow, 3600000, "8", "/b");
	expire(&heard, 1000);
	assert_string_equal(heard.text->data, "");
	assert_int_equal(settle_next_due(heard.settle), 2000);
	expire(&heard, 2000);
	expire(&heard, 7000);
	assert_string_equal(heard.text->data,
			    "quick child_file_added /a; slow child_file_added /b; ");
	assert_empty(&heard);
}

static void no_more_timers_are_looked_at_than_asked_for(void **state)
{
	HEARD heard;

	setup(&heard, state);
	for (int i = 0; i < 10; i++) {
		char id[16];

		snprintf(id, sizeof(id), "%d", i);
		match(&heard, &quick, 10000 + i, id, "/a");
	}
	assert_int_equal(
		settle_expire(heard.settle, heard.txn, 99999, 7, fire, &heard, &heard.f->err), 7);
	assert_true(settle_next_due(heard.settle) <= 99999);
	assert_int_equal(
		settle_expire(heard.settle, heard.txn, 99999, 7, fire, &heard, &heard.f->err), 3);
	assert_empty(&heard);
}

static void say_open(struct heard *heard, int64_t sent_ms, int64_t now_ms, bool is_closed)
{
	ok(heard->f, settle_answer(heard->settle, heard->txn, TEXT("main"), TEXT("7"), sent_ms,
				   is_closed, now_ms, fire, heard, &heard->f->err));
}

static void a_file_that_is_open_is_asked_about_again_with_growing_pauses(void **state)
{
	const struct rule rule = { .name = "r", .settle_ms = 2000, .unless_open = true };
	HEARD heard;

	setup(&heard, state);
	heard.asks = true;
	match(&heard, &rule, 1000, "7", "/a");
	expire(&heard, 3000);
	assert_int_equal(settle_next_due(heard.settle), 33000); /* should no answer come */
	say_open(&heard, 2999, 3100, true);                     /* said before it was asked */
	assert_int_equal(heard.fired, 0);
	say_open(&heard, 3000, 3100, false);
	expire(&heard, 5099);
	assert_int_equal(settle_next_due(heard.settle), 5100);
	expire(&heard, 5100);
	say_open(&heard, 5100, 5100, false);
	expire(&heard, 5100);
	assert_int_equal(settle_next_due(heard.settle), 9100);
	expire(&heard, 9100);
	expire(&heard, 9100 + 30000); /* the answer was lost: asked anew */
	say_open(&heard, 39100, 39200, true);
	assert_int_equal(heard.fired, 1);
	assert_string_equal(heard.text->data, "r child_file_added /a; ");
	expire(&heard, 1000000);
	assert_int_equal(settle_next_due(heard.settle), INT64_MAX);
	commit(&heard);
}

static void what_happens_while_it_is_asked_makes_the_answer_void(void **state)
{
	const struct rule rule = { .name = "r", .settle_ms = 2000, .unless_open = true };
	HEARD heard;

	setup(&heard, state);
	heard.asks = true;
	match(&heard, &rule, 1000, "7", "/a");
	expire(&heard, 3000);
	hear(&heard, 3500, CHILD_DATA_WRITTEN, "7", "/a");
	say_open(&heard, 3000, 3600, true);
	assert_int_equal(heard.fired, 0);
	expire(&heard, 5499);
	assert_int_equal(settle_next_due(heard.settle), 5500);
	expire(&heard, 5500);
	say_open(&heard, 5500, 5600, true);
	assert_int_equal(heard.fired, 1);
	commit(&heard);
}

static void patience_with_an_open_file_ends_at_max(void **state)
{
	const struct rule rule = {
		.name = "r", .settle_ms = 2000, .settle_max_ms = 6000, .unless_open = true
	};
	HEARD heard;

	setup(&heard, state);
	heard.asks = true;
	match(&heard, &rule, 1000, "7", "/a");
	expire(&heard, 3000);
	say_open(&heard, 3000, 3000, false);
	expire(&heard, 5000);
	assert_int_equal(heard.fired, 0);
	assert_int_equal(settle_next_due(heard.settle), 7000);
	expire(&heard, 7000);
	assert_int_equal(heard.fired, 1);
	commit(&heard);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_file_that_is_quiet_fires_its_rule_once),
		cmocka_unit_test(each_change_starts_the_time_anew_and_reading_does_not),
		cmocka_unit_test(a_file_that_never_becomes_quiet_fires_at_last),
		cmocka_unit_test(what_does_not_follow_in_time_fires_and_what_does_not),
		cmocka_unit_test(what_we_do_ourselves_is_not_what_was_waited_for),
		cmocka_unit_test(a_removed_file_fires_nothing),
		cmocka_unit_test(a_renamed_file_fires_under_its_new_path),
		cmocka_unit_test(our_own_change_is_no_noise_but_our_own_move_counts),
		cmocka_unit_test(timers_survive_a_restart),
		cmocka_unit_test(a_reload_that_shortens_the_time_is_heeded),
		cmocka_unit_test(files_without_ids_and_names_of_any_length_have_timers),
		cmocka_unit_test(other_watches_and_ids_that_begin_alike_are_other_files),
		cmocka_unit_test(a_clock_that_was_put_back_holds_no_timer_for_ever),
		cmocka_unit_test(no_more_timers_are_looked_at_than_asked_for),
		cmocka_unit_test(a_file_that_is_open_is_asked_about_again_with_growing_pauses),
		cmocka_unit_test(what_happens_while_it_is_asked_makes_the_answer_void),
		cmocka_unit_test(patience_with_an_open_file_ends_at_max),
	};

	return run_on_every_store(tests, ARRAY_SIZE(tests));
}
