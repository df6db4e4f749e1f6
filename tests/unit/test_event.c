#include "check.h"

#include "base/clock.h"
#include "event/event.h"
#include "event/file.h"

static void every_type_is_found_by_its_name(void **state)
{
	for (int type = 0; type < EVENT_TYPE_COUNT; type++) {
		assert_int_equal(event_type_parse(text_of(event_type_name(type))), type);
		assert_int_equal(event_kinds_parse(text_of(event_type_name(type))),
				 EVENT_KIND(type));
	}
	assert_int_equal(event_type_parse(TEXT("child_moon_rose")), EVENT_TYPE_UNKNOWN);
	assert_int_equal(event_kinds_parse(TEXT("child_moon_rose")), 0);
	assert_int_equal(event_kinds_parse(TEXT("unknown")), 0);
	assert_int_equal(event_type_parse(TEXT("")), EVENT_TYPE_UNKNOWN);
	assert_int_equal(event_type_parse(TEXT("child_size_change")), CHILD_SIZE_CHANGED);
}

static void every_listed_kind_is_known_and_every_type_is_listed(void **state)
{
	event_kinds seen = 0;
	size_t count = 0;

	for (const char *const *name = event_kind_names(); *name; name++, count++) {
		event_kinds kinds = event_kinds_parse(text_of(*name));

		assert_int_not_equal(kinds, 0);
		if (kinds != EVENT_ANY)
			seen |= kinds;
	}
	assert_int_equal(count, EVENT_TYPE_COUNT + 9);
	assert_int_equal(seen, (EVENT_KIND(EVENT_TYPE_COUNT) - 1) | EVENT_RENAMED | EVENT_MOVED_IN |
				       EVENT_MOVED_OUT);
}

static void only_any_matches_a_type_from_the_future(void **state)
{
	event_kinds future = EVENT_KIND(EVENT_TYPE_UNKNOWN);

	for (const char *const *name = event_kind_names(); *name; name++)
		assert_int_equal((event_kinds_parse(text_of(*name)) & future) != 0,
				 strcmp(*name, "any") == 0);
}

static void a_moved_to_knows_its_other_half(void **state)
{
	assert_int_equal(event_type_moved_from(CHILD_DIR_MOVED_TO), CHILD_DIR_MOVED_FROM);
	assert_int_equal(event_type_moved_from(CHILD_FILE_ADDED), EVENT_TYPE_UNKNOWN);
	assert_true(event_type_is_directory(CHILD_DIR_MOVED_TO));
	assert_false(event_type_is_directory(CHILD_FILE_MOVED_TO));
}

static struct event sample(void)
{
	return (struct event){
		.type = CHILD_FILE_MOVED_TO,
		.type_name = TEXT("child_file_moved_to"),
		.kinds = EVENT_KIND(CHILD_FILE_MOVED_TO) | EVENT_RENAMED,
		.origin = ORIGIN_REPAIR,
		.path = TEXT("/home/\"joe\"/a\nb\\\xf0\x9f\x98\x80.jpg"),
		.old_path = TEXT("/home/joe/-b"),
		.file_id = TEXT("12345678901234567890123456789"),
		.parent_id = TEXT("2"),
		.watch = TEXT("main"),
		.seq = 77,
		.index = 3,
		.time_ms = 1795367289123,
		.path_is_lossy = true,
	};
}

static void assert_same(const struct event *a, const struct event *b)
{
	assert_int_equal(a->type, b->type);
	assert_int_equal(a->kinds, b->kinds);
	assert_int_equal(a->origin, b->origin);
	assert_int_equal(a->seq, b->seq);
	assert_int_equal(a->index, b->index);
	assert_int_equal(a->time_ms, b->time_ms);
	assert_int_equal(a->path_is_lossy, b->path_is_lossy);
	assert_true(text_equal(a->type_name, b->type_name));
	assert_true(text_equal(a->path, b->path));
	assert_true(text_equal(a->old_path, b->old_path));
	assert_true(text_equal(a->file_id, b->file_id));
	assert_true(text_equal(a->parent_id, b->parent_id));
	assert_true(text_equal(a->stream, b->stream));
	assert_true(text_equal(a->watch, b->watch));
}

