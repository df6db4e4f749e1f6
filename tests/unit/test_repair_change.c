#include "stores.h"

#include "app/repair_change.h"
#include "app/repair_heard.h"

/* Clocks: the cluster's is 100 s ahead of ours; the gap began at 50 s of ours. */
#define AHEAD_MS 100000
#define AT(ms) (((int64_t)(ms) + AHEAD_MS) * 1000000)

static const struct change_times times = { 50000, -AHEAD_MS - 1, -AHEAD_MS + 2 };

static const struct heard_gap gap = { 50000, 55000 };

struct scene {
	struct fixture *f;
	struct heard *heard;
};

static void say_as(struct scene *scene, enum origin origin, int64_t time_ms, const char *events)
{
	const struct record record = { .time_ms = time_ms,
				       .origin = origin,
				       .watch = TEXT("main"),
				       .bytes = text_of(events) };
	uint64_t seq;

	ok(scene->f, store_log_append(scene->f->store, &record, &seq, &scene->f->err));
	ok(scene->f, store_log_commit(scene->f->store, &scene->f->err));
	assert_int_equal(store_log_drain(scene->f->store, 5000, &scene->f->err), 1);
}

static void say(struct scene *scene, int64_t time_ms, const char *type, const char *id,
		const char *path)
{
	AUTO(free)
	char *events = str_format("[{\"type\":\"%s\",\"spine\":[\"2\",\"%s\"],\"path\":\"%s\"}]",
				  type, id, path);

	say_as(scene, ORIGIN_LIVE, time_ms, events);
}

static void hear(struct scene *scene)
{
	ok(scene->f, heard_read(scene->heard, &scene->f->err));
}

static void scene_open(struct scene *scene, void **state)
{
	scene->f = *state;
	scene->heard = heard_new(scene->f->store, "main", "/", 0, 0, 60000, gap);
}

static void scene_close(struct scene *scene)
{
	heard_free(scene->heard);
}
#define SCENE __attribute__((cleanup(scene_close))) struct scene

static struct walk_entry entry_at(const char *id, const char *path, int64_t changed_ms)
{
	return (struct walk_entry){ .id = (char *)id,
				    .name = (char *)path + 1,
				    .path = (char *)path,
				    .type = FILE_REGULAR,
				    .size = 1,
				    .mode = (char *)"0644",
				    .owner = (char *)"1",
				    .group = (char *)"1",
				    .data_revision = (char *)"7",
				    .tag_revision = (char *)"0",
				    .num_links = 1,
				    .changed_ns = AT(changed_ms),
				    .modified_ns = AT(changed_ms),
				    .created_ns = AT(0),
				    .accessed_ns = AT(0) };
}

/* What is left of a change, as events; "" if nothing is. For free(). */
static char *news(struct scene *scene, enum change_what what, const struct walk_entry *entry,
		  event_kinds kinds)
{
	struct change *change = change_new(what, entry, entry->path);
	AUTO(buf_free) struct buf *out = buf_new(1 << 20);

	change->kinds = kinds;
	if (what == CHANGE_MOVED)
		change->old_path = str_copy("/old");
	assert_true(buf_append(out, "", 0));
	if (change_is_news(change, scene->heard, &times))
		change_print(change, "/", out);
	change_free(change);
	return str_copy(out->size ? out->data : "");
}

#define assert_news(scene, what, entry, kinds, ...)                        \
	do {                                                               \
		const char *wanted[] = { __VA_ARGS__ };                    \
		AUTO(free) char *found_ = news(scene, what, entry, kinds); \
		const char *at_ = found_;                                  \
		for (size_t i_ = 0; i_ < ARRAY_SIZE(wanted); i_++) {       \
			at_ = strstr(at_, wanted[i_]);                     \
			assert_non_null(at_);                              \
		}                                                          \
	} while (0)
#define assert_no_news(scene, what, entry, kinds)                          \
	do {                                                               \
		AUTO(free) char *found_ = news(scene, what, entry, kinds); \
		assert_string_equal(found_, "");                           \
	} while (0)

