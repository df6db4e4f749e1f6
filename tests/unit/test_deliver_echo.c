/* deliver and the echoes of what it does: expectations, and changes by others at the same moment.
 */
#include "fake_world.h"

static int64_t open_expectations(struct world *world, int64_t now_ms)
{
	int64_t open = echo_count_open(world->f->store, 1, 0, now_ms, &world->f->err);

	ok(world->f, open);
	return open;
}

static void expectations_outlive_their_step_by_the_expiry(void **state)
{
	struct world *world = *state;

	world_put_file(world, "7", "/home/a", "1");
	world_end(world, (struct world_end){
				 .memory = "x", .expects = CHILD_MTIME_CHANGED, .hangs = true });
	put_job(world, "probe", "7", "/home/a");
	world_settle(world);
	assert_int_equal(open_expectations(world, WORLD_NOW_MS + 120000), 1);
	world_finish(world, (struct world_end){ 0 });
	world_settle(world);
	assert_int_equal(open_expectations(world, WORLD_NOW_MS + 59999), 1);
	assert_int_equal(open_expectations(world, WORLD_NOW_MS + 60001), 0);
}

static void what_was_refused_is_expected_no_more(void **state)
{
	struct world *world = *state;

	world_put_file(world, "7", "/home/a", "1");
	world_end(world, (struct world_end){ ACTION_REJECTED, .why = "denied", .memory = "x",
					     .expects = CHILD_ACL_CHANGED, .withdraws = true });
	put_job(world, "probe", "7", "/home/a");
	world_settle(world);
	assert_int_equal(open_expectations(world, WORLD_NOW_MS), 0);
}

/* ---- Somebody else changed the file at the same moment ---- */

static int inbox_items(struct world *world, char path[64])
{
	struct store_txn *txn;
	struct inbox_item item = { 0 };
	int count = 0, rc;

	ok(world->f, store_begin(world->f->store, &txn, &world->f->err));
	while ((rc = inbox_next(txn, item.number, &item, &world->f->err)) > 0) {
		assert_int_equal(item.event->type, CHILD_ACL_CHANGED);
		assert_true(text_is(item.event->file_id, "7"));
		assert_true(text_is(item.event->watch, "main"));
		snprintf(path, 64, "%.*s", TEXT_ARGS(item.event->path));
		free(item.event);
		count++;
	}
	ok(world->f, rc);
	store_abort(txn);
	return count;
}

static void change_permissions(struct world *world, const char *left_behind)
{
	world_put_file(world, "7", "/home/a", "1");
	world_end(world, (struct world_end){ .memory = "x",
					     .expects = CHILD_ACL_CHANGED,
					     .change_time = left_behind });
	put_job(world, "probe", "7", "/home/a");
	world_settle(world);
}

static void a_merged_change_by_somebody_else_is_handed_to_the_filter(void **state)
{
	struct world *world = *state;
	char path[64];

	change_permissions(world, "2");
	world_put_file(world, "7", "/home/moved", "3"); /* not what we left behind */
	assert_int_equal(inbox_items(world, path), 0);
	clock_advance(2000);
	world_settle(world);
	assert_int_equal(inbox_items(world, path), 1);
	assert_string_equal(path, "/home/moved");
	clock_advance(10000);
	world_settle(world);
	assert_int_equal(inbox_items(world, path), 1); /* once */
}

static void the_file_is_looked_at_as_soon_as_the_echo_was_heard(void **state)
{
	struct world *world = *state;
	struct event echo = { .type = CHILD_ACL_CHANGED,
			      .file_id = TEXT("7"),
			      .path = TEXT("/home/a") };
	struct store_txn *txn;
	char path[64];
	uint64_t job;
	unsigned step;

	change_permissions(world, "2");
	world_put_file(world, "7", "/home/a", "3");
	ok(world->f, store_begin(world->f->store, &txn, &world->f->err));
	assert_int_equal(echo_match(txn, &echo, clock_now_ms(), &job, &step, &world->f->err), 1);
	ok(world->f, store_commit(txn, &world->f->err));
	clock_advance(100);
	world_settle(world);
	assert_int_equal(inbox_items(world, path), 1);
}

static void a_file_as_we_left_it_is_nobody_elses_change(void **state)
{
	struct world *world = *state;
	char path[64];

	change_permissions(world, "2");
	world_put_file(world, "7", "/home/a", "2");
	clock_advance(5000);
	world_settle(world);
	assert_int_equal(inbox_items(world, path), 0);
}

static void our_own_next_step_is_nobody_elses_change(void **state)
{
	struct world *world = *state;
	char path[64];

	world_put_file(world, "7", "/home/a", "2"); /* as the second step will read it */
	world_end(world, (struct world_end){
				 .memory = "x", .expects = CHILD_ACL_CHANGED, .change_time = "2" });
	world_end(world, (struct world_end){ .hangs = true });
	put_job(world, "probe,probe", "7", "/home/a");
	world_settle(world);
	world_put_file(world, "7", "/home/a", "3"); /* by the second step, not ended yet */
	clock_advance(3000);
	world_settle(world);
	assert_int_equal(inbox_items(world, path), 0);
	world_finish(world, (struct world_end){ .change_time = "3" });
	world_settle(world);
	clock_advance(3000);
	world_settle(world);
	assert_int_equal(inbox_items(world, path), 0);
}

static void a_change_between_two_steps_of_ours_is_handed_over(void **state)
{
	struct world *world = *state;
	char path[64];

	world_put_file(world, "7", "/home/a", "2b"); /* read by the second step: not our "2" */
	world_end(world, (struct world_end){
				 .memory = "x", .expects = CHILD_ACL_CHANGED, .change_time = "2" });
	world_end(world, (struct world_end){ .change_time = "3" });
	put_job(world, "probe,probe", "7", "/home/a");
	world_settle(world);
	world_put_file(world, "7", "/home/a", "3");
	clock_advance(3000);
	world_settle(world);
	assert_int_equal(inbox_items(world, path), 1);
}

/* A cluster that tells another change time in its answer than afterwards, always. */
static void what_always_looks_like_somebody_else_is_no_tight_loop(void **state)
{
	struct world *world = *state;
	char path[64];
	unsigned found = 0;

	for (int i = 0; i < 40; i++) {
		size_t before = inbox_items(world, path);

		change_permissions(world, "2");
		clock_advance(2100);
		world_settle(world);
		found += inbox_items(world, path) > before;
	}
	assert_in_range(found, 9, 30);
	clock_advance(70000); /* but what was put off is not forgotten */
	world_settle(world);
	assert_true(inbox_items(world, path) > found);
}

#define t(test) cmocka_unit_test_setup_teardown(test, world_setup, world_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		t(expectations_outlive_their_step_by_the_expiry),
		t(what_was_refused_is_expected_no_more),
		t(a_merged_change_by_somebody_else_is_handed_to_the_filter),
		t(the_file_is_looked_at_as_soon_as_the_echo_was_heard),
		t(a_file_as_we_left_it_is_nobody_elses_change),
		t(our_own_next_step_is_nobody_elses_change),
		t(a_change_between_two_steps_of_ours_is_handed_over),
		t(what_always_looks_like_somebody_else_is_no_tight_loop),
	};

	return run_on_every_store(tests, ARRAY_SIZE(tests));
}
