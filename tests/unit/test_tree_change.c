/* What the server does with the tree, and what is kept beside it. */
#include "tree_fixture.h"

#include "base/clock.h"

#define HOUR_NS (3600 * INT64_C(1000000000))

static int setup(void **state)
{
	*state = NEW(struct fixture);
	fixture_init(*state, "mkdir d; echo x > d/a; touch b");
	return 0;
}

static int teardown(void **state)
{
	clock_release();
	fixture_clear(*state);
	free(*state);
	return 0;
}

static void restart(struct fixture *f)
{
	fixture_close(f);
	fixture_open(f);
}

static void make(struct fixture *f, const char *directory, const char *name, enum tree_type type)
{
	struct tree_new what = { .type = type, .symlink_text = "d" };
	struct node *node = NULL;

	assert_int_equal(tree_create(f->tree, at(f, directory), text_of(name), &what, &node, NULL),
			 TREE_OK);
	assert_true(text_is(tree_name(node), name));
	assert_int_equal(tree_type(node), type);
}

/* The events of an operation are told when it returns, and inotify's own add nothing to them. */
static void told(struct fixture *f, const char *expected)
{
	assert_string_equal(f->heard->data, expected);
	says(f, expected);
}

static struct tree_stat stat_of(struct fixture *f, const char *path)
{
	struct tree_stat stat;

	tree_stat(f->tree, at(f, path), &stat);
	return stat;
}

/* ---- entries ---- */

static void each_kind_of_entry_is_added_once(void **state)
{
	struct fixture *f = *state;

	make(f, "/d", "f", TREE_FILE);
	told(f, "file_added d/f\n");
	make(f, "/", "n", TREE_DIRECTORY);
	told(f, "dir_added n\n");
	make(f, "/n", "l", TREE_SYMLINK);
	told(f, "file_added n/l\n");
	make(f, "/n", "p", TREE_PIPE);
	told(f, "file_added n/p\n");
	make(f, "/n", "s", TREE_SOCKET);
	told(f, "file_added n/s\n");
	run(f,
	    "test -f d/f && test -d n && test -L n/l && test -p n/p && test -S n/s; touch n/own");
	says(f, "file_added n/own\n");
	assert_int_equal(stat_of(f, "/n").child_count, 4);
}

static void an_entry_that_exists_is_not_made_again(void **state)
{
	struct fixture *f = *state;
	struct tree_new what = { .type = TREE_FILE };
	struct node *node = NULL;
	AUTO_ERROR err = { 0 };

	assert_int_equal(tree_create(f->tree, at(f, "/d"), TEXT("a"), &what, &node, &err),
			 TREE_EXISTS);
	assert_string_equal(error_text(&err), "a: exists");
	run(f, "touch d/unseen"); /* without a turn of the loop in between */
	assert_int_equal(tree_create(f->tree, at(f, "/d"), TEXT("unseen"), &what, &node, NULL),
			 TREE_EXISTS);
	assert_int_equal(tree_create(f->tree, at(f, "/b"), TEXT("x"), &what, &node, NULL),
			 TREE_NOT_DIRECTORY);
	says(f, "file_added d/unseen\n");
}

static void names_that_are_none_are_refused(void **state)
{
	struct fixture *f = *state;
	static const struct {
		struct text name;
		enum tree_result result;
	} cases[] = {
		{ { "", 0 }, TREE_BAD_NAME },     { { ".", 1 }, TREE_BAD_NAME },
		{ { "..", 2 }, TREE_BAD_NAME },   { { "a/b", 3 }, TREE_BAD_NAME },
		{ { "a\0b", 3 }, TREE_BAD_NAME },
	};
	struct tree_new what = { .type = TREE_FILE };
	char longer[TREE_NAME_MAX + 1];
	struct node *node = NULL;

	memset(longer, 'x', sizeof(longer));
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		assert_int_equal(
			tree_create(f->tree, tree_root(f->tree), cases[i].name, &what, &node, NULL),
			cases[i].result);
	assert_int_equal(tree_create(f->tree, tree_root(f->tree),
				     (struct text){ longer, sizeof(longer) }, &what, &node, NULL),
			 TREE_LONG_NAME);
	says(f, "");
}

