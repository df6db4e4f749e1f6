/* What people do in the directory with their own tools. */
#include "tree_fixture.h"

#include <grp.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"

#define MANY 100000

static int setup(void **state)
{
	*state = NEW(struct fixture);
	fixture_init(*state, NULL);
	return 0;
}

static int teardown(void **state)
{
	fixture_clear(*state);
	free(*state);
	return 0;
}

static void restart(struct fixture *f)
{
	fixture_close(f);
	fixture_open(f);
}

/* ---- section 18, row by row ---- */

static void an_empty_file_is_added_and_nothing_else(void **state)
{
	run(*state, "touch a");
	says(*state, "file_added a\n");
}

static void a_file_with_data_is_added_and_written(void **state)
{
	run(*state, "echo hello > a");
	says(*state, "file_added a\ndata_written a\nsize_changed a\nmtime_changed a\n");
}

static void each_write_that_we_see_is_told(void **state)
{
	run(*state, "touch a");
	says(*state, "file_added a\n");
	run(*state, "echo one >> a");
	says(*state, "data_written a\nsize_changed a\nmtime_changed a\n");
	run(*state, "echo two >> a");
	says(*state, "data_written a\nsize_changed a\nmtime_changed a\n");
}

static void overwriting_without_a_new_size_is_data_and_mtime(void **state)
{
	run(*state, "printf abc > a");
	free(heard(*state));
	run(*state, "printf xyz | dd of=a conv=notrunc status=none");
	says(*state, "data_written a\nmtime_changed a\n");
}

static void truncating_is_size_and_mtime(void **state)
{
	run(*state, "printf abc > a");
	free(heard(*state));
	run(*state, "truncate -s 0 a");
	says(*state, "size_changed a\nmtime_changed a\n");
	run(*state, "truncate -s 1M a");
	says(*state, "size_changed a\nmtime_changed a\n");
}

static void reading_and_writing_nothing_say_nothing(void **state)
{
	run(*state, "echo hello > a; mkdir d");
	free(heard(*state));
	run(*state, "cat a > /dev/null; ls -lR > /dev/null; find . -type f > /dev/null; : >> a");
	says(*state, "");
}

static void a_rename_is_one_pair(void **state)
{
	run(*state, "touch a; mkdir d");
	free(heard(*state));
	run(*state, "mv a b");
	says(*state, "file_moved_from a\nfile_moved_to b\n");
	run(*state, "mv b d/c");
	says(*state, "file_moved_from b\nfile_moved_to d/c\n");
}

static void a_directory_moves_with_all_below_it_silently(void **state)
{
	run(*state, "mkdir -p d/e; touch d/e/f");
	free(heard(*state));
	run(*state, "mv d x");
	says(*state, "dir_moved_from d\ndir_moved_to x\n");
	run(*state, "touch x/e/g; mv x/e y; touch y/h");
	says(*state, "file_added x/e/g\ndir_moved_from x/e\ndir_moved_to y\nfile_added y/h\n");
	assert_non_null(at(*state, "/y/f"));
	assert_null(at(*state, "/d"));
}

static void renaming_over_a_file_removes_it_first(void **state)
{
	run(*state, "touch a b");
	free(heard(*state));
	run(*state, "mv -f a b");
	says(*state, "file_removed b\nfile_moved_from a\nfile_moved_to b\n");
}

static void there_and_back_is_told_both_ways(void **state)
{
	run(*state, "touch a");
	free(heard(*state));
	run(*state, "mv a b; mv b a");
	says(*state, "file_moved_from a\nfile_moved_to b\nfile_moved_from b\nfile_moved_to a\n");
}

/* The temporary file is gone before we look: it must be told nevertheless. */
static void a_safe_save_is_told_in_full(void **state)
{
	struct fixture *f = *state;
	uint64_t old_id;

	run(f, "echo old > a");
	free(heard(f));
	old_id = tree_id(at(f, "/a"));
	run(f, "echo new > .a.tmp; mv -f .a.tmp a");
	says(f, "file_added .a.tmp\ndata_written .a.tmp\nsize_changed .a.tmp\n"
		"mtime_changed .a.tmp\nfile_removed a\nfile_moved_from .a.tmp\nfile_moved_to a\n");
	assert_true(tree_id(at(f, "/a")) != old_id);
}

