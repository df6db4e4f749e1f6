/*
 * inotify tells that something happened in a directory; whether a watched file is another one now
 * is found by looking at it. So it does not matter how it was changed, nor in how many steps. What
 * inotify cannot see (network file systems), a slow look from time to time does.
 */
#include "io/files_watch.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/list.h"
#include "base/text.h"

#define LOOK_ANYWAY_MS 5000
#define LONGEST_QUIET 8 /* times quiet_ms: then look although changes go on */
#define LINKS_MAX 32

struct signature {
	bool exists;
	dev_t device;
	ino_t inode;
	off_t size;
	struct timespec modified;
	struct timespec changed;
};

struct watched_file {
	char *path;
	struct signature seen;
};

/* A directory in which a name lies that decides about a watched file. */
struct watched_directory {
	uv_fs_event_t event;
	struct list link;
	struct files_watch *watch;
	char *path;
	dev_t device;
	ino_t inode;
	bool is_wanted;
};

struct files_watch {
	uv_loop_t *loop;
	uv_timer_t quiet;
	uv_timer_t anyway;
	struct watched_file *files;
	size_t count;
	struct list directories;
	unsigned open_handles;
	int64_t quiet_ms;
	int64_t first_event_ms; /* 0: none since the last look */
	bool is_closing;
	void (*changed)(void *ctx, const char *path);
	void *ctx;
};

static struct signature look_at(const char *path)
{
	struct signature seen = { 0 };
	struct stat st;

	if (stat(path, &st) < 0)
		return seen;
	seen.exists = true;
	seen.device = st.st_dev;
	seen.inode = st.st_ino;
	seen.size = st.st_size;
	seen.modified = st.st_mtim;
	seen.changed = st.st_ctim;
	return seen;
}

static bool time_equal(struct timespec a, struct timespec b)
{
	return a.tv_sec == b.tv_sec && a.tv_nsec == b.tv_nsec;
}

static bool signature_equal(const struct signature *a, const struct signature *b)
{
	return a->exists == b->exists && a->device == b->device && a->inode == b->inode &&
	       a->size == b->size && time_equal(a->modified, b->modified) &&
	       time_equal(a->changed, b->changed);
}

static void watch_free_when_closed(struct files_watch *watch)
{
	if (--watch->open_handles)
		return;
	for (size_t i = 0; i < watch->count; i++)
		free(watch->files[i].path);
	free(watch->files);
	free(watch);
}

static void timer_closed(uv_handle_t *handle)
{
	watch_free_when_closed(handle->data);
}

static void directory_closed(uv_handle_t *handle)
{
	struct watched_directory *directory = CONTAINER_OF(handle, struct watched_directory, event);

	watch_free_when_closed(directory->watch);
	free(directory->path);
	free(directory);
}

static void directory_close(struct watched_directory *directory)
{
	list_remove(&directory->link);
	uv_close((uv_handle_t *)&directory->event, directory_closed);
}

static void quiet_ended(uv_timer_t *timer);

static void watch_look_soon(struct files_watch *watch)
{
	int64_t now = (int64_t)uv_now(watch->loop);
	int64_t wait = watch->quiet_ms;

	if (!watch->first_event_ms)
		watch->first_event_ms = MAX(now, 1);
	wait = MIN(wait, MAX(0, watch->first_event_ms + LONGEST_QUIET * watch->quiet_ms - now));
	uv_timer_start(&watch->quiet, quiet_ended, (uint64_t)wait, 0);
}

static void directory_changed(uv_fs_event_t *event, const char *name, int events, int status)
{
	struct watched_directory *directory = CONTAINER_OF(event, struct watched_directory, event);

	watch_look_soon(directory->watch);
}

static void watch_directory(struct files_watch *watch, const char *path)
{
	struct watched_directory *directory;
	struct stat st;

	if (stat(path, &st) < 0)
		return;
	list_for_each (directory, &watch->directories, link)
		if (strcmp(directory->path, path) == 0 && directory->device == st.st_dev &&
		    directory->inode == st.st_ino) {
			directory->is_wanted = true;
			return;
		}
	directory = NEW(struct watched_directory);
	directory->watch = watch;
	directory->path = str_copy(path);
	directory->device = st.st_dev;
	directory->inode = st.st_ino;
	directory->is_wanted = true;
	uv_fs_event_init(watch->loop, &directory->event);
	watch->open_handles++;
	list_append(&watch->directories, &directory->link);
	/* Without inotify (its limits are low) the slow look remains. */
	(void)uv_fs_event_start(&directory->event, directory_changed, path, 0);
}