static enum tree_result rename_to(struct fixture *f, const char *from, const char *name,
				  const char *directory, const char *to, bool clobber)
{
	return tree_rename(f->tree, at(f, from), text_of(name), at(f, directory), text_of(to),
			   clobber, NULL);
}

static void renaming_is_one_pair_and_keeps_the_id(void **state)
{
	struct fixture *f = *state;
	uint64_t id = tree_id(at(f, "/d/a")), etag = stat_of(f, "/d/a").etag;

	assert_int_equal(rename_to(f, "/d", "a", "/", "c", false), TREE_OK);
	told(f, "file_moved_from d/a\nfile_moved_to c\n");
	assert_int_equal(tree_id(at(f, "/c")), id);
	assert_true(stat_of(f, "/c").etag > etag);
	assert_int_equal(rename_to(f, "/", "d", "/", "e", false), TREE_OK);
	told(f, "dir_moved_from d\ndir_moved_to e\n");
}

static void renaming_over_something_needs_clobber(void **state)
{
	struct fixture *f = *state;

	run(f, "mkdir empty full; touch full/x");
	free(heard(f));
	assert_int_equal(rename_to(f, "/d", "a", "/", "b", false), TREE_EXISTS);
	assert_int_equal(rename_to(f, "/d", "a", "/", "empty", true), TREE_WRONG_TYPE);
	assert_int_equal(rename_to(f, "/", "d", "/", "full", true), TREE_NOT_EMPTY);
	assert_int_equal(rename_to(f, "/", "d", "/d", "x", true), TREE_CYCLE);
	assert_int_equal(rename_to(f, "/", "nothing", "/", "x", true), TREE_NO_ENTRY);
	assert_int_equal(rename_to(f, "/", "b", "/", "b", true), TREE_OK);
	told(f, "");
	assert_int_equal(rename_to(f, "/d", "a", "/", "b", true), TREE_OK);
	told(f, "file_removed b\nfile_moved_from d/a\nfile_moved_to b\n");
	assert_int_equal(rename_to(f, "/", "d", "/", "empty", true), TREE_OK);
	told(f, "dir_removed empty\ndir_moved_from d\ndir_moved_to empty\n");
}

static void unlinking_takes_one_name(void **state)
{
	struct fixture *f = *state;
	uint64_t id = tree_id(at(f, "/b"));

	assert_int_equal(tree_link(f->tree, at(f, "/b"), at(f, "/d"), TEXT("link"), NULL), TREE_OK);
	told(f, "file_added d/link\n");
	assert_int_equal(stat_of(f, "/b").links, 2);
	assert_int_equal(tree_remove(f->tree, at(f, "/b"), NULL), TREE_AMBIGUOUS);
	assert_int_equal(tree_unlink(f->tree, tree_root(f->tree), TEXT("b"), NULL), TREE_OK);
	told(f, "file_removed b\n");
	assert_int_equal(tree_id(at(f, "/d/link")), id);
	assert_int_equal(tree_unlink(f->tree, tree_root(f->tree), TEXT("d"), NULL), TREE_NOT_EMPTY);
	assert_int_equal(tree_remove(f->tree, at(f, "/d/link"), NULL), TREE_OK);
	assert_int_equal(tree_remove(f->tree, at(f, "/d/a"), NULL), TREE_OK);
	assert_int_equal(tree_remove(f->tree, at(f, "/d"), NULL), TREE_OK);
	told(f, "file_removed d/link\nfile_removed d/a\ndir_removed d\n");
	assert_null(tree_node(f->tree, id));
	assert_int_equal(tree_remove(f->tree, tree_root(f->tree), NULL), TREE_DENIED);
}

static void a_directory_is_listed_page_by_page(void **state)
{
	struct fixture *f = *state;
	struct tree_entry page[7];
	size_t count, total = 0;
	uint64_t after = 0;
	bool more = true;

	run(f, "mkdir many; cd many; seq 100 | xargs touch");
	while (more) {
		count = tree_list(f->tree, at(f, "/many"), after, 7, page, &more);
		assert_true(count > 0);
		total += count;
		after = page[count - 1].cursor;
	}
	assert_int_equal(total, 100);
	assert_int_equal(tree_list(f->tree, at(f, "/many"), after, 7, page, &more), 0);
}

