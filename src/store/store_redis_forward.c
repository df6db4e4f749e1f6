/*
 * store_redis_forward: the thread that copies the local log into Redis.
 *
 * Redis says up to where it has the records of this source; that alone decides what is sent next.
 * So a batch whose answer got lost is not doubled, and what the server forgot is sent again. Notes
 * and gaps go behind the records that were committed before them: a note that says "heard until
 * now" is of no use to a successor who does not have what was heard.
 */
#include "store/store_redis_forward.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

#include "base/clock.h"
#include "base/parse.h"
#include "store/store_redis_chunk.h"

#define BATCH_RECORDS 1000
#define BATCH_BYTES (1024 * 1024)
#define CHUNK_BYTES (64 * 1024)
#define IDLE_MS 1000 /* between two looks whether the server still has what it had */
#define PAUSE_MS 50  /* after a failure; then doubled */
#define PAUSE_MAX_MS 1000
#define HELD_STEP_MS 10000
#define HELD_STEPS 7 /* so long, and a step less, are forwarded records kept */

/* A note or a gap that Redis does not have. */
struct item {
	UT_hash_handle hh;
	uint64_t after; /* records up to here go first */
	size_t key_size;
	char key[];
};

struct redis_forward {
	struct store_redis *store;
	struct redis_link link;
	pthread_t thread;
	bool is_running;

	pthread_mutex_t lock; /* of what follows */
	pthread_cond_t changed;
	uint64_t began;               /* what the local log had when it was opened */
	uint64_t appended, committed; /* in the local log */
	bool is_known;                /* forwarded was asked */
	uint64_t forwarded;           /* the server has that many of them */
	struct item *items;
	bool is_sending; /* an item */
	bool is_poked;   /* look again at once */
	char *trouble;   /* why it does not go on; NULL */
	uint64_t refused, lost;

	/* The thread's own: */
	char *source;
	bool is_single;   /* chunks of one record: some are to be refused */
	uint64_t reached; /* the log's last number when `forwarded` became what it is */
	struct {
		int64_t at_ms;
		uint64_t seq;
	} held[HELD_STEPS];
};

static uint64_t number_of(const redisReply *reply)
{
	return (uint64_t)redis_number(reply);
}

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

static struct item *find_item(struct redis_forward *forward, struct text key)
{
	struct item *item;

	HASH_FIND(hh, forward->items, key.data, key.size, item);
	return item;
}

static void add_item(struct redis_forward *forward, struct text key, uint64_t after)
{
	struct item *item = find_item(forward, key);

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
	add_item(forward, key, forward->committed);
	pthread_cond_broadcast(&forward->changed);
	pthread_mutex_unlock(&forward->lock);
}

