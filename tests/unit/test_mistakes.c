/*
 * Typical mistakes, and what is said about each, word by word: tests/unit/mistakes. With
 * CN_REWRITE=1 the files are written anew with what is said now: the difference is to be read.
 *
 *	== what the mistake is
 *	-- name of a file          (then its text; "escaped": \n, \t, \x00 stand for themselves)
 *	-- says
 *	what cn_monitor check says about it
 */
#include "check.h"

#include <dirent.h>
#include <errno.h>
#include <glob.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "app/modules.h"
#include "app/settings.h"
#include "base/buf.h"
#include "config/source.h"

#define MISTAKES_MAX 400

struct mistake {
	char *name;
	struct text files; /* all that is between the name and what is said */
	struct text says;
};

struct collection {
	char *path;
	struct buf *text;
	struct text head; /* before the first mistake */
	struct mistake *mistakes;
	size_t count;
};

static char *folder; /* where the mistakes are made; the current directory */

static struct buf *read_file(const char *path)
{
	AUTO(problems_free) struct problems *problems = problems_new();
	struct buf *text = NULL;

	if (!source_read(&text, path, 1 << 20, NULL, problems)) {
		print_error("%s cannot be read\n", path);
		abort();
	}
	return text;
}

static void write_file(const char *path, struct text text)
{
	FILE *file = fopen(path, "w");

	assert_non_null(file);
	assert_int_equal(fwrite(text.data, 1, text.size, file), text.size);
	assert_int_equal(fclose(file), 0);
}

/* What stands before the next line that begins so; that line is left in rest. */
static struct text take_until(struct text *rest, const char *mark)
{
	struct text taken = *rest;

	while (rest->size && !text_starts_with(*rest, text_of(mark)))
		text_cut(rest, '\n');
	taken.size -= rest->size;
	return taken;
}

/* The rest of a line that begins with a mark. */
static struct text take_marked(struct text *rest, const char *mark)
{
	struct text line = text_cut(rest, '\n');

	assert_true(text_starts_with(line, text_of(mark)));
	line.data += strlen(mark);
	line.size -= strlen(mark);
	return line;
}

static void read_collection(struct collection *out, const char *path)
{
	struct text rest;

	out->path = str_copy(path);
	out->text = read_file(path);
	rest = buf_text(out->text);
	out->head = take_until(&rest, "== ");
	out->mistakes = mem_array(MISTAKES_MAX, sizeof(*out->mistakes));
	while (rest.size) {
		struct mistake *mistake = &out->mistakes[out->count++];

		assert_true(out->count < MISTAKES_MAX);
		mistake->name = text_copy(take_marked(&rest, "== "));
		mistake->files = take_until(&rest, "-- says");
		take_marked(&rest, "-- says");
		mistake->says = take_until(&rest, "== ");
	}
}

/* Lines whose ends do not count, with \n, \t, \r and \x00 decoded. */
static char *decode(struct text text, size_t *out_size)
{
	char *out = mem_array(text.size + 1, 1);
	size_t size = 0;

	for (size_t i = 0; i < text.size; i++) {
		static const char codes[] = "ntr";
		char byte = text.data[i];
		const char *code;

		if (byte == '\n')
			continue;
		if (byte != '\\') {
			out[size++] = byte;
			continue;
		}
		byte = text.data[++i];
		code = strchr(codes, byte);
		if (code) {
			out[size++] = byte == 'n' ? '\n' : byte == 't' ? '\t' : '\r';
			continue;
		}
		assert_int_equal(byte, 'x');
		out[size++] =
			(char)strtoul((char[]){ text.data[i + 1], text.data[i + 2], 0 }, NULL, 16);
		i += 2;
	}
	*out_size = size;
	return out;
}

static void make_file(struct text name, struct text content)
{
	bool is_escaped = text_ends_with(name, TEXT(" escaped"));
	AUTO(free) char *path = NULL;
	AUTO(free) char *decoded = NULL;
	char *slash;

	if (is_escaped) {
		name.size -= strlen(" escaped");
		decoded = decode(content, &content.size);
		content.data = decoded;
	}
	path = text_copy(name);
	slash = strchr(path, '/');
	if (slash) {
		*slash = 0;
		assert_true(mkdir(path, 0700) == 0 || errno == EEXIST);
		*slash = '/';
	}
	write_file(path, content);
	chmod(path, 0600);
}

static void make_files(const struct mistake *mistake)
{
	struct text rest = mistake->files;

	while (rest.size) {
		struct text name = take_marked(&rest, "-- ");

		make_file(name, take_until(&rest, "-- "));
	}
}

