/* store_redis_log: records: appended to the local log, read from Redis. */
#include "store/store_redis_chunk.h"
#include "store/store_redis_forward.h"

/* Asked for at once: the reader may stop anywhere, and what comes behind was sent for nothing. */
#define READ_BYTES (256 * 1024)
#define REST_MS 1000 /* how long the rest of a page is worth reading */

/* ---- Appending: a watching process, on this machine ---- */

int redis_log_append(struct store *base, const struct record *record, uint64_t *out_seq,
		     struct error *err)
{
	struct store_redis *store = redis_of(base);
	struct record ours = *record;

	if (!store->log)
		return redis_no_watch(store, err);
	ours.token = (uint32_t)store->watch_token;
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
	struct chunk_reader *reader;
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

		if (last <= reading->last)
			continue; /* of a page that was read in part before */
		if (chunk_visit(reading->reader, redis_text(page->element[i + 2]),
				(uint64_t)redis_number(page->element[i + 1]), last, reading->last,
				read_record, reading) < 0)
			return error_set(err, "store %s: the log is damaged at record %llu",
					 store->address.shown, (unsigned long long)last);
		redis_know_seq(store, last);
	}
	return 0;
}

/*
 * A filter stops amid a page, when its transaction has become long enough, and comes back for the
 * rest: what was fetched once is not fetched again. Records do not change; whether the server still
 * has them is asked by the commit, which names the cursor.
 */
static redisReply *take_rest(struct store_redis *store, uint64_t after)
{
	redisReply *page = NULL;

	pthread_mutex_lock(&store->rest_lock);
	if (store->rest && store->rest_after == after && redis_now_ms() - store->rest_ms <= REST_MS)
		page = TAKE(store->rest);
	pthread_mutex_unlock(&store->rest_lock);
	return page;
}

static void keep_rest(struct store_redis *store, redisReply *page, uint64_t after)
{
	pthread_mutex_lock(&store->rest_lock);
	freeReplyObject(store->rest);
	store->rest = page;
	store->rest_after = after;
	store->rest_ms = redis_now_ms();
	pthread_mutex_unlock(&store->rest_lock);
}

static uint64_t page_end(const redisReply *page)
{
	return page->elements < 4 ? 0 : (uint64_t)redis_number(page->element[page->elements - 3]);
}

static int read_log(struct store_redis *store, struct reading *reading, struct error *err)
{
	while (!reading->is_over) {
		AUTO(freeReplyObject) redisReply *page = take_rest(store, reading->last);
		bool is_all;

		if (!page)
			page = fetch(
				store, reading->last, reading->max_records - (size_t)reading->count,
				reading->max_bytes - MIN(reading->bytes, reading->max_bytes - 1),
				err);
		if (!page || read_page(store, reading, page, err) < 0)
			return -1;
		is_all = redis_text(page->element[0]).size;
		if (reading->is_over && reading->count && page_end(page) > reading->last)
			keep_rest(store, TAKE(page), reading->last);
		if (is_all || (size_t)reading->count >= reading->max_records ||
		    reading->bytes >= reading->max_bytes)
			break;
	}
	return 0;
}

int64_t redis_log_read(struct store *base, uint64_t after, size_t max_records, size_t max_bytes,
		       bool (*visit)(void *ctx, const struct record *record), void *ctx,
		       struct error *err)
{
	AUTO(chunk_reader_free) struct chunk_reader *reader = chunk_reader_new();
	struct reading reading = { .visit = visit,
				   .ctx = ctx,
				   .max_records = max_records,
				   .max_bytes = max_bytes,
				   .last = after,
				   .reader = reader };

	return read_log(redis_of(base), &reading, err) < 0 ? -1 : reading.count;
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
