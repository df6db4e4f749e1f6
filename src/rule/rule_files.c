#include "rule/rule_files.h"

#include <dirent.h>
#include <errno.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "config/source.h"

#define FILE_SIZE_MAX (16 << 20)
#define FILES_SIZE_MAX (64 << 20)
#define FILES_MAX 1000
#define DEPTH_MAX 16

struct reading {
	struct rule_files *files;
	struct problems *problems;
	EVP_MD_CTX *digest;
	bool may_include;
};

static void read_includes(struct reading *reading, struct rule_file *file);

static void watch(struct rule_files *files, char *path)
{
	files->watched =
		mem_grow(files->watched, files->watched_count + 1, sizeof(*files->watched));
	files->watched[files->watched_count++] = path;
}

static struct rule_file *add_file(struct rule_files *files, const char *path,
				  struct rule_file *from, struct place place)
{
	struct rule_file *file = NEW(struct rule_file);

	file->path = str_copy(path);
	file->from = from;
	file->place = place;
	file->index = files->count;
	file->depth = from ? from->depth + 1 : 0;
	files->items = mem_grow(files->items, files->count + 1, sizeof(*files->items));
	files->items[files->count++] = file;
	return file;
}

static void read_text(struct reading *reading, struct rule_file *file, struct text text)
{
	/* With its length, so that no two series of files look alike. */
	uint64_t size = text.size;

	reading->files->size += text.size;
	if (!EVP_DigestUpdate(reading->digest, text.size ? text.data : "", text.size) ||
	    (file->from && !EVP_DigestUpdate(reading->digest, &size, sizeof(size))))
		abort(); /* no memory */
	file->document = document_parse(file->path, text, reading->problems);
	if (file->document)
		read_includes(reading, file);
}

static const struct rule_file *find_same(const struct rule_files *files, const struct stat *st)
{
	for (size_t i = 0; i < files->count; i++)
		if (files->items[i]->device == st->st_dev && files->items[i]->inode == st->st_ino)
			return files->items[i];
	return NULL;
}

/* place: where it is included, for whatever is wrong with that. */
static bool may_read(struct reading *reading, const char *path, const struct stat *st,
		     struct rule_file *from, struct place place)
{
	const struct rule_file *same = find_same(reading->files, st);

	if (same)
		problems_error(reading->problems, place, "include: %s is read already%s%s", path,
			       same->from ? ", for " : ": it is where reading begins",
			       same->from ? same->from->path : "");
	else if (!S_ISREG(st->st_mode))
		problems_error(reading->problems, place,
			       "include: %s is neither a file nor a directory", path);
	else if (from->depth >= DEPTH_MAX)
		problems_error(reading->problems, place, "include: deeper than %d files",
			       DEPTH_MAX);
	else if (reading->files->count >= FILES_MAX)
		problems_error(reading->problems, place, "include: more than %d files", FILES_MAX);
	else if (reading->files->size + (size_t)st->st_size > FILES_SIZE_MAX)
		problems_error(reading->problems, place, "include: more than %d MiB together",
			       FILES_SIZE_MAX >> 20);
	else
		return true;
	return false;
}

static void read_file(struct reading *reading, const char *path, struct rule_file *from,
		      struct place place)
{
	AUTO(buf_free) struct buf *text = NULL;
	struct rule_file *file;
	struct stat st = { 0 };

	watch(reading->files, str_copy(path));
	if (from && stat(path, &st) < 0) {
		problems_error(reading->problems, place, "include: %s: %s", path, strerror(errno));
		return;
	}
	if (from && !may_read(reading, path, &st, from, place))
		return;
	if (!from)
		(void)stat(path, &st); /* what is wrong is told by who reads it */
	file = add_file(reading->files, path, from, place);
	file->device = st.st_dev;
	file->inode = st.st_ino;
	if (source_read(&text, path, FILE_SIZE_MAX, NULL, reading->problems))
		read_text(reading, file, buf_text(text));
}

static int is_rule_file(const struct dirent *entry)
{
	struct text name = text_of(entry->d_name);

	return name.data[0] != '.' &&
	       (text_ends_with(name, TEXT(".yml")) || text_ends_with(name, TEXT(".yaml")));
}

