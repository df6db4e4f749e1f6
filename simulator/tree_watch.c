/*
 * tree_watch: inotify says where to look, and in which order things happened.
 *
 * inotify's queue is short (16,384 events by default) and a person's `tar x` is fast, so the queue
 *is read into memory whenever there is a moment ("slurped"), and handled afterwards. Each slurp
 *ends when the queue is empty and counts one on the tree's clock. So an event that came with slurp
 *n is older than a look at time s	if n <= s, newer				if n >= s +
 *2, one or the other		if n == s + 1. This matters because a look at the host sees the end
 *of a story of which the events are still to be handled: what is newer is believed; what may be
 *older is only believed if the host does not show the contrary. Names about which events and host
 *disagree are doubts: they are looked at again when the queue is empty, and then the host is right.
 *
 * A "ghost" is an object that was made and had gone from its place before we could look at it: it
 *is kept until we hear whether it was renamed (an editor's safe save) or removed.
 */
#include <errno.h>
#include <sys/inotify.h>
#include <unistd.h>

#include "base/log.h"
#include "simulator/tree_model.h"

/* Without IN_ACCESS: each read would be an event, for the sake of `touch -a` alone. */
#define WATCHED                                                                             \
	(IN_CREATE | IN_DELETE | IN_MOVED_FROM | IN_MOVED_TO | IN_MODIFY | IN_CLOSE_WRITE | \
	 IN_ATTRIB | IN_ONLYDIR | IN_EXCL_UNLINK)
#define CHUNK_SIZE ((size_t)1 << 16)
#define INBOX_MOST ((size_t)256 << 20) /* beyond it, a walk over everything is cheaper */
#define BREATHE_EVERY 128              /* looks between slurps */
#define DELIVER_EVERY 4096             /* events waiting to be told */
#define SUSPICIOUS_WAIT_MS 100         /* without events, before everything is compared */
#define MOVE_WAIT_MS 20 /* for the second half of a move, which the kernel queues right behind */

struct tree_handles {
	uv_poll_t poll;
	uv_timer_t timer;
	uv_timer_t quiet;
	int closed;
};

/* ---- the queue ---- */

void watch_slurp(struct tree *tree)
{
	char data[CHUNK_SIZE];
	struct chunk *chunk;
	ssize_t got;

	while ((got = read(tree->inotify_fd, data, sizeof(data))) > 0) {
		if (tree->inbox_size > INBOX_MOST) {
			tree->overflowed = true; /* dropped, but the queue gets empty */
			continue;
		}
		chunk = mem_new(sizeof(*chunk) + got);
		memcpy(chunk->data, data, got);
		chunk->size = got;
		chunk->slurp = tree->slurps + 1;
		tree->inbox_size += got;
		tree->taken_in += got;
		list_append(&tree->inbox, &chunk->link);
	}
	tree->slurps++;
}

void watch_breathe(struct tree *tree)
{
	if (++tree->since_slurp < BREATHE_EVERY)
		return;
	tree->since_slurp = 0;
	if (tree->inotify_fd >= 0)
		watch_slurp(tree);
}

static void inbox_clear(struct tree *tree)
{
	struct chunk *chunk;

	list_for_each (chunk, &tree->inbox, link) {
		list_remove(&chunk->link);
		free(chunk);
	}
	tree->inbox_size = 0;
}

/* ---- watches ---- */

static void watches_are_exhausted(struct tree *tree)
{
	if (!tree->watches_exhausted)
		log_error(
			"tree",
			"inotify allows no more watched directories: what happens in some of them "
			"is not seen. Raise it: sysctl fs.inotify.max_user_watches=1000000");
	tree->watches_exhausted = true;
}

int watch_directory(struct tree *tree, struct node *directory)
{
	int fd = dir_open(tree, directory), watch;
	struct directory *other;
	char path[40];

	if (directory->dir->watch >= 0)
		return 0;
	if (fd < 0)
		return -1;
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	watch = inotify_add_watch(tree->inotify_fd, path, WATCHED);
	if (watch < 0) {
		if (errno == ENOSPC)
			watches_are_exhausted(tree);
		return -1;
	}
	HASH_FIND(by_watch, tree->watches, &watch, sizeof(watch), other);
	if (other) { /* the model is behind: this one is what is there now */
		HASH_DELETE(by_watch, tree->watches, other);
		other->watch = -1;
	}
	directory->dir->watch = watch;
	HASH_ADD(by_watch, tree->watches, watch, sizeof(watch), directory->dir);
	return 0;
}

void watch_forget(struct tree *tree, struct directory *dir)
{
	if (dir->watch < 0)
		return;
	HASH_DELETE(by_watch, tree->watches, dir);
	/* Fails if the directory is gone already, as usual; it is needed if it was moved away. */
	inotify_rm_watch(tree->inotify_fd, dir->watch);
	dir->watch = -1;
}

/* ---- draining ---- */

static void moves_are_due(uv_timer_t *timer);
static void it_is_quiet(uv_timer_t *timer);

static void chunk_handle(struct tree *tree, struct chunk *chunk)
{
	size_t at = 0;

	tree->event_slurp = chunk->slurp;
	while (at < chunk->size && !tree->overflowed) {
		const struct inotify_event *event = (const void *)(chunk->data + at);

		if (event->mask & IN_Q_OVERFLOW)
			tree->overflowed = true;
		else
			story_handle(tree, event);
		at += sizeof(*event) + event->len;
		watch_breathe(tree);
		if (tree->event_count > DELIVER_EVERY)
			events_deliver(tree);
	}
}

