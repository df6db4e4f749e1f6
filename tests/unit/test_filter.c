/* The filter in its loop, over a real store and real rules, with a clock that is moved by hand. */
#include "filter_fixture.h"

#include "app/inbox.h"
#include "store/echo.h"

static const char rules[] = "version: 1\n"
			    "watched_items:\n"
			    "  - name: zips\n"
			    "    when: {event: created, extension: .zip}\n"
			    "    actions: [log]\n"
			    "  - name: renamed\n"
			    "    when: {event: [renamed, moved_in, moved_out]}\n"
			    "    actions: [log]\n"
			    "  - name: quiet\n"
			    "    when: {event: written, extension: .dat}\n"
			    "    settle: 5s\n"
			    "    actions: [log]\n"
			    "  - name: own\n"
			    "    when: {event: permissions, extension: .own}\n"
			    "    on_own: true\n"
			    "    actions: [log]\n";

static void an_event_that_a_rule_matches_becomes_a_job(void **state)
{
	AUTO_MONITOR m;

	monitor_start(&m, *state, rules);
	hear(&m, "[{\"type\":\"child_file_added\",\"spine\":[\"2\",\"7\"],\"path\":\"a/b.zip\"},"
		 "{\"type\":\"child_file_added\",\"spine\":[\"2\",\"8\"],\"path\":\"a/b.txt\"}]");
	settle_down(&m);
	assert_jobs(&m, "zips child_file_added /home/a/b.zip; ");
	assert_label(&m, 1, 0, "{\"rules\":[\"zips\"],\"jobs\":[1]}");
	assert_label(&m, 1, 1, NULL);
	assert_int_equal(status_of(&m).cursor, 1);
	assert_int_equal(status_of(&m).events, 2);
	assert_int_equal(status_of(&m).matches, 1);
	assert_int_equal(status_of(&m).jobs, 1);
}

static void what_is_judged_is_not_judged_again_after_a_restart(void **state)
{
	AUTO_MONITOR m;

	monitor_start(&m, *state, rules);
	hear(&m, ZIP("1"));
	settle_down(&m);
	monitor_restart(&m);
	hear(&m, ZIP("2"));
	settle_down(&m);
	assert_jobs(&m, "zips child_file_added /home/1.zip; zips child_file_added /home/2.zip; ");
}

static void records_from_before_the_start_are_judged(void **state)
{
	AUTO_MONITOR m;

	monitor_start(&m, *state, rules);
	monitor_stop(&m);
	hear(&m, ZIP("1"));
	monitor_go_on(&m);
	settle_down(&m);
	assert_jobs(&m, "zips child_file_added /home/1.zip; ");
}

static void a_rename_is_one_event_with_its_old_path(void **state)
{
	AUTO_MONITOR m;

	monitor_start(&m, *state, rules);
	hear(&m, "[" FROM("7", "a") "]");
	hear(&m, "[" TO("7", "b") "]");
	settle_down(&m);
	assert_jobs(&m, "renamed child_file_moved_to /home/b < /home/a; ");
	assert_label(&m, 2, 0, "{\"old_path\":\"/home/a\",\"rules\":[\"renamed\"],\"jobs\":[1]}");
}

static void half_a_rename_is_judged_when_its_window_has_passed(void **state)
{
	AUTO_MONITOR m;

	monitor_start(&m, *state, rules);
	hear(&m, "[" FROM("7", "a") "," TO("8", "b") "]");
	settle_down(&m);
	pass(&m, 499);
	assert_jobs(&m, "");
	monitor_restart(&m);
	pass(&m, 1);
	assert_jobs(&m, "renamed child_file_moved_from /home/a; "
			"renamed child_file_moved_to /home/b; ");
}

static void a_filter_that_is_behind_decides_as_one_that_is_not(void **state)
{
	AUTO_MONITOR m;

	monitor_start(&m, *state, rules);
	monitor_stop(&m);
	hear(&m, "[" FROM("7", "a") "," WRITTEN("9", "x.dat") "]");
	clock_advance(6000);
	hear(&m, "[" TO("7", "b") "," WRITTEN("9", "x.dat") "]");
	clock_advance(6000);
	monitor_go_on(&m);
	settle_down(&m);
	assert_jobs(&m, "renamed child_file_moved_from /home/a; "
			"quiet child_data_written /home/x.dat; "
			"renamed child_file_moved_to /home/b; "
			"quiet child_data_written /home/x.dat; ");
}