static void an_event_goes_to_json_and_back_unharmed(void **state)
{
	struct event event = sample();
	AUTO(free) char *json = event_to_json(&event);
	AUTO_ERROR err = { 0 };
	struct event *back;

	assert_int_equal(event_from_json(&back, text_of(json), &err), 0);
	assert_same(&event, back);
	free(back);
}

static void a_move_out_stays_one_in_json(void **state)
{
	struct event event = { .type = CHILD_FILE_MOVED_FROM,
			       .kinds = EVENT_KIND(CHILD_FILE_MOVED_FROM) | EVENT_MOVED_OUT,
			       .path = TEXT("/a") };
	AUTO(free) char *json = event_to_json(&event);
	AUTO_ERROR err = { 0 };
	struct event *back;

	assert_string_equal(json, "{\"type\":\"child_file_moved_from\",\"path\":\"/a\","
				  "\"moved\":\"moved_out\",\"origin\":\"live\"}");
	assert_int_equal(event_from_json(&back, text_of(json), &err), 0);
	assert_int_equal(back->kinds, event.kinds);
	free(back);
}

static void the_clusters_own_form_is_read_too(void **state)
{
	AUTO_ERROR err = { 0 };
	struct event *event;

	assert_int_equal(event_from_json(&event,
					 TEXT("{\"spine\":[\"2\",\"10003\",880123],\"path\":"
					      "\"home/ann//x.bin/\",\"stream_name\":null,"
					      "\"type\":\"child_file_added\"}"),
					 &err),
			 0);
	assert_true(text_is(event->path, "/home/ann/x.bin"));
	assert_true(text_is(event->file_id, "880123"));
	assert_true(text_is(event->parent_id, "10003"));
	assert_int_equal(event->type, CHILD_FILE_ADDED);
	free(event);
}

static void what_is_no_event_is_refused_with_a_reason(void **state)
{
	static const char *const wrong[] = {
		"",
		"[]",
		"{}",
		"{\"type\":1}",
		"{\"type\":\"child_file_added\",\"path\":3}",
		"{\"type\":\"child_file_added\",\"path\":\"a\\u0000b\"}",
		"{\"type\":\"child_file_added\",\"path\":\"\\udc80\"}",
		"{\"type\":\"child_file_added\",\"origin\":\"the moon\"}",
		"{\"type\":\"child_file_added\",\"time\":\"noon\"}",
		"{\"type\":\"child_file_added\",\"seq\":-1}",
		"{\"type\":\"child_file_added\",\"moved\":\"any\"}",
	};

	for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
		AUTO_ERROR err = { 0 };
		struct event *event = NULL;

		assert_int_equal(event_from_json(&event, text_of(wrong[i]), &err), -1);
		assert_non_null(err.text);
		assert_null(event);
	}
}

static void a_copy_stands_on_its_own(void **state)
{
	struct event event = sample();
	char path[] = "/gone/soon";

	event.path = text_of(path);

	struct event *copy = event_copy(&event);

	assert_same(&event, copy);
	path[0] = 'X';
	assert_true(text_is(copy->path, "/gone/soon"));
	free(copy);
}

static void a_copied_file_info_stands_on_its_own(void **state)
{
	struct file_info info = { .id = str_copy("7"), .path = str_copy("/a"), .size = 5 };
	struct file_info copy;

	file_info_copy(&copy, &info);
	file_info_clear(&info);
	assert_null(info.id);
	assert_string_equal(copy.id, "7");
	assert_string_equal(copy.path, "/a");
	assert_null(copy.etag);
	assert_int_equal(copy.size, 5);
	file_info_clear(&copy);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_type_is_found_by_its_name),
		cmocka_unit_test(every_listed_kind_is_known_and_every_type_is_listed),
		cmocka_unit_test(only_any_matches_a_type_from_the_future),
		cmocka_unit_test(a_moved_to_knows_its_other_half),
		cmocka_unit_test(an_event_goes_to_json_and_back_unharmed),
		cmocka_unit_test(a_move_out_stays_one_in_json),
		cmocka_unit_test(the_clusters_own_form_is_read_too),
		cmocka_unit_test(what_is_no_event_is_refused_with_a_reason),
		cmocka_unit_test(a_copy_stands_on_its_own),
		cmocka_unit_test(a_copied_file_info_stands_on_its_own),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
