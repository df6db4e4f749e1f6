#include "fake_action.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"

static char *directory;
static char *file;

static int set_up(void **state)
{
	directory = str_copy("/tmp/cn_log_XXXXXX");
	assert_non_null(mkdtemp(directory));
	file = str_format("%s/matches.jsonl", directory);
	return 0;
}

static int tear_down(void **state)
{
	AUTO(free) char *old = str_format("%s.1", file);

	unlink(file);
	unlink(old);
	rmdir(directory);
	free(file);
	free(directory);
	return 0;
}

static char *content(const char *path)
{
	char *text = mem_new(100000);
	int fd = open(path, O_RDONLY);

	assert_true(fd >= 0);
	assert_true(read(fd, text, 99999) >= 0);
	close(fd);
	return text;
}

static void open_log(struct fake *fake, const char *format)
{
	AUTO(free) char *options = str_format(format, file);

	fake_open(fake, "log", options);
}

static void go(struct fake *fake, const char *path, enum action_result outcome)
{
	AUTO(fake_run_free) struct action_run *run = fake_run(fake, "7", path);

	fake_go(fake, run);
	assert_int_equal(run->outcome, outcome);
}

static void a_line_is_an_object_with_everything_about_the_event(void **state)
{
	AUTO(fake_free) struct fake *fake = fake_new();

	open_log(fake, "{\"file\": \"%s\"}");
	go(fake, "/home/joe/a.jpg", ACTION_DONE);
	AUTO(free) char *line = content(file);
	assert_string_equal(line,
			    "{\"time\":\"2026-11-22T17:00:00.123Z\",\"event\":\"child_file_added\","
			    "\"path\":\"/home/joe/a.jpg\",\"file_id\":\"7\",\"parent_id\":\"3\","
			    "\"rule\":\"no-media\",\"watch\":\"main\",\"cluster\":\"default\","
			    "\"origin\":\"live\",\"job\":12}\n");
}

static void a_text_instead_of_options_is_the_file(void **state)
{
	AUTO(fake_free) struct fake *fake = fake_new();

	open_log(fake, "\"%s\"");
	go(fake, "/home/joe/a.jpg", ACTION_DONE);
	assert_int_equal(access(file, F_OK), 0);
}

static void a_name_with_a_newline_stays_on_its_line(void **state)
{
	AUTO(fake_free) struct fake *fake = fake_new();

	open_log(fake, "{\"file\": \"%s\", \"text\": \"saw {name}\"}");
	go(fake, "/home/a\n\"b\"", ACTION_DONE);
	AUTO(free) char *line = content(file);
	assert_non_null(strstr(line, "\"path\":\"/home/a\\n\\\"b\\\"\""));
	assert_non_null(strstr(line, "\"text\":\"saw a\\n\\\"b\\\"\"}\n"));
	assert_ptr_equal(strchr(line, '\n'), line + strlen(line) - 1);
}

static void the_file_is_for_its_owner_and_group_only(void **state)
{
	AUTO(fake_free) struct fake *fake = fake_new();
	struct stat info;

	umask(022);
	open_log(fake, "{\"file\": \"%s\"}");
	go(fake, "/home/joe/a.jpg", ACTION_DONE);
	assert_int_equal(stat(file, &info), 0);
	assert_int_equal(info.st_mode & 0777, 0640);
}

static void a_file_that_was_rotated_away_is_opened_anew(void **state)
{
	AUTO(fake_free) struct fake *fake = fake_new();
	AUTO(free) char *old = str_format("%s.1", file);

	open_log(fake, "{\"file\": \"%s\"}");
	go(fake, "/home/first", ACTION_DONE);
	assert_int_equal(rename(file, old), 0);
	go(fake, "/home/second", ACTION_DONE);
	AUTO(free) char *before = content(old);
	AUTO(free) char *after = content(file);
	assert_non_null(strstr(before, "/home/first"));
	assert_null(strstr(before, "/home/second"));
	assert_non_null(strstr(after, "/home/second"));
}

static void a_directory_that_is_missing_is_tried_again(void **state)
{
	AUTO(fake_free) struct fake *fake = fake_new();
	AUTO(fake_run_free) struct action_run *run = NULL;

	fake_open(fake, "log", "{\"file\": \"/nowhere/at/all.jsonl\"}");
	run = fake_run(fake, "7", "/home/a");
	fake_go(fake, run);
	assert_int_equal(run->outcome, ACTION_RETRY);
	assert_string_equal(run->why,
			    "cannot open /nowhere/at/all.jsonl: No such file or directory");
}

static void a_full_disk_is_tried_again(void **state)
{
	AUTO(fake_free) struct fake *fake = fake_new();

	fake_open(fake, "log", "{\"file\": \"/dev/full\"}");
	go(fake, "/home/a", ACTION_RETRY);
}

static char logged[200];

static void keep_line(enum log_level level, const char *who, const char *line)
{
	assert_int_equal(level, LOG_INFO);
	snprintf(logged, sizeof(logged), "%s: %s", who, line);
}

static void without_a_file_the_line_goes_to_the_log(void **state)
{
	AUTO(fake_free) struct fake *fake = fake_new();

	log_redirect(keep_line);
	fake_open(fake, "log", "{}");
	go(fake, "/home/a", ACTION_DONE);
	log_redirect(NULL);
	assert_non_null(strstr(logged, "rule/no-media: child_file_added /home/a"));
}

static void an_unknown_option_is_refused(void **state)
{
	AUTO(fake_free) struct fake *fake = fake_new();
	AUTO_ERROR err = { 0 };

	assert_int_equal(action_open(&fake->action, action_type_find("log"), "{\"fil\": \"x\"}",
				     &fake->host, &err),
			 -1);
	assert_non_null(strstr(error_text(&err), "file"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_line_is_an_object_with_everything_about_the_event),
		cmocka_unit_test(a_text_instead_of_options_is_the_file),
		cmocka_unit_test(a_name_with_a_newline_stays_on_its_line),
		cmocka_unit_test(the_file_is_for_its_owner_and_group_only),
		cmocka_unit_test(a_file_that_was_rotated_away_is_opened_anew),
		cmocka_unit_test(a_directory_that_is_missing_is_tried_again),
		cmocka_unit_test(a_full_disk_is_tried_again),
		cmocka_unit_test(without_a_file_the_line_goes_to_the_log),
		cmocka_unit_test(an_unknown_option_is_refused),
	};
	struct CMUnitTest each[ARRAY_SIZE(tests)];

	for (size_t i = 0; i < ARRAY_SIZE(tests); i++) {
		each[i] = tests[i];
		each[i].setup_func = set_up;
		each[i].teardown_func = tear_down;
	}
	return cmocka_run_group_tests(each, NULL, NULL);
}
