#include "io/child.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/buf.h"

#define KILL_AFTER_MS 5000
/* What a grandchild that keeps our pipes open may still say after its parent has ended. */
#define DRAIN_MS 500
#define PIECE 65536

enum { PIPE_INPUT, PIPE_OUTPUT, PIPE_ERRORS, PIPE_COUNT };

struct child {
	uv_process_t process;
	uv_pipe_t pipes[PIPE_COUNT];
	uv_timer_t timer;
	uv_write_t write;
	char *input;
	struct buf *kept[PIPE_COUNT]; /* of output and errors */
	unsigned open_handles;
	bool has_exited;
	bool is_over; /* done was called, or must not be */
	bool timed_out;
	int64_t status;
	int signal;
	int group;
	void (*done)(void *ctx, const struct child_exit *exit);
	void *ctx;
	char piece[PIECE];
};

static void child_free_when_closed(uv_handle_t *handle)
{
	struct child *child = handle->data;

	if (--child->open_handles)
		return;
	buf_free(child->kept[PIPE_OUTPUT]);
	buf_free(child->kept[PIPE_ERRORS]);
	free(child->input);
	free(child);
}

static void close_handle(void *handle)
{
	if (!uv_is_closing(handle))
		uv_close(handle, child_free_when_closed);
}

/* The process handle stays until the exit was seen: or else a zombie would. */
static void child_close(struct child *child)
{
	child->is_over = true;
	for (int i = 0; i < PIPE_COUNT; i++)
		close_handle(&child->pipes[i]);
	close_handle(&child->timer);
	if (child->has_exited)
		close_handle(&child->process);
}

static void child_signal(struct child *child, int signal)
{
	/* The group outlives its leader for as long as anybody is in it. */
	if (kill(-child->group, signal) < 0 && !child->has_exited)
		kill(child->group, signal);
}

static void child_finish(struct child *child)
{
	struct child_exit exit = {
		.status = child->signal ? -1 : (int)child->status,
		.signal = child->signal,
		.timed_out = child->timed_out,
		.output = buf_text(child->kept[PIPE_OUTPUT]),
		.errors = buf_text(child->kept[PIPE_ERRORS]),
	};

	if (child->timed_out)
		child_signal(child, SIGKILL); /* who of the group ignored SIGTERM */
	child_close(child);                   /* frees after this turn of the loop */
	child->done(child->ctx, &exit);
}

static bool child_is_drained(const struct child *child)
{
	return uv_is_closing((const uv_handle_t *)&child->pipes[PIPE_OUTPUT]) &&
	       uv_is_closing((const uv_handle_t *)&child->pipes[PIPE_ERRORS]);
}

static void drain_ended(uv_timer_t *timer)
{
	child_finish(timer->data);
}

static void kill_now(uv_timer_t *timer)
{
	struct child *child = timer->data;

	child_signal(child, SIGKILL);
	if (child->has_exited)
		child_finish(child);
}

static void time_out(uv_timer_t *timer)
{
	struct child *child = timer->data;

	child->timed_out = true;
	child_signal(child, SIGTERM);
	uv_timer_start(timer, kill_now, KILL_AFTER_MS, 0);
}

static void child_exited(uv_process_t *process, int64_t status, int signal)
{
	struct child *child = process->data;

	child->has_exited = true;
	child->status = status;
	child->signal = signal;
	if (child->is_over)
		close_handle(&child->process);
	else if (child_is_drained(child))
		child_finish(child);
	else if (!child->timed_out) /* else the rest of the group has its 5 s, too */
		uv_timer_start(&child->timer, drain_ended, DRAIN_MS, 0);
}

static void give_room(uv_handle_t *handle, size_t suggested, uv_buf_t *out)
{
	struct child *child = handle->data;

	*out = uv_buf_init(child->piece, sizeof(child->piece));
}

static void pipe_read(uv_stream_t *stream, ssize_t size, const uv_buf_t *buf)
{
	struct child *child = stream->data;
	int which = (int)((uv_pipe_t *)stream - child->pipes);
	struct buf *kept = child->kept[which];

	if (size < 0) {
		close_handle(stream);
		if (child->has_exited && child_is_drained(child))
			child_finish(child);
		return;
	}
	/* Past the ceiling it is read and dropped, so that the child never waits for us. */
	if (!buf_append(kept, buf->base, MIN((size_t)size, kept->limit - kept->size)))
		abort();
}

static void input_written(uv_write_t *write, int status)
{
	/* A child that has not read it all is no error. */
	close_handle(write->handle);
}

static int pipe_make(int ours_theirs[2], bool is_input, struct error *err)
{
	int ends[2];

	if (pipe2(ends, O_CLOEXEC) < 0)
		return error_errno(err, "making a pipe");
	ours_theirs[0] = is_input ? ends[1] : ends[0];
	ours_theirs[1] = is_input ? ends[0] : ends[1];
	return 0;
}

static void ends_close(int ends[PIPE_COUNT][2], int which)
{
	for (int i = 0; i < PIPE_COUNT; i++)
		if (ends[i][which] >= 0)
			close(ends[i][which]);
}

