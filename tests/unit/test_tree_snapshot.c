/* The tree as it was, and what is different. */
#include "tree_fixture.h"

#include "base/clock.h"
#include "simulator/tree_snapshot.h"

#define MANY 100000

static int setup(void **state)
{
	*state = NEW(struct fixture);
	fixture_init(*state, "mkdir -p d/e; echo x > d/a; touch b; ln -s b l");
	return 0;
}

static int teardown(void **state)
{
	fixture_clear(*state);
	free(*state);
	return 0;
}

static struct node *then(struct fixture *f, uint64_t number, const char *path)
{
	AUTO_ERROR err = { 0 };
	struct node *node = NULL;

	if (tree_snapshot_lookup(f->tree, number, text_of(path), &node, &err) != TREE_OK)
		return NULL;
	return node;
}

static struct tree_stat stat_then(struct fixture *f, uint64_t number, const char *path)
{
	struct node *node = then(f, number, path);
	struct tree_stat stat;

	assert_non_null(node);
	tree_stat(f->tree, node, &stat);
	return stat;
}

static struct tree_stat stat_now(struct fixture *f, const char *path)
{
	struct tree_stat stat;

	tree_sync(f->tree);
	assert_non_null(at(f, path));
	tree_stat(f->tree, at(f, path), &stat);
	return stat;
}

/* The names in a directory of the snapshot, sorted, with a space behind each. */
static char *list_then(struct fixture *f, uint64_t number, const char *path)
{
	struct tree_entry entries[2];
	const char *names[64];
	char *text = str_copy("");
	uint64_t after = 0;
	size_t count = 0;
	bool more = true;

	while (more) {
		size_t got = tree_list(f->tree, then(f, number, path), after, 2, entries, &more);

		for (size_t i = 0; i < got; i++)
			names[count++] = text_copy(entries[i].name);
		after = got > 0 ? entries[got - 1].cursor : 0;
	}
	for (size_t done = 0; done < count; done++) {
		size_t least = done;
		char *longer;

		for (size_t i = done + 1; i < count; i++)
			if (strcmp(names[i], names[least]) < 0)
				least = i;
		longer = str_format("%s%s ", text, names[least]);
		free(text);
		free((char *)names[least]);
		names[least] = names[done];
		text = longer;
	}
	return text;
}

static void lists(struct fixture *f, uint64_t number, const char *path, const char *expected)
{
	AUTO(free) char *names = list_then(f, number, path);

	assert_string_equal(names, expected);
	assert_int_equal(stat_then(f, number, path).child_count, times(expected, " "));
}

/* "-/gone +/new" and so on, a star for what changed: the differences, in order. */
static void differs_below(struct fixture *f, uint64_t older, uint64_t newer, uint64_t source,
			  const char *expected)
{
	static const char signs[] = {
		[TREE_DIFF_CREATE] = '+', [TREE_DIFF_MODIFY] = '*', [TREE_DIFF_DELETE] = '-'
	};
	AUTO(tree_diff_free)
	struct tree_diff *diff = tree_diff_new(f->tree, older, newer, source);
	AUTO(buf_free) struct buf *text = buf_new(1 << 20);

	assert_true(buf_print(text, "%s", ""));
	for (size_t i = 0; i < diff->count; i++)
		assert_true(buf_print(text, "%c%s ", signs[diff->entries[i].op],
				      diff->entries[i].path));
	assert_string_equal(text->data, expected);
}

static void differs(struct fixture *f, uint64_t older, uint64_t newer, const char *expected)
{
	differs_below(f, older, newer, TREE_ROOT_ID, expected);
}

static uint64_t take(struct fixture *f)
{
	return tree_snapshot_take(f->tree);
}

/* ---- reading ---- */

