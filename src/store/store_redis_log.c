/* store_redis_log: records: appended to the local log, read from Redis. */
#include "store/store_redis_chunk.h"
#include "store/store_redis_forward.h"

/* Asked for at once: the reader may stop anywhere, and what comes behind was sent for nothing. */
#define READ_BYTES (1024 * 1024)

/* ---- Appending: a watching process, on this machine ---- */

int redis_log_append(struct store *base, const struct record *record, uint64_t *out_seq,
		     struct error *err)
{
	struct store_redis *store = redis_of(base);
	struct record ours = *record;

	if (!store->log)
		return redis_no_watch(store, err);
	ours.token = (uint32_t)redis_watch_token(store);
	if (store_log_append(store->log, &ours, out_seq, err) < 0)
		return -1;
	redis_forward_appended(store->forward, *out_seq);
	return 0;
}

int redis_log_commit(struct store *base, struct error *err)
{
	struct store_redis *store = redis_of(base);
	uint64_t end;

	if (!store->log)
		return redis_no_watch(store, err);
	end = redis_forward_end(store->forward);
	if (store_log_commit(store->log, err) < 0) {
		/* It may be full of what was forwarded. */
		if (redis_forward_make_room(store->forward, NULL) <= 0)
			return -1;
		error_clear(err);
		if (store_log_commit(store->log, err) < 0)
			return -1;
	}
	redis_forward_committed(store->forward, end);
	return 0;
}

int redis_log_drain(struct store *base, int64_t wait_ms, struct error *err)
{
	struct store_redis *store = redis_of(base);

	return store->log ? redis_forward_drain(store->forward, wait_ms) : 1;
}

/* ---- Reading ---- */

static redisReply *fetch(struct store_redis *store, uint64_t after, size_t max_records,
			 size_t max_bytes, struct error *err)
{
	redisReply *reply = NULL;
	AUTO_WORDS words = { 0 };

	words_add(&words, TEXT("read"));
	words_add_number(&words, (int64_t)after);
	words_add_number(&words, (int64_t)MIN(max_records, 1u << 30));
	words_add_number(&words, (int64_t)MIN(max_bytes, READ_BYTES));
	if (redis_step(store, &words, NULL, &reply, err) < 0)
		return NULL;
	store->base.log_reads++;
	if (reply->elements % 3 == 1)
		return reply;
	freeReplyObject(reply);
	redis_damaged(store, err);
	return NULL;
}

struct reading {
	bool (*visit)(void *ctx, const struct record *record);
	void *ctx;
	size_t max_records, max_bytes;
	uint64_t last;
	int64_t count;
	size_t bytes;
	bool is_over;
};

static bool read_record(void *ctx, const struct record *record)
{
	struct reading *reading = ctx;

	reading->bytes += record->bytes.size;
	if (reading->count &&
	    ((size_t)reading->count >= reading->max_records || reading->bytes > reading->max_bytes))
		reading->is_over = true;
	if (reading->is_over)
		return false;
	reading->count++;
	reading->last = record->seq;
	reading->is_over = !reading->visit(reading->ctx, record);
	return !reading->is_over;
}

static int read_page(struct store_redis *store, struct reading *reading, const redisReply *page,
		     struct error *err)
{
	for (size_t i = 1; i < page->elements && !reading->is_over; i += 3) {
		uint64_t last = (uint64_t)redis_number(page->element[i]);

		if (chunk_visit(redis_text(page->element[i + 2]),
				(uint64_t)redis_number(page->element[i + 1]), last, reading->last,
				read_record, reading) < 0)
			return error_set(err, "store %s: the log is damaged at record %llu",
					 store->address.shown, (unsigned long long)last);
		redis_know_seq(store, last);
	}
	return 0;
}

int64_t redis_log_read(struct store *base, uint64_t after, size_t max_records, size_t max_bytes,
		       bool (*visit)(void *ctx, const struct record *record), void *ctx,
		       struct error *err)
{
	struct store_redis *store = redis_of(base);
	struct reading reading = { .visit = visit,
				   .ctx = ctx,
				   .max_records = max_records,
				   .max_bytes = max_bytes,
				   .last = after };

	while (!reading.is_over) {
		AUTO(freeReplyObject)
		redisReply *page = fetch(store, reading.last, max_records - (size_t)reading.count,
					 max_bytes - MIN(reading.bytes, max_bytes - 1), err);

		if (!page || read_page(store, &reading, page, err) < 0)
			return -1;
		if (redis_text(page->element[0]).size || (size_t)reading.count >= max_records ||
		    reading.bytes >= max_bytes)
			break;
	}
	return reading.count;
}

int redis_log_range(struct store *base, uint64_t *out_first, uint64_t *out_last, struct error *err)
{
	int64_t bytes;

	return redis_log_extent(redis_of(base), out_first, out_last, &bytes, err);
}

int redis_log_extent(struct store_redis *store, uint64_t *out_first, uint64_t *out_last,
		     int64_t *out_bytes, struct error *err)
{
	AUTO(freeReplyObject) redisReply *reply = NULL;
	AUTO_WORDS words = { 0 };

	words_add(&words, TEXT("range"));
	if (redis_step(store, &words, NULL, &reply, err) < 0)
		return -1;
	if (reply->elements != 3)
		return redis_damaged(store, err);
	redis_know_seq(store, (uint64_t)redis_number(reply->element[1]));
	*out_first = (uint64_t)redis_number(reply->element[0]);
	*out_last = *out_first ? (uint64_t)redis_number(reply->element[1]) : 0;
	*out_bytes = redis_number(reply->element[2]);
	return 0;
}

/* ---- Trimming ---- */

int redis_log_trim(struct store *base, int64_t now_ms, struct error *err)
{
	struct store_redis *store = redis_of(base);
	AUTO(freeReplyObject) redisReply *reply = NULL;
	AUTO_WORDS words = { 0 };

	store_point("log.trim.before");
	words_add(&words, TEXT("trim_log"));
	words_add_number(&words, MAX(now_ms - store->retention_ms, 0));
	words_add_number(&words, store->max_bytes - store->max_bytes / 16);
	if (redis_step(store, &words, NULL, &reply, err) < 0)
		return -1;
	store_point("log.trim.amid");
	if (redis_gaps_trim(store, err) < 0)
		return -1;
	store_point("log.trim.after");
	if (store->log)
		redis_forward_poke(store->forward);
	return redis_number(reply) == 1;
}
