#include "app/scratch_store.h"

#include <errno.h>
#include <ftw.h>
#include <stdio.h>
#include <unistd.h>

#define MOST_BYTES ((int64_t)64 * 1024 * 1024 * 1024) /* address space; the disk is the limit */

static int remove_entry(const char *path, const struct stat *stat, int kind, struct FTW *ftw)
{
	remove(path);
	return 0;
}

int scratch_store_open(struct store **out, struct error *err)
{
	const char *parent = getenv("TMPDIR");
	AUTO(free)
	char *path = str_format("%s/cn_monitor.XXXXXX", parent && *parent ? parent : "/tmp");
	AUTO(free) char *url = NULL;
	struct store_settings settings = { .max_bytes = MOST_BYTES, .retention_ms = INT64_MAX / 2 };
	int rc;

	if (!mkdtemp(path))
		return error_errno(err,
				   "cannot create the directory %s for what is counted; set "
				   "TMPDIR to one with room",
				   path);
	url = str_format("embedded:%s", path);
	settings.url = url;
	rc = store_open(out, &settings, err);
	/* The files live on until they are closed. */
	nftw(path, remove_entry, 8, FTW_DEPTH | FTW_PHYS);
	return rc;
}