static void what_changed_is_seen_as_it_was(void **state)
{
	struct fixture *f = *state;
	struct tree_stat before = stat_now(f, "/d/a"), after;
	uint64_t one = take(f), two;

	run(f, "echo longer > d/a; chmod 600 d/a");
	tree_sync(f->tree);
	two = take(f);
	run(f, "rm d/a");
	tree_sync(f->tree);
	assert_null(at(f, "/d/a"));
	after = stat_then(f, one, "/d/a");
	assert_int_equal(after.size, 2);
	assert_int_equal(after.mode, before.mode);
	assert_int_equal(after.etag, before.etag);
	assert_int_equal(after.id, before.id);
	assert_int_equal(after.modification_ns, before.modification_ns);
	assert_int_equal(stat_then(f, two, "/d/a").size, 7);
	assert_int_equal(stat_then(f, two, "/d/a").mode, 0600);
	assert_true(stat_then(f, two, "/d/a").etag > before.etag);
}

static void entries_are_those_of_then(void **state)
{
	struct fixture *f = *state;
	uint64_t one = take(f), two;

	lists(f, one, "/", "b d l ");
	run(f, "mv d/a c; mkdir d/n; touch d/n/x; rm b");
	two = take(f);
	run(f, "rm -r d c; touch b");
	tree_sync(f->tree);
	lists(f, one, "/", "b d l ");
	lists(f, one, "/d", "a e ");
	lists(f, two, "/", "c d l ");
	lists(f, two, "/d", "e n ");
	lists(f, two, "/d/n", "x ");
	assert_null(then(f, one, "/c"));
	assert_null(then(f, one, "/d/n"));
	assert_null(then(f, two, "/b"));
	assert_int_not_equal(stat_then(f, one, "/b").id, stat_now(f, "/b").id);
}

static void an_object_is_found_by_id_where_it_was(void **state)
{
	struct fixture *f = *state;
	uint64_t id = tree_id(at(f, "/d/a")), one = take(f), two;
	AUTO(free) char *first = NULL;
	AUTO(free) char *second = NULL;

	run(f, "mv d moved; mv moved/a moved/e/z");
	two = take(f);
	run(f, "rm -r moved");
	tree_sync(f->tree);
	assert_null(tree_node(f->tree, id));
	first = tree_path(f->tree, tree_snapshot_node(f->tree, one, id));
	assert_string_equal(first, "/d/a");
	second = tree_path(f->tree, tree_snapshot_node(f->tree, two, id));
	assert_string_equal(second, "/moved/e/z");
	assert_null(tree_snapshot_node(f->tree, two, 99999));
}

static void what_is_made_later_is_not_there(void **state)
{
	struct fixture *f = *state;
	uint64_t one = take(f);

	run(f, "touch new; mkdir dir; touch dir/in");
	tree_sync(f->tree);
	assert_null(tree_snapshot_node(f->tree, one, tree_id(at(f, "/new"))));
	assert_null(tree_snapshot_node(f->tree, one, tree_id(at(f, "/dir/in"))));
	lists(f, one, "/", "b d l ");
}

static void a_snapshot_covers_what_was_below_its_directory(void **state)
{
	struct fixture *f = *state;
	uint64_t d = tree_id(at(f, "/d")), a = tree_id(at(f, "/d/a")), one = take(f), two;

	run(f, "mv d/a a");
	two = take(f);
	assert_true(tree_snapshot_covers(f->tree, one, d, a));
	assert_true(tree_snapshot_covers(f->tree, one, d, d));
	assert_false(tree_snapshot_covers(f->tree, two, d, a));
	assert_true(tree_snapshot_covers(f->tree, two, TREE_ROOT_ID, a));
}

