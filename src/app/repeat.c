#include "app/repeat.h"

#include <uthash.h>

#include "base/list.h"
#include "base/mem.h"

#define KEPT_MOST 4096
#define KEPT_MS 60000
#define ECHOES_MOST 4 /* of one file: both halves of a move, an addition and a removal */

struct seen {
	enum event_type type;
	char *path;
	uint64_t seq; /* and index: when it was heard */
	uint32_t index;
};

struct moved_file {
	UT_hash_handle hh;
	struct list link; /* the oldest first */
	char *id;
	uint64_t job;
	unsigned step;
	int64_t time_ms;
	struct seen seen[ECHOES_MOST];
	size_t count;
};

struct repeats {
	struct moved_file *all;
	struct list by_age;
};

struct repeats *repeats_new(void)
{
	struct repeats *repeats = NEW(struct repeats);

	list_init(&repeats->by_age);
	return repeats;
}

static void forget(struct repeats *repeats, struct moved_file *file)
{
	HASH_DEL(repeats->all, file);
	list_remove(&file->link);
	for (size_t i = 0; i < file->count; i++)
		free(file->seen[i].path);
	free(file->id);
	free(file);
}

void repeats_free(struct repeats *repeats)
{
	struct moved_file *file;

	if (!repeats)
		return;
	list_for_each (file, &repeats->by_age, link)
		forget(repeats, file);
	free(repeats);
}

static bool is_about_entries(enum event_type type)
{
	switch (type) {
	case CHILD_FILE_ADDED:
	case CHILD_DIR_ADDED:
	case CHILD_FILE_REMOVED:
	case CHILD_DIR_REMOVED:
	case CHILD_FILE_MOVED_FROM:
	case CHILD_FILE_MOVED_TO:
	case CHILD_DIR_MOVED_FROM:
	case CHILD_DIR_MOVED_TO:
		return true;
	default:
		return false;
	}
}

static struct moved_file *find(struct repeats *repeats, struct text id)
{
	struct moved_file *file;

	HASH_FIND(hh, repeats->all, id.data, id.size, file);
	return file;
}

static struct moved_file *add(struct repeats *repeats, const struct event *event, uint64_t job,
			      unsigned step)
{
	struct moved_file *file = NEW(struct moved_file);

	if (HASH_COUNT(repeats->all) >= KEPT_MOST)
		forget(repeats, list_entry(repeats->by_age.next, struct moved_file, link));
	file->id = text_copy(event->file_id);
	file->job = job;
	file->step = step;
	list_append(&repeats->by_age, &file->link);
	HASH_ADD_KEYPTR(hh, repeats->all, file->id, event->file_id.size, file);
	return file;
}

static bool is_later(const struct event *event, const struct seen *seen)
{
	return event->seq > seen->seq || (event->seq == seen->seq && event->index > seen->index);
}

static struct seen *find_seen(struct moved_file *file, const struct event *event)
{
	for (size_t i = 0; i < file->count; i++)
		if (file->seen[i].type == event->type &&
		    text_equal(text_of(file->seen[i].path), event->path))
			return &file->seen[i];
	return NULL;
}

void repeats_note(struct repeats *repeats, const struct event *event, uint64_t job, unsigned step)
{
	struct moved_file *file = event->file_id.size ? find(repeats, event->file_id) : NULL;
	struct seen *seen;

	if (!event->file_id.size || !event->seq || !is_about_entries(event->type))
		return;
	if (file && (file->job != job || file->step != step)) {
		forget(repeats, file);
		file = NULL;
	}
	if (!file)
		file = add(repeats, event, job, step);
	file->time_ms = event->time_ms;
	seen = find_seen(file, event);
	if (!seen && file->count == ECHOES_MOST)
		return;
	if (!seen) {
		seen = &file->seen[file->count++];
		seen->type = event->type;
		seen->path = text_copy(event->path);
	}
	seen->seq = event->seq;
	seen->index = event->index;
}

bool repeats_find(struct repeats *repeats, const struct event *event, uint64_t *out_job,
		  unsigned *out_step)
{
	struct moved_file *file;
	const struct seen *seen;

	if (!repeats->all || !event->file_id.size || !is_about_entries(event->type))
		return false;
	file = find(repeats, event->file_id);
	if (!file)
		return false;
	seen = find_seen(file, event);
	/* A transaction that is done again hears what came before the echo once more, too. */
	if (seen && event->origin == ORIGIN_LIVE && is_later(event, seen) &&
	    event->time_ms - file->time_ms < KEPT_MS) {
		*out_job = file->job;
		*out_step = file->step;
		return true;
	}
	forget(repeats, file);
	return false;
}
