#include "app/strays.h"

#include <uthash.h>

#include "base/mem.h"

#define KEPT_MOST 1000

struct stray_file {
	UT_hash_handle hh;
	uint64_t job;
	char *file_id;
};

struct strays {
	struct stray_file *all; /* by job */
};

struct strays *strays_new(void)
{
	return NEW(struct strays);
}

static void forget(struct strays *strays, struct stray_file *file)
{
	HASH_DEL(strays->all, file);
	free(file->file_id);
	free(file);
}

void strays_free(struct strays *strays)
{
	struct stray_file *file, *next;

	if (!strays)
		return;
	HASH_ITER(hh, strays->all, file, next)
	{
		forget(strays, file);
	}
	free(strays);
}

void strays_note(struct strays *strays, uint64_t job, const char *file_id)
{
	struct stray_file *file;

	HASH_FIND(hh, strays->all, &job, sizeof job, file);
	if (file)
		forget(strays, file);
	if (!job || !file_id || HASH_COUNT(strays->all) >= KEPT_MOST)
		return;
	file = NEW(struct stray_file);
	file->job = job;
	file->file_id = str_copy(file_id);
	HASH_ADD(hh, strays->all, job, sizeof file->job, file);
}

bool strays_have(const struct strays *strays, uint64_t job, const char *file_id)
{
	for (struct stray_file *file = strays->all; file; file = file->hh.next)
		if (file->job != job && strcmp(file->file_id, file_id) == 0)
			return true;
	return false;
}