static void tags_locks_streams_and_owners_are_those_of_then(void **state)
{
	struct fixture *f = *state;
	struct tree_identity anna = { 1000, "LOCAL_USER", "anna" };
	struct tree_change change = { .set = TREE_SET_OWNER, .owner = anna };
	int64_t later = (clock_now_ms() + 3600 * 1000) * 1000000;
	struct tree_stream stream;
	uint64_t empty = take(f), id, tagged, other;

	assert_int_equal(tree_tag_set(f->tree, at(f, "/b"), "GENERIC", TEXT("k"),
				      "MQ==", TREE_TAG_PUT, NULL),
			 TREE_OK);
	assert_int_equal(tree_stream_add(f->tree, at(f, "/b"), TEXT("s"), &id, NULL), TREE_OK);
	assert_int_equal(tree_set_attributes(f->tree, at(f, "/b"), &change, NULL), TREE_OK);
	tagged = take(f);
	assert_int_equal(tree_tag_set(f->tree, at(f, "/b"), "GENERIC", TEXT("k"),
				      "Mg==", TREE_TAG_PUT, NULL),
			 TREE_OK);
	assert_int_equal(tree_write(f->tree, at(f, "/b"), id, 0, TEXT("abc"), true, NULL), TREE_OK);
	assert_int_equal(tree_stream_rename(f->tree, at(f, "/b"), id, TEXT("t"), NULL), TREE_OK);
	assert_int_equal(tree_set_lock(f->tree, at(f, "/b"), later, -1, NULL), TREE_OK);
	other = take(f);
	assert_int_equal(tree_tag_count(then(f, empty, "/b")), 0);
	assert_int_equal(tree_stream_count(then(f, empty, "/b")), 0);
	assert_string_equal(tree_tag_get(then(f, tagged, "/b"), "GENERIC", TEXT("k")), "MQ==");
	assert_string_equal(tree_tag_get(then(f, other, "/b"), "GENERIC", TEXT("k")), "Mg==");
	assert_true(tree_stream_find(then(f, tagged, "/b"), id, &stream));
	assert_string_equal(stream.name, "s");
	assert_int_equal(stream.size, 0);
	assert_true(tree_stream_find(then(f, other, "/b"), id, &stream));
	assert_string_equal(stream.name, "t");
	assert_int_equal(stream.size, 3);
	assert_string_equal(stat_then(f, tagged, "/b").owner.id_value, "anna");
	assert_string_not_equal(stat_then(f, empty, "/b").owner.id_type, "LOCAL_USER");
	assert_false(tree_is_locked(then(f, tagged, "/b")));
	assert_true(tree_is_locked(then(f, other, "/b")));
	differs(f, empty, tagged, "*/b ");
	differs(f, tagged, other, "*/b ");
}

static void data_is_there_until_it_changes(void **state)
{
	struct fixture *f = *state;
	uint64_t one = take(f);
	enum tree_result result;
	AUTO(free) char *link = NULL;
	char data[8];
	int fd;

	run(f, "mv d/a elsewhere; chmod 600 elsewhere");
	tree_sync(f->tree);
	fd = tree_data_open(f->tree, then(f, one, "/d/a"), TREE_STREAM_DEFAULT, &result, NULL);
	assert_int_equal(result, TREE_OK);
	assert_int_equal(read(fd, data, sizeof(data)), 2);
	close(fd);
	link = tree_symlink_text(f->tree, then(f, one, "/l"));
	assert_string_equal(link, "b");
	run(f, "echo other > elsewhere");
	tree_sync(f->tree);
	fd = tree_data_open(f->tree, then(f, one, "/d/a"), TREE_STREAM_DEFAULT, &result, NULL);
	assert_int_equal(fd, -1);
	assert_int_equal(result, TREE_NOT_KEPT);
	run(f, "rm l");
	tree_sync(f->tree);
	assert_null(tree_symlink_text(f->tree, then(f, one, "/l")));
}

/* ---- the difference ---- */

static void nothing_done_is_no_difference(void **state)
{
	struct fixture *f = *state;
	uint64_t one = take(f), two = take(f);

	run(f, "cat d/a > /dev/null; ls -lR > /dev/null");
	differs(f, one, two, "");
	differs(f, one, take(f), "");
}

static void each_change_is_one_line(void **state)
{
	struct fixture *f = *state;
	uint64_t one = take(f), two;

	run(f, "echo more >> d/a; chmod 700 d/e; touch d/new; rm b");
	two = take(f);
	differs(f, one, two, "*/ -/b */d/ */d/a */d/e/ +/d/new ");
	differs(f, two, two, "");
}

