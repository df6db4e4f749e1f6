/* settings_fixture: reads a cn_monitor.conf in a folder of the test's own, and its messages. */
#ifndef TESTS_SETTINGS_FIXTURE_H
#define TESTS_SETTINGS_FIXTURE_H

#include "check.h"

#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "app/settings.h"

static char folder[] = "/tmp/test_settings_XXXXXX";

static UNUSED void put(const char *name, const char *content, mode_t mode)
{
	AUTO(free) char *path = str_format("%s/%s", folder, name);
	FILE *file = fopen(path, "w");

	assert_non_null(file);
	fputs(content, file);
	fclose(file);
	assert_int_equal(chmod(path, mode), 0);
}

/* Each message as "line:column: text" with the folder's name left out; W in front of warnings. */
static UNUSED void add_message(void *ctx, const struct problem *problem)
{
	struct buf *out = ctx;
	const char *rest = problem->message, *at;

	if (problem->place.line)
		(void)!buf_print(out, "%d:%d: ", problem->place.line, problem->place.column);
	else if (problem->place.file && strncmp(problem->place.file, "CN_", 3) == 0)
		(void)!buf_print(out, "%s: ", problem->place.file);
	if (problem->is_warning)
		(void)!buf_append(out, "W ", 2);
	while ((at = strstr(rest, folder))) {
		(void)!buf_append(out, rest, at - rest);
		(void)!buf_append(out, "DIR", 3);
		rest = at + strlen(folder);
	}
	(void)!buf_print(out, "%s\n", rest);
}

static UNUSED struct settings *load(const char *conf, mode_t mode, char **messages)
{
	AUTO(problems_free) struct problems *problems = problems_new();
	AUTO(buf_free) struct buf *out = buf_new(SIZE_MAX);
	AUTO(free) char *path = str_format("%s/cn_monitor.conf", folder);
	struct settings *settings;

	put("cn_monitor.conf", conf, mode);
	settings = settings_load(path, problems);
	problems_visit(problems, add_message, out);
	*messages = buf_take(out);
	assert_true(!settings == (problems_error_count(problems) > 0));
	return settings;
}

/* Only the messages count. */
static UNUSED void check_mode(const char *conf, mode_t mode, const char *messages)
{
	AUTO(free) char *found = NULL;

	settings_free(load(conf, mode, &found));
	assert_string_equal(found, messages);
}

static UNUSED void check(const char *conf, const char *messages)
{
	check_mode(conf, 0600, messages);
}

/* A file without faults but for what is added. */
#define GOOD "[CLUSTER]\nCLUSTER_ADDRESS = c.example.com\nTOKEN_FILE = token\n"

static UNUSED void check_added(const char *added, const char *messages)
{
	AUTO(free) char *conf = str_format(GOOD "%s", added);

	check(conf, messages);
}

static UNUSED struct settings *load_good(const char *conf)
{
	AUTO(free) char *found = NULL;
	struct settings *settings = load(conf, 0600, &found);

	assert_string_equal(found, "");
	assert_non_null(settings);
	return settings;
}

static UNUSED int make_folder(void **state)
{
	if (!mkdtemp(folder))
		return -1;
	put("token", "s3cret\n", 0600);
	return 0;
}

static UNUSED int remove_folder(void **state)
{
	AUTO(free) char *command = str_format("rm -rf %s", folder);

	return system(command);
}

#endif