static void what_nobody_told_is_told_as_the_cluster_would(void **state)
{
	SCENE scene;
	struct walk_entry file = entry_at("8", "/a\"b", 55000);
	struct walk_entry directory = entry_at("9", "/d", 55000);

	directory.type = FILE_DIRECTORY;
	scene_open(&scene, state);
	hear(&scene);
	assert_news(&scene, CHANGE_CAME, &file, 0, "child_file_added", "\"a\\\"b\"",
		    "child_data_written", "child_size_changed");
	assert_news(&scene, CHANGE_MOVED, &file, 0, "child_file_moved_from", "\"old\"",
		    "child_file_moved_to", "\"a\\\"b\"");
	assert_news(&scene, CHANGE_MOVED, &directory, 0, "child_dir_moved_from",
		    "child_dir_moved_to");
	assert_news(&scene, CHANGE_WENT, &directory, 0, "child_dir_removed");
	assert_news(&scene, CHANGE_LEFT, &file, 0, "child_file_moved_from");
	assert_news(&scene, CHANGE_ARRIVED, &file, 0, "child_file_moved_to");
	assert_news(&scene, CHANGE_ALTERED, &file,
		    EVENT_KIND(CHILD_ACL_CHANGED) | EVENT_KIND(CHILD_MTIME_CHANGED),
		    "child_mtime_changed", "child_acl_changed");
}

static void what_the_stream_told_is_left_out(void **state)
{
	SCENE scene;
	struct walk_entry file = entry_at("8", "/a", 49990);

	scene_open(&scene, state);
	say(&scene, 49995, "child_file_added", "8", "a");
	say(&scene, 49996, "child_data_written", "8", "a");
	hear(&scene);
	assert_no_news(&scene, CHANGE_CAME, &file, 0);
	file.changed_ns = AT(55000); /* and was written in the gap */
	assert_news(&scene, CHANGE_CAME, &file, 0, "child_data_written");
	file.path = (char *)"/b"; /* and got another name */
	assert_news(&scene, CHANGE_CAME, &file, 0, "child_file_moved_from", "\"a\"",
		    "child_file_moved_to", "\"b\"");
	say(&scene, 62000, "child_data_written", "8", "a");
	hear(&scene);
	file.path = (char *)"/a";
	assert_no_news(&scene, CHANGE_CAME, &file, 0);
}

static void what_last_changed_before_the_gap_was_told(void **state)
{
	SCENE scene;
	struct walk_entry file = entry_at("8", "/a", 49990);
	event_kinds kinds = EVENT_KIND(CHILD_DATA_WRITTEN) | EVENT_KIND(CHILD_ACL_CHANGED);

	scene_open(&scene, state);
	hear(&scene);
	assert_no_news(&scene, CHANGE_ALTERED, &file, kinds);
	assert_no_news(&scene, CHANGE_MOVED, &file, 0);
	file.changed_ns = AT(49999); /* by the bounds of the clocks it may have been after it */
	assert_news(&scene, CHANGE_ALTERED, &file, kinds, "child_acl_changed",
		    "child_data_written");
	file.changed_ns = WALK_NO_TIME;
	assert_news(&scene, CHANGE_ALTERED, &file, kinds, "child_acl_changed");
}

static void each_kind_of_change_is_told_by_itself(void **state)
{
	SCENE scene;
	struct walk_entry file = entry_at("8", "/a", 61000);

	scene_open(&scene, state);
	say(&scene, 49000, "child_data_written", "8", "a");
	say(&scene, 61001, "child_acl_changed", "8", "a");
	hear(&scene);
	/* Written in the gap, perhaps; the change time is that of the permissions, told after it.
	 */
	AUTO(free)
	char *left = news(&scene, CHANGE_ALTERED, &file,
			  EVENT_KIND(CHILD_DATA_WRITTEN) | EVENT_KIND(CHILD_ACL_CHANGED));
	assert_non_null(strstr(left, "child_data_written"));
	assert_null(strstr(left, "child_acl_changed"));
}