static void a_directory_that_came_or_went_is_one_line(void **state)
{
	struct fixture *f = *state;
	uint64_t one = take(f), two, three;

	run(f, "mkdir -p n/m; touch n/1 n/m/2; chmod 700 n/m");
	two = take(f);
	differs(f, one, two, "*/ +/n/ ");
	run(f, "rm -r n d");
	three = take(f);
	differs(f, two, three, "*/ -/d/ -/n/ ");
	differs(f, one, three, "*/ -/d/ ");
}

static void a_move_is_one_gone_and_one_new(void **state)
{
	struct fixture *f = *state;
	uint64_t one = take(f), two, three;

	run(f, "mv d x; echo y > x/a; touch x/e/in");
	two = take(f);
	differs(f, one, two, "*/ -/d/ +/x/ ");
	run(f, "mv b x/e/b");
	three = take(f);
	differs(f, two, three, "*/ -/b */x/e/ +/x/e/b ");
}

static void out_of_a_directory_that_went(void **state)
{
	struct fixture *f = *state;
	uint64_t one = take(f);

	run(f, "mv d/a kept; rm -r d; mkdir n; mv b n/b");
	differs(f, one, take(f), "*/ -/b -/d/ +/kept +/n/ ");
}

static void what_took_a_name_is_told_with_what_had_it(void **state)
{
	struct fixture *f = *state;
	uint64_t one = take(f);

	run(f, "echo new > t; mv t b; rm l; mkdir l; touch l/in; rm -r d; mkdir d; touch d/a");
	differs(f, one, take(f), "*/ -/b +/b -/d/ +/d/ -/l +/l/ ");
}

static void what_came_and_went_is_not_told(void **state)
{
	struct fixture *f = *state;
	uint64_t one = take(f);

	run(f, "touch tmp; mkdir t; touch t/in");
	tree_sync(f->tree);
	run(f, "rm -r tmp t; mv b c");
	tree_sync(f->tree);
	run(f, "mv c b");
	differs(f, one, take(f), "*/ */b ");
}

static void links_are_told_each_for_itself(void **state)
{
	struct fixture *f = *state;
	uint64_t one, two;

	run(f, "ln b d/b2");
	one = take(f);
	run(f, "echo x > b");
	two = take(f);
	differs(f, one, two, "*/b */d/b2 ");
	run(f, "rm b");
	differs(f, two, take(f), "*/ -/b */d/b2 ");
}

static void a_difference_below_a_directory_is_only_that(void **state)
{
	struct fixture *f = *state;
	uint64_t d = tree_id(at(f, "/d")), one = take(f);

	run(f, "touch d/new; mv b d/b; mv d/a a; touch other; chmod 700 d");
	differs_below(f, one, take(f), d, "*/d/ -/d/a +/d/b +/d/new ");
}

static void paths_are_in_order_of_their_bytes(void **state)
{
	struct fixture *f = *state;
	uint64_t one;

	run(f, "mkdir s; touch s/x s.y");
	one = take(f);
	run(f, "touch s/z s-0 s0; echo 1 > s.y; chmod 700 s/x");
	differs(f, one, take(f), "*/ +/s-0 */s.y */s/ */s/x +/s/z +/s0 ");
}

static void older_differences_stay_as_they_are(void **state)
{
	struct fixture *f = *state;
	uint64_t one = take(f), two, three;

	run(f, "echo 1 > b; touch n");
	two = take(f);
	run(f, "echo 22 > b; rm n; rm -r d");
	three = take(f);
	run(f, "rm -f *");
	tree_sync(f->tree);
	differs(f, one, two, "*/ */b +/n ");
	differs(f, two, three, "*/ */b -/d/ -/n ");
	differs(f, one, three, "*/ */b -/d/ ");
}

/* ---- keeping and letting go ---- */