bool redis_forward_has_item(struct redis_forward *forward, struct text key)
{
	bool has;

	pthread_mutex_lock(&forward->lock);
	has = find_item(forward, key);
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

/* ---- Where the server is ---- */

static bool collect_item(void *ctx, struct text key, struct text value)
{
	struct redis_forward *forward = ctx;

	pthread_mutex_lock(&forward->lock);
	add_item(forward, key, forward->committed);
	pthread_mutex_unlock(&forward->lock);
	return true;
}

static int collect_items(struct redis_forward *forward, struct error *err)
{
	return store_peek_scan(forward->store->log, REDIS_ITEMS, TEXT(""), collect_item, forward,
			       err);
}

static void add_forward(struct redis_forward *forward, struct words *words, const char *source,
			uint64_t token, uint64_t from, uint64_t lost)
{
	words_add(words, TEXT("forward"));
	words_add(words, text_of(source));
	words_add_number(words, (int64_t)token);
	words_add_number(words, clock_now_ms());
	words_add_number(words, (int64_t)from);
	words_add_number(words, (int64_t)lost);
	words_add_number(words, (int64_t)redis_seen_seq(forward->store));
	words_add_number(words, forward->store->max_bytes);
}

/* A new name begins behind what was forwarded under the old one. */
static int send_nothing(struct redis_forward *forward, const char *source, uint64_t base,
			redisReply **out, struct error *err)
{
	AUTO_WORDS words = { 0 };

	add_forward(forward, &words, source, 0, base + 1, base);
	return redis_link_step(&forward->link, &words, out, err);
}

/*
 * The local log lost records that were forwarded (COMMIT = os, or a directory from a backup): their
 * numbers will be given again, to others. Under a new name of ours that is no harm.
 */
static int rename_source(struct redis_forward *forward, uint64_t base, struct error *err)
{
	AUTO(freeReplyObject) redisReply *reply = NULL;
	char *next = redis_source_name(forward->store);

	if (send_nothing(forward, next, base, &reply, err) < 0 ||
	    store_note_put(forward->store->log, "forward/source", text_of(next), err) < 0) {
		free(next);
		return -1;
	}
	free(forward->source);
	forward->source = next;
	return 0;
}

static int ask_server(struct redis_forward *forward, struct error *err)
{
	AUTO(freeReplyObject) redisReply *reply = NULL;
	AUTO_WORDS words = { 0 };
	uint64_t at, most, base;
	bool is_first, is_back;

	words_add(&words, TEXT("forwarded"));
	words_add(&words, text_of(forward->source));
	words_add(&words, TEXT(REDIS_FORMAT));
	if (redis_link_step(&forward->link, &words, &reply, err) < 0)
		return -1;
	if (reply->elements != 3)
		return redis_damaged(forward->store, err);
	if (redis_check_format(forward->store, reply->element[2], err) < 0)
		return -1;
	at = number_of(reply->element[0]);
	pthread_mutex_lock(&forward->lock);
	is_first = !forward->is_known;
	most = is_first ? forward->began : forward->committed;
	base = is_first ? forward->began : forward->forwarded;
	is_back = !is_first && at < forward->forwarded;
	pthread_mutex_unlock(&forward->lock);
	if (at > most) {
		if (rename_source(forward, base, err) < 0)
			return -1;
		at = base;
	}
	if ((is_first || is_back) && collect_items(forward, err) < 0)
		return -1;
	pthread_mutex_lock(&forward->lock);
	forward->is_known = true;
	forward->forwarded = at;
	pthread_cond_broadcast(&forward->changed);
	pthread_mutex_unlock(&forward->lock);
	forward->reached = number_of(reply->element[1]);
	return 0;
}

/* ---- Records ---- */

struct batch {
	struct redis_forward *forward;
	struct words chunks;
	struct buf *chunk; /* under way */
	uint64_t chunk_count;
	int64_t first_ms, last_ms; /* of the chunk's records */
	uint64_t from, count;      /* of the batch's */
	int64_t begin_ms;
	uint32_t token;
	char watch[64];
};

static void end_chunk(struct batch *batch)
{
	if (!batch->chunk_count)
		return;
	words_add_number(&batch->chunks, (int64_t)batch->chunk_count);
	words_add_number(&batch->chunks, batch->first_ms);
	words_add_number(&batch->chunks, batch->last_ms);
	words_add(&batch->chunks, buf_text(batch->chunk));
	buf_reset(batch->chunk);
	batch->chunk_count = 0;
}

static bool add_record(void *ctx, const struct record *record)
{
	struct batch *batch = ctx;

	if (!batch->count) {
		batch->from = record->seq;
		batch->begin_ms = record->time_ms;
		batch->token = record->token;
		snprintf(batch->watch, sizeof(batch->watch), "%.*s", TEXT_ARGS(record->watch));
	} else if (record->token != batch->token) {
		return false;
	}
	if (batch->forward->is_single || batch->chunk->size + record->bytes.size > CHUNK_BYTES)
		end_chunk(batch);
	if (!batch->chunk_count)
		batch->first_ms = batch->last_ms = record->time_ms;
	/* The clock may have been put back: of a chunk the ends matter. */
	batch->first_ms = MIN(batch->first_ms, record->time_ms);
	batch->last_ms = MAX(batch->last_ms, record->time_ms);
	chunk_add(batch->chunk, record);
	batch->chunk_count++;
	batch->count++;
	return true;
}

static int send_batch(struct batch *batch, uint64_t at, redisReply **out, struct error *err)
{
	struct redis_forward *forward = batch->forward;
	AUTO_WORDS words = { 0 };

	add_forward(forward, &words, forward->source, batch->token, batch->from,
		    batch->from - at - 1);
	words_add_all(&words, &batch->chunks);
	return redis_link_step(&forward->link, &words, out, err);
}

/* Whoever reads the log must know. */
static void tell_loss(struct batch *batch, uint64_t lost, int64_t before_ms)
{
	struct redis_forward *forward = batch->forward;
	AUTO(free)
	char *reason = str_format("the Redis server forgot %" PRIu64 " records that this host did "
				  "not have any more",
				  lost);
	struct gap gap = { .from_ms = before_ms ? before_ms : batch->begin_ms,
			   .until_ms = batch->begin_ms,
			   .reason = reason,
			   .after_seq = batch->from - 1 };

	memcpy(gap.watch, batch->watch, sizeof(gap.watch));
	pthread_mutex_lock(&forward->lock);
	forward->lost += lost;
	pthread_mutex_unlock(&forward->lock);
	/* If that fails, the advice says it. */
	int UNUSED rc = store_gap_put(&forward->store->base, &gap, NULL);
}

/* 1: go on at once; 0: later. */
static int take_answer(struct batch *batch, uint64_t at, const redisReply *reply, struct error *err)
{
	struct redis_forward *forward = batch->forward;
	struct text what;
	uint64_t now_at, refused;

	if (reply->elements != 5)
		return redis_damaged(forward->store, err);
	what = redis_text(reply->element[0]);
	now_at = number_of(reply->element[1]);
	refused = number_of(reply->element[3]);
	if (text_is(what, "full"))
		return error_set(err,
				 "store %s is full: %lld bytes of the log are records that no rule "
				 "has judged yet; none of them is given up: see what keeps the "
				 "filter, or raise [STORE] MAX_SIZE",
				 forward->store->address.shown,
				 (long long)forward->store->max_bytes);
	/* It forgot, or we did not hear. */
	if (text_is(what, "at"))
		return ask_server(forward, err) < 0 ? -1 : 1;
	if (at + 1 < batch->from)
		tell_loss(batch, batch->from - at - 1, redis_number(reply->element[4]));
	forward->is_single = text_is(what, "split");
	forward->reached = number_of(reply->element[2]);
	redis_know_seq(forward->store, forward->reached);
	/* Whoever waits for the records may rely on it that the filter was woken. */
	if (batch->count > refused)
		store_wake(&forward->store->base, STORE_FILTER);
	pthread_mutex_lock(&forward->lock);
	forward->forwarded = now_at;
	forward->refused += refused;
	pthread_cond_broadcast(&forward->changed);
	pthread_mutex_unlock(&forward->lock);
	return 1;
}

static int fill_and_send(struct batch *batch, uint64_t at, uint64_t committed, struct error *err)
{
	AUTO(freeReplyObject) redisReply *reply = NULL;

	if (store_log_read(batch->forward->store->log, at, BATCH_RECORDS, BATCH_BYTES, add_record,
			   batch, err) < 0)
		return -1;
	/* Nothing left of what the server forgot: it goes on behind that. */
	if (!batch->count)
		batch->from = committed + 1;
	end_chunk(batch);
	if (send_batch(batch, at, &reply, err) < 0)
		return -1;
	return take_answer(batch, at, reply, err);
}

/* 1: something was sent; 0: there is nothing to send. */
static int send_records(struct redis_forward *forward, struct error *err)
{
	struct batch batch = { .forward = forward };
	uint64_t at, committed;
	int rc;

	pthread_mutex_lock(&forward->lock);
	at = forward->forwarded;
	committed = forward->committed;
	pthread_mutex_unlock(&forward->lock);
	if (at >= committed)
		return 0;
	batch.chunk = buf_new(SIZE_MAX / 2);
	rc = fill_and_send(&batch, at, committed, err);
	words_clear(&batch.chunks);
	buf_free(batch.chunk);
	return rc;
}

/* ---- Notes and gaps ---- */

static void add_item_words(struct redis_forward *forward, struct words *words, struct text key,
			   struct text value, uint64_t forwarded)
{
	struct redis_item item = redis_item_read(key, value);

	words_add(words, item.is_gap ? TEXT("gap") : TEXT("note"));
	words_add(words, text_of(forward->source));
	words_add_number(words, (int64_t)item.token);
	words_add_number(words, clock_now_ms());
	if (!item.is_gap) {
		words_add(words, item.name);
		words_add(words, item.value);
		return;
	}
	words_add_number(words, (int64_t)item.gap.id);
	words_add_number(words, item.gap.from_ms);
	words_add_number(words, item.gap.until_ms);
	/* Our numbers become those of the log: they run side by side since the last batch. */
	if (item.gap.after_seq <= forwarded && forwarded - item.gap.after_seq > forward->reached)
		words_add_number(words, 0);
	else
		words_add_number(words,
				 (int64_t)(item.gap.after_seq - forwarded + forward->reached));
	words_add(words, item.name);
	words_add(words, item.value);
}

static int send_item(struct redis_forward *forward, struct text key, uint64_t forwarded,
		     struct error *err)
{
	AUTO(freeReplyObject) redisReply *reply = NULL;
	AUTO(free) char *value = NULL;
	AUTO_WORDS words = { 0 };

	if (store_peek(forward->store->log, REDIS_ITEMS, key, &value, err) < 0)
		return -1;
	if (!value)
		return 0;
	add_item_words(forward, &words, key, text_of(value), forwarded);
	return redis_link_step(&forward->link, &words, &reply, err);
}

/* Takes one out whose records are there. */
static struct item *next_item(struct redis_forward *forward, uint64_t *out_forwarded)
{
	struct item *item;

	pthread_mutex_lock(&forward->lock);
	*out_forwarded = forward->forwarded;
	for (item = forward->items; item; item = item->hh.next)
		if (item->after <= forward->forwarded)
			break;
	if (item) {
		HASH_DEL(forward->items, item);
		forward->is_sending = true;
	}
	pthread_mutex_unlock(&forward->lock);
	return item;
}

static int send_items(struct redis_forward *forward, struct error *err)
{
	struct item *item;
	uint64_t forwarded;
	int rc = 0;

	while (rc == 0 && (item = next_item(forward, &forwarded))) {
		struct text key = { item->key, item->key_size };

		rc = send_item(forward, key, forwarded, err);
		pthread_mutex_lock(&forward->lock);
		forward->is_sending = false;
		if (rc < 0 && !find_item(forward, key))
			add_item(forward, key, item->after);
		pthread_cond_broadcast(&forward->changed);
		pthread_mutex_unlock(&forward->lock);
		free(item);
	}
	return rc;
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

	if ((is_idle || !forward->is_known) && ask_server(forward, err) < 0)
		return -1;
	if ((rc = send_records(forward, err)) < 0 || send_items(forward, err) < 0 ||
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
	struct item *item, *next;

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
	redis_connection_free(forward->link.connection);
	pthread_mutex_destroy(&forward->lock);
	pthread_cond_destroy(&forward->changed);
	free(forward->trouble);
	free(forward->source);
	free(forward);
}
