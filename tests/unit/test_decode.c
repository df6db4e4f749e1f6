#include "check.h"

#include <stdio.h>
#include <time.h>

#include "base/buf.h"
#include "event/decode.h"
#include "event/json_text.h"

struct seen {
	struct decoder *decoder;
	struct event *events[64];
	size_t count;
	size_t stop_after;
};

static int setup(void **state)
{
	struct seen *seen = NEW(struct seen);

	seen->decoder = decoder_new();
	*state = seen;
	return 0;
}

static void forget(struct seen *seen)
{
	for (size_t i = 0; i < seen->count; i++)
		free(seen->events[i]);
	seen->count = 0;
}

static int teardown(void **state)
{
	struct seen *seen = *state;

	forget(seen);
	decoder_free(seen->decoder);
	free(seen);
	return 0;
}

static bool see(void *ctx, const struct event *event)
{
	struct seen *seen = ctx;

	seen->events[seen->count++] = event_copy(event);
	return seen->count != seen->stop_after;
}

static int decode(struct seen *seen, struct text json, const char *watch, struct error *err)
{
	size_t count;
	/* On the heap, so that reading past its end is seen. */
	AUTO(free) char *exact = mem_copy(json.data, json.size);

	forget(seen);

	int result = decode_message(seen->decoder, (struct text){ exact, json.size },
				    text_of(watch), see, seen, &count, err);

	assert_int_equal(count, seen->count);
	return result;
}

static void decode_well(struct seen *seen, const char *json)
{
	AUTO_ERROR err = { 0 };

	if (decode(seen, text_of(json), "/", &err) < 0)
		fail_msg("%s: %s", json, error_text(&err));
}

static void assert_text(struct text text, const char *wanted)
{
	AUTO(free) char *copy = text_copy(text);

	assert_string_equal(copy, wanted);
}

static void the_sample_of_the_cluster_is_read(void **state)
{
	struct seen *seen = *state;

	decode_well(seen, "[{\"type\":\"child_file_added\",\"spine\":[\"2\",\"10003\",\"20417\","
			  "\"880123\"],\"path\":\"home/ann/x.bin\",\"stream_name\":null}]");
	assert_int_equal(seen->count, 1);
	assert_int_equal(seen->events[0]->type, CHILD_FILE_ADDED);
	assert_int_equal(seen->events[0]->kinds, EVENT_KIND(CHILD_FILE_ADDED));
	assert_text(seen->events[0]->type_name, "child_file_added");
	assert_text(seen->events[0]->path, "/home/ann/x.bin");
	assert_text(seen->events[0]->file_id, "880123");
	assert_text(seen->events[0]->parent_id, "20417");
	assert_int_equal(seen->events[0]->stream.size, 0);
	assert_false(seen->events[0]->path_is_lossy);
}

static void events_keep_their_order_and_their_place(void **state)
{
	struct seen *seen = *state;

	decode_well(seen, "[{\"path\":\"a\",\"type\":\"x\"},{\"path\":\"b\"},{\"path\":\"c\"}]");
	assert_int_equal(seen->count, 3);
	for (size_t i = 0; i < 3; i++) {
		assert_int_equal(seen->events[i]->index, i);
		assert_int_equal(seen->events[i]->path.data[1], 'a' + i);
		assert_int_equal(seen->events[i]->type, EVENT_TYPE_UNKNOWN);
	}
	decode_well(seen, " [ ] ");
	assert_int_equal(seen->count, 0);
}

static void missing_null_and_unknown_members_are_tolerated(void **state)
{
	struct seen *seen = *state;

	decode_well(seen, "[{},"
			  "{\"type\":null,\"spine\":null,\"path\":null,\"stream_name\":null},"
			  "{\"new\":{\"path\":\"no\",\"a\":[1,{\"type\":\"no\"}]},\"spine\":[],"
			  "\"x\":[[\"no\"],{}],\"type\":\"self_removed\",\"y\":1e9,\"path\":\"\"},"
			  "{\"spine\":[ 7 , 340282366920938463463374607431768211455 ],\"path\":5,"
			  "\"stream_name\":\"Zone.Identifier\"},"
			  "{\"spine\":{\"a\":[1]},\"path\":\"a\"},"
			  "{\"spine\":\"12\",\"type\":[1],\"path\":{\"b\":\"c\"}},"
			  "{\"spine\":[null,[\"1\"],{\"a\":2},\"9\"]},"
			  "{\"spine\":[9x,-1]}]");
	assert_int_equal(seen->count, 8);
	assert_text(seen->events[0]->path, "/");
	assert_int_equal(seen->events[0]->type, EVENT_TYPE_UNKNOWN);
	assert_int_equal(seen->events[2]->type, SELF_REMOVED);
	assert_text(seen->events[3]->file_id, "340282366920938463463374607431768211455");
	assert_text(seen->events[3]->parent_id, "7");
	assert_text(seen->events[3]->stream, "Zone.Identifier");
	assert_text(seen->events[4]->path, "/a");
	assert_int_equal(seen->events[5]->file_id.size, 0);
	assert_text(seen->events[6]->file_id, "9");
	assert_int_equal(seen->events[6]->parent_id.size, 0);
	assert_int_equal(seen->events[7]->file_id.size, 0);
}