static void what_no_snapshot_needs_is_not_kept(void **state)
{
	struct fixture *f = *state;
	uint64_t one, two;

	run(f, "echo 1 > b");
	tree_sync(f->tree);
	assert_int_equal(tree_snapshot_records(f->tree), 0);
	one = take(f);
	run(f, "echo 2 > b; touch n; rm -r d");
	two = take(f);
	run(f, "echo 3 > b; rm n");
	tree_sync(f->tree);
	assert_true(tree_snapshot_records(f->tree) > 0);
	tree_snapshot_drop(f->tree, one);
	assert_false(tree_snapshot_exists(f->tree, one));
	assert_true(tree_snapshot_exists(f->tree, two));
	lists(f, two, "/", "b l n ");
	assert_int_equal(stat_then(f, two, "/b").size, 2);
	tree_snapshot_drop(f->tree, two);
	tree_snapshot_drop(f->tree, two);
	assert_int_equal(tree_snapshot_count(f->tree), 0);
	assert_int_equal(tree_snapshot_records(f->tree), 0);
	assert_true(take(f) > two);
}

static void one_in_the_middle_can_go(void **state)
{
	struct fixture *f = *state;
	uint64_t one = take(f), two, three;

	run(f, "echo 1 > b");
	two = take(f);
	run(f, "mv b c");
	three = take(f);
	tree_snapshot_drop(f->tree, two);
	differs(f, one, three, "*/ -/b +/c ");
	assert_int_equal(stat_then(f, one, "/b").size, 0);
	assert_int_equal(stat_then(f, three, "/c").size, 2);
}

static void many_changes_of_one_object_are_one_record(void **state)
{
	struct fixture *f = *state;
	size_t after_one;

	take(f);
	run(f, "echo 1 >> b");
	tree_sync(f->tree);
	after_one = tree_snapshot_records(f->tree);
	for (int i = 0; i < 20; i++) {
		run(f, "echo 1 >> b");
		tree_sync(f->tree);
	}
	assert_int_equal(tree_snapshot_records(f->tree), after_one);
}

static void the_oldest_goes_when_there_are_too_many_records(void **state)
{
	struct fixture *f = *state;
	uint64_t one = take(f), two;

	tree_options(f->tree)->past_most = 20;
	run(f, "for i in 1 2 3 4; do touch n$i; done");
	two = take(f);
	assert_true(tree_snapshot_exists(f->tree, one));
	run(f, "for i in 1 2 3 4 5 6 7 8 9; do touch m$i; done; rm -r d b n*");
	take(f);
	run(f, "rm m*");
	tree_sync(f->tree);
	assert_false(tree_snapshot_exists(f->tree, one));
	assert_true(tree_snapshot_records(f->tree) <= 20);
	assert_int_equal(tree_snapshot_count(f->tree) > 0, tree_snapshot_exists(f->tree, two + 1));
}

/* Made and gone again before anybody looked: it never was, for a snapshot either. */
static void temporary_files_leave_nothing(void **state)
{
	struct fixture *f = *state;
	uint64_t one = take(f), two;

	run(f, "for i in $(seq 50); do echo x > .t; mv .t b; done");
	two = take(f);
	lists(f, two, "/", "b d l ");
	run(f, "for i in $(seq 50); do echo x > .t; rm .t; done");
	lists(f, take(f), "/", "b d l ");
	differs(f, one, two, "*/ -/b +/b ");
}

static void deep_trees_have_a_past_too(void **state)
{
	struct fixture *f = *state;
	uint64_t one, two;
	struct node *node;
	AUTO(free) char *path = NULL;

	run(f, "for i in $(seq 400); do mkdir x && cd x || exit 1; done");
	one = take(f);
	run(f, "for i in $(seq 400); do cd x || exit 1; done; touch bottom");
	two = take(f);
	run(f, "mv x y; touch y/x/new");
	tree_sync(f->tree);
	node = at(f, "/y");
	while (tree_child(f->tree, node, TEXT("x")))
		node = tree_child(f->tree, node, TEXT("x"));
	node = tree_snapshot_node(f->tree, two, tree_id(tree_child(f->tree, node, TEXT("bottom"))));
	assert_non_null(node);
	path = tree_path(f->tree, node);
	assert_int_equal(strlen(path), 2 * 400 + strlen("/bottom"));
	{
		AUTO(tree_diff_free)
		struct tree_diff *diff = tree_diff_new(f->tree, one, two, TREE_ROOT_ID);

		assert_int_equal(diff->count, 2);
		assert_string_equal(diff->entries[1].path, path);
	}
	differs(f, two, take(f), "*/ -/x/ +/y/ ");
}