/* ---- attributes ---- */

static void one_event_a_field_in_the_order_of_the_table(void **state)
{
	struct fixture *f = *state;
	struct tree_change change = {
		.set = TREE_SET_MODE | TREE_SET_OWNER | TREE_SET_GROUP | TREE_SET_SIZE |
		       TREE_SET_CREATION | TREE_SET_ACCESS | TREE_SET_MODIFICATION |
		       TREE_SET_CHANGE | TREE_SET_FLAGS,
		.mode = 0600,
		.owner = { 500, "LOCAL_USER", "admin" },
		.group = { 513, "LOCAL_GROUP", "Users" },
		.size = 5,
		.creation_ns = 1000000001,
		.access_ns = 2000000002,
		.modification_ns = 3000000003,
		.change_ns = 4000000004,
		.flags = TREE_HIDDEN | TREE_ARCHIVE,
	};
	struct tree_stat stat;

	assert_int_equal(tree_set_attributes(f->tree, at(f, "/d/a"), &change, NULL), TREE_OK);
	told(f,
	     "acl_changed d/a\nowner_changed d/a\ngroup_changed d/a\nbtime_changed d/a\n"
	     "mtime_changed d/a\natime_changed d/a\nextra_attrs_changed d/a\nsize_changed d/a\n");
	assert_int_equal(tree_set_attributes(f->tree, at(f, "/d/a"), &change, NULL), TREE_OK);
	told(f, ""); /* it is so already */
	restart(f);
	stat = stat_of(f, "/d/a");
	assert_int_equal(stat.mode, 0600);
	assert_int_equal(stat.owner.auth_id, 500);
	assert_string_equal(stat.owner.id_value, "admin");
	assert_string_equal(stat.group.id_type, "LOCAL_GROUP");
	assert_int_equal(stat.size, 5);
	assert_int_equal(stat.creation_ns, 1000000001);
	assert_int_equal(stat.access_ns, 2000000002);
	assert_int_equal(stat.modification_ns, 3000000003);
	assert_int_equal(stat.change_ns, 4000000004);
	assert_int_equal(stat.flags, TREE_HIDDEN | TREE_ARCHIVE);
	run(f, "test \"$(stat -c %a%s d/a)\" = 6005; chmod 640 d/a");
	says(f, "acl_changed d/a\n");
	assert_true(stat_of(f, "/d/a").change_ns > 4000000004);
}

static void a_plain_uid_is_kept_by_whom_can(void **state)
{
	struct fixture *f = *state;
	struct tree_change change = {
		.set = TREE_SET_OWNER,
		.owner = { (UINT64_C(3) << 32) + 4321, "NFS_UID", "4321" },
	};

	assert_int_equal(tree_set_attributes(f->tree, at(f, "/b"), &change, NULL), TREE_OK);
	told(f, "owner_changed b\n");
	assert_int_equal(stat_of(f, "/b").owner.auth_id, change.owner.auth_id);
	assert_string_equal(stat_of(f, "/b").owner.id_value, "4321");
	if (geteuid() == 0)
		run(f, "test $(stat -c %u b) = 4321");
}

static void attributes_of_a_directory_and_of_what_has_no_rights(void **state)
{
	struct fixture *f = *state;
	struct tree_change change = { .set = TREE_SET_MODE, .mode = 0711 };
	enum tree_result result = TREE_OK;
	char data[4] = "";
	int fd;

	assert_int_equal(tree_set_attributes(f->tree, at(f, "/d"), &change, NULL), TREE_OK);
	told(f, "acl_changed d\n");
	run(f, "chmod 0 d/a");
	free(heard(f));
	assert_int_equal(tree_write(f->tree, at(f, "/d/a"), 0, 0, TEXT("yes"), true, NULL),
			 TREE_OK);
	told(f, "data_written d/a\nsize_changed d/a\nmtime_changed d/a\n");
	fd = tree_data_open(f->tree, at(f, "/d/a"), 0, &result, NULL);
	assert_int_equal(pread(fd, data, sizeof(data), 0), 3);
	close(fd);
	says(f, "");
	assert_int_equal(stat_of(f, "/d/a").mode, 0);
}