static void what_went_was_told_if_the_stream_said_so_of_this_name(void **state)
{
	SCENE scene;
	struct walk_entry file = entry_at("8", "/a", 1);

	scene_open(&scene, state);
	say(&scene, 100, "child_file_added", "8", "a");
	say(&scene, 101, "child_file_added", "8", "link");
	say(&scene, 102, "child_file_removed", "8", "other");
	hear(&scene);
	assert_news(&scene, CHANGE_WENT, &file, 0, "child_file_removed");
	say(&scene, 103, "child_file_removed", "8", "link");
	hear(&scene);
	assert_no_news(&scene, CHANGE_WENT, &file, 0);
}

static void the_halves_of_a_move_may_come_in_any_order(void **state)
{
	SCENE scene;
	struct walk_entry file = entry_at("8", "/b", 55000), other = entry_at("9", "/b", 55000);

	scene_open(&scene, state);
	say(&scene, 100, "child_file_moved_from", "8", "old");
	say(&scene, 100, "child_file_moved_to", "8", "b");
	say(&scene, 100, "child_file_moved_to", "9", "b");
	say(&scene, 100, "child_file_moved_from", "9", "old");
	say(&scene, 100, "child_file_moved_from", "10", "a");
	hear(&scene);
	assert_no_news(&scene, CHANGE_MOVED, &file, 0);
	assert_no_news(&scene, CHANGE_MOVED, &other, 0);
	other.id = (char *)"10";
	other.path = (char *)"/a";
	assert_no_news(&scene, CHANGE_LEFT, &other, 0);
}

static void a_move_of_something_unknown_is_one_move_too(void **state)
{
	SCENE scene;

	scene_open(&scene, state);
	/* Close to the gap, where departures are looked for. */
	say(&scene, 51000, "child_file_moved_to", "20", "b");
	say(&scene, 51010, "child_file_moved_from", "20", "a");
	say(&scene, 51000, "child_file_moved_to", "21", "d");
	say(&scene, 53000, "child_file_moved_from", "21", "c"); /* of another move, out of here */
	hear(&scene);
	assert_int_equal(heard_place(scene.heard, "20", "/b"), HEARD_AT);
	assert_int_equal(heard_place(scene.heard, "21", "/d"), HEARD_AWAY);
}

/* Between two gaps that are repaired together. */
static void what_the_stream_took_up_elsewhere_has_left_its_old_place_too(void **state)
{
	SCENE scene;
	struct walk_entry file = entry_at("8", "/now", 54500);

	scene_open(&scene, state);
	for (int id = 8; id <= 11; id++) { /* from /old to /a nobody told */
		AUTO(free) char *text = str_format("%d", id);

		say(&scene, 52000, "child_file_moved_from", text, "a");
		say(&scene, 52000, "child_file_moved_to", text, id == 9 ? "now" : "b");
	}
	say(&scene, 52000, "child_file_moved_to", "12", "b"); /* from where nobody watches */
	hear(&scene);
	/* It moved once more: the halves of that are told first. */
	AUTO(free) char *moved = news(&scene, CHANGE_MOVED, &file, 0);
	const char *to = strstr(moved, "child_file_moved_to");
	assert_non_null(strstr(moved, "\"path\":\"b\""));
	assert_non_null(to);
	assert_non_null(strstr(to, "child_file_moved_from"));
	assert_non_null(strstr(to, "\"path\":\"old\""));
	/* It is where it was told to be. */
	file.id = (char *)"9";
	assert_news(&scene, CHANGE_MOVED, &file, 0, "child_file_moved_from", "old");
	/* It went, from there. */
	file.id = (char *)"10";
	file.path = (char *)"/old";
	assert_news(&scene, CHANGE_WENT, &file, 0, "child_file_removed", "\"b\"",
		    "child_file_moved_from", "\"old\"");
	/* It was not watched before. */
	file.id = (char *)"12";
	file.path = (char *)"/now";
	assert_news(&scene, CHANGE_ARRIVED, &file, 0, "child_file_moved_from", "\"b\"",
		    "child_file_moved_to", "\"now\"");
}