/* Where a symbolic link leads; NULL and errno if it is none. */
static char *link_read(const char *path)
{
	for (size_t room = 256;; room *= 2) {
		AUTO(free) char *target = mem_new(room);
		ssize_t size = readlink(path, target, room);

		if (size < 0)
			return NULL;
		if ((size_t)size < room)
			return TAKE(target);
	}
}

/*
 * Watches the directory of each name on the way to the file that can be swapped: the file's own,
 * and those of the symbolic links that lead there, as ConfigMap's items.yml -> ..data/items.yml,
 * ..data -> ..2026_11_22. Of what is missing, the last directory that exists.
 */
static void watch_path(struct files_watch *watch, const char *path, int links)
{
	const char *slash = path;

	while (slash) {
		const char *end = strchr(slash + 1, '/');
		AUTO(free)
		char *here = str_copy_n(path, end ? (size_t)(end - path) : strlen(path));
		AUTO(free)
		char *parent = str_copy_n(path, slash == path ? 1 : (size_t)(slash - path));
		AUTO(free) char *target = link_read(here);

		if (target && links < LINKS_MAX) {
			AUTO(free)
			char *next = target[0] == '/' ? str_format("%s%s", target, end ? end : "")
						      : str_format("%s/%s%s", parent, target,
								   end ? end : "");

			watch_directory(watch, parent);
			return watch_path(watch, next, links + 1);
		}
		if (!end || (!target && errno == ENOENT))
			return watch_directory(watch, parent);
		slash = end;
	}
}

static void watch_renew_directories(struct files_watch *watch)
{
	struct watched_directory *directory;

	list_for_each (directory, &watch->directories, link)
		directory->is_wanted = false;
	for (size_t i = 0; i < watch->count; i++) {
		AUTO(free) char *here = NULL;
		AUTO(free) char *path = NULL;

		if (watch->files[i].path[0] != '/')
			here = realpath(".", NULL);
		path = here ? str_format("%s/%s", here, watch->files[i].path)
			    : str_copy(watch->files[i].path);
		watch_path(watch, path, 0);
	}
	list_for_each (directory, &watch->directories, link)
		if (!directory->is_wanted)
			directory_close(directory);
}

static void watch_look(struct files_watch *watch)
{
	/* First: what changes between the two is then heard again, not missed. */
	watch_renew_directories(watch);
	for (size_t i = 0; i < watch->count && !watch->is_closing; i++) {
		struct signature now = look_at(watch->files[i].path);

		if (signature_equal(&now, &watch->files[i].seen))
			continue;
		watch->files[i].seen = now;
		watch->changed(watch->ctx, watch->files[i].path);
	}
}

static void quiet_ended(uv_timer_t *timer)
{
	struct files_watch *watch = timer->data;

	watch->first_event_ms = 0;
	watch_look(watch);
}

static void look_anyway(uv_timer_t *timer)
{
	struct files_watch *watch = timer->data;

	for (size_t i = 0; i < watch->count; i++) {
		struct signature now = look_at(watch->files[i].path);

		if (!signature_equal(&now, &watch->files[i].seen)) {
			if (!watch->first_event_ms)
				watch_look_soon(watch);
			return;
		}
	}
}

int files_watch_open(struct files_watch **out, uv_loop_t *loop, const char *const *paths,
		     size_t count, int64_t quiet_ms, void (*changed)(void *ctx, const char *path),
		     void *ctx, struct error *err)
{
	struct files_watch *watch = NEW(struct files_watch);

	watch->loop = loop;
	watch->quiet_ms = quiet_ms;
	watch->changed = changed;
	watch->ctx = ctx;
	watch->count = count;
	watch->files = mem_array(MAX(count, 1), sizeof(*watch->files));
	for (size_t i = 0; i < count; i++)
		watch->files[i].path = str_copy(paths[i]);
	list_init(&watch->directories);
	uv_timer_init(loop, &watch->quiet);
	uv_timer_init(loop, &watch->anyway);
	watch->quiet.data = watch->anyway.data = watch;
	watch->open_handles = 2;
	watch_renew_directories(watch);
	for (size_t i = 0; i < count; i++)
		watch->files[i].seen = look_at(paths[i]);
	uv_timer_start(&watch->anyway, look_anyway, LOOK_ANYWAY_MS, LOOK_ANYWAY_MS);
	*out = watch;
	return 0;
}

void files_watch_close(struct files_watch *watch)
{
	struct watched_directory *directory;

	if (!watch || watch->is_closing)
		return;
	watch->is_closing = true;
	list_for_each (directory, &watch->directories, link)
		directory_close(directory);
	uv_close((uv_handle_t *)&watch->quiet, timer_closed);
	uv_close((uv_handle_t *)&watch->anyway, timer_closed);
}
