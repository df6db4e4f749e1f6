/* What is particular to the embedded store: its files, their damage, and the process that has it.
 */
#include "stores.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>

static char *file_of(struct fixture *f, const char *name)
{
	return str_format("%s/store/%s", f->dir, name);
}

static void fill(struct fixture *f, int records)
{
	char bytes[1000] = "";
	struct record record = { .watch = TEXT("main"), .bytes = { bytes, sizeof(bytes) } };
	uint64_t seq;

	for (int i = 0; i < records; i++)
		ok(f, store_log_append(f->store, &record, &seq, &f->err));
	ok(f, store_log_commit(f->store, &f->err));
}

static void put_value(struct fixture *f, const char *value)
{
	struct store_txn *txn;

	ok(f, store_begin(f->store, &txn, &f->err));
	ok(f, store_put(txn, SPACE_META, TEXT("k"), text_of(value), &f->err));
	ok(f, store_commit(txn, &f->err));
}

static void nobody_else_may_look_into_the_directory(void **state)
{
	struct fixture *f = *state;
	AUTO(free) char *dir = file_of(f, "");
	AUTO(free) char *log = file_of(f, "log/data.mdb");
	struct stat info;

	assert_int_equal(stat(dir, &info), 0);
	assert_int_equal(info.st_mode & 0777, 0700);
	assert_int_equal(stat(log, &info), 0);
	assert_int_equal(info.st_mode & 0077, 0);
}

static void missing_parents_are_made(void **state)
{
	struct fixture *f = *state;
	AUTO(free) char *url = str_format("embedded:%s/a/b/c", f->dir);
	struct store_settings settings = f->settings;
	struct store *store;

	settings.url = url;
	ok(f, store_open(&store, &settings, &f->err));
	store_close(store);
}

/* Runs in a process of its own: 0 if the store could not be opened and the reason names the pid. */
static int try_to_open(struct fixture *f, const char *pid)
{
	struct store *store;

	if (store_open(&store, &f->settings, &f->err) == 0)
		return 1;
	return strstr(error_text(&f->err), pid) ? 0 : 2;
}

static void a_second_process_is_told_who_has_the_store(void **state)
{
	struct fixture *f = *state;
	AUTO(free) char *name = str_format("process %ld", (long)getpid());
	pid_t pid = fork();
	int status;

	if (pid == 0)
		_exit(try_to_open(f, name));
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	fixture_reopen(f); /* and when that one is done, it is free */
}

/* What a kill -9 leaves for a moment when it hits while a script is being started. */
static void a_child_that_outlives_its_killed_parent_does_not_keep_the_store(void **state)
{
	struct fixture *f = *state;
	int ends[2], status;
	char byte;
	pid_t pid;

	fixture_close(f);
	assert_int_equal(pipe(ends), 0);
	pid = fork();
	if (pid == 0) {
		if (store_open(&f->store, &f->settings, &f->err) < 0)
			_exit(1);
		if (fork() == 0) {
			close(ends[1]);
			_exit(read(ends[0], &byte, 1) != 0); /* lives as long as the test */
		}
		kill(getpid(), SIGKILL);
	}
	close(ends[0]);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status));
	fixture_open(f);
	close(ends[1]);
}

static void cut(struct fixture *f, const char *name, off_t size)
{
	AUTO(free) char *path = file_of(f, name);

	assert_int_equal(truncate(path, size), 0);
}

static off_t size_of(struct fixture *f, const char *name)
{
	AUTO(free) char *path = file_of(f, name);
	struct stat info;

	assert_int_equal(stat(path, &info), 0);
	return info.st_size;
}

static void a_file_that_was_cut_off_is_refused_and_left_as_it_is(void **state)
{
	struct fixture *f = *state;
	off_t size;

	fill(f, 1000);
	fixture_close(f);
	size = size_of(f, "log/data.mdb") / 2;
	cut(f, "log/data.mdb", size);
	refused(f, store_open(&f->store, &f->settings, &f->err), "is damaged");
	assert_int_equal(size_of(f, "log/data.mdb"), size);
}

static void an_emptied_or_lost_file_is_not_taken_for_a_new_store(void **state)
{
	struct fixture *f = *state;
	AUTO(free) char *path = file_of(f, "state/data.mdb");

	fixture_close(f);
	cut(f, "state/data.mdb", 0);
	refused(f, store_open(&f->store, &f->settings, &f->err), "is damaged");
	assert_int_equal(unlink(path), 0);
	refused(f, store_open(&f->store, &f->settings, &f->err), "is damaged");
}

static void write_at(struct fixture *f, const char *name, off_t at, const char *bytes, size_t size)
{
	AUTO(free) char *path = file_of(f, name);
	int fd = open(path, O_WRONLY | O_TRUNC * (at == 0));

	assert_int_equal(pwrite(fd, bytes, size, at), size);
	close(fd);
}

static void rubbish_is_refused(void **state)
{
	struct fixture *f = *state;
	char bytes[65536];

	memset(bytes, 'x', sizeof(bytes));
	fixture_close(f);
	write_at(f, "log/data.mdb", 0, bytes, sizeof(bytes));
	refused(f, store_open(&f->store, &f->settings, &f->err), "is damaged");
}

