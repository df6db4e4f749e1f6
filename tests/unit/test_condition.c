#include "check.h"

#include "rule/condition.h"

static struct condition_pool pool;

static int clear(void **state)
{
	condition_pool_clear(&pool);
	return 0;
}

static struct condition *make(enum condition_kind kind)
{
	return condition_new(&pool, kind, "test", (struct place){ 0 });
}

static const struct condition *event(event_kinds kinds)
{
	struct condition *condition = make(CONDITION_EVENT);

	condition->kinds = kinds;
	return condition;
}

static const struct condition *below(const char *directory)
{
	struct condition *condition = make(CONDITION_DIRECTORY);

	condition_add_directory(condition, text_of(directory));
	return condition;
}

static const struct condition *named(const char *glob, bool is_old)
{
	struct condition *condition = make(CONDITION_NAME);
	AUTO_ERROR err = { 0 };
	size_t at;

	condition->is_old = is_old;
	assert_int_equal(pattern_parse(&condition->patterns, text_of(glob), PATTERN_OF_NAME, false,
				       &at, &err),
			 0);
	return condition;
}

static const struct condition *join(enum condition_kind kind, const struct condition *a,
				    const struct condition *b)
{
	struct condition *condition = make(kind);

	condition_add_child(condition, a);
	if (b)
		condition_add_child(condition, b);
	return condition;
}

/* Conditions that are false, unknown and true for an event that may be any of two types. */
static const struct subject partial = { .kinds = 0x3, .is_partial = true };
static const event_kinds masks[] = {
	[TRUTH_FALSE] = 0x4, [TRUTH_UNKNOWN] = 0x5, [TRUTH_TRUE] = 0x7
};

static void all_is_the_least_any_the_greatest_and_not_the_opposite(void **state)
{
	for (int a = TRUTH_FALSE; a <= TRUTH_TRUE; a++) {
		assert_int_equal(
			condition_test(join(CONDITION_NOT, event(masks[a]), NULL), &partial),
			TRUTH_TRUE - a);
		for (int b = TRUTH_FALSE; b <= TRUTH_TRUE; b++) {
			const struct condition *first = event(masks[a]), *second = event(masks[b]);

			assert_int_equal(
				condition_test(join(CONDITION_ALL, first, second), &partial),
				MIN(a, b));
			assert_int_equal(
				condition_test(join(CONDITION_ANY, first, second), &partial),
				MAX(a, b));
		}
	}
}

static void an_event_of_several_kinds_meets_each_of_them(void **state)
{
	struct subject subject = { .kinds = 0x3 };

	assert_int_equal(condition_test(event(0x1), &subject), TRUTH_TRUE);
	assert_int_equal(condition_test(event(0x4), &subject), TRUTH_FALSE);
}

static enum truth test_in(const struct condition *condition, const char *directory, bool is_direct,
			  const char *name)
{
	const struct condition *holder = name ? named(name, false) : NULL;
	struct region region = { .kinds = EVENT_ANY,
				 .directory = text_of(directory),
				 .is_direct = is_direct,
				 .name = holder ? holder->patterns.items[0] : NULL,
				 .word = SCAN_NONE };
	struct subject subject = { .kinds = EVENT_ANY, .is_partial = true, .path.region = &region };

	return condition_test(condition, &subject);
}

static void a_region_is_in_a_directory_outside_or_perhaps(void **state)
{
	assert_int_equal(test_in(below("/a"), "/a", false, NULL), TRUTH_TRUE);
	assert_int_equal(test_in(below("/a"), "/a/b", false, NULL), TRUTH_TRUE);
	assert_int_equal(test_in(below("/a/b"), "/a", false, NULL), TRUTH_UNKNOWN);
	assert_int_equal(test_in(below("/a/b"), "/a", true, NULL), TRUTH_FALSE);
	assert_int_equal(test_in(below("/a"), "/ab", false, NULL), TRUTH_FALSE);
	assert_int_equal(test_in(below("/a"), "", false, NULL), TRUTH_UNKNOWN);
	assert_int_equal(test_in(below("/"), "", false, NULL), TRUTH_TRUE);
}

static void a_region_of_names_is_within_a_pattern_outside_or_perhaps(void **state)
{
	assert_int_equal(test_in(named("*.tmp", false), "", false, "*.done"), TRUTH_FALSE);
	assert_int_equal(test_in(named("*.tmp", false), "", false, "a*.tmp"), TRUTH_TRUE);
	assert_int_equal(test_in(named("a*.tmp", false), "", false, "*.tmp"), TRUTH_UNKNOWN);
	assert_int_equal(test_in(named("*.tmp", false), "", false, NULL), TRUTH_UNKNOWN);
	assert_int_equal(test_in(named("*", false), "", false, NULL), TRUTH_TRUE);
}

static void what_an_expression_says_of_a_path_that_is_not_known_is_unknown(void **state)
{
	struct condition *regex = make(CONDITION_REGEX);
	AUTO_ERROR err = { 0 };
	struct condition_regex added = { .word = SCAN_NONE };
	int at;

	assert_int_equal(regex_new(&added.regex, "a", false, &at, &err), 0);
	condition_add_regex(regex, added);
	assert_int_equal(condition_test(regex, &partial), TRUTH_UNKNOWN);
	assert_int_equal(condition_test(join(CONDITION_NOT, regex, NULL), &partial), TRUTH_UNKNOWN);
}