static void a_snapshot_of_100_000_files_is_at_once(void **state)
{
	struct fixture *f = *state;
	struct tree_entry *page = mem_array(1000, sizeof(*page));
	uint64_t one, two, after = 0;
	size_t count = 0, got;
	int64_t start;
	bool more = true;

	run(f, "mkdir m; cd m; seq -f f%06.0f 1 100000 | xargs touch");
	tree_sync(f->tree);
	start = clock_monotonic_ms();
	for (int i = 0; i < 1000; i++)
		one = take(f);
	assert_true(clock_monotonic_ms() - start < 5000);
	assert_int_equal(tree_snapshot_records(f->tree), 0);
	run(f, "mv m n; cd n; seq -f f%06.0f 1 2000 | xargs rm");
	two = take(f);
	assert_int_equal(stat_then(f, one, "/m").child_count, MANY);
	while (more) {
		got = tree_list(f->tree, then(f, one, "/m"), after, 1000, page, &more);
		after = page[got - 1].cursor;
		count += got;
	}
	assert_int_equal(count, MANY);
	assert_non_null(then(f, one, "/m/f050000"));
	assert_non_null(then(f, one, "/m/f001000"));
	assert_null(then(f, two, "/n/f001000"));
	{
		AUTO(tree_diff_free)
		struct tree_diff *diff = tree_diff_new(f->tree, one, two, TREE_ROOT_ID);

		assert_int_equal(diff->count, 3);
	}
	free(page);
}

/* ---- over a restart ---- */

static void restart(struct fixture *f, const char *meanwhile)
{
	fixture_close(f);
	if (meanwhile)
		run(f, meanwhile);
	fixture_open(f);
}

static void snapshots_are_there_after_a_restart(void **state)
{
	struct fixture *f = *state;
	uint64_t one, two, three;
	struct tree_stat before;

	run(f, "ln b d/b2");
	assert_int_equal(tree_tag_set(f->tree, at(f, "/b"), "GENERIC", TEXT("k"),
				      "MQ==", TREE_TAG_PUT, NULL),
			 TREE_OK);
	one = take(f);
	run(f, "echo longer > d/a; mv d/e e; rm l");
	two = take(f);
	before = stat_now(f, "/d/a");
	restart(f, NULL);
	assert_true(tree_snapshot_exists(f->tree, one));
	assert_int_equal(tree_snapshot_next(f->tree, one), two);
	lists(f, one, "/", "b d l ");
	lists(f, one, "/d", "a b2 e ");
	lists(f, two, "/", "b d e ");
	assert_string_equal(tree_tag_get(then(f, one, "/b"), "GENERIC", TEXT("k")), "MQ==");
	assert_int_equal(stat_then(f, one, "/d/a").size, 2);
	assert_int_equal(stat_then(f, two, "/d/a").etag, before.etag);
	assert_int_equal(stat_now(f, "/d/a").etag, before.etag);
	three = take(f);
	assert_true(three > two);
	differs(f, one, two, "*/ */d/ */d/a -/d/e/ +/e/ -/l ");
	differs(f, two, three, "");
	run(f, "rm e -r; echo x > n");
	differs(f, two, take(f), "*/ -/e/ +/n ");
}