static void what_left_a_place_whose_directory_moved_was_told(void **state)
{
	SCENE scene;
	struct walk_entry file = entry_at("8", "/g", 54500);

	scene_open(&scene, state);
	say(&scene, 51000, "child_dir_moved_from", "7", "d");
	say(&scene, 51000, "child_dir_moved_to", "7", "e");
	say(&scene, 51100, "child_file_moved_from", "8", "e/f");
	say(&scene, 51100, "child_file_moved_to", "8", "x");
	say(&scene, 51200, "child_dir_moved_from", "7", "e");
	say(&scene, 51200, "child_dir_moved_to", "7", "g");
	hear(&scene);
	/* Before that it was /old, which nobody told it to have left. */
	file.id = (char *)"7";
	file.type = FILE_DIRECTORY;
	AUTO(free) char *left = news(&scene, CHANGE_MOVED, &file, 0);
	AUTO(free) char *inside = heard_carry(scene.heard, "/old/x", 0);
	assert_non_null(strstr(left, "child_dir_moved_from"));
	assert_non_null(strstr(left, "\"old\""));
	assert_string_equal(inside, "/g/x");
	assert_true(heard_left(scene.heard, "8", "/d/f"));
	assert_true(heard_left(scene.heard, "8", "/e/f"));
	assert_false(heard_left(scene.heard, "8", "/x"));
}

static void records_of_this_repair_tell_of_what_was_so_at_its_snapshot(void **state)
{
	SCENE scene = { .f = *state };
	struct walk_entry file = entry_at("8", "/a", 55000);
	event_kinds kinds = EVENT_KIND(CHILD_DATA_WRITTEN);

	say_as(&scene, ORIGIN_REPAIR, 70000,
	       "[{\"type\":\"child_data_written\",\"spine\":[\"8\"],\"path\":\"a\"}]");
	scene.heard = heard_new(scene.f->store, "main", "/", 0, 1, 60000, gap);
	hear(&scene);
	/* An earlier one's: when it was written says nothing of when it was so. */
	assert_news(&scene, CHANGE_ALTERED, &file, kinds, "child_data_written");
	heard_free(scene.heard);
	scene.heard = heard_new(scene.f->store, "main", "/", 0, 0, 60000, gap);
	hear(&scene);
	assert_no_news(&scene, CHANGE_ALTERED, &file, kinds);
}

/* What a file that moved in the gap did since, the stream tells from where it found it. */
static void what_moved_in_the_gap_and_on_since_has_left_its_old_place(void **state)
{
	SCENE scene;
	struct walk_entry file = entry_at("8", "/b", 57000);

	scene_open(&scene, state);
	say(&scene, 56000, "child_file_moved_from", "8", "b");
	say(&scene, 56000, "child_file_moved_to", "8", "c");
	say(&scene, 56000, "child_file_moved_to", "9", "c"); /* the halves the other way round */
	say(&scene, 56000, "child_file_moved_from", "9", "b");
	say(&scene, 56000, "child_file_moved_to", "10", "c"); /* from where nobody watches */
	say(&scene, 56000, "child_file_removed", "11", "b");
	hear(&scene);
	for (int id = 8; id <= 11; id++) {
		AUTO(free) char *text = str_format("%d", id);
		AUTO(free) char *told = NULL;

		file.id = text;
		told = news(&scene, CHANGE_MOVED, &file, 0);
		assert_non_null(strstr(told, "child_file_moved_from"));
		assert_non_null(strstr(told, "\"old\""));
		assert_null(strstr(told, "child_file_moved_to"));
		/* As if we were killed now. */
		AUTO(free)
		char *record = str_format("[{\"type\":\"child_file_moved_from\",\"spine\":"
					  "[\"2\",\"%d\"],\"path\":\"old\"}]",
					  id);
		say_as(&scene, ORIGIN_REPAIR, 61000, record);
	}
	hear(&scene);
	for (int id = 8; id <= 11; id++) {
		AUTO(free) char *text = str_format("%d", id);

		file.id = text;
		assert_no_news(&scene, CHANGE_MOVED, &file, 0);
	}
}