static void recover(struct tree *tree)
{
	log_warn("tree",
		 "inotify's queue overflowed, or told too late: comparing the whole directory");
	tree->overflowed = false;
	inbox_clear(tree);
	places_clear(&tree->moving);
	places_clear(&tree->doubts);
	scan_all(tree);
	events_deliver(tree);
}

void watch_drain(struct tree *tree)
{
	struct chunk *chunk;

	if (tree->busy || tree->inotify_fd < 0)
		return;
	tree->busy++;
	for (;;) {
		watch_slurp(tree);
		if (list_is_empty(&tree->inbox) && !tree->overflowed) {
			if (tree->doubts.count == 0 || tree->moving.count > 0)
				break;
			story_settle_doubts(tree);
			continue;
		}
		if (!list_is_empty(&tree->inbox)) {
			chunk = list_entry(tree->inbox.next, struct chunk, link);
			list_remove(&chunk->link);
			tree->inbox_size -= chunk->size;
			chunk_handle(tree, chunk);
			free(chunk);
		}
		if (tree->overflowed)
			recover(tree);
	}
	scan_finish(tree);
	story_settle_ghosts(tree);
	scan_settle_stale(tree);
	events_deliver(tree);
	if ((tree->moving.count + tree->ghosts.count > 0 || tree->dead) &&
	    !uv_is_active((uv_handle_t *)&tree->handles->timer))
		uv_timer_start(&tree->handles->timer, moves_are_due, MOVE_WAIT_MS, 0);
	if (tree->suspicious && !uv_is_active((uv_handle_t *)&tree->handles->quiet)) {
		tree->quiet_size = tree->taken_in;
		uv_timer_start(&tree->handles->quiet, it_is_quiet, SUSPICIOUS_WAIT_MS, 0);
	}
	tree->busy--;
}

/*
 * While half a move is waiting, what is doubtful waits, too. A snapshot cannot: it must not hold
 * what is over.
 */
void watch_settle(struct tree *tree)
{
	for (int i = 0; i < MOVE_WAIT_MS && tree->moving.count > 0; i++) {
		usleep(1000);
		watch_drain(tree);
	}
	for (size_t i = 0; i < tree->moving.count; i++)
		tree->moving.items[i].is_old = true;
	tree->busy++;
	story_settle_moving(tree);
	tree->busy--;
	watch_drain(tree);
}

static void moves_are_due(uv_timer_t *timer)
{
	struct tree *tree = timer->data;

	dead_free(tree);
	watch_drain(tree);
	tree->busy++;
	story_settle_moving(tree);
	for (size_t i = 0; i < tree->moving.count; i++)
		tree->moving.items[i].is_old = true;
	if (tree->moving.count > 0)
		uv_timer_start(timer, moves_are_due, MOVE_WAIT_MS, 0);
	scan_settle_stale(tree);
	events_deliver(tree);
	tree->busy--;
	watch_drain(tree);
}

/*
 * Directories that were moved while we looked into them can leave the model a little wrong, for all
 * the doubts and their settling. Once nothing moves, a walk over everything is exact.
 */
static void it_is_quiet(uv_timer_t *timer)
{
	struct tree *tree = timer->data;

	watch_drain(tree);
	if (!tree->suspicious)
		return;
	if (tree->taken_in == tree->quiet_size && tree->moving.count == 0) {
		tree->busy++;
		tree->suspicious = false;
		scan_all(tree);
		scan_settle_stale(tree);
		events_deliver(tree);
		tree->busy--;
	}
	watch_drain(tree); /* which sets the timer again if need be */
}

static void is_readable(uv_poll_t *poll, int status, int events)
{
	watch_drain(poll->data);
}

/* ---- life ---- */

int watch_open(struct tree *tree, uv_loop_t *loop, struct error *err)
{
	struct tree_handles *handles;

	tree->inotify_fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
	if (tree->inotify_fd < 0)
		return error_errno(err, "inotify (its limits are fs.inotify.max_user_instances and "
					"fs.inotify.max_user_watches)");
	handles = NEW(struct tree_handles);
	if (uv_poll_init(loop, &handles->poll, tree->inotify_fd) < 0) {
		free(handles);
		return error_set(err, "inotify: the loop does not take its descriptor");
	}
	uv_timer_init(loop, &handles->timer);
	uv_timer_init(loop, &handles->quiet);
	uv_poll_start(&handles->poll, UV_READABLE, is_readable);
	handles->poll.data = handles->timer.data = handles->quiet.data = tree;
	tree->handles = handles;
	return 0;
}

static void handle_closed(uv_handle_t *handle)
{
	struct tree_handles *handles = handle->data;

	if (++handles->closed == 3)
		free(handles);
}

void watch_close(struct tree *tree)
{
	if (tree->handles) {
		uv_poll_stop(&tree->handles->poll);
		tree->handles->poll.data = tree->handles->timer.data = tree->handles->quiet.data =
			tree->handles;
		uv_close((uv_handle_t *)&tree->handles->poll, handle_closed);
		uv_close((uv_handle_t *)&tree->handles->timer, handle_closed);
		uv_close((uv_handle_t *)&tree->handles->quiet, handle_closed);
		tree->handles = NULL;
	}
	if (tree->inotify_fd >= 0)
		close(tree->inotify_fd);
	tree->inotify_fd = -1;
	inbox_clear(tree);
	places_clear(&tree->moving);
	places_clear(&tree->doubts);
	places_clear(&tree->ghosts);
}