static void a_file_that_lived_for_a_moment_is_told(void **state)
{
	run(*state, "touch a; rm a; mkdir d; rmdir d; echo x > b; rm b");
	says(*state, "file_added a\nfile_removed a\ndir_added d\ndir_removed d\nfile_added b\n"
		     "data_written b\nsize_changed b\nmtime_changed b\nfile_removed b\n");
}

static void removed_and_made_again_are_two_objects(void **state)
{
	struct fixture *f = *state;
	uint64_t old_id;

	run(f, "touch a");
	free(heard(f));
	old_id = tree_id(at(f, "/a"));
	run(f, "rm a; touch a");
	says(f, "file_removed a\nfile_added a\n");
	assert_true(tree_id(at(f, "/a")) != old_id);
}

static void chmod_is_acl_and_touch_is_times(void **state)
{
	run(*state, "touch a; mkdir d");
	free(heard(*state));
	run(*state, "chmod 600 a");
	says(*state, "acl_changed a\n");
	run(*state, "chmod 700 d");
	says(*state, "acl_changed d\n");
	run(*state, "touch -d 2001-01-01 a");
	says(*state, "mtime_changed a\natime_changed a\n");
	run(*state, "touch -m -d 2002-01-01 a");
	says(*state, "mtime_changed a\n");
	run(*state, "touch -d 2003-03-03 d");
	says(*state, "mtime_changed d\natime_changed d\n");
}

static void chown_is_owner_and_group(void **state)
{
	if (geteuid() != 0) {
		print_message("skipped because: only root can give files away\n");
		skip();
	}
	run(*state, "touch a");
	free(heard(*state));
	run(*state, "chown 1234 a");
	says(*state, "owner_changed a\n");
	run(*state, "chgrp 1234 a");
	says(*state, "group_changed a\n");
}

static void removal_goes_from_the_leaves_to_the_root(void **state)
{
	run(*state, "mkdir -p a/b/c; touch a/b/c/f");
	free(heard(*state));
	run(*state, "rm -r a");
	says(*state, "file_removed a/b/c/f\ndir_removed a/b/c\ndir_removed a/b\ndir_removed a\n");
}

static void hard_links_share_an_id(void **state)
{
	struct fixture *f = *state;

	run(f, "echo x > a");
	free(heard(f));
	run(f, "ln a b");
	says(f, "file_added b\n");
	assert_true(at(f, "/a") == at(f, "/b"));
	run(f, "chmod 600 b");
	says(f, "acl_changed a\n");
	run(f, "rm a");
	says(f, "file_removed a\n");
	assert_string_equal(tree_name(at(f, "/b")).data, "b");
}

static void symlinks_pipes_and_sockets_are_files_and_never_followed(void **state)
{
	struct fixture *f = *state;
	struct node *node = NULL;

	run(f, "mkdir d; touch d/x; ln -s d l; ln -s /etc e; mkfifo p");
	says(f, "dir_added d\nfile_added d/x\nfile_added l\nfile_added e\nfile_added p\n");
	assert_int_equal(tree_type(at(f, "/l")), TREE_SYMLINK);
	assert_int_equal(tree_lookup(f->tree, TEXT("/l/x"), &node, NULL), TREE_NO_PATH);
	assert_int_equal(tree_lookup(f->tree, TEXT("/d/y"), &node, NULL), TREE_NO_ENTRY);
}

static void mkdir_p_is_told_from_the_top(void **state)
{
	run(*state, "mkdir -p a/b/c");
	says(*state, "dir_added a\ndir_added a/b\ndir_added a/b/c\n");
}

/* ---- beyond the rows ---- */

static void what_fills_a_new_directory_at_once_is_not_missed(void **state)
{
	struct fixture *f = *state;
	char *text;

	run(f, "for i in $(seq 50); do mkdir -p d$i/a/b; echo x > d$i/a/b/f; touch d$i/g; done");
	text = heard(f);
	assert_int_equal(times(text, "dir_added"), 150);
	assert_int_equal(times(text, "file_added"), 100);
	assert_int_equal(times(text, "data_written"), 50);
	assert_int_equal(times(text, "removed"), 0);
	free(text);
}

