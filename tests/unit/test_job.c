/* A job's body, from the filter's hand to act's, and the inbox between them the other way. */
#include "stores.h"

#include "app/inbox.h"
#include "app/job.h"

static const struct rule_step steps[] = {
	{ .module = "quarantine", .options = "{\"to\":\"/q\"}" },
	{ .module = "email", .name = "tell-ops", .options = "\"ops@example.com\"" },
};

static const struct rule rule = { .name = "r", .steps = steps, .step_count = 2 };

static struct event some_event(void)
{
	return (struct event){
		.type = CHILD_FILE_ADDED,
		.type_name = TEXT("child_file_added"),
		.path = TEXT("/home/\xc3\xa4 \"b\".jpg"),
		.file_id = TEXT("12345678901234567890123456789"),
		.parent_id = TEXT("5"),
		.watch = TEXT("main"),
		.seq = 7,
	};
}

static struct job_body new_body(void)
{
	struct event event = some_event();
	AUTO(free) char *text = job_body_new(&rule, "abc", &event);
	struct job_body body;
	AUTO_ERROR err = { 0 };

	if (job_body_read(&body, text, &err) < 0)
		fail_msg("%s", error_text(&err));
	return body;
}

static void a_new_body_says_what_the_rule_and_the_event_said(void **state)
{
	struct job_body body = new_body();
	AUTO(free) char *options = job_body_options(&body);

	assert_string_equal(body.rule, "r");
	assert_string_equal(body.watch, "main");
	assert_false(body.is_dry_run);
	assert_true(text_equal(body.event->path, some_event().path));
	assert_int_equal(body.event->seq, 7);
	assert_int_equal(body.step, 0);
	assert_int_equal(body.step_count, 2);
	assert_string_equal(job_body_module(&body), "quarantine");
	assert_string_equal(options, "{\"to\":\"/q\"}");
	job_body_clear(&body);
}

static void progress_survives_being_written_and_read(void **state)
{
	struct job_body body = new_body(), again;
	json_t *result = json_pack("{s:s}", "path", "/q/a");

	json_object_set_new(body.memory, "target", json_string("/q/a"));
	assert_true(job_body_remembers(&body, "/q/a"));
	job_body_note(&body, "retry", "busy", 1, 1000);
	job_body_note(&body, "done", "moved to /q/a", 2, 2000);
	job_body_next_step(&body, result);
	assert_false(job_body_remembers(&body, "/q/a"));
	job_body_note(&body, "done", NULL, 1, 3000);

	AUTO(free) char *text = job_body_text(&body);

	assert_int_equal(job_body_read(&again, text, NULL), 0);
	AUTO(free) char *options = job_body_options(&again);
	AUTO(free) char *summary = job_body_summary(&again);

	assert_int_equal(again.step, 1);
	assert_string_equal(options, "\"ops@example.com\"");
	assert_string_equal(json_string_value(json_object_get(
				    json_object_get(again.results, "quarantine"), "path")),
			    "/q/a");
	assert_string_equal(summary, "quarantine: moved to /q/a; email: done");
	json_decref(result);
	job_body_clear(&body);
	job_body_clear(&again);
}

static void an_event_moves_with_its_file(void **state)
{
	struct job_body body = new_body();

	job_body_move_event(&body, "/home/elsewhere.jpg");
	assert_true(text_is(body.event->path, "/home/elsewhere.jpg"));
	assert_int_equal(body.event->parent_id.size, 0);
	assert_string_equal(job_body_path(&body), "/home/elsewhere.jpg");
	job_body_set_path(&body, "/q/a");
	assert_true(text_is(body.event->path, "/home/elsewhere.jpg"));
	job_body_clear(&body);
}

static void what_is_no_body_is_refused_with_a_reason(void **state)
{
	static const char *const wrong[] = {
		"",
		"[]",
		"{}",
		"{\"rule\":\"r\",\"watch\":\"m\",\"steps\":[{}],\"event\":{}}",
		"{\"rule\":\"r\",\"watch\":\"m\",\"steps\":[],\"step\":1}",
		"{\"rule\":\"r\",\"watch\":\"m\",\"steps\":[]}",
	};

	for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
		struct job_body body;
		AUTO_ERROR err = { 0 };

		assert_int_equal(job_body_read(&body, wrong[i], &err), -1);
		assert_non_null(strstr(error_text(&err), "cannot be read"));
	}
}

static void the_inbox_keeps_order_and_never_gives_a_number_twice(void **state)
{
	struct fixture *f = *state;
	struct event event = some_event();
	struct inbox_item item = { .after_seq = 3, .until_seq = 9, .event = &event }, out;
	struct store_txn *txn;

	assert_int_equal(inbox_has_any(f->store, &f->err), 0);
	ok(f, store_begin(f->store, &txn, &f->err));
	ok(f, inbox_put(txn, &item, &f->err));
	item.after_seq = 4;
	ok(f, inbox_put(txn, &item, &f->err));
	ok(f, store_commit(txn, &f->err));
	assert_int_equal(inbox_has_any(f->store, &f->err), 1);
	ok(f, store_begin(f->store, &txn, &f->err));
	assert_int_equal(inbox_next(txn, 0, &out, &f->err), 1);
	assert_int_equal(out.after_seq, 3);
	assert_int_equal(out.until_seq, 9);
	assert_true(text_equal(out.event->path, event.path));
	free(out.event);
	assert_int_equal(inbox_next(txn, out.number, &out, &f->err), 1);
	assert_int_equal(out.number, 2);
	free(out.event);
	assert_int_equal(inbox_next(txn, out.number, &out, &f->err), 0);
	ok(f, inbox_remove(txn, 1, &f->err));
	ok(f, inbox_remove(txn, 2, &f->err));
	ok(f, inbox_put(txn, &item, &f->err));
	assert_int_equal(inbox_next(txn, 0, &out, &f->err), 1);
	assert_int_equal(out.number, 3);
	free(out.event);
	ok(f, store_commit(txn, &f->err));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_new_body_says_what_the_rule_and_the_event_said),
		cmocka_unit_test(progress_survives_being_written_and_read),
		cmocka_unit_test(an_event_moves_with_its_file),
		cmocka_unit_test(what_is_no_body_is_refused_with_a_reason),
		cmocka_unit_test(the_inbox_keeps_order_and_never_gives_a_number_twice),
	};

	return run_on_every_store(tests, ARRAY_SIZE(tests));
}