static void a_rule_with_settle_fires_when_the_file_is_quiet(void **state)
{
	AUTO_MONITOR m;

	monitor_start(&m, *state, rules);
	hear(&m, "[" WRITTEN("9", "x.dat") "]");
	settle_down(&m);
	assert_label(&m, 1, 0, "{\"rules\":[\"quiet\"],\"settling\":true}");
	pass(&m, 4999);
	hear(&m, "[{\"type\":\"child_mtime_changed\",\"spine\":[\"9\"],\"path\":\"x.dat\"}]");
	settle_down(&m);
	pass(&m, 4999);
	assert_jobs(&m, "");
	monitor_restart(&m);
	pass(&m, 1);
	assert_jobs(&m, "quiet child_data_written /home/x.dat; ");
	assert_label(&m, 1, 0, "{\"rules\":[\"quiet\"],\"settling\":true,\"jobs\":[1]}");
	assert_int_equal(status_of(&m).jobs, 1);
}

static void what_is_announced_and_not_written_is_told_in_time(void **state)
{
	AUTO_MONITOR m;

	monitor_start(&m, *state,
		      "watched_items:\n"
		      "  - name: empty\n"
		      "    when: {event: created}\n"
		      "    absent: {event: written, within: 1h}\n"
		      "    actions: [log]\n");
	hear(&m, "[" ITEM("child_file_added", "8", "a") "," ITEM("child_file_added", "9", "b") "]");
	hear(&m, "[" WRITTEN("9", "b") "]");
	settle_down(&m);
	assert_label(&m, 1, 0, "{\"rules\":[\"empty\"],\"awaiting\":true}");
	pass(&m, 3599999);
	assert_jobs(&m, "");
	monitor_restart(&m);
	pass(&m, 1);
	assert_jobs(&m, "empty child_file_added /home/a; ");
	assert_label(&m, 1, 0, "{\"rules\":[\"empty\"],\"awaiting\":true,\"jobs\":[1]}");
}

static void a_file_renamed_out_of_the_rule_while_it_settles_does_not_fire(void **state)
{
	AUTO_MONITOR m;

	monitor_start(&m, *state, rules);
	hear(&m, "[" WRITTEN("9", "x.dat") "," WRITTEN("8", "y.dat") "," FROM("9", "x.dat") "," TO(
			 "9", "x.old") "," FROM("8", "y.dat") "," TO("8", "z.dat") "]");
	settle_down(&m);
	pass(&m, 5000);
	assert_jobs(&m, "renamed child_file_moved_to /home/x.old < /home/x.dat; "
			"renamed child_file_moved_to /home/z.dat < /home/y.dat; "
			"quiet child_data_written /home/z.dat; ");
}

static void a_timer_whose_rule_is_gone_is_dropped(void **state)
{
	AUTO_MONITOR m;

	monitor_start(&m, *state, rules);
	hear(&m, "[" WRITTEN("9", "x.dat") "]");
	settle_down(&m);
	offer(&m, "version: 1\nwatched_items: []\n");
	settle_down(&m);
	pass(&m, 5000);
	assert_jobs(&m, "");
}

static void an_echo_is_labelled_and_only_rules_that_ask_see_it(void **state)
{
	AUTO_MONITOR m;

	monitor_start(&m, *state, rules);
	expect_echo(&m, 17, CHILD_ACL_CHANGED, "7");
	expect_echo(&m, 18, CHILD_FILE_ADDED, "8");
	hear(&m, "[{\"type\":\"child_acl_changed\",\"spine\":[\"7\"],\"path\":\"a.own\"},"
		 "{\"type\":\"child_file_added\",\"spine\":[\"8\"],\"path\":\"b.zip\"},"
		 "{\"type\":\"child_file_added\",\"spine\":[\"9\"],\"path\":\"b.zip\"},"
		 "{\"type\":\"child_file_added\",\"spine\":[\"8\"],\"path\":\"b.zip\"}]");
	settle_down(&m);
	assert_jobs(&m, "own child_acl_changed /home/a.own; zips child_file_added /home/b.zip; ");
	assert_label(&m, 1, 0, "{\"echo_of\":17,\"step\":0,\"rules\":[\"own\"],\"jobs\":[1]}");
	assert_label(&m, 1, 1, "{\"echo_of\":18,\"step\":0}");
	assert_label(&m, 1, 2, "{\"rules\":[\"zips\"],\"jobs\":[2]}");
	assert_label(&m, 1, 3, "{\"echo_of\":18,\"step\":0}"); /* told a second time */
	assert_int_equal(status_of(&m).echoes, 3);
}