static void remove_tree(const char *path)
{
	DIR *directory = opendir(path);
	struct dirent *entry;

	while (directory && (entry = readdir(directory))) {
		AUTO(free) char *inside = str_format("%s/%s", path, entry->d_name);

		if (entry->d_name[0] == '.')
			continue;
		if (unlink(inside) < 0) {
			remove_tree(inside);
			rmdir(inside);
		}
	}
	if (directory)
		closedir(directory);
}

/* As cn_monitor check does. */
static char *said(void)
{
	AUTO(problems_free) struct problems *problems = problems_new();
	AUTO(rule_set_free) struct rule_set *set = NULL;

	if (access("cn_monitor.conf", F_OK) == 0) {
		settings_free(settings_load("cn_monitor.conf", problems));
		return problems_format(problems, false);
	}
	set = rule_set_load("watched_items.yml", &app_modules, problems);
	if (set) {
		modules_check_rules(set, "watched_items.yml", NULL, problems);
		rule_set_test(set, problems);
	}
	return problems_format(problems, false);
}

static char *said_of(const struct mistake *mistake)
{
	char *text;

	remove_tree(folder);
	make_file(TEXT("token"), TEXT("access-v1:abc\n"));
	make_files(mistake);
	text = said();
	remove_tree(folder);
	return text;
}

static void a_mistake_is_told_in_these_words(void **state)
{
	const struct mistake *mistake = *state;
	AUTO(free) char *text = said_of(mistake);
	AUTO(free) char *expected = text_copy(text_trim(mistake->says));
	AUTO(free) char *trimmed = text_copy(text_trim(text_of(text)));

	assert_string_equal(trimmed, expected);
}

static void rewrite(const struct collection *collection)
{
	AUTO(buf_free) struct buf *out = buf_new(SIZE_MAX);

	(void)!buf_append(out, collection->head.data, collection->head.size);
	for (size_t i = 0; i < collection->count; i++) {
		const struct mistake *mistake = &collection->mistakes[i];
		AUTO(free) char *text = said_of(mistake);

		(void)!buf_print(out, "== %s\n%.*s-- says\n%s%s", mistake->name,
				 TEXT_ARGS(mistake->files), text,
				 i + 1 < collection->count ? "\n" : "");
	}
	write_file(collection->path, buf_text(out));
}

static size_t read_all(struct collection **out)
{
	const char *root = getenv("SOURCE_ROOT") ? getenv("SOURCE_ROOT") : ".";
	AUTO(free) char *pattern = str_format("%s/tests/unit/mistakes/*.txt", root);
	size_t count;
	glob_t found;

	if (glob(pattern, 0, NULL, &found) != 0)
		return 0;
	count = found.gl_pathc;
	*out = mem_array(count, sizeof(**out));
	for (size_t i = 0; i < count; i++)
		read_collection(&(*out)[i], found.gl_pathv[i]);
	globfree(&found);
	return count;
}

static int run(const struct collection *collections, size_t count)
{
	size_t total = 0;

	for (size_t i = 0; i < count; i++)
		total += collections[i].count;

	struct CMUnitTest *tests = mem_array(total + 1, sizeof(*tests));

	total = 0;
	for (size_t i = 0; i < count; i++)
		for (size_t j = 0; j < collections[i].count; j++)
			tests[total++] = (struct CMUnitTest){
				.name = collections[i].mistakes[j].name,
				.test_func = a_mistake_is_told_in_these_words,
				.initial_state = &collections[i].mistakes[j],
			};

	int failed = _cmocka_run_group_tests("mistakes", tests, total, NULL, NULL);

	free(tests);
	return total >= 40 ? failed : 1;
}

int main(void)
{
	char template[] = "/tmp/mistakes.XXXXXX";
	struct collection *collections = NULL;
	size_t count;
	int result = 0;

	/* Places are told as the files are named, so they are named from where they lie. */
	count = read_all(&collections);
	folder = mkdtemp(template);
	if (!folder || chdir(folder) < 0)
		return 1;
	if (getenv("CN_REWRITE"))
		for (size_t i = 0; i < count; i++)
			rewrite(&collections[i]);
	else
		result = run(collections, count);
	remove_tree(folder);
	rmdir(folder);
	for (size_t i = 0; i < count; i++) {
		for (size_t j = 0; j < collections[i].count; j++)
			free(collections[i].mistakes[j].name);
		free(collections[i].mistakes);
		free(collections[i].path);
		buf_free(collections[i].text);
	}
	free(collections);
	return result;
}