static void out_of_the_root_is_removed_and_into_it_is_added(void **state)
{
	struct fixture *f = *state;

	run(f, "mkdir -p d/e; touch d/e/f");
	free(heard(f));
	run(f, "mv d ../outside");
	fixture_wait(f, "dir_removed d\n");
	says(f, "file_removed d/e/f\ndir_removed d/e\ndir_removed d\n");
	run(f, "touch ../outside/unseen; rm ../outside/unseen; mv ../outside in");
	says(f, "dir_added in\ndir_added in/e\nfile_added in/e/f\n");
}

static void exchanged_names_keep_their_ids(void **state)
{
	struct fixture *f = *state;
	AUTO(free) char *a = str_format("%s/a", f->root), *b = str_format("%s/b", f->root);
	uint64_t id_a, id_b;

	run(f, "touch a b");
	free(heard(f));
	id_a = tree_id(at(f, "/a"));
	id_b = tree_id(at(f, "/b"));
	assert_int_equal(renameat2(AT_FDCWD, a, AT_FDCWD, b, RENAME_EXCHANGE), 0);
	says(f, "file_moved_from a\nfile_moved_from b\nfile_moved_to b\nfile_moved_to a\n");
	assert_int_equal(tree_id(at(f, "/a")), id_b);
	assert_int_equal(tree_id(at(f, "/b")), id_a);
}

static void odd_names_come_through_byte_by_byte(void **state)
{
	struct fixture *f = *state;
	static const char *const names[] = {
		"-rf",      "a b",      "new\nline",        "quo\"te'`$(x)",
		"back\\sl", "\xff\xfe", "\xf0\x9f\x98\x80", "e\xcc\x81",
		"\x01\x7f", "*?[a]{b}"
	};
	AUTO(buf_free) struct buf *expected = buf_new(1 << 16);
	char longest[TREE_NAME_MAX + 1];

	memset(longest, 'n', TREE_NAME_MAX);
	longest[TREE_NAME_MAX] = '\0';
	for (size_t i = 0; i <= ARRAY_SIZE(names); i++) {
		const char *name = i < ARRAY_SIZE(names) ? names[i] : longest;
		AUTO(free) char *path = str_format("%s/%s", f->root, name);
		AUTO(free) char *absolute = str_format("/%s", name);

		close(open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0644));
		assert_true(buf_print(expected, "file_added %s\n", name));
		assert_non_null(at(f, absolute));
	}
	says(f, expected->data);
}

static void paths_beyond_path_max_are_nothing_special(void **state)
{
	struct fixture *f = *state;
	int fd = open(f->root, O_PATH | O_CLOEXEC), next;
	char name[TREE_NAME_MAX + 1];
	struct node *node;
	char *text, *path;

	memset(name, 'd', TREE_NAME_MAX);
	name[TREE_NAME_MAX] = '\0';
	for (size_t depth = 0; depth < 80; depth++) {
		assert_int_equal(mkdirat(fd, name, 0755), 0);
		next = openat(fd, name, O_PATH | O_CLOEXEC);
		close(fd);
		fd = next;
	}
	text = heard(f);
	assert_int_equal(times(text, "dir_added"), 80);
	free(text);
	close(openat(fd, "leaf", O_WRONLY | O_CREAT | O_CLOEXEC, 0644));
	text = heard(f);
	assert_int_equal(strlen(text), strlen("file_added ") + 80 * 256 + strlen("leaf\n"));
	*strrchr(text, '\n') = '\0';
	path = str_format("/%s", text + strlen("file_added "));
	node = at(f, path);
	assert_non_null(node);
	free(text);
	text = tree_path(f->tree, node);
	assert_string_equal(text, path);
	restart(f);
	node = at(f, path);
	assert_non_null(node);
	assert_int_equal(tree_unlink(f->tree, tree_parent(node), TEXT("leaf"), NULL), TREE_OK);
	free(text);
	free(path);
	close(fd);
}