static void without_an_old_path_nothing_about_it_is_true(void **state)
{
	struct subject subject = { .kinds = 0x1, .path.text = TEXT("/a/b") };

	assert_int_equal(condition_test(named("*", true), &subject), TRUTH_FALSE);
	subject.old_path.text = TEXT("/a/c");
	assert_int_equal(condition_test(named("c", true), &subject), TRUTH_TRUE);
	assert_int_equal(condition_test(named("b", true), &subject), TRUTH_FALSE);
}

static void regions_narrow_with_and_and_widen_with_or(void **state)
{
	const struct condition *both =
		join(CONDITION_ALL, join(CONDITION_ANY, below("/a"), below("/b")),
		     join(CONDITION_ALL, below("/a/c"), named("*.x", false)));
	struct region_list list = { 0 };

	region_list_of(&list, both);
	assert_int_equal(list.count, 1); /* /b and /a/c exclude each other */
	assert_true(text_is(list.items[0].directory, "/a/c"));
	assert_non_null(list.items[0].name);
	region_list_clear(&list);

	region_list_of(&list, join(CONDITION_NOT, below("/a"), NULL));
	assert_int_equal(list.count, 1);
	assert_int_equal(region_rank(&list.items[0]), 0);
	region_list_clear(&list);
}

/* Were a child asked twice, the deepest would be asked 2^62 times, and this would never end. */
static void each_condition_is_asked_once_however_deep_it_stands(void **state)
{
	const struct condition *tree = event(EVENT_KIND(CHILD_FILE_ADDED));
	struct subject subject = { .kinds = EVENT_KIND(CHILD_FILE_ADDED) };

	while (tree->source->height < CONDITION_HEIGHT_MAX - 1) {
		struct condition *any = make(CONDITION_ANY);
		struct condition *all = make(CONDITION_ALL);

		condition_add_child(any, tree);
		condition_add_child(all, any);
		tree = all;
	}
	assert_int_equal(condition_test(tree, &subject), TRUTH_TRUE);
	subject.kinds = EVENT_KIND(CHILD_FILE_REMOVED);
	assert_int_equal(condition_test(tree, &subject), TRUTH_FALSE);
}

/* Named ones stand in several trees, and one that nobody uses stays what it was. */
static void conditions_that_are_packed_say_what_they_said(void **state)
{
	const struct condition *shared = join(CONDITION_ALL, below("/a"), named("*.jpg", false));
	const struct condition *unused = join(CONDITION_NOT, below("/b"), NULL);
	const struct condition *trees[] = {
		join(CONDITION_ALL, event(0x1), shared),
		shared,
		join(CONDITION_ANY, join(CONDITION_NOT, shared, NULL), event(0x2)),
	};
	struct subject subject = { .kinds = 0x1, .path.text = TEXT("/a/b/c.jpg") };

	condition_pool_pack(&pool, trees, ARRAY_SIZE(trees));
	assert_ptr_equal(trees[0]->children[1], trees[1]);
	assert_ptr_equal(trees[2]->children[0]->children[0], trees[1]);
	assert_int_equal(condition_test(trees[0], &subject), TRUTH_TRUE);
	assert_int_equal(condition_test(trees[1], &subject), TRUTH_TRUE);
	assert_int_equal(condition_test(trees[2], &subject), TRUTH_FALSE);
	assert_int_equal(condition_test(unused, &subject), TRUTH_TRUE);
	subject.path.text = TEXT("/b/c.jpg");
	assert_int_equal(condition_test(trees[0], &subject), TRUTH_FALSE);
	assert_int_equal(condition_test(trees[2], &subject), TRUTH_TRUE);
	assert_int_equal(condition_test(unused, &subject), TRUTH_FALSE);
}

static void conditions_of_a_rule_lie_side_by_side(void **state)
{
	const struct condition *tree = join(CONDITION_ALL, event(0x1), below("/home/joe"));
	const char *start, *end;

	for (int i = 0; i < 100; i++)
		named("*.jpg", false); /* what other rules make in between */
	condition_pool_pack(&pool, &tree, 1);
	start = (const char *)tree;
	end = tree->children[1]->directories[0].data;
	assert_true(start < end && end < start + 4 * (ptrdiff_t)ARENA_LINE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(all_is_the_least_any_the_greatest_and_not_the_opposite,
					  clear),
		cmocka_unit_test_teardown(an_event_of_several_kinds_meets_each_of_them, clear),
		cmocka_unit_test_teardown(a_region_is_in_a_directory_outside_or_perhaps, clear),
		cmocka_unit_test_teardown(a_region_of_names_is_within_a_pattern_outside_or_perhaps,
					  clear),
		cmocka_unit_test_teardown(
			what_an_expression_says_of_a_path_that_is_not_known_is_unknown, clear),
		cmocka_unit_test_teardown(without_an_old_path_nothing_about_it_is_true, clear),
		cmocka_unit_test_teardown(each_condition_is_asked_once_however_deep_it_stands,
					  clear),
		cmocka_unit_test_teardown(conditions_that_are_packed_say_what_they_said, clear),
		cmocka_unit_test_teardown(conditions_of_a_rule_lie_side_by_side, clear),
		cmocka_unit_test_teardown(regions_narrow_with_and_and_widen_with_or, clear),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