/* The snapshot is older than what the stream says. */
static void what_moved_since_the_gap_stays_where_it_is(void **state)
{
	SCENE scene;
	struct walk_entry file = entry_at("8", "/a", 57000);

	scene_open(&scene, state);
	say(&scene, 49000, "child_file_added", "8", "a");
	say(&scene, 61000, "child_file_moved_from", "8", "a");
	say(&scene, 61000, "child_file_moved_to", "8", "c");
	say(&scene, 61000, "child_file_moved_from", "9", "old");
	say(&scene, 61000, "child_file_moved_to", "9", "c");
	say(&scene, 61000, "child_file_removed", "10", "a");
	hear(&scene);
	AUTO(free) char *written = news(&scene, CHANGE_CAME, &file, 0);
	assert_non_null(strstr(written, "child_data_written"));
	assert_null(strstr(written, "moved"));
	file.id = (char *)"9";
	assert_no_news(&scene, CHANGE_MOVED, &file, 0);
	file.id = (char *)"10";
	assert_no_news(&scene, CHANGE_CAME, &file, 0);
	assert_no_news(&scene, CHANGE_WENT, &file, 0);
}

static void keep_departure(void *ctx, const char *id, const char *path, bool is_directory)
{
	struct buf *out = ctx;

	assert_true(buf_print(out, "%s %s%s;", id, path, is_directory ? "/" : ""));
}

static void what_was_told_to_be_elsewhere_has_left_from_there(void **state)
{
	SCENE scene;
	AUTO(buf_free) struct buf *left = buf_new(1 << 20);

	scene_open(&scene, state);
	say(&scene, 49000, "child_file_added", "8", "a");
	say(&scene, 49000, "child_file_added", "9", "a9");
	say(&scene, 49000, "child_dir_added", "10", "a10");
	say(&scene, 49000, "child_file_added", "11", "d/a11");
	say(&scene, 49000, "child_file_added", "12", "a12");
	say(&scene, 49000, "child_file_added", "13", "a13");
	say(&scene, 49000, "child_file_added", "13", "link");
	say(&scene, 49000, "child_file_moved_from", "14", "x"); /* told, whatever it was before */
	say(&scene, 56000, "child_file_moved_from", "8", "b");
	say(&scene, 56000, "child_file_moved_to", "8", "c");
	say(&scene, 56000, "child_file_moved_to", "9", "c9");
	say(&scene, 56000, "child_file_moved_from", "9", "b9");
	say(&scene, 56000, "child_dir_removed", "10", "b10");
	say(&scene, 56000, "child_file_moved_from", "11", "e/a11"); /* its directory moved */
	say(&scene, 56000, "child_file_moved_to", "11", "f");
	say(&scene, 56000, "child_file_moved_to", "12", "c12");
	say(&scene, 56000, "child_file_moved_from", "12", "a12");
	say(&scene, 56000, "child_file_removed", "13", "a13");
	say(&scene, 56000, "child_file_moved_to", "14", "y");
	say(&scene, 52000, "child_file_added", "15", "a15");
	say(&scene, 53000, "child_file_removed", "15", "b15"); /* between two gaps */
	hear(&scene);
	heard_note_move(scene.heard, "/d", "/e");
	heard_departures(scene.heard, keep_departure, left);
	assert_string_equal(left->data, "8 /a;9 /a9;10 /a10/;15 /a15;");
	say_as(&scene, ORIGIN_REPAIR, 61000,
	       "[{\"type\":\"child_file_moved_from\",\"spine\":[\"2\",\"8\"],\"path\":\"a\"}]");
	hear(&scene);
	buf_reset(left);
	heard_departures(scene.heard, keep_departure, left);
	assert_string_equal(left->data, "9 /a9;10 /a10/;15 /a15;");
}