static int by_bytes(const struct dirent **a, const struct dirent **b)
{
	return strcmp((*a)->d_name, (*b)->d_name);
}

/* Every *.yml and *.yaml of a directory, in order of their names. */
static void read_directory(struct reading *reading, const char *path, struct rule_file *from,
			   struct place place)
{
	struct dirent **entries;
	int count = scandir(path, &entries, is_rule_file, by_bytes);

	watch(reading->files, str_format("%s/.", path));
	if (count < 0) {
		problems_error(reading->problems, place, "include: %s: %s", path, strerror(errno));
		return;
	}
	for (int i = 0; i < count; i++) {
		AUTO(free) char *entry = str_format("%s/%s", path, entries[i]->d_name);

		read_file(reading, entry, from, place);
		free(entries[i]);
	}
	free(entries);
}

/* Relative to the file that says so; a directory stands for what is in it. */
static void read_include(struct reading *reading, struct rule_file *file, const struct node *node)
{
	const char *slash = strrchr(file->path, '/');
	AUTO(free) char *path = NULL;
	struct text wish = node->text;
	struct stat st;

	if (node->kind != NODE_SCALAR || !wish.size || memchr(wish.data, 0, wish.size)) {
		problems_error(reading->problems, node->place,
			       "include: expected the name of a file or directory");
		return;
	}
	while (wish.size > 1 && wish.data[wish.size - 1] == '/')
		wish.size--;
	if (wish.data[0] == '/' || !slash)
		path = text_copy(wish);
	else
		path = str_format("%.*s/%.*s", (int)(slash - file->path), file->path,
				  TEXT_ARGS(wish));
	if (stat(path, &st) == 0 && S_ISDIR(st.st_mode))
		read_directory(reading, path, file, node->place);
	else
		read_file(reading, path, file, node->place);
}

static void read_includes(struct reading *reading, struct rule_file *file)
{
	const struct node *root = document_root(file->document);
	const struct node *include = root->kind == NODE_MAPPING ? node_get(root, "include") : NULL;

	if (!include)
		return;
	if (!reading->may_include) {
		problems_error(reading->problems, include->key->place,
			       "'include' is for files; this is only a text");
	} else if (include->kind != NODE_LIST) {
		read_include(reading, file, include);
	} else {
		node_for_each(child, include)
		{
			read_include(reading, file, child);
		}
	}
}

static void begin(struct reading *reading)
{
	reading->digest = EVP_MD_CTX_new();
	if (!reading->digest || !EVP_DigestInit_ex(reading->digest, EVP_sha256(), NULL))
		abort(); /* no memory, or an OpenSSL without SHA-256 */
}

static void finish(struct reading *reading)
{
	unsigned char hash[EVP_MAX_MD_SIZE];
	unsigned size = 0;

	if (!EVP_DigestFinal_ex(reading->digest, hash, &size))
		abort();
	for (unsigned i = 0; i < size && i < 32; i++)
		snprintf(reading->files->digest + 2 * i, 3, "%02x", hash[i]);
	EVP_MD_CTX_free(reading->digest);
}

void rule_files_read(struct rule_files *files, const char *path, struct problems *problems)
{
	struct reading reading = { .files = files, .problems = problems, .may_include = true };

	*files = (struct rule_files){ 0 };
	begin(&reading);
	read_file(&reading, path, NULL, (struct place){ 0 });
	finish(&reading);
}

void rule_files_parse(struct rule_files *files, const char *path, struct text text,
		      struct problems *problems)
{
	struct reading reading = { .files = files, .problems = problems };

	*files = (struct rule_files){ 0 };
	begin(&reading);
	read_text(&reading, add_file(files, path, NULL, (struct place){ 0 }), text);
	finish(&reading);
}

void rule_files_clear(struct rule_files *files)
{
	for (size_t i = 0; i < files->count; i++) {
		document_free(files->items[i]->document);
		free(files->items[i]->path);
		free(files->items[i]);
	}
	free(files->items);
	for (size_t i = 0; i < files->watched_count; i++)
		free(files->watched[i]);
	free(files->watched);
	*files = (struct rule_files){ 0 };
}
