/*
 * child: another program, run without a shell in a process group of its own, with a time-out; its
 * output is kept up to a ceiling.
 */
#ifndef IO_CHILD_H
#define IO_CHILD_H

#include <uv.h>

#include "base/error.h"
#include "base/text.h"

struct child;

struct child_exit {
	int status;         /* exit status, or -1 if a signal ended it */
	int signal;         /* 0 if none */
	bool timed_out;     /* the group got SIGTERM, then SIGKILL after 5 s */
	struct text output; /* the first bytes of standard output */
	struct text errors; /* the same of standard error */
};

/* As whom it runs; only root may ask for another than itself. It has no further groups. */
struct child_user {
	uid_t uid;
	gid_t gid;
};

struct child_options {
	const char *const *argv;        /* ended by NULL; argv[0] is a path or looked up in PATH */
	const char *const *environment; /* the whole of it, "NAME=value", ended by NULL */
	const char *directory;          /* NULL: stays where we are */
	struct text input;              /* copied; a child that does not read it is no error */
	const struct child_user *user;  /* NULL: as we are */
	int64_t memory_limit_bytes;     /* what it may take for its data; 0: no limit */
	int64_t timeout_ms;
	size_t output_limit_bytes;
	void (*done)(void *ctx, const struct child_exit *exit); /* once, not inside child_start */
	void *ctx;
};

/* -1: could not be started (not found, not executable). */
MUST_CHECK int child_start(struct child **out, uv_loop_t *loop, const struct child_options *options,
			   struct error *err);
void child_cancel(struct child *child); /* kills the group; done will not be called */

#endif