static void keep_path(void *ctx, const struct event *event)
{
	char **all = ctx, *before = *all;

	*all = str_format("%s%.*s ", before, TEXT_ARGS(event->path));
	free(before);
}

/* What is visited of all that was told, each with a space behind it. For free(). */
static char *visited(struct scene *scene)
{
	char *all = str_copy("");
	uint64_t seq;

	assert_true(heard_visit(scene->heard, 0, 60000, 100, keep_path, &all, &seq,
				&scene->f->err) >= 0);
	return all;
}

static void what_left_with_its_directory_is_nowhere_to_be_looked_for(void **state)
{
	SCENE scene;

	scene_open(&scene, state);
	say(&scene, 1000, "child_dir_moved_to", "10", "d"); /* from where nobody watches */
	say(&scene, 1000, "child_dir_added", "11", "d/e");
	say(&scene, 1000, "child_file_added", "12", "d/e/f");
	say(&scene, 1000, "child_file_added", "13", "g");
	say(&scene, 2000, "child_dir_moved_from", "11", "d/e");
	say(&scene, 2000, "child_dir_moved_to", "11", "d/h");
	say(&scene, 3000, "child_dir_moved_from", "10", "d");
	say(&scene, 4000, "child_dir_added", "14", "d"); /* another one of that name */
	say(&scene, 4000, "child_file_added", "15", "d/f");
	hear(&scene);

	AUTO(free) char *left = visited(&scene);

	assert_string_equal(left, "/g /d /d/f ");
}

/* Of a move that the gap cut in two nobody knows where it went. */
static void what_perhaps_moved_with_its_directory_is_looked_for(void **state)
{
	SCENE scene;

	scene_open(&scene, state);
	say(&scene, 1000, "child_dir_added", "10", "d");
	say(&scene, 1000, "child_file_added", "12", "d/f");
	say(&scene, 1000, "child_dir_added", "11", "e");
	say(&scene, 1000, "child_file_added", "13", "e/f");
	say(&scene, 49500, "child_dir_moved_from", "10", "d");
	say_as(&scene, ORIGIN_REPAIR, 60000,
	       "[{\"type\":\"child_dir_moved_from\",\"spine\":[\"2\",\"11\"],\"path\":\"e\"}]");
	hear(&scene);

	AUTO(free) char *left = visited(&scene);

	assert_string_equal(left, "/d/f /e/f ");
}

static void what_moved_with_its_directory_is_looked_for(void **state)
{
	SCENE scene;

	scene_open(&scene, state);
	say(&scene, 1000, "child_dir_added", "10", "d");
	say(&scene, 1000, "child_file_added", "12", "d/f");
	say(&scene, 3000, "child_dir_moved_from", "10", "d");
	say(&scene, 3000, "child_dir_moved_to", "10", "e");
	hear(&scene);

	AUTO(free) char *left = visited(&scene);

	assert_string_equal(left, "/d/f /e ");
}

