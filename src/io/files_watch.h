/*
 * files_watch: tells when files on the local disk change: written, replaced by rename, or swapped
 * by a Kubernetes ConfigMap's symlink. Several changes close together are told once.
 */
#ifndef IO_FILES_WATCH_H
#define IO_FILES_WATCH_H

#include <uv.h>

#include "base/error.h"

struct files_watch;

/* changed comes at most once in quiet_ms, with the path as it was given. A missing file is fine. */
MUST_CHECK int files_watch_open(struct files_watch **out, uv_loop_t *loop, const char *const *paths,
				size_t count, int64_t quiet_ms,
				void (*changed)(void *ctx, const char *path), void *ctx,
				struct error *err);
void files_watch_close(struct files_watch *watch);

#endif