static void thousands_of_levels_are_no_problem(void **state)
{
	struct fixture *f = *state;
	int fd = open(f->root, O_PATH | O_CLOEXEC), next;
	char *text;

	for (size_t depth = 0; depth < 5000; depth++) {
		assert_int_equal(mkdirat(fd, "d", 0755), 0);
		next = openat(fd, "d", O_PATH | O_CLOEXEC);
		close(fd);
		fd = next;
	}
	close(fd);
	text = heard(f);
	assert_int_equal(times(text, "dir_added"), 5000);
	free(text);
	run(f, "rm -r d");
	text = heard(f);
	assert_int_equal(times(text, "dir_removed"), 5000);
	assert_true(text[strlen(text) - 2] == 'd' && text[strlen(text) - 3] == ' ');
	free(text);
}

/* tar's 100,000 files overflow inotify's queue more than once. */
static void a_hundred_thousand_files_are_added_once_each(void **state)
{
	struct fixture *f = *state;
	AUTO(buf_free) struct buf *names = buf_new((size_t)1 << 26);
	int64_t start;
	char *text, *line, *next;

	run(f, "cd .. && mkdir from && cd from && for d in $(seq 100); do mkdir d$d; (cd d$d; "
	       "seq -f 'file-%.0f' 1000 | xargs touch); done; tar cf ../all.tar .");
	free(heard(f));
	start = clock_monotonic_ms();
	run(f, "mkdir in; tar xf ../all.tar -C in");
	text = heard(f);
	print_message("%d files in %d ms, %zu bytes of events\n", MANY,
		      (int)(clock_monotonic_ms() - start), strlen(text));
	assert_int_equal(times(text, "dir_added"), 101);
	assert_int_equal(times(text, "file_added"), MANY);
	assert_int_equal(times(text, "removed"), 0);
	for (line = text; *line; line = next + 1) {
		next = strchr(line, '\n');
		*next = '\0';
		if (strncmp(line, "file_added ", strlen("file_added ")) == 0)
			assert_true(buf_print(names, "%s/in/../%s\n", f->root,
					      line + strlen("file_added ")));
	}
	free(text);
	assert_int_equal(tree_node_count(f->tree), 1 + 101 + MANY);
	start = clock_monotonic_ms();
	restart(f);
	print_message("opened again in %d ms\n", (int)(clock_monotonic_ms() - start));
	assert_int_equal(tree_node_count(f->tree), 1 + 101 + MANY);
	start = clock_monotonic_ms();
	run(f, "rm -r in");
	fixture_wait(f, "dir_removed in\n");
	text = heard(f);
	print_message("removed in %d ms\n", (int)(clock_monotonic_ms() - start));
	assert_int_equal(times(text, "removed"), 101 + MANY);
	assert_true(strstr(text, "dir_removed in\n") == text + strlen(text) - 15);
	free(text);
	assert_int_equal(tree_node_count(f->tree), 1);
}

/* What the walk over everything finds, when inotify says nothing. */
static void an_overflow_is_made_up_for(void **state)
{
	struct fixture *f = *state;
	uint64_t id, moved_id;
	char *text;

	run(f, "mkdir -p a/b x/y; touch a/b/f a/gone; echo 1 > a/w; touch a/t a/p");
	free(heard(f));
	id = tree_id(at(f, "/a/b/f"));
	moved_id = tree_id(at(f, "/x/y"));
	run(f, "mv a/b/f x/g; rm a/gone; echo 22 > a/w; chmod 600 a/p; mv x/y a/z; touch a/z/in; "
	       "mkdir -p n/m; touch n/m/o; rm a/t; touch a/t");
	tree_rescan(f->tree);
	text = heard(f);
	assert_int_equal(times(text, "\n"), 19);
	assert_int_equal(times(text, "file_moved_from a/b/f\nfile_moved_to x/g\n"), 1);
	assert_int_equal(times(text, "dir_moved_from x/y\ndir_moved_to a/z\n"), 1);
	assert_int_equal(times(text, "file_removed a/gone\n"), 1);
	assert_int_equal(times(text, "data_written a/w\nsize_changed a/w\nmtime_changed a/w\n"), 1);
	assert_int_equal(times(text, "acl_changed a/p\n"), 1);
	assert_int_equal(times(text, "file_added a/z/in\n"), 1);
	assert_int_equal(times(text, "dir_added n\n"), 1);
	assert_int_equal(times(text, "dir_added n/m\n"), 1);
	assert_int_equal(times(text, "file_added n/m/o\n"), 1);
	assert_int_equal(times(text, "file_removed a/t\n"), 1);
	assert_int_equal(times(text, "file_added a/t\n"), 1);
	free(text);
	assert_int_equal(tree_id(at(f, "/x/g")), id);
	assert_int_equal(tree_id(at(f, "/a/z")), moved_id);
	run(f, "touch n/m/p x/q");
	says(f, "file_added n/m/p\nfile_added x/q\n");
}