static bool count_key(void *ctx, struct text key, struct text value)
{
	(*(size_t *)ctx)++;
	return true;
}

static size_t count_expectations(struct monitor *m)
{
	size_t count = 0;

	ok(m->f,
	   store_peek_scan(m->f->store, SPACE_EXPECT, TEXT_NONE, count_key, &count, &m->f->err));
	return count;
}

static void an_echo_that_never_comes_is_forgotten_once_the_log_is_judged(void **state)
{
	AUTO_MONITOR m;

	monitor_start(&m, *state, rules);
	settle_down(&m);
	expect_echo(&m, 18, CHILD_FILE_ADDED, "1");
	clock_advance(3600000);
	monitor_restart(&m);
	settle_down(&m);
	assert_int_equal(count_expectations(&m), 0);
}

static void our_own_rename_is_no_rename_to_the_rules(void **state)
{
	AUTO_MONITOR m;

	monitor_start(&m, *state, rules);
	expect_echo(&m, 17, CHILD_FILE_MOVED_FROM, "7");
	expect_echo(&m, 17, CHILD_FILE_MOVED_TO, "7");
	hear(&m, "[" FROM("7", "a") "]");
	settle_down(&m);
	assert_label(&m, 1, 0, "{\"echo_of\":17,\"step\":0}");
	monitor_restart(&m);
	hear(&m, "[" TO("7", "b") "]");
	settle_down(&m);
	pass(&m, 1000);
	assert_jobs(&m, "");
	assert_label(&m, 1, 0, "{\"echo_of\":17,\"step\":0}");
	assert_label(&m, 2, 0, "{\"echo_of\":17,\"step\":0,\"old_path\":\"/home/a\"}");
}

static void an_echo_is_known_however_late_it_is_judged(void **state)
{
	AUTO_MONITOR m;

	monitor_start(&m, *state, rules);
	expect_echo(&m, 18, CHILD_FILE_ADDED, "1");
	monitor_stop(&m);
	hear(&m, ZIP("1"));
	clock_advance(3600000);
	monitor_go_on(&m);
	settle_down(&m);
	assert_jobs(&m, "");
	assert_int_equal(status_of(&m).echoes, 1);
}

static void what_cannot_be_read_is_told_and_labelled(void **state)
{
	AUTO_MONITOR m;

	monitor_start(&m, *state, rules);
	hear(&m, "{\"error_class\":\"fs_watcher_missed_events_error\"}");
	hear(&m, "[" ITEM("child_file_added", "1", "1.zip") ",7," ITEM("child_file_added", "2",
								       "2.zip") "]");
	hear(&m, "[{\"type\":\"self_removed\",\"spine\":[\"2\"],\"path\":\"\"}]");
	settle_down(&m);
	assert_jobs(&m, "zips child_file_added /home/1.zip; zips child_file_added /home/2.zip; ");
	assert_string_equal(m.troubles->data,
			    "0: the cluster reported fs_watcher_missed_events_error; ");
	assert_label(&m, 1, 0,
		     "{\"trouble\":\"the cluster reported fs_watcher_missed_events_error\"}");
	assert_label(&m, 2, 1, "{\"trouble\":\"event 1 of the message: not an object\"}");
	hear(&m, "[{\"type\":\"self_removed\",\"spine\":[\"2\"],\"path\":\"\"}]");
	settle_down(&m);
	assert_string_equal(m.troubles->data,
			    "0: the cluster reported fs_watcher_missed_events_error; "
			    "0: the watched directory was removed; ");
}

static void a_record_of_a_watch_that_is_no_more_is_passed_over(void **state)
{
	AUTO_MONITOR m;

	monitor_start(&m, *state, rules);
	hear_as(&m, "gone", ZIP("1"));
	hear(&m, ZIP("2"));
	settle_down(&m);
	assert_jobs(&m, "zips child_file_added /home/2.zip; ");
}