static void paths_become_absolute_with_single_slashes(void **state)
{
	struct seen *seen = *state;
	AUTO_ERROR err = { 0 };
	static const char *const cases[][3] = {
		{ "/", "a/b", "/a/b" },
		{ "/home", "a", "/home/a" },
		{ "/home/", "/a/", "/home/a" },
		{ "/home", "", "/home" },
		{ "/", "/", "/" },
		{ "/home", "//a///b//", "/home/a/b" },
		{ "/h\xc3\xa4", "a\\/b", "/h\xc3\xa4/a/b" },
		{ "", "a", "/a" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		AUTO(free) char *json = str_format("[{\"path\":\"%s\"}]", cases[i][1]);

		assert_int_equal(decode(seen, text_of(json), cases[i][0], &err), 0);
		assert_text(seen->events[0]->path, cases[i][2]);
	}
}

static void every_escape_is_undone(void **state)
{
	struct seen *seen = *state;

	decode_well(seen, "[{\"path\":\"\\\"\\\\\\b\\f\\n\\r\\t\\u00e4\\u20ac\\ud83d\\ude00 -x\","
			  "\"ty\\u0070e\":\"child_file_\\u0061dded\",\"spine\":[\"\\u0037\"]}]");
	assert_text(seen->events[0]->path,
		    "/\"\\\b\f\n\r\t\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80 -x");
	assert_int_equal(seen->events[0]->type, CHILD_FILE_ADDED);
	assert_text(seen->events[0]->file_id, "7");
	assert_false(seen->events[0]->path_is_lossy);
}

static void names_that_are_not_utf8_are_shown_lossily(void **state)
{
	struct seen *seen = *state;

	decode_well(seen, "[{\"path\":\"ok\\u00e4\"},{\"path\":\"a\xff\xfe"
			  "b\"},{\"path\":\"c\\udcffd\"},"
			  "{\"path\":\"e\\ud83dx\"},{\"path\":\"f\xef\xbf\xbd\"},"
			  "{\"path\":\"\xed\xa0\x80\"},{\"path\":\"\\ud83d\\u0041\"}]");
	assert_int_equal(seen->count, 7);
	assert_text(seen->events[0]->path, "/ok\xc3\xa4");
	assert_false(seen->events[0]->path_is_lossy);
	assert_text(seen->events[1]->path, "/a\xef\xbf\xbd\xef\xbf\xbd"
					   "b");
	assert_text(seen->events[2]->path, "/c\xef\xbf\xbd"
					   "d");
	assert_text(seen->events[3]->path, "/e\xef\xbf\xbdx");
	assert_text(seen->events[6]->path, "/\xef\xbf\xbd"
					   "A");
	for (size_t i = 1; i < 7; i++)
		assert_true(seen->events[i]->path_is_lossy);
}

static void a_damaged_element_is_named_and_the_others_are_visited(void **state)
{
	struct seen *seen = *state;
	static const char *const damages[] = {
		"{\"path\":\"x\\u0000y\"}",
		"{\"path\":\"\\q\"}",
		"7",
		"\"text\"",
		"[1,2]",
		"null",
		"{\"path\":\"\\u12\"}",
		"{\"error_class\":\"fs_watcher_missed_events_error\"}",
	};

	for (size_t i = 0; i < ARRAY_SIZE(damages); i++) {
		AUTO_ERROR err = { 0 };
		AUTO(free)
		char *json = str_format("[{\"path\":\"a\"},%s,{\"path\":\"b\"}]", damages[i]);

		assert_int_equal(decode(seen, text_of(json), "/", &err), -1);
		assert_int_equal(seen->count, 2);
		assert_text(seen->events[1]->path, "/b");
		assert_int_equal(seen->events[1]->index, 2);
		assert_non_null(err.text);
	}
}

static void an_error_object_is_named_by_its_class(void **state)
{
	struct seen *seen = *state;
	AUTO_ERROR err = { 0 };

	assert_int_equal(decode(seen,
				TEXT("{\"description\":\"too slow\",\"module\":\"x\","
				     "\"error_class\":\"fs_watcher_missed_events_error\"}"),
				"/", &err),
			 -1);
	assert_string_equal(error_text(&err),
			    "the cluster reported fs_watcher_missed_events_error: too slow");
}

static void what_is_no_array_is_an_error(void **state)
{
	struct seen *seen = *state;
	static const char *const wrong[] = { "",
					     " ",
					     "{}",
					     "7",
					     "null",
					     "oops",
					     "[",
					     "[{]",
					     "[{}",
					     "[{},]",
					     "[}",
					     "[{}]x",
					     "[{}][{}]",
					     "\"a\"",
					     "[\"a]",
					     "[{\"path\":\"a\" \"type\":\"b\"}]",
					     "[{\"path\" \"b\"}]",
					     "[{\"pa\nth\":\"b\"}]" };

	for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
		AUTO_ERROR err = { 0 };

		if (decode(seen, text_of(wrong[i]), "/", &err) == 0)
			fail_msg("accepted: %s", wrong[i]);
		assert_non_null(err.text);
	}
}