static void ids_survive_renames_and_restarts_and_never_return(void **state)
{
	struct fixture *f = *state;
	uint64_t kept, gone, fresh;

	run(f, "mkdir d; touch d/a b");
	kept = tree_id(at(f, "/d/a"));
	gone = tree_id(at(f, "/b"));
	run(f, "mv d e; rm b");
	assert_int_equal(tree_id(at(f, "/e/a")), kept);
	free(heard(f));
	fixture_close(f);
	run(f, "mv e/a moved; touch new");
	fixture_open(f);
	assert_int_equal(tree_id(at(f, "/moved")), kept);
	fresh = tree_id(at(f, "/new"));
	assert_true(fresh != gone && fresh != kept);
	assert_null(tree_node(f->tree, gone));
	says(f, "");
}

static void long_ids_have_29_digits(void **state)
{
	struct fixture *f = *state;
	char text[TREE_ID_TEXT_SIZE];
	uint64_t id = 0, back = 0;

	fixture_close(f);
	f->options.long_ids = true;
	fixture_open(f);
	run(f, "touch a");
	id = tree_id(at(f, "/a"));
	tree_id_format(f->tree, id, text);
	assert_int_equal(strlen(text), 29);
	assert_true(tree_id_parse(f->tree, text_of(text), &back));
	assert_int_equal(back, id);
	tree_id_format(f->tree, TREE_ROOT_ID, text);
	assert_string_equal(text, "2");
	assert_true(tree_id_parse(f->tree, TEXT("2"), &back));
	assert_false(tree_id_parse(f->tree, TEXT("10001"), &back));
	assert_false(tree_id_parse(f->tree, TEXT(""), &back));
	assert_false(tree_id_parse(f->tree, TEXT("95200597194"), &back));
}

static void a_directory_that_opens_up_is_seen_then(void **state)
{
	run(*state, "mkdir d; touch d/a; chmod 0 d");
	free(heard(*state));
	run(*state, "chmod 700 d; touch d/b");
	assert_non_null(at(*state, "/d/b"));
}

static void a_watch_sees_its_own_part_of_an_event(void **state)
{
	static const uint64_t spine[] = { TREE_ROOT_ID, 11, 12, 13 };
	struct tree_event event = { .spine = spine, .spine_size = 4, .path = TEXT("a/bb/c") };
	struct text path = TEXT_NONE;
	size_t depth = 9;

	assert_true(tree_event_below(&event, TREE_ROOT_ID, &depth, &path));
	assert_true(depth == 0 && text_is(path, "a/bb/c"));
	assert_true(tree_event_below(&event, 11, &depth, &path));
	assert_true(depth == 1 && text_is(path, "bb/c"));
	assert_true(tree_event_below(&event, 12, &depth, &path));
	assert_true(depth == 2 && text_is(path, "c"));
	assert_false(tree_event_below(&event, 13, &depth, &path)); /* itself */
	assert_false(tree_event_below(&event, 14, &depth, &path));
}

