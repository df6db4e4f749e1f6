/* What salvage puts in the place of a damaged store; tests/e2e/test_salvage.py damages it in every
 * way. */
#include "check.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "store/salvage.h"

#define PAGE 4096
#define MINUTE_MS 60000
#define BEGUN_MS ((int64_t)1795366800000)
#define RECORDS 200 /* one a minute */

struct scene {
	char directory[32];
	char *path, *url;
	struct store_settings settings;
	struct store *store;
	struct error err;
};

static const char *const watches[] = { "main", NULL };

#define ok(scene, call)                                            \
	do {                                                       \
		if ((call) < 0)                                    \
			fail_msg("%s", error_text(&(scene)->err)); \
	} while (0)

static int setup(void **state)
{
	struct scene *scene = NEW(struct scene);

	strcpy(scene->directory, "/tmp/cn-salvage-XXXXXX");
	assert_non_null(mkdtemp(scene->directory));
	scene->path = str_format("%s/store", scene->directory);
	scene->url = str_format("embedded:%s", scene->path);
	scene->settings = (struct store_settings){ .url = scene->url,
						   .max_bytes = 64 << 20,
						   .retention_ms = (int64_t)30 * 86400000 };
	*state = scene;
	return 0;
}

static int teardown(void **state)
{
	struct scene *scene = *state;
	AUTO(free) char *remove = str_format("rm -r %s", scene->directory);

	store_close(scene->store);
	assert_int_equal(system(remove), 0);
	error_clear(&scene->err);
	free(scene->path);
	free(scene->url);
	free(scene);
	return 0;
}

static void up(struct scene *scene)
{
	ok(scene, store_open(&scene->store, &scene->settings, &scene->err));
}

static void down(struct scene *scene)
{
	store_close(TAKE(scene->store));
}

/* A record a minute, of which those up to cursor are judged. */
static void fill(struct scene *scene, uint64_t cursor)
{
	AUTO(free) char *bytes = mem_new(3000);
	struct store_txn *txn;
	uint64_t seq;

	memset(bytes, 'x', 3000);
	up(scene);
	for (int n = 1; n <= RECORDS; n++) {
		struct record record = { .time_ms = BEGUN_MS + n * MINUTE_MS,
					 .watch = TEXT("main"),
					 .bytes = { bytes, 3000 } };

		ok(scene, store_log_append(scene->store, &record, &seq, &scene->err));
	}
	ok(scene, store_log_commit(scene->store, &scene->err));
	ok(scene, store_begin(scene->store, &txn, &scene->err));
	ok(scene, store_cursor_put(txn, cursor, &scene->err));
	ok(scene, store_commit(txn, &scene->err));
	down(scene);
}

/* Where in the file the record with this number is; found by its neighbours' keys, which are in it.
 */
static void damage_middle(struct scene *scene)
{
	AUTO(free) char *path = str_format("%s/log/data.mdb", scene->path);
	int fd = open(path, O_WRONLY);
	char junk[8 * PAGE];
	struct stat file;

	memset(junk, 0xa5, sizeof(junk));
	assert_true(fd >= 0);
	assert_int_equal(fstat(fd, &file), 0);
	assert_int_equal(pwrite(fd, junk, sizeof(junk), file.st_size / 2 / PAGE * PAGE),
			 sizeof(junk));
	close(fd);
}

static struct salvage_report salvaged(struct scene *scene)
{
	struct salvage_report report;

	ok(scene, store_salvage(&scene->settings, watches, &report, &scene->err));
	return report;
}

static void what_waits_may_be_lost_since_the_last_that_was_judged(void **state)
{
	struct scene *scene = *state;
	struct salvage_report report;
	AUTO(free) char *alive = NULL;
	uint64_t cursor;

	fill(scene, 20); /* three hours wait */
	damage_middle(scene);
	report = salvaged(scene);
	assert_string_equal(report.counts[0].what, "records");
	assert_false(report.counts[0].is_whole);
	assert_in_range(report.counts[0].saved, 100, RECORDS - 1);
	assert_in_range(report.gap_ms, BEGUN_MS, BEGUN_MS + 20 * MINUTE_MS);
	up(scene);
	ok(scene, store_cursor_get(scene->store, &cursor, &scene->err));
	assert_int_equal(cursor, 20);
	ok(scene, store_note_get(scene->store, "alive/main", &alive, &scene->err));

	AUTO(free) char *since = str_format("%lld", (long long)report.gap_ms);

	assert_string_equal(alive, since);
	salvage_report_clear(&report);
}

static void where_all_was_judged_only_the_last_minutes_may_be_lost(void **state)
{
	struct scene *scene = *state;
	struct salvage_report report;

	fill(scene, RECORDS);
	damage_middle(scene);
	report = salvaged(scene);
	assert_in_range(report.gap_ms, BEGUN_MS + (RECORDS - 20) * MINUTE_MS,
			BEGUN_MS + RECORDS * MINUTE_MS);
	salvage_report_clear(&report);
}

static void move(const struct scene *scene, const char *from, const char *to)
{
	AUTO(free) char *command = str_format("cd %s && mv %s %s", scene->path, from, to);

	assert_int_equal(system(command), 0);
}

/* Killed after the new log was put in its place and before the new state was. */
static void one_that_was_killed_at_its_end_is_finished_by_the_next(void **state)
{
	struct scene *scene = *state;
	struct salvage_report report;
	AUTO(free) char *done = NULL;
	AUTO(free) char *name = NULL;
	uint64_t first, last;
	FILE *file;

	fill(scene, 20);
	damage_middle(scene);
	report = salvaged(scene);
	name = str_copy(strrchr(report.kept, '/') + 1);
	move(scene, "state", "new-state");
	move(scene, "damaged-*/state", "state");
	assert_int_equal(mkdir(done = str_format("%s/salvaged", scene->path), 0700), 0);
	move(scene, "new-state", "salvaged/state");
	free(done);
	done = str_format("%s/salvaged/done", scene->path);
	assert_non_null(file = fopen(done, "w"));
	fprintf(file, "%s\n", name);
	fclose(file);
	salvage_report_clear(&report);

	report = salvaged(scene);
	assert_true(report.is_resumed);
	assert_non_null(strstr(report.kept, name));
	salvage_report_clear(&report);
	up(scene);
	ok(scene, store_log_range(scene->store, &first, &last, &scene->err));
	assert_int_equal(last, RECORDS);
	assert_int_equal(access(done, F_OK), -1);
}

static void where_there_is_no_store_none_is_made(void **state)
{
	struct scene *scene = *state;
	struct salvage_report report;
	AUTO(free) char *log = str_format("%s/log", scene->path);

	assert_int_equal(store_salvage(&scene->settings, watches, &report, &scene->err), -1);
	assert_int_equal(mkdir(scene->path, 0700), 0);
	error_clear(&scene->err);
	assert_int_equal(store_salvage(&scene->settings, watches, &report, &scene->err), -1);
	assert_non_null(strstr(error_text(&scene->err), "there is no store in this directory"));
	assert_int_equal(access(log, F_OK), -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			what_waits_may_be_lost_since_the_last_that_was_judged, setup, teardown),
		cmocka_unit_test_setup_teardown(
			where_all_was_judged_only_the_last_minutes_may_be_lost, setup, teardown),
		cmocka_unit_test_setup_teardown(
			one_that_was_killed_at_its_end_is_finished_by_the_next, setup, teardown),
		cmocka_unit_test_setup_teardown(where_there_is_no_store_none_is_made, setup,
						teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
