/*
 * store_redis_forward: the thread that copies the local log into Redis.
 *
 * Redis says up to where it has the records of this source; that alone decides what is sent next.
 * So a batch whose answer got lost is not doubled, and what the server forgot is sent again. Notes
 * and gaps go behind the records that were committed before them: a note that says "heard until
 * now" is of no use to a successor who does not have what was heard.
 */
#include <errno.h>
#include <inttypes.h>

#include "base/clock.h"
#include "store/store_redis_chunk.h"
#include "store/store_redis_forwarding.h"

#define IDLE_MS 1000 /* between two looks whether the server still has what it had */
#define PAUSE_MS 50  /* after a failure; then doubled */
#define PAUSE_MAX_MS 1000
#define HELD_STEP_MS 10000 /* so often, and HELD_STEPS - 1 of them, are forwarded records kept */

/* ---- What the other threads say ---- */

void redis_forward_appended(struct redis_forward *forward, uint64_t seq)
{
	pthread_mutex_lock(&forward->lock);
	forward->appended = MAX(forward->appended, seq);
	pthread_mutex_unlock(&forward->lock);
}

uint64_t redis_forward_end(struct redis_forward *forward)
{
	uint64_t end;

	pthread_mutex_lock(&forward->lock);
	end = forward->appended;
	pthread_mutex_unlock(&forward->lock);
	return end;
}

void redis_forward_committed(struct redis_forward *forward, uint64_t seq)
{
	pthread_mutex_lock(&forward->lock);
	forward->committed = MAX(forward->committed, seq);
	pthread_cond_broadcast(&forward->changed);
	pthread_mutex_unlock(&forward->lock);
}

struct redis_forward_item *redis_forward_find(struct redis_forward *forward, struct text key)
{
	struct redis_forward_item *item;

	HASH_FIND(hh, forward->items, key.data, key.size, item);
	return item;
}

void redis_forward_add(struct redis_forward *forward, struct text key, uint64_t after)
{
	struct redis_forward_item *item = redis_forward_find(forward, key);

	if (!item) {
		item = mem_new(sizeof(*item) + key.size);
		item->key_size = key.size;
		memcpy(item->key, key.data, key.size);
		HASH_ADD_KEYPTR(hh, forward->items, item->key, item->key_size, item);
	}
	item->after = after;
}

void redis_forward_item(struct redis_forward *forward, struct text key)
{
	pthread_mutex_lock(&forward->lock);
	redis_forward_add(forward, key, forward->committed);
	pthread_cond_broadcast(&forward->changed);
	pthread_mutex_unlock(&forward->lock);
}

bool redis_forward_has_item(struct redis_forward *forward, struct text key)
{
	bool has;

	pthread_mutex_lock(&forward->lock);
	has = redis_forward_find(forward, key);
	pthread_mutex_unlock(&forward->lock);
	return has;
}

void redis_forward_poke(struct redis_forward *forward)
{
	pthread_mutex_lock(&forward->lock);
	forward->is_poked = true;
	pthread_cond_broadcast(&forward->changed);
	pthread_mutex_unlock(&forward->lock);
}

uint64_t redis_forward_behind(struct redis_forward *forward)
{
	uint64_t behind;

	pthread_mutex_lock(&forward->lock);
	behind = forward->committed - MIN(forward->committed, forward->forwarded);
	pthread_mutex_unlock(&forward->lock);
	return behind;
}

static bool wait_until(struct redis_forward *forward, int64_t until_ms)
{
	struct timespec until = { until_ms / 1000, until_ms % 1000 * 1000000 };

	return pthread_cond_timedwait(&forward->changed, &forward->lock, &until) != ETIMEDOUT;
}

static bool is_drained(const struct redis_forward *forward)
{
	return forward->is_known && forward->forwarded >= forward->committed && !forward->items &&
	       !forward->is_sending;
}

int redis_forward_drain(struct redis_forward *forward, int64_t wait_ms)
{
	int64_t until_ms = redis_now_ms() + wait_ms;
	bool is_done;

	pthread_mutex_lock(&forward->lock);
	while (!(is_done = is_drained(forward)) && wait_until(forward, until_ms))
		;
	pthread_mutex_unlock(&forward->lock);
	return is_done;
}

void redis_forward_advice(struct redis_forward *forward,
			  void (*visit)(void *ctx, const char *sentence), void *ctx)
{
	AUTO(free) char *waits = NULL;
	AUTO(free) char *refused = NULL;
	AUTO(free) char *lost = NULL;

	pthread_mutex_lock(&forward->lock);
	if (forward->trouble && forward->committed > forward->forwarded)
		waits = str_format("%" PRIu64 " records wait on this host: %s",
				   forward->committed - forward->forwarded, forward->trouble);
	if (forward->refused)
		refused = str_format("%" PRIu64 " records of this host were refused: another one "
				     "had the watches' lease when they were heard",
				     forward->refused);
	if (forward->lost)
		lost = str_format("%" PRIu64 " records that were forwarded are lost: the Redis "
				  "server forgot them, and this host does not have them any more",
				  forward->lost);
	pthread_mutex_unlock(&forward->lock);
	if (waits)
		visit(ctx, waits);
	if (refused)
		visit(ctx, refused);
	if (lost)
		visit(ctx, lost);
}

/* ---- What the local log may forget ---- */

static int let_trim(struct redis_forward *forward, uint64_t seq, struct error *err)
{
	AUTO(store_abort) struct store_txn *txn = NULL;

	if (store_begin(forward->store->log, &txn, err) < 0 || store_cursor_put(txn, seq, err) < 0)
		return -1;
	return store_commit(TAKE(txn), err);
}

