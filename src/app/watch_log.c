#include "app/watch_log.h"

#include "base/clock.h"
#include "base/list.h"
#include "base/log.h"

#define COMMIT_MS 50
#define COMMIT_BYTES (1u << 20)
#define RETRY_MS 100
#define SAY_AGAIN_MS 60000
/* Between two commits at least so many times as long as the last one took: a lone message is
 * durable at once, and a slow disk is not kept busy with committing alone. */
#define COMMIT_SHARE 4

/* A payload that the store could not take. */
struct waiting {
	struct list link;
	struct text bytes;
	int64_t time_ms;
};

struct watch_log {
	uv_timer_t *timer;
	struct store *store;
	const char *watch;
	const char *who;
	enum commit_mode commit;
	size_t pending_bytes; /* appended since the last commit */
	bool has_pending;
	bool is_full;
	char why[256];   /* while it is */
	int64_t said_ms; /* that it is full */
	struct list backlog;
	uint64_t last_seq;
	uint64_t committed_ns; /* when the last commit ended, and how long it took */
	uint64_t took_ns;
	void (*full)(void *ctx, bool is_full, const char *why);
	void *ctx;
};

static void log_go_on(uv_timer_t *timer);

struct watch_log *watch_log_new(uv_loop_t *loop, struct store *store, const char *watch,
				const char *who, enum commit_mode commit,
				void (*full)(void *ctx, bool is_full, const char *why), void *ctx)
{
	struct watch_log *log = NEW(struct watch_log);

	log->timer = NEW(uv_timer_t);
	uv_timer_init(loop, log->timer);
	log->timer->data = log;
	log->store = store;
	log->watch = watch;
	log->who = who;
	log->commit = commit;
	log->full = full;
	log->ctx = ctx;
	list_init(&log->backlog);
	return log;
}

static void waiting_free(struct waiting *waiting)
{
	list_remove(&waiting->link);
	free((char *)waiting->bytes.data);
	free(waiting);
}

static void timer_closed(uv_handle_t *timer)
{
	free(timer);
}

void watch_log_close(struct watch_log *log)
{
	struct waiting *waiting;
	bool lost = false;

	if (!log)
		return;
	(void)watch_log_flush(log);
	list_for_each (waiting, &log->backlog, link) {
		waiting_free(waiting);
		lost = true;
	}
	if (lost || log->has_pending)
		log_error(log->who, "what was heard last could not be stored before the end; the "
				    "next start records a gap");
	uv_close((uv_handle_t *)log->timer, timer_closed);
	free(log);
}

/* Told each time: a stream that was opened meanwhile has to be stopped, too. */
static void log_set_full(struct watch_log *log, bool is_full)
{
	if (!is_full && !log->is_full)
		return;
	log->is_full = is_full;
	log->full(log->ctx, is_full, is_full ? log->why : "");
	if (is_full)
		uv_timer_start(log->timer, log_go_on, RETRY_MS, 0);
}

/* The store's sentence has numbers that change, so it is for us not to repeat it. */
static void log_say_full(struct watch_log *log, const struct error *err)
{
	int64_t now = clock_monotonic_ms();

	snprintf(log->why, sizeof(log->why), "%s", error_text(err));
	if (log->is_full && now - log->said_ms < SAY_AGAIN_MS)
		return;
	log->said_ms = now;
	log_error(log->who, "the store takes no more, so the stream is not read: %s",
		  error_text(err));
}

static bool log_append(struct watch_log *log, struct text payload, int64_t time_ms)
{
	const struct record record = { .time_ms = time_ms,
				       .origin = ORIGIN_LIVE,
				       .watch = text_of(log->watch),
				       .bytes = payload };
	AUTO_ERROR err = { 0 };

	if (store_log_append(log->store, &record, &log->last_seq, &err) < 0) {
		log_say_full(log, &err);
		return false;
	}
	log->pending_bytes += payload.size;
	log->has_pending = true;
	return true;
}

static bool log_commit(struct watch_log *log)
{
	uint64_t start_ns = uv_hrtime();
	AUTO_ERROR err = { 0 };

	if (!log->has_pending)
		return true;
	if (store_log_commit(log->store, &err) < 0) {
		log_say_full(log, &err);
		return false;
	}
	log->has_pending = false;
	log->pending_bytes = 0;
	log->committed_ns = uv_hrtime();
	log->took_ns = log->committed_ns - start_ns;
	return true;
}

/* The backlog, in order, then the commit. */
bool watch_log_flush(struct watch_log *log)
{
	struct waiting *waiting;

	uv_timer_stop(log->timer);
	list_for_each (waiting, &log->backlog, link) {
		if (!log_append(log, waiting->bytes, waiting->time_ms))
			break;
		waiting_free(waiting);
	}
	if (!log_commit(log) || !list_is_empty(&log->backlog)) {
		log_set_full(log, true);
		return false;
	}
	if (log->is_full)
		log_info(log->who, "the store takes records again; reading on");
	log_set_full(log, false);
	return true;
}

static void log_go_on(uv_timer_t *timer)
{
	(void)watch_log_flush(timer->data);
}

static uint64_t log_commit_wait_ms(const struct watch_log *log)
{
	uint64_t due_ns = log->committed_ns + COMMIT_SHARE * log->took_ns;
	uint64_t now_ns = uv_hrtime();

	return due_ns <= now_ns ? 0 : MIN((due_ns - now_ns) / 1000000 + 1, COMMIT_MS);
}

static void log_keep(struct watch_log *log, struct text payload, int64_t time_ms)
{
	struct waiting *waiting = NEW(struct waiting);

	waiting->bytes = (struct text){ text_copy(payload), payload.size };
	waiting->time_ms = time_ms;
	list_init(&waiting->link);
	list_append(&log->backlog, &waiting->link);
	log_set_full(log, true);
}

void watch_log_add(struct watch_log *log, struct text payload, int64_t time_ms)
{
	/* Behind something that waits everything waits: the log keeps the order of the stream. */
	if (log->is_full || !log_append(log, payload, time_ms))
		return log_keep(log, payload, time_ms);
	if (log->commit == COMMIT_ALWAYS || log->pending_bytes >= COMMIT_BYTES)
		(void)watch_log_flush(log);
	else if (!uv_is_active((uv_handle_t *)log->timer))
		uv_timer_start(log->timer, log_go_on, log_commit_wait_ms(log), 0);
}

bool watch_log_is_full(const struct watch_log *log)
{
	return log->is_full;
}

uint64_t watch_log_last_seq(const struct watch_log *log)
{
	return log->last_seq;
}
