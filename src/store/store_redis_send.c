/* store_redis_send: what the forwarding thread says to the server. */
#include <inttypes.h>
#include <stdio.h>

#include "base/clock.h"
#include "store/store_redis_chunk.h"
#include "store/store_redis_forwarding.h"

#define BATCH_RECORDS 10000
#define BATCH_BYTES (1024 * 1024)
#define CHUNK_BYTES (64 * 1024)

static uint64_t number_of(const redisReply *reply)
{
	return (uint64_t)redis_number(reply);
}

/* ---- Where the server is ---- */

static bool collect_item(void *ctx, struct text key, struct text value)
{
	struct redis_forward *forward = ctx;

	pthread_mutex_lock(&forward->lock);
	redis_forward_add(forward, key, forward->committed);
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

int redis_send_ask(struct redis_forward *forward, struct error *err)
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
	uint64_t chunk_count;      /* records of the one under way */
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
	words_add(&batch->chunks, chunk_finish(batch->forward->writer));
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
	if (batch->forward->is_single ||
	    chunk_size(batch->forward->writer) + record->bytes.size > CHUNK_BYTES)
		end_chunk(batch);
	if (!batch->chunk_count)
		batch->first_ms = batch->last_ms = record->time_ms;
	/* The clock may have been put back: of a chunk the ends matter. */
	batch->first_ms = MIN(batch->first_ms, record->time_ms);
	batch->last_ms = MAX(batch->last_ms, record->time_ms);
	chunk_add(batch->forward->writer, record);
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
		return redis_send_ask(forward, err) < 0 ? -1 : 1;
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

int redis_send_records(struct redis_forward *forward, struct error *err)
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
	chunk_reset(forward->writer);
	rc = fill_and_send(&batch, at, committed, err);
	words_clear(&batch.chunks);
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
static struct redis_forward_item *next_item(struct redis_forward *forward, uint64_t *out_forwarded)
{
	struct redis_forward_item *item;

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

int redis_send_items(struct redis_forward *forward, struct error *err)
{
	struct redis_forward_item *item;
	uint64_t forwarded;
	int rc = 0;

	while (rc == 0 && (item = next_item(forward, &forwarded))) {
		struct text key = { item->key, item->key_size };

		rc = send_item(forward, key, forwarded, err);
		pthread_mutex_lock(&forward->lock);
		forward->is_sending = false;
		if (rc < 0 && !redis_forward_find(forward, key))
			redis_forward_add(forward, key, item->after);
		pthread_cond_broadcast(&forward->changed);
		pthread_mutex_unlock(&forward->lock);
		free(item);
	}
	return rc;
}
