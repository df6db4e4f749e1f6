/* Events that are told together, on every implementation of the store. */
#include "stores.h"

#include <jansson.h>

#include "app/digest.h"

#define MINUTE 60000

static char *job(void *ctx, const char *key)
{
	char **out = ctx;

	free(*out);
	*out = str_copy(key);
	return str_format("{\"key\":\"%s\"}", key);
}

/* When it is told; 0: at once. *key is that of a job that was made. */
static int64_t keep(struct fixture *f, const char *group, const char *path, int64_t now_ms,
		    char **key)
{
	json_t *entry =
		json_pack("{s:s,s:s,s:s}", "event", "child_file_added", "rule", "r", "path", path);
	const struct digest digest = { group, MINUTE, entry };
	struct store_txn *txn;
	int64_t due_ms;

	ok(f, store_begin(f->store, &txn, &f->err));
	ok(f, digest_keep_in(txn, &digest, now_ms, job, key, &due_ms, &f->err));
	ok(f, store_commit(txn, &f->err));
	json_decref(entry);
	return due_ms;
}

static json_t *take(struct fixture *f, const char *key)
{
	struct store_txn *txn;
	json_t *gathered;

	ok(f, store_begin(f->store, &txn, &f->err));
	ok(f, digest_take_in(txn, key, &gathered, &f->err));
	ok(f, store_commit(txn, &f->err));
	return gathered;
}

static int64_t count_of(const json_t *gathered)
{
	return json_integer_value(json_object_get(gathered, "count"));
}

static bool count_key(void *ctx, struct text key, struct text value)
{
	++*(size_t *)ctx;
	return true;
}

static size_t keys(struct fixture *f)
{
	size_t count = 0;

	ok(f, store_peek_scan(f->store, SPACE_DIGEST, TEXT("a"), count_key, &count, &f->err));
	return count;
}

static void the_first_is_told_at_once_and_what_follows_together(void **state)
{
	struct fixture *f = *state;
	AUTO(free) char *key = NULL;

	assert_int_equal(keep(f, "g", "/0", 1000, &key), 0);
	assert_null(key);
	for (int i = 0; i < 3; i++)
		assert_int_equal(keep(f, "g", "/1", 2000 + i, &key), 1000 + MINUTE);
	assert_int_equal(keep(f, "other", "/1", 2000, &key), 0);
	json_t *gathered = take(f, key);

	assert_int_equal(count_of(gathered), 3);
	assert_int_equal(json_array_size(json_object_get(gathered, "entries")), 3);
	assert_int_equal(json_integer_value(json_object_get(gathered, "since_ms")), 2000);
	assert_int_equal(json_integer_value(json_object_get(gathered, "until_ms")), 2002);
	assert_int_equal(json_integer_value(json_object_get(json_object_get(gathered, "kinds"),
							    "child_file_added")),
			 3);
	json_decref(gathered);
	assert_null(take(f, key)); /* told once */
}

static void a_storm_that_goes_on_is_told_once_a_window(void **state)
{
	struct fixture *f = *state;
	AUTO(free) char *first = NULL;
	AUTO(free) char *second = NULL;

	assert_int_equal(keep(f, "g", "/0", 0, &first), 0);
	assert_int_equal(keep(f, "g", "/1", 10, &first), MINUTE);
	assert_int_equal(keep(f, "g", "/2", MINUTE + 10, &second), 2 * MINUTE + 10);
	assert_string_not_equal(first, second);
	json_t *one = take(f, first), *two = take(f, second);

	assert_int_equal(count_of(one), 1);
	assert_int_equal(count_of(two), 1);
	json_decref(one);
	json_decref(two);
	/* Quiet for a window, or nothing came in the one before: at once again. */
	assert_int_equal(keep(f, "g", "/3", 4 * MINUTE, &first), 0);
	assert_int_equal(keep(f, "g", "/4", 5 * MINUTE, &first), 0);
}

static void many_are_counted_and_not_all_kept(void **state)
{
	struct fixture *f = *state;
	AUTO(free) char *key = NULL;

	assert_int_equal(keep(f, "g", "/0", 0, &key), 0);
	for (int i = 0; i < DIGEST_ENTRIES_MOST + 5; i++)
		assert_int_equal(keep(f, "g", "/1", 10, &key), MINUTE);
	json_t *gathered = take(f, key);

	assert_int_equal(count_of(gathered), DIGEST_ENTRIES_MOST + 5);
	assert_int_equal(json_array_size(json_object_get(gathered, "entries")),
			 DIGEST_ENTRIES_MOST);
	json_decref(gathered);
	assert_int_equal(keys(f), 1); /* the group's window */
}

/* A rule that mails by directory has a group for each. */
static void groups_that_do_not_come_again_are_forgotten(void **state)
{
	struct fixture *f = *state;
	AUTO(free) char *key = NULL;

	for (int i = 0; i < 300; i++) {
		AUTO(free) char *group = str_format("%d", i);

		assert_int_equal(keep(f, group, "/0", (int64_t)i * MINUTE, &key), 0);
	}
	assert_in_range(keys(f), 1, 30);
}

static void a_key_that_is_none_is_said(void **state)
{
	struct fixture *f = *state;
	struct store_txn *txn;
	json_t *gathered;

	ok(f, store_begin(f->store, &txn, &f->err));
	assert_int_equal(digest_take_in(txn, "7", &gathered, &f->err), -1);
	assert_non_null(strstr(error_text(&f->err), "'7' is no key of what was gathered"));
	error_clear(&f->err);
	store_abort(txn);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_first_is_told_at_once_and_what_follows_together),
		cmocka_unit_test(a_storm_that_goes_on_is_told_once_a_window),
		cmocka_unit_test(many_are_counted_and_not_all_kept),
		cmocka_unit_test(groups_that_do_not_come_again_are_forgotten),
		cmocka_unit_test(a_key_that_is_none_is_said),
	};

	return run_on_every_store(tests, ARRAY_SIZE(tests));
}