static void what_differs_is_found_by_comparing(void **state)
{
	struct walk_entry old = entry_at("8", "/a", 100), now = entry_at("8", "/a", 100);

	assert_int_equal(change_compare(&old, &now, false), 0);
	now.changed_ns = AT(200); /* nothing that can be seen: an entry of the ACL */
	assert_int_equal(change_compare(&old, &now, false), EVENT_KIND(CHILD_ACL_CHANGED));
	assert_int_equal(change_compare(&old, &now, true), 0);
	now.num_links = 2;
	assert_int_equal(change_compare(&old, &now, false), 0);
	now.num_links = 1;
	now.tag_revision = (char *)"1";
	assert_int_equal(change_compare(&old, &now, false), 0);
	now.data_revision = (char *)"8"; /* written, and its time put back */
	assert_int_equal(change_compare(&old, &now, false), EVENT_KIND(CHILD_DATA_WRITTEN));
	old.data_revision = (char *)"";
	assert_int_equal(change_compare(&old, &now, false), 0);
	now.modified_ns = AT(200);
	now.size = 2;
	now.mode = (char *)"0600";
	now.owner = (char *)"2";
	now.flags = 4;
	assert_int_equal(change_compare(&old, &now, false),
			 EVENT_KIND(CHILD_DATA_WRITTEN) | EVENT_KIND(CHILD_MTIME_CHANGED) |
				 EVENT_KIND(CHILD_SIZE_CHANGED) | EVENT_KIND(CHILD_ACL_CHANGED) |
				 EVENT_KIND(CHILD_OWNER_CHANGED) |
				 EVENT_KIND(CHILD_EXTRA_ATTRS_CHANGED));
	old.type = now.type = FILE_DIRECTORY; /* whose times change with its entries */
	assert_int_equal(change_compare(&old, &now, false),
			 EVENT_KIND(CHILD_ACL_CHANGED) | EVENT_KIND(CHILD_OWNER_CHANGED) |
				 EVENT_KIND(CHILD_EXTRA_ATTRS_CHANGED));
}

static void many_objects_are_remembered(void **state)
{
	SCENE scene;
	AUTO(buf_free) struct buf *events = buf_new(1 << 26);

	scene_open(&scene, state);
	assert_true(buf_append(events, "[", 1));
	for (int i = 0; i < 5000; i++)
		assert_true(buf_print(events,
				      "%s{\"type\":\"child_file_added\",\"spine\":[\"%d\"],"
				      "\"path\":\"f%d\"}",
				      i ? "," : "", i, i));
	assert_true(buf_append(events, "]", 1));
	say_as(&scene, ORIGIN_LIVE, 10, events->data);
	hear(&scene);
	for (int i = 0; i < 5000; i++) {
		AUTO(free) char *id = str_format("%d", i);
		AUTO(free) char *path = str_format("/f%d", i);

		assert_int_equal(heard_place(scene.heard, id, path), HEARD_AT);
		assert_int_equal(heard_place(scene.heard, id, "/f"), HEARD_ELSEWHERE);
	}
	assert_int_equal(heard_place(scene.heard, "5000", "/f5000"), HEARD_NOWHERE);
	assert_false(heard_is_full(scene.heard));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_nobody_told_is_told_as_the_cluster_would),
		cmocka_unit_test(what_the_stream_told_is_left_out),
		cmocka_unit_test(what_last_changed_before_the_gap_was_told),
		cmocka_unit_test(each_kind_of_change_is_told_by_itself),
		cmocka_unit_test(what_went_was_told_if_the_stream_said_so_of_this_name),
		cmocka_unit_test(the_halves_of_a_move_may_come_in_any_order),
		cmocka_unit_test(a_move_of_something_unknown_is_one_move_too),
		cmocka_unit_test(what_the_stream_took_up_elsewhere_has_left_its_old_place_too),
		cmocka_unit_test(what_left_a_place_whose_directory_moved_was_told),
		cmocka_unit_test(records_of_this_repair_tell_of_what_was_so_at_its_snapshot),
		cmocka_unit_test(what_moved_in_the_gap_and_on_since_has_left_its_old_place),
		cmocka_unit_test(what_moved_since_the_gap_stays_where_it_is),
		cmocka_unit_test(what_was_told_to_be_elsewhere_has_left_from_there),
		cmocka_unit_test(what_left_with_its_directory_is_nowhere_to_be_looked_for),
		cmocka_unit_test(what_perhaps_moved_with_its_directory_is_looked_for),
		cmocka_unit_test(what_moved_with_its_directory_is_looked_for),
		cmocka_unit_test(what_differs_is_found_by_comparing),
		cmocka_unit_test(many_objects_are_remembered),
	};

	return run_on_every_store(tests, ARRAY_SIZE(tests));
}
