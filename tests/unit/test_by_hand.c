#include "check.h"

#include "event/by_hand.h"

static struct event *by_hand(const char *json)
{
	struct event *event = NULL;
	AUTO_ERROR err = { 0 };

	if (event_by_hand(&event, text_of(json), TEXT("/share"), &err) < 0)
		fail_msg("%s: %s", json, error_text(&err));
	return event;
}

static void becomes(const char *json, enum event_type type, event_kinds more, const char *path)
{
	struct event *event = by_hand(json);

	assert_int_equal(event->type, type);
	assert_int_equal(event->kinds, EVENT_KIND(type) | more);
	assert_true(text_is(event->path, path));
	free(event);
}

static void is_refused(const char *json, const char *why)
{
	struct event *event;
	AUTO_ERROR err = { 0 };

	assert_int_equal(event_by_hand(&event, text_of(json), TEXT("/"), &err), -1);
	assert_string_equal(error_text(&err), why);
}

static void a_group_stands_for_its_type_about_files(void **state)
{
	becomes("{\"event\":\"created\",\"path\":\"/a\"}", CHILD_FILE_ADDED, 0, "/a");
	becomes("{\"event\":\"written\",\"path\":\"/a\"}", CHILD_DATA_WRITTEN, 0, "/a");
	becomes("{\"event\":\"moved_in\",\"path\":\"/a\"}", CHILD_FILE_MOVED_TO, EVENT_MOVED_IN,
		"/a");
	becomes("{\"event\":\"moved_out\",\"path\":\"/a\"}", CHILD_FILE_MOVED_FROM, EVENT_MOVED_OUT,
		"/a");
}

static void a_slash_at_the_end_makes_it_a_directory(void **state)
{
	becomes("{\"event\":\"created\",\"path\":\"/a/\"}", CHILD_DIR_ADDED, 0, "/a");
	becomes("{\"event\":\"renamed\",\"path\":\"/a/\",\"old_path\":\"/b\"}", CHILD_DIR_MOVED_TO,
		EVENT_RENAMED, "/a");
}

static void the_clusters_own_form_is_below_the_watched_directory(void **state)
{
	becomes("[{\"type\":\"child_file_added\",\"path\":\"a/b\",\"spine\":[\"2\",\"3\"]}]",
		CHILD_FILE_ADDED, 0, "/share/a/b");
}

static void half_a_move_is_one_without_the_other(void **state)
{
	becomes("{\"type\":\"child_dir_moved_to\",\"path\":\"/a\"}", CHILD_DIR_MOVED_TO,
		EVENT_MOVED_IN, "/a");
	becomes("{\"type\":\"child_file_moved_from\",\"path\":\"/a\"}", CHILD_FILE_MOVED_FROM,
		EVENT_MOVED_OUT, "/a");
	becomes("{\"type\":\"child_file_moved_to\",\"path\":\"/a\",\"old_path\":\"/b\"}",
		CHILD_FILE_MOVED_TO, EVENT_RENAMED, "/a");
}

static void what_is_no_event_is_refused_with_a_wish(void **state)
{
	const char *example = "{\"event\":\"created\",\"path\":\"/home/a.jpg\"}";
	AUTO(free)
	char *no_event = str_format("the event has no 'event': expected one like %s", example);
	AUTO(free)
	char *no_path = str_format("the event has no 'path': expected one like %s", example);
	AUTO(free) char *no_object = str_format("expected one event, like %s", example);

	is_refused("{\"path\":\"/a\"}", no_event);
	is_refused("{\"event\":\"created\"}", no_path);
	is_refused("[]", no_object);
	is_refused("{\"event\":\"creatd\",\"path\":\"/a\"}",
		   "event 'creatd': did you mean 'created'?");
	is_refused("{\"event\":\"any\",\"path\":\"/a\"}",
		   "event 'any' is no event: name one, like created");
	is_refused("{\"event\":\"renamed\",\"path\":\"/a\"}",
		   "a renamed file has an old path: expected a member "
		   "\"old_path\":\"/home/a.tmp\"");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_group_stands_for_its_type_about_files),
		cmocka_unit_test(a_slash_at_the_end_makes_it_a_directory),
		cmocka_unit_test(the_clusters_own_form_is_below_the_watched_directory),
		cmocka_unit_test(half_a_move_is_one_without_the_other),
		cmocka_unit_test(what_is_no_event_is_refused_with_a_wish),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