static void what_happened_while_nobody_watched_is_a_difference(void **state)
{
	struct fixture *f = *state;
	enum tree_result result;
	uint64_t one, two;
	int fd;

	run(f, "for i in 1 2 3; do echo x > w$i; done; mkdir m; touch m/f");
	one = take(f);
	assert_int_equal(tree_tag_set(f->tree, at(f, "/w3"), "GENERIC", TEXT("k"),
				      "MQ==", TREE_TAG_PUT, NULL),
			 TREE_OK);
	restart(f, "echo y > w1; chmod 600 w2; mv m n; rm -r d; mkdir new; touch new/f");
	two = take(f);
	differs(f, one, two, "*/ -/d/ -/m/ +/n/ +/new/ */w1 */w2 */w3 ");
	assert_int_equal(tree_id(then(f, one, "/m/f")), tree_id(at(f, "/n/f")));
	fd = tree_data_open(f->tree, then(f, one, "/w2"), TREE_STREAM_DEFAULT, &result, NULL);
	assert_int_equal(result, TREE_OK);
	close(fd);
	fd = tree_data_open(f->tree, then(f, one, "/w1"), TREE_STREAM_DEFAULT, &result, NULL);
	assert_int_equal(result, TREE_NOT_KEPT);
	assert_int_equal(fd, -1);
	restart(f, NULL);
	restart(f, "rm w1");
	differs(f, one, two, "*/ -/d/ -/m/ +/n/ +/new/ */w1 */w2 */w3 ");
	differs(f, two, take(f), "*/ -/w1 ");
	tree_snapshot_drop(f->tree, one);
	lists(f, two, "/", "b l n new w1 w2 w3 ");
}

/* What a crash leaves: the file of the past is only there between an end and a start. */
static void after_a_crash_the_snapshots_are_gone_and_their_numbers_stay_used(void **state)
{
	struct fixture *f = *state;
	uint64_t one = take(f);

	restart(f, "rm ../root.cn_simulator/past");
	assert_false(tree_snapshot_exists(f->tree, one));
	assert_int_equal(tree_snapshot_records(f->tree), 0);
	assert_true(take(f) > one);
}

static void a_damaged_file_is_said_and_left_out(void **state)
{
	struct fixture *f = *state;
	uint64_t one = take(f);

	restart(f, "truncate -s -1 ../root.cn_simulator/past");
	assert_false(tree_snapshot_exists(f->tree, one));
	one = take(f);
	restart(f, "echo x >> ../root.cn_simulator/past");
	assert_false(tree_snapshot_exists(f->tree, one));
	one = take(f);
	restart(f, "echo other > ../root.cn_simulator/past");
	assert_false(tree_snapshot_exists(f->tree, one));
	assert_int_equal(tree_snapshot_records(f->tree), 0);
	assert_true(take(f) > one);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(what_changed_is_seen_as_it_was),
		CASE(entries_are_those_of_then),
		CASE(an_object_is_found_by_id_where_it_was),
		CASE(what_is_made_later_is_not_there),
		CASE(a_snapshot_covers_what_was_below_its_directory),
		CASE(tags_locks_streams_and_owners_are_those_of_then),
		CASE(data_is_there_until_it_changes),
		CASE(nothing_done_is_no_difference),
		CASE(each_change_is_one_line),
		CASE(a_directory_that_came_or_went_is_one_line),
		CASE(a_move_is_one_gone_and_one_new),
		CASE(out_of_a_directory_that_went),
		CASE(what_took_a_name_is_told_with_what_had_it),
		CASE(what_came_and_went_is_not_told),
		CASE(links_are_told_each_for_itself),
		CASE(a_difference_below_a_directory_is_only_that),
		CASE(paths_are_in_order_of_their_bytes),
		CASE(older_differences_stay_as_they_are),
		CASE(what_no_snapshot_needs_is_not_kept),
		CASE(one_in_the_middle_can_go),
		CASE(many_changes_of_one_object_are_one_record),
		CASE(the_oldest_goes_when_there_are_too_many_records),
		CASE(temporary_files_leave_nothing),
		CASE(deep_trees_have_a_past_too),
		CASE(a_snapshot_of_100_000_files_is_at_once),
		CASE(snapshots_are_there_after_a_restart),
		CASE(what_happened_while_nobody_watched_is_a_difference),
		CASE(after_a_crash_the_snapshots_are_gone_and_their_numbers_stay_used),
		CASE(a_damaged_file_is_said_and_left_out),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