static void a_page_of_zeros_is_an_error_and_no_crash(void **state)
{
	struct fixture *f = *state;
	char bytes[4096] = "";
	off_t size;
	uint64_t last = 0, first;
	bool is_noticed;

	fill(f, 3000);
	fixture_close(f);
	size = size_of(f, "log/data.mdb");
	for (off_t at = 2 * 4096; at < size; at += 4096)
		write_at(f, "log/data.mdb", at, bytes, sizeof(bytes));
	is_noticed = store_open(&f->store, &f->settings, &f->err) < 0 ||
		     store_log_range(f->store, &first, &last, &f->err) < 0;
	assert_true(is_noticed);
	assert_non_null(strstr(error_text(&f->err), "damaged"));
}

static void a_format_of_another_version_is_refused(void **state)
{
	struct fixture *f = *state;

	fixture_close(f);
	write_at(f, "format", 0, "2\n", 2);
	refused(f, store_open(&f->store, &f->settings, &f->err), "has format 2");
}

static void a_store_whose_creation_was_interrupted_is_completed(void **state)
{
	struct fixture *f = *state;
	AUTO(free) char *format = file_of(f, "format");
	AUTO(free) char *data = file_of(f, "state/data.mdb");

	fixture_close(f);
	assert_int_equal(unlink(format), 0);
	assert_int_equal(truncate(data, 0), 0);
	fixture_open(f);
	fixture_reopen(f);
}

/* In a child, because the limit is for good. A full disk and this one fail at the same places. */
static int use_up_the_disk(struct fixture *f)
{
	struct rlimit limit = { 2 * 1024 * 1024, 2 * 1024 * 1024 };
	char bytes[100000] = "";
	struct record record = { .watch = TEXT("main"), .bytes = { bytes, sizeof(bytes) } };
	uint64_t seq = 0, first, last = 0, committed = 0;

	signal(SIGXFSZ, SIG_IGN);
	fixture_open(f);
	setrlimit(RLIMIT_FSIZE, &limit);
	for (int i = 0; i < 100; i++) {
		if (store_log_append(f->store, &record, &seq, &f->err) < 0)
			return 1;
		if (store_log_commit(f->store, &f->err) < 0)
			break;
		committed = seq;
	}
	if (committed == 100 || !strstr(error_text(&f->err), "too large"))
		return 2;
	if (store_log_range(f->store, &first, &last, &f->err) < 0 || last != committed)
		return 3;
	if (store_log_commit(f->store, &f->err) == 0)
		return 4;
	store_close(f->store);
	return 0;
}

static void a_full_disk_is_an_error_and_nothing_is_half_written(void **state)
{
	struct fixture *f = *state;
	uint64_t first, last;
	pid_t child;
	int status;

	fixture_close(f);
	child = fork();
	if (child == 0)
		_exit(use_up_the_disk(f));
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
	fixture_open(f);
	ok(f, store_log_range(f->store, &first, &last, &f->err));
	assert_in_range(last, 1, 99);
	fill(f, 1); /* when there is room again, it goes on */
	put_value(f, "v");
}

/* LMDB leaves the file shorter than its count of pages when the last ones were given back at once;
 * that is no damage. */
static void any_file_that_lmdb_leaves_behind_can_be_opened_again(void **state)
{
	struct fixture *f = *state;
	unsigned random = 1;

	for (int round = 0; round < 40; round++) {
		struct store_txn *txn;

		ok(f, store_begin(f->store, &txn, &f->err));
		for (int i = 0; i < 50; i++) {
			AUTO(free) char *value = NULL;
			struct store_key key;

			random = random * 1103515245 + 12345;
			key = store_key(random >> 16 & 63);
			value = mem_new((random >> 8 & 0x7fff) + 1);
			if (random & 1 << 30)
				ok(f, store_delete(txn, SPACE_META, (struct text){ key.bytes, 8 },
						   &f->err));
			else
				ok(f, store_put(txn, SPACE_META, (struct text){ key.bytes, 8 },
						(struct text){ value, (random >> 8 & 0x7fff) + 1 },
						&f->err));
		}
		ok(f, store_commit(txn, &f->err));
		fixture_reopen(f);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nobody_else_may_look_into_the_directory),
		cmocka_unit_test(missing_parents_are_made),
		cmocka_unit_test(a_second_process_is_told_who_has_the_store),
		cmocka_unit_test(a_child_that_outlives_its_killed_parent_does_not_keep_the_store),
		cmocka_unit_test(a_file_that_was_cut_off_is_refused_and_left_as_it_is),
		cmocka_unit_test(an_emptied_or_lost_file_is_not_taken_for_a_new_store),
		cmocka_unit_test(rubbish_is_refused),
		cmocka_unit_test(a_page_of_zeros_is_an_error_and_no_crash),
		cmocka_unit_test(a_format_of_another_version_is_refused),
		cmocka_unit_test(a_store_whose_creation_was_interrupted_is_completed),
		cmocka_unit_test(a_full_disk_is_an_error_and_nothing_is_half_written),
		cmocka_unit_test(any_file_that_lmdb_leaves_behind_can_be_opened_again),
	};

	return run_on_one_store(tests, ARRAY_SIZE(tests), &store_kinds[0]);
}
