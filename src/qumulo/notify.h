/* notify: a Change Notify stream (API facts, 17): raw bytes of its body, as they come. */
#ifndef QUMULO_NOTIFY_H
#define QUMULO_NOTIFY_H

#include "qumulo/client.h"

struct notify;

struct notify_handler {
	void *ctx;
	void (*opened)(void *ctx, const char *address); /* 200 and the right content type */
	void (*data)(void *ctx, const char *data, size_t size);
	/* Ended or never opened, once. result FILE_OK: the server closed the body. */
	void (*ended)(void *ctx, enum file_result result, int status, const char *why,
		      int64_t retry_after_ms);
};

/* path: the watched directory. filter: comma-separated types, NULL for all. Each start takes the
 * next address of the cluster. */
struct notify *notify_start(struct qumulo *qumulo, const char *path, bool recursive,
			    const char *filter, const struct notify_handler *handler);
/* Stops and goes on reading its socket. */
void notify_pause(struct notify *notify, bool paused);
void notify_cancel(
	struct notify *notify); /* ended will not be called; fine inside data, and for NULL */

#endif