/* What was forwarded is kept for a while: a server that is killed may forget its last second, and a
 * replica that takes over may be behind. */
static int hold_on(struct redis_forward *forward, struct error *err)
{
	int64_t now_ms = redis_now_ms();
	uint64_t oldest = forward->held[HELD_STEPS - 1].seq;
	uint64_t forwarded;
	int rc;

	if (now_ms - forward->held[0].at_ms < HELD_STEP_MS)
		return 0;
	pthread_mutex_lock(&forward->lock);
	forwarded = forward->forwarded;
	pthread_mutex_unlock(&forward->lock);
	memmove(forward->held + 1, forward->held, sizeof(forward->held) - sizeof(*forward->held));
	forward->held[0].at_ms = now_ms;
	forward->held[0].seq = forwarded;
	if (oldest && let_trim(forward, MIN(oldest, forwarded), err) < 0)
		return -1;
	while ((rc = store_log_trim(forward->store->log, clock_now_ms(), err)) == 1)
		;
	return rc;
}

int redis_forward_make_room(struct redis_forward *forward, struct error *err)
{
	uint64_t forwarded, before;

	pthread_mutex_lock(&forward->lock);
	forwarded = forward->is_known ? forward->forwarded : 0;
	pthread_mutex_unlock(&forward->lock);
	if (store_cursor_get(forward->store->log, &before, err) < 0)
		return -1;
	if (before >= forwarded)
		return 0;
	return let_trim(forward, forwarded, err) < 0 ? -1 : 1;
}

/* ---- The thread ---- */

static int go_round(struct redis_forward *forward, bool is_idle, struct error *err)
{
	int rc;

	if ((is_idle || !forward->is_known) && redis_send_ask(forward, err) < 0)
		return -1;
	if ((rc = redis_send_records(forward, err)) < 0 || redis_send_items(forward, err) < 0 ||
	    hold_on(forward, err) < 0)
		return -1;
	return rc;
}

static void set_trouble(struct redis_forward *forward, const struct error *err)
{
	pthread_mutex_lock(&forward->lock);
	free(forward->trouble);
	forward->trouble = err ? str_copy(error_text(err)) : NULL;
	pthread_mutex_unlock(&forward->lock);
}

/* Waits until there is something to do; true: there was nothing for a while. */
static bool wait_for_work(struct redis_forward *forward, int64_t wait_ms, bool heeds_commits)
{
	int64_t until_ms = redis_now_ms() + wait_ms;
	bool is_idle = false;

	pthread_mutex_lock(&forward->lock);
	while (!forward->store->is_over && !forward->is_poked && !is_idle &&
	       (!heeds_commits || is_drained(forward)))
		is_idle = !wait_until(forward, until_ms);
	forward->is_poked = false;
	pthread_mutex_unlock(&forward->lock);
	return is_idle;
}

static void *run(void *ctx)
{
	struct redis_forward *forward = ctx;
	int64_t pause_ms = PAUSE_MS;
	bool is_idle = false;

	while (!forward->store->is_over) {
		AUTO_ERROR err = { 0 };
		int rc = go_round(forward, is_idle, &err);

		set_trouble(forward, rc < 0 ? &err : NULL);
		if (rc > 0) {
			is_idle = false;
		} else if (rc == 0) {
			is_idle = wait_for_work(forward, IDLE_MS, true);
			pause_ms = PAUSE_MS;
		} else {
			wait_for_work(forward, pause_ms, false);
			is_idle = true; /* the server may be another one by now */
			pause_ms = MIN(2 * pause_ms, PAUSE_MAX_MS);
		}
	}
	return NULL;
}

/* ---- Life ---- */

static int load(struct redis_forward *forward, struct error *err)
{
	struct store *log = forward->store->log;

	if (store_note_get(log, "forward/source", &forward->source, err) < 0)
		return -1;
	forward->began = forward->committed = forward->appended = lmdb_log_end(log);
	if (forward->source)
		return 0;
	forward->source = redis_source_name(forward->store);
	return store_note_put(log, "forward/source", text_of(forward->source), err);
}

int redis_forward_open(struct redis_forward **out, struct store_redis *store, struct error *err)
{
	struct redis_forward *forward = NEW(struct redis_forward);
	pthread_condattr_t attr;

	forward->store = store;
	forward->link.store = store;
	forward->link.tries_once = true; /* what it says about the time must not be old */
	forward->held[0].at_ms = redis_now_ms();
	forward->writer = chunk_writer_new();
	pthread_mutex_init(&forward->lock, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&forward->changed, &attr);
	pthread_condattr_destroy(&attr);
	*out = forward;
	if (load(forward, err) < 0 ||
	    redis_connection_new(&forward->link.connection, &store->address, err) < 0)
		return -1;
	redis_interrupt_by(forward->link.connection, store->over_fd);
	return 0;
}

int redis_forward_start(struct redis_forward *forward, struct error *err)
{
	int rc = pthread_create(&forward->thread, NULL, run, forward);

	if (rc) {
		errno = rc;
		return error_errno(err, "store: a thread");
	}
	forward->is_running = true;
	return 0;
}

void redis_forward_close(struct redis_forward *forward)
{
	struct redis_forward_item *item, *next;

	if (!forward)
		return;
	if (forward->is_running) {
		redis_forward_poke(forward);
		pthread_join(forward->thread, NULL);
	}
	HASH_ITER(hh, forward->items, item, next)
	{
		HASH_DEL(forward->items, item);
		free(item);
	}
	redis_link_close(&forward->link);
	pthread_mutex_destroy(&forward->lock);
	pthread_cond_destroy(&forward->changed);
	free(forward->trouble);
	chunk_writer_free(forward->writer);
	free(forward->source);
	free(forward);
}