/* ---- data ---- */

static void writing_says_what_changed(void **state)
{
	struct fixture *f = *state;
	struct node *node = at(f, "/b");
	uint64_t revision = stat_of(f, "/b").data_revision;

	assert_int_equal(tree_write(f->tree, node, 0, 0, TEXT("hello"), false, NULL), TREE_OK);
	told(f, "data_written b\nsize_changed b\nmtime_changed b\n");
	assert_int_equal(tree_write(f->tree, node, 0, 0, TEXT("HELLO"), true, NULL), TREE_OK);
	told(f, "data_written b\nmtime_changed b\n");
	assert_int_equal(tree_write(f->tree, node, 0, 0, TEXT("HELLO"), true, NULL), TREE_OK);
	told(f, "data_written b\nmtime_changed b\n");
	assert_int_equal(tree_write(f->tree, node, 0, 10, TEXT(""), false, NULL), TREE_OK);
	told(f, "");
	assert_int_equal(tree_write(f->tree, node, 0, 7, TEXT("!"), false, NULL), TREE_OK);
	told(f, "data_written b\nsize_changed b\nmtime_changed b\n");
	run(f, "printf 'HELLO\\0\\0!' | cmp - b");
	assert_int_equal(tree_truncate(f->tree, node, 0, 2, NULL), TREE_OK);
	told(f, "size_changed b\nmtime_changed b\n");
	assert_int_equal(tree_truncate(f->tree, node, 0, 2, NULL), TREE_OK);
	told(f, "");
	assert_int_equal(tree_punch_hole(f->tree, node, 0, 1, 100, NULL), TREE_OK);
	told(f, "data_written b\nmtime_changed b\n");
	run(f, "printf 'H\\0' | cmp - b");
	assert_int_equal(tree_write(f->tree, node, 0, 0, TEXT(""), true, NULL), TREE_OK);
	told(f, "size_changed b\nmtime_changed b\n");
	assert_true(stat_of(f, "/b").data_revision > revision);
	assert_int_equal(tree_write(f->tree, at(f, "/d"), 0, 0, TEXT("x"), true, NULL),
			 TREE_NOT_FILE);
}

static void a_persons_writing_between_ours_is_told_too(void **state)
{
	struct fixture *f = *state;

	run(f, "echo one >> b");
	assert_int_equal(tree_write(f->tree, at(f, "/b"), 0, 0, TEXT("two"), true, NULL), TREE_OK);
	run(f, "printf two | dd of=b conv=notrunc status=none");
	says(f, "data_written b\nsize_changed b\nmtime_changed b\ndata_written b\nsize_changed b\n"
		"mtime_changed b\ndata_written b\nmtime_changed b\n");
}

static void adjacent_identical_events_are_merged_unless_told_not_to(void **state)
{
	struct fixture *f = *state;

	run(f, "chmod 600 b");
	tree_sync(f->tree);
	run(f, "echo x >> b; chmod 640 b; echo y >> b");
	free(heard(f));
	tree_options(f->tree)->no_merging = true;
	tree_options(f->tree)->every_link = true;
	run(f, "ln b c");
	free(heard(f));
	assert_int_equal(tree_write(f->tree, at(f, "/b"), 0, 0, TEXT("1"), false, NULL), TREE_OK);
	told(f, "data_written b\ndata_written c\nmtime_changed b\nmtime_changed c\n");
}