/* Data and not address space: of the latter many programs take far more than they ever use. It has
 * just begun, and what it starts inherits this. */
static void limit_memory(pid_t pid, int64_t bytes)
{
	struct rlimit limit = { (rlim_t)bytes, (rlim_t)bytes };

	if (bytes > 0)
		(void)prlimit(pid, RLIMIT_DATA, &limit, NULL);
}

/*
 * Pipes of our own: libuv would make sockets, and then /dev/stderr and /dev/stdin, which scripts
 * like to name, cannot be opened.
 */
static int child_spawn(struct child *child, uv_loop_t *loop, const struct child_options *options,
		       struct error *err)
{
	int ends[PIPE_COUNT][2] = { { -1, -1 }, { -1, -1 }, { -1, -1 } };
	uv_stdio_container_t stdio[PIPE_COUNT];
	uv_process_options_t spawn = {
		.file = options->argv[0],
		.args = (char **)options->argv,
		.env = (char **)options->environment,
		.cwd = options->directory,
		.flags = UV_PROCESS_DETACHED, /* a session, and so a group, of its own */
		.stdio = stdio,
		.stdio_count = PIPE_COUNT,
		.exit_cb = child_exited,
	};
	int status;

	if (options->user && (options->user->uid != geteuid() || options->user->gid != getegid())) {
		spawn.flags |= UV_PROCESS_SETUID | UV_PROCESS_SETGID;
		spawn.uid = options->user->uid;
		spawn.gid = options->user->gid;
	}
	for (int i = 0; i < PIPE_COUNT; i++) {
		if (pipe_make(ends[i], i == PIPE_INPUT, err) < 0) {
			ends_close(ends, 0);
			ends_close(ends, 1);
			return -1;
		}
		/* So that it may open /dev/stdin as another user, too. */
		if (spawn.flags & UV_PROCESS_SETUID)
			(void)!fchown(ends[i][1], spawn.uid, spawn.gid);
		stdio[i].flags = UV_INHERIT_FD;
		stdio[i].data.fd = ends[i][1];
	}
	/* Whatever a library has opened without close-on-exec is none of the child's business. An
	 * old kernel that lacks the call leaks; nothing breaks. */
	(void)close_range(3, ~0u, CLOSE_RANGE_CLOEXEC);
	status = uv_spawn(loop, &child->process, &spawn);
	ends_close(ends, 1);
	if (status < 0) {
		ends_close(ends, 0);
		return error_set(err, "%s cannot be run: %s", options->argv[0],
				 uv_strerror(status));
	}
	child->group = child->process.pid;
	limit_memory(child->group, options->memory_limit_bytes);
	for (int i = 0; i < PIPE_COUNT; i++)
		if (uv_pipe_open(&child->pipes[i], ends[i][0]) < 0)
			abort(); /* a fresh pipe */
	return 0;
}

static void child_feed(struct child *child, struct text input)
{
	uv_buf_t buf;

	child->input = text_copy(input);
	buf = uv_buf_init(child->input, (unsigned)input.size);
	if (input.size == 0 || uv_write(&child->write, (uv_stream_t *)&child->pipes[PIPE_INPUT],
					&buf, 1, input_written) < 0)
		close_handle(&child->pipes[PIPE_INPUT]);
}

int child_start(struct child **out, uv_loop_t *loop, const struct child_options *options,
		struct error *err)
{
	struct child *child = NEW(struct child);

	/* A child may end without reading what it is given. */
	signal(SIGPIPE, SIG_IGN);
	child->done = options->done;
	child->ctx = options->ctx;
	child->kept[PIPE_OUTPUT] = buf_new(options->output_limit_bytes);
	child->kept[PIPE_ERRORS] = buf_new(options->output_limit_bytes);
	for (int i = 0; i < PIPE_COUNT; i++) {
		uv_pipe_init(loop, &child->pipes[i], 0);
		child->pipes[i].data = child;
	}
	uv_timer_init(loop, &child->timer);
	child->timer.data = child;
	child->open_handles = PIPE_COUNT + 2;

	if (child_spawn(child, loop, options, err) < 0) {
		/* libuv has made a handle nevertheless, unless it was not even asked. */
		child->process.data = child;
		child->has_exited = child->process.type == UV_PROCESS;
		child->open_handles -= !child->has_exited;
		child_close(child);
		return -1;
	}
	child->process.data = child;
	for (int i = PIPE_OUTPUT; i < PIPE_COUNT; i++)
		uv_read_start((uv_stream_t *)&child->pipes[i], give_room, pipe_read);
	child_feed(child, options->input);
	if (options->timeout_ms > 0)
		uv_timer_start(&child->timer, time_out, options->timeout_ms, 0);
	*out = child;
	return 0;
}

void child_cancel(struct child *child)
{
	if (!child || child->is_over)
		return;
	if (!child->has_exited)
		child_signal(child, SIGKILL);
	child_close(child);
}