static void a_new_set_judges_what_comes_behind_it_and_is_written_down(void **state)
{
	AUTO_MONITOR m;
	char *noted;

	monitor_start(&m, *state, rules);
	hear(&m, ZIP("1"));
	settle_down(&m);
	offer(&m, "version: 1\nwatched_items:\n"
		  "- {name: new, when: {extension: .zip}, actions: [log]}\n");
	settle_down(&m);
	assert_int_equal(m.swaps, 1);
	assert_int_equal(m.swapped_after, 1);
	hear(&m, ZIP("2"));
	settle_down(&m);
	assert_jobs(&m, "zips child_file_added /home/1.zip; new child_file_added /home/2.zip; ");
	ok(m.f, store_peek(m.f->store, SPACE_META, TEXT("rules/main/0000000000000001"), &noted,
			   &m.f->err));
	assert_non_null(noted);
	assert_non_null(strstr(noted, "\"digest\":\""));
	free(noted);
	ok(m.f, store_peek(m.f->store, SPACE_META, TEXT("rules/main/0000000000000000"), &noted,
			   &m.f->err));
	assert_non_null(noted);
	free(noted);
}

static void put_item_of(struct monitor *m, enum event_type type, const char *path, uint64_t after,
			uint64_t until, const char *id)
{
	struct event event = { .type = type,
			       .type_name = text_of(event_type_name(type)),
			       .kinds = EVENT_KIND(type),
			       .file_id = text_of(id),
			       .path = text_of(path),
			       .watch = TEXT("main") };
	struct inbox_item item = { .after_seq = after, .until_seq = until, .event = &event };
	struct store_txn *txn;

	ok(m->f, store_begin(m->f->store, &txn, &m->f->err));
	ok(m->f, inbox_put(txn, &item, &m->f->err));
	ok(m->f, store_commit(txn, &m->f->err));
}

static void put_item(struct monitor *m, uint64_t after, uint64_t until, const char *id)
{
	put_item_of(m, CHILD_ACL_CHANGED, "/home/a.own", after, until, id);
}

#define CHMOD(id) "[" ITEM("child_acl_changed", id, "a.own2") "]"

static void an_item_of_the_inbox_is_judged_unless_the_users_event_came(void **state)
{
	AUTO_MONITOR m;

	monitor_start(&m, *state, rules);
	hear(&m, CHMOD("6")); /* before the request: it does not count */
	expect_echo(&m, 17, CHILD_ACL_CHANGED, "6");
	expect_echo(&m, 18, CHILD_ACL_CHANGED, "7");
	hear(&m, CHMOD("6")); /* the echo */
	hear(&m, CHMOD("7")); /* the echo */
	hear(&m, CHMOD("7")); /* the user */
	settle_down(&m);
	put_item(&m, 1, 4, "6");
	put_item(&m, 1, 4, "7");
	put_item(&m, 1, 9, "8"); /* its turn has not come */
	settle_down(&m);
	assert_jobs(&m, "own child_acl_changed /home/a.own; ");
	for (int i = 0; i < 5; i++)
		hear(&m, "[]");
	settle_down(&m);
	assert_jobs(&m, "own child_acl_changed /home/a.own; own child_acl_changed /home/a.own; ");
}

/* It is judged as something new, however it came; unless that was heard. */
static void what_was_put_back_is_judged_unless_its_coming_was_heard(void **state)
{
	AUTO_MONITOR m;

	monitor_start(&m, *state, rules);
	hear(&m, "[" TO("7", "x.gz") "]");
	settle_down(&m);
	put_item_of(&m, CHILD_FILE_ADDED, "/home/b.zip", 0, 1, "7");
	put_item_of(&m, CHILD_FILE_ADDED, "/home/c.zip", 0, 1, "8");
	settle_down(&m);
	assert_jobs(&m, "zips child_file_added /home/c.zip; ");
}

static void a_store_that_fails_loses_nothing(void **state)
{
	AUTO_MONITOR m;

	monitor_start(&m, *state, rules);
	hear(&m, "[" FROM("7", "a") "]");
	settle_down(&m);
	hear(&m, "[" TO("7", "b") "," ITEM("child_file_added", "1", "1.zip") "]");
	fill_store(&m, true);
	settle_down(&m);
	assert_jobs(&m, "");
	assert_int_not_equal(status_of(&m).trouble[0], 0);
	assert_int_equal(status_of(&m).cursor, 1);
	fill_store(&m, false);
	clock_advance(1000);
	hear(&m, ZIP("2"));
	settle_down(&m);
	assert_jobs(&m, "renamed child_file_moved_to /home/b < /home/a; "
			"zips child_file_added /home/1.zip; zips child_file_added /home/2.zip; ");
	assert_int_equal(status_of(&m).trouble[0], 0);
}