static void streams_have_events_and_survive(void **state)
{
	struct fixture *f = *state;
	enum tree_result result = TREE_OK;
	struct tree_stream stream;
	uint64_t id = 0, second = 0;
	char data[8] = "";
	int fd;

	assert_int_equal(tree_stream_add(f->tree, at(f, "/d"), TEXT("Zone"), &id, NULL), TREE_OK);
	told(f, "stream_added d:Zone\n");
	assert_int_equal(tree_stream_add(f->tree, at(f, "/d"), TEXT("Zone"), &second, NULL),
			 TREE_EXISTS);
	assert_int_equal(tree_write(f->tree, at(f, "/d"), id, 0, TEXT("abc"), true, NULL), TREE_OK);
	told(f, "stream_data_written d:Zone\nstream_size_changed d:Zone\n");
	assert_int_equal(tree_stream_rename(f->tree, at(f, "/d"), id, TEXT("Other"), NULL),
			 TREE_OK);
	told(f, "stream_moved_from d:Zone\nstream_moved_to d:Other\n");
	assert_int_equal(tree_stream_add(f->tree, at(f, "/d"), TEXT("x"), &second, NULL), TREE_OK);
	assert_int_equal(tree_stream_remove(f->tree, at(f, "/d"), second, NULL), TREE_OK);
	told(f, "stream_added d:x\nstream_removed d:x\n");
	assert_int_equal(tree_truncate(f->tree, at(f, "/d"), second, 1, NULL), TREE_NO_STREAM);
	restart(f);
	assert_int_equal(tree_stream_count(at(f, "/d")), 1);
	assert_true(tree_stream_at(at(f, "/d"), 0, &stream));
	assert_string_equal(stream.name, "Other");
	assert_int_equal(stream.id, id);
	assert_int_equal(stream.size, 3);
	fd = tree_data_open(f->tree, at(f, "/d"), id, &result, NULL);
	assert_int_equal(pread(fd, data, sizeof(data), 0), 3);
	assert_string_equal(data, "abc");
	close(fd);
}

/* ---- tags, locks, ACLs ---- */

static void user_metadata_is_silent_and_survives(void **state)
{
	struct fixture *f = *state;
	struct tree_tag tag;
	uint64_t etag = stat_of(f, "/b").etag;

	assert_int_equal(tree_tag_set(f->tree, at(f, "/b"), "GENERIC", TEXT("k"),
				      "djE=", TREE_TAG_ADD, NULL),
			 TREE_OK);
	assert_int_equal(tree_tag_set(f->tree, at(f, "/b"), "GENERIC", TEXT("k"),
				      "djI=", TREE_TAG_ADD, NULL),
			 TREE_EXISTS);
	assert_int_equal(tree_tag_set(f->tree, at(f, "/b"), "GENERIC", TEXT("k"),
				      "djI=", TREE_TAG_PUT, NULL),
			 TREE_OK);
	assert_int_equal(
		tree_tag_set(f->tree, at(f, "/b"), "S3", TEXT("s"), "eA==", TREE_TAG_PUT, NULL),
		TREE_OK);
	assert_int_equal(
		tree_tag_set(f->tree, at(f, "/b"), "S3", TEXT("\xff"), "eA==", TREE_TAG_PUT, NULL),
		TREE_INVALID);
	assert_int_equal(tree_tag_remove(f->tree, at(f, "/b"), "S3", TEXT("none"), NULL),
			 TREE_NO_KEY);
	told(f, "");
	assert_true(stat_of(f, "/b").etag > etag);
	etag = stat_of(f, "/b").etag;
	restart(f);
	assert_int_equal(stat_of(f, "/b").etag, etag);
	assert_int_equal(stat_of(f, "/b").user_metadata_revision, 3);
	assert_int_equal(tree_tag_count(at(f, "/b")), 2);
	assert_true(tree_tag_at(at(f, "/b"), 1, &tag));
	assert_string_equal(tag.kind, "S3");
	assert_string_equal(tag.key, "s");
	assert_string_equal(tree_tag_get(at(f, "/b"), "GENERIC", TEXT("k")), "djI=");
	/* It goes with the object, and does not come back with its name. */
	run(f, "rm b; touch b");
	assert_int_equal(tree_tag_count(at(f, "/b")), 0);
}