static void what_came_before_the_damage_is_visited(void **state)
{
	struct seen *seen = *state;
	AUTO_ERROR err = { 0 };

	assert_int_equal(
		decode(seen, TEXT("[{\"path\":\"a\"},{\"path\":\"b\"},{\"path\"]"), "/", &err), -1);
	assert_int_equal(seen->count, 2);
}

static void the_visitor_may_stop(void **state)
{
	struct seen *seen = *state;

	seen->stop_after = 2;
	decode_well(seen, "[{\"path\":\"a\"},{\"path\":\"b\"},{\"path\":\"c\"}]");
	assert_int_equal(seen->count, 2);
}

static void a_path_of_20000_characters_is_unharmed(void **state)
{
	struct seen *seen = *state;
	AUTO(free) char *path = mem_new(20001);

	for (size_t i = 0; i < 20000; i++)
		path[i] = i % 200 == 199 ? '/' : 'a' + i % 7;
	path[19999] = 'z';

	AUTO(free) char *json = str_format("[{\"path\":\"%s\"}]", path);

	decode_well(seen, json);
	assert_int_equal(seen->events[0]->path.size, 20001);
	assert_memory_equal(seen->events[0]->path.data + 1, path, 20000);
}

static bool count_one(void *ctx, const struct event *event)
{
	size_t *count = ctx;

	assert_int_equal(event->index, *count);
	(*count)++;
	return true;
}

static void a_message_of_64_mib_is_read(void **state)
{
	struct seen *seen = *state;
	AUTO(buf_free) struct buf *json = buf_new(100 << 20);
	AUTO_ERROR err = { 0 };
	size_t count = 0, answered, made = 0;

	assert_true(buf_append(json, "[", 1));
	for (; json->size < 64 << 20; made++)
		assert_true(buf_print(json,
				      "%s{\"type\":\"child_data_written\",\"spine\":[\"2\","
				      "\"%zu\"],\"path\":\"home/user%zu/file%zu.dat\","
				      "\"stream_name\":null}",
				      made ? "," : "", made, made % 100, made));
	assert_true(buf_append(json, "]", 1));

	clock_t start = clock();

	assert_int_equal(decode_message(seen->decoder, buf_text(json), TEXT("/"), count_one, &count,
					&answered, &err),
			 0);
	print_message("%zu events in %.3f s of CPU\n", made,
		      (double)(clock() - start) / CLOCKS_PER_SEC);
	assert_int_equal(count, made);
	assert_int_equal(answered, made);
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		CASE(the_sample_of_the_cluster_is_read),
		CASE(events_keep_their_order_and_their_place),
		CASE(missing_null_and_unknown_members_are_tolerated),
		CASE(paths_become_absolute_with_single_slashes),
		CASE(every_escape_is_undone),
		CASE(names_that_are_not_utf8_are_shown_lossily),
		CASE(a_damaged_element_is_named_and_the_others_are_visited),
		CASE(an_error_object_is_named_by_its_class),
		CASE(what_is_no_array_is_an_error),
		CASE(what_came_before_the_damage_is_visited),
		CASE(the_visitor_may_stop),
		CASE(a_path_of_20000_characters_is_unharmed),
		CASE(a_message_of_64_mib_is_read),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