static void ids_and_names_of_any_length_stop_nothing(void **state)
{
	AUTO_MONITOR m;
	AUTO(free)
	char *message = str_format(
		"[" ITEM("child_file_added", "%05000d", "%05000d.zip") "," FROM(
			"%05000d",
			"a") "," TO("%05000d",
				    "b") "," WRITTEN("%05000d",
						     "%05000d.dat") "," FROM("",
									     "c") "," TO("",
											 "d") "]",
		1, 2, 3, 3, 4, 4);

	monitor_start(&m, *state, rules);
	hear(&m, message);
	settle_down(&m);
	pass(&m, 10000);
	assert_int_equal(status_of(&m).jobs, 4);
	assert_int_equal(status_of(&m).trouble[0], 0);
}

static void a_big_record_and_many_small_ones_are_judged_in_order(void **state)
{
	AUTO_MONITOR m;
	AUTO(buf_free) struct buf *message = buf_new(64 << 20);
	AUTO(buf_free) struct buf *wanted = buf_new(64 << 20);

	monitor_start(&m, *state, rules);
	assert_true(buf_append(message, "[", 1));
	for (int i = 0; i < 30000; i++) {
		assert_true(buf_print(message, "%s" ITEM("%s", "%d", "%d.%s"), i ? "," : "",
				      "child_file_added", i, i, i % 100 ? "txt" : "zip"));
		if (i % 100 == 0)
			assert_true(buf_print(wanted, "zips child_file_added /home/%d.zip; ", i));
	}
	assert_true(buf_append(message, "]", 1));
	hear(&m, message->data);
	for (int i = 0; i < 300; i++) {
		AUTO(free)
		char *small = str_format("[" ITEM("child_file_added", "x%d", "x%d.zip") "]", i, i);

		assert_true(buf_print(wanted, "zips child_file_added /home/x%d.zip; ", i));
		hear(&m, small);
	}
	settle_down(&m);
	assert_jobs(&m, wanted->data);
	assert_int_equal(status_of(&m).events, 30300);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_event_that_a_rule_matches_becomes_a_job),
		cmocka_unit_test(what_is_judged_is_not_judged_again_after_a_restart),
		cmocka_unit_test(records_from_before_the_start_are_judged),
		cmocka_unit_test(a_rename_is_one_event_with_its_old_path),
		cmocka_unit_test(half_a_rename_is_judged_when_its_window_has_passed),
		cmocka_unit_test(a_filter_that_is_behind_decides_as_one_that_is_not),
		cmocka_unit_test(a_rule_with_settle_fires_when_the_file_is_quiet),
		cmocka_unit_test(what_is_announced_and_not_written_is_told_in_time),
		cmocka_unit_test(a_file_renamed_out_of_the_rule_while_it_settles_does_not_fire),
		cmocka_unit_test(a_timer_whose_rule_is_gone_is_dropped),
		cmocka_unit_test(an_echo_is_labelled_and_only_rules_that_ask_see_it),
		cmocka_unit_test(an_echo_that_never_comes_is_forgotten_once_the_log_is_judged),
		cmocka_unit_test(our_own_rename_is_no_rename_to_the_rules),
		cmocka_unit_test(an_echo_is_known_however_late_it_is_judged),
		cmocka_unit_test(what_cannot_be_read_is_told_and_labelled),
		cmocka_unit_test(a_record_of_a_watch_that_is_no_more_is_passed_over),
		cmocka_unit_test(a_new_set_judges_what_comes_behind_it_and_is_written_down),
		cmocka_unit_test(an_item_of_the_inbox_is_judged_unless_the_users_event_came),
		cmocka_unit_test(what_was_put_back_is_judged_unless_its_coming_was_heard),
		cmocka_unit_test(a_store_that_fails_loses_nothing),
		cmocka_unit_test(ids_and_names_of_any_length_stop_nothing),
		cmocka_unit_test(a_big_record_and_many_small_ones_are_judged_in_order),
	};

	return run_on_every_store(tests, ARRAY_SIZE(tests));
}