static void a_locked_file_does_not_change(void **state)
{
	struct fixture *f = *state;
	int64_t now = clock_now_ms() * 1000000;
	struct tree_change change = { .set = TREE_SET_MODE, .mode = 0600 };

	clock_hold(clock_now_ms());
	assert_int_equal(tree_set_lock(f->tree, at(f, "/d"), TREE_TIME_NONE, 1, NULL),
			 TREE_NOT_FILE);
	assert_int_equal(tree_set_lock(f->tree, at(f, "/b"), now - HOUR_NS, -1, NULL),
			 TREE_INVALID);
	assert_int_equal(tree_set_lock(f->tree, at(f, "/b"), now + 2 * HOUR_NS, -1, NULL), TREE_OK);
	assert_int_equal(tree_set_lock(f->tree, at(f, "/b"), now + HOUR_NS, -1, NULL),
			 TREE_INVALID);
	restart(f);
	assert_true(tree_is_locked(at(f, "/b")));
	assert_int_equal(tree_set_attributes(f->tree, at(f, "/b"), &change, NULL), TREE_LOCKED);
	assert_int_equal(tree_write(f->tree, at(f, "/b"), 0, 0, TEXT("x"), true, NULL),
			 TREE_LOCKED);
	assert_int_equal(tree_remove(f->tree, at(f, "/b"), NULL), TREE_LOCKED);
	assert_int_equal(rename_to(f, "/", "b", "/", "c", false), TREE_LOCKED);
	assert_int_equal(rename_to(f, "/d", "a", "/", "b", true), TREE_LOCKED);
	tree_options(f->tree)->rename_locked = true;
	assert_int_equal(rename_to(f, "/", "b", "/", "c", false), TREE_OK);
	clock_advance(2 * HOUR_NS / 1000000 + 1);
	assert_false(tree_is_locked(at(f, "/c")));
	assert_int_equal(tree_set_lock(f->tree, at(f, "/c"), TREE_TIME_NONE, 1, NULL), TREE_OK);
	assert_true(tree_is_locked(at(f, "/c")));
	assert_int_equal(tree_set_lock(f->tree, at(f, "/c"), TREE_TIME_NONE, 0, NULL), TREE_OK);
	assert_int_equal(tree_remove(f->tree, at(f, "/c"), NULL), TREE_OK);
	clock_release();
	told(f, "file_moved_from b\nfile_moved_to c\nfile_removed c\n");
}

static void an_acl_lasts_until_the_next_chmod(void **state)
{
	struct fixture *f = *state;
	json_t *acl = json_pack("{s:[],s:[]}", "control", "aces");

	assert_int_equal(tree_set_acl(f->tree, at(f, "/b"), acl, 0700, NULL), TREE_OK);
	told(f, "acl_changed b\n");
	assert_int_equal(tree_set_acl(f->tree, at(f, "/b"), acl, 0700, NULL), TREE_OK);
	told(f, "");
	restart(f);
	assert_true(json_equal((json_t *)tree_acl(at(f, "/b")), acl));
	assert_int_equal(stat_of(f, "/b").mode, 0700);
	run(f, "chmod 644 b");
	says(f, "acl_changed b\n");
	assert_null(tree_acl(at(f, "/b")));
	json_decref(acl);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(each_kind_of_entry_is_added_once),
		CASE(an_entry_that_exists_is_not_made_again),
		CASE(names_that_are_none_are_refused),
		CASE(renaming_is_one_pair_and_keeps_the_id),
		CASE(renaming_over_something_needs_clobber),
		CASE(unlinking_takes_one_name),
		CASE(a_directory_is_listed_page_by_page),
		CASE(one_event_a_field_in_the_order_of_the_table),
		CASE(a_plain_uid_is_kept_by_whom_can),
		CASE(attributes_of_a_directory_and_of_what_has_no_rights),
		CASE(writing_says_what_changed),
		CASE(a_persons_writing_between_ours_is_told_too),
		CASE(adjacent_identical_events_are_merged_unless_told_not_to),
		CASE(streams_have_events_and_survive),
		CASE(user_metadata_is_silent_and_survives),
		CASE(a_locked_file_does_not_change),
		CASE(an_acl_lasts_until_the_next_chmod),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