static void the_noises_of_other_clusters_can_be_switched_on(void **state)
{
	struct fixture *f = *state;

	tree_options(f->tree)->parent_mtime = true;
	tree_options(f->tree)->nfs_create_noise = true;
	tree_options(f->tree)->smb_archive_noise = true;
	run(f, "mkdir d; echo x > d/a");
	says(f, "dir_added d\nfile_added d/a\nacl_changed d/a\nmtime_changed d\ndata_written d/a\n"
		"size_changed d/a\nmtime_changed d/a\nextra_attrs_changed d/a\n");
	run(f, "rm d/a");
	says(f, "file_removed d/a\nmtime_changed d\n");
}

static void a_wrong_directory_is_refused_in_words(void **state)
{
	struct fixture *f = *state;
	AUTO(free) char *inside = str_format("%s/side", f->root);
	struct tree *tree = NULL;
	AUTO_ERROR err = { 0 };

	assert_int_equal(tree_open(&tree, "/nowhere/at/all", NULL, &f->loop, NULL, &err), -1);
	assert_non_null(strstr(error_text(&err), "/nowhere/at/all"));
	error_clear(&err);
	assert_int_equal(tree_open(&tree, f->root, NULL, &f->loop, NULL, &err), -1);
	assert_non_null(strstr(error_text(&err), "another simulator"));
	error_clear(&err);
	assert_int_equal(tree_open(&tree, f->root, inside, &f->loop, NULL, &err), -1);
	assert_non_null(strstr(error_text(&err), "outside"));
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

static int run_for_ordinary_users(void)
{
	const struct CMUnitTest tests[] = {
		CASE(a_directory_that_opens_up_is_seen_then),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* No mode keeps root out: as root, these run in a child that is nobody. */
static int run_as_ordinary_user(void)
{
	bool is_child = geteuid() == 0;
	pid_t child = is_child ? fork() : 0;
	int status;

	if (child < 0)
		return 1;
	if (child > 0)
		return waitpid(child, &status, 0) == child && status == 0 ? 0 : 1;
	if (is_child && (setgroups(0, NULL) < 0 || setgid(65534) < 0 || setuid(65534) < 0))
		_exit(1);
	status = run_for_ordinary_users();
	if (is_child)
		exit(status);
	return status;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(an_empty_file_is_added_and_nothing_else),
		CASE(a_file_with_data_is_added_and_written),
		CASE(each_write_that_we_see_is_told),
		CASE(overwriting_without_a_new_size_is_data_and_mtime),
		CASE(truncating_is_size_and_mtime),
		CASE(reading_and_writing_nothing_say_nothing),
		CASE(a_rename_is_one_pair),
		CASE(a_directory_moves_with_all_below_it_silently),
		CASE(renaming_over_a_file_removes_it_first),
		CASE(there_and_back_is_told_both_ways),
		CASE(a_safe_save_is_told_in_full),
		CASE(a_file_that_lived_for_a_moment_is_told),
		CASE(removed_and_made_again_are_two_objects),
		CASE(chmod_is_acl_and_touch_is_times),
		CASE(chown_is_owner_and_group),
		CASE(removal_goes_from_the_leaves_to_the_root),
		CASE(hard_links_share_an_id),
		CASE(symlinks_pipes_and_sockets_are_files_and_never_followed),
		CASE(mkdir_p_is_told_from_the_top),
		CASE(what_fills_a_new_directory_at_once_is_not_missed),
		CASE(out_of_the_root_is_removed_and_into_it_is_added),
		CASE(exchanged_names_keep_their_ids),
		CASE(odd_names_come_through_byte_by_byte),
		CASE(paths_beyond_path_max_are_nothing_special),
		CASE(thousands_of_levels_are_no_problem),
		CASE(a_hundred_thousand_files_are_added_once_each),
		CASE(an_overflow_is_made_up_for),
		CASE(ids_survive_renames_and_restarts_and_never_return),
		CASE(long_ids_have_29_digits),
		CASE(a_watch_sees_its_own_part_of_an_event),
		CASE(the_noises_of_other_clusters_can_be_switched_on),
		CASE(a_wrong_directory_is_refused_in_words),
	};

	int failed = run_as_ordinary_user();

	return cmocka_run_group_tests(tests, NULL, NULL) + failed;
}
