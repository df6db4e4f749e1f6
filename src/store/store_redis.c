#include "store/store_redis.h"

#include <openssl/evp.h>
#include <openssl/rand.h>
#include <stdio.h>

#define FORMAT "1"

const char *const redis_space_names[SPACE_COUNT] = {
	"meta", "halves", "settle", "expect", "labels", "inbox", "tally", "pending",
};

/* ---- The log: an embedded store; only the cursor it trims by comes from here ---- */

void redis_know_cursor(struct store_redis *store, uint64_t seq)
{
	pthread_mutex_lock(&store->cursor_lock);
	store->cursor = MAX(store->cursor, seq);
	pthread_mutex_unlock(&store->cursor_lock);
}

static int mirror_locked(struct store_redis *store, struct error *err)
{
	AUTO(store_abort) struct store_txn *txn = NULL;

	if (store->cursor <= store->mirrored)
		return 0;
	if (store_begin(store->log, &txn, err) < 0 ||
	    store_cursor_put(txn, store->cursor, err) < 0 || store_commit(TAKE(txn), err) < 0)
		return -1;
	store->mirrored = store->cursor;
	return 1;
}

/* Redis is asked only if nothing is known: trimming must not wait for it.
 * 1: the log may be trimmed further than before. */
static int mirror_cursor(struct store_redis *store, struct error *err)
{
	uint64_t cursor = 0;
	bool is_known;
	int rc;

	pthread_mutex_lock(&store->cursor_lock);
	is_known = store->cursor > 0;
	pthread_mutex_unlock(&store->cursor_lock);
	if (!is_known && store_cursor_get(&store->base, &cursor, err) < 0)
		return -1;
	redis_know_cursor(store, cursor);
	pthread_mutex_lock(&store->cursor_lock);
	rc = mirror_locked(store, err);
	pthread_mutex_unlock(&store->cursor_lock);
	return rc;
}

static int redis_log_append(struct store *base, const struct record *record, uint64_t *out_seq,
			    struct error *err)
{
	return store_log_append(redis_of(base)->log, record, out_seq, err);
}

static int redis_log_commit(struct store *base, struct error *err)
{
	struct store_redis *store = redis_of(base);

	if (store_log_commit(store->log, err) == 0)
		return 0;
	/* It may be full of what the filter is done with. */
	if (mirror_cursor(store, NULL) <= 0)
		return -1;
	error_clear(err);
	return store_log_commit(store->log, err);
}

static int redis_log_drain(struct store *base, int64_t wait_ms, struct error *err)
{
	return store_log_drain(redis_of(base)->log, wait_ms, err);
}

static int64_t redis_log_read(struct store *base, uint64_t after, size_t max_records,
			      size_t max_bytes,
			      bool (*visit)(void *ctx, const struct record *record), void *ctx,
			      struct error *err)
{
	return store_log_read(redis_of(base)->log, after, max_records, max_bytes, visit, ctx, err);
}

static int redis_log_range(struct store *base, uint64_t *out_first, uint64_t *out_last,
			   struct error *err)
{
	return store_log_range(redis_of(base)->log, out_first, out_last, err);
}

static int redis_log_trim(struct store *base, int64_t now_ms, struct error *err)
{
	struct store_redis *store = redis_of(base);

	if (mirror_cursor(store, err) < 0)
		return -1;
	return store_log_trim(store->log, now_ms, err);
}

static int redis_gap_put(struct store *base, struct gap *gap, struct error *err)
{
	return store_gap_put(redis_of(base)->log, gap, err);
}

static int redis_gap_visit(struct store *base, void (*visit)(void *ctx, const struct gap *gap),
			   void *ctx, struct error *err)
{
	return store_gap_visit(redis_of(base)->log, visit, ctx, err);
}

static int redis_note_put(struct store *base, const char *name, struct text value,
			  struct error *err)
{
	return store_note_put(redis_of(base)->log, name, value, err);
}

static int redis_note_get(struct store *base, const char *name, char **out, struct error *err)
{
	return store_note_get(redis_of(base)->log, name, out, err);
}

static int redis_count(struct store *base, struct store_counts *out, struct error *err)
{
	struct store_redis *store = redis_of(base);
	AUTO(freeReplyObject) redisReply *reply = NULL;
	struct store_counts counts;
	AUTO_WORDS words = { 0 };

	words_add(&words, TEXT("count"));
	if (store_count(store->log, &counts, err) < 0 ||
	    redis_step(store, &words, NULL, &reply, err) < 0)
		return -1;
	if (reply->elements != 5)
		return redis_damaged(store, err);
	counts.jobs_taken = (uint64_t)redis_number(reply->element[1]);
	counts.jobs_waiting = (uint64_t)redis_number(reply->element[0]) - counts.jobs_taken;
	counts.jobs_done = (uint64_t)redis_number(reply->element[2]);
	counts.jobs_dead = (uint64_t)redis_number(reply->element[3]);
	counts.state_bytes = redis_number(reply->element[4]);
	*out = counts;
	return 0;
}

/* ---- Of this process only, as long as the log is ---- */

static int redis_lease_take(struct store *base, enum store_role role, int64_t ttl_ms,
			    struct store_lease *out, struct error *err)
{
	return store_lease_take(redis_of(base)->log, role, ttl_ms, out, err);
}

static int redis_lease_drop(struct store *base, enum store_role role, struct error *err)
{
	return store_lease_drop(redis_of(base)->log, role, err);
}

static int redis_lease_look(struct store *base, enum store_role role, struct store_lease *out,
			    struct error *err)
{
	return store_lease_look(redis_of(base)->log, role, out, err);
}

static int redis_fence(struct store_txn *txn, enum store_role role, struct error *err)
{
	return 0;
}

static int redis_member_put(struct store *base, struct text status_json, int64_t ttl_ms,
			    struct error *err)
{
	return store_member_put(redis_of(base)->log, status_json, ttl_ms, err);
}

static int redis_member_visit(struct store *base,
			      void (*visit)(void *ctx, const char *name, struct text status_json,
					    int64_t age_ms),
			      void *ctx, struct error *err)
{
	return store_member_visit(redis_of(base)->log, visit, ctx, err);
}

static int redis_tell(struct store *base, struct text message, struct error *err)
{
	store_hear(base, message);
	return 0;
}

/* ---- Opening ---- */

static void wake_filter(void *ctx)
{
	store_wake(ctx, STORE_FILTER);
}

static void hex(char *out, const unsigned char *bytes, size_t size)
{
	for (size_t i = 0; i < size; i++)
		snprintf(out + 2 * i, 3, "%02x", bytes[i]);
}

static int name_ourselves(struct store_redis *store, struct error *err)
{
	unsigned char bytes[EVP_MAX_MD_SIZE];
	unsigned size;

	if (RAND_bytes(bytes, 16) != 1)
		return error_set(err, "no random bytes");
	hex(store->client, bytes, 16);
	if (!EVP_Digest(store_redis_script, strlen(store_redis_script), bytes, &size, EVP_sha1(),
			NULL))
		return error_set(err, "no SHA-1");
	hex(store->digest, bytes, size);
	return 0;
}

static int check_format(struct store_redis *store, struct error *err)
{
	AUTO(freeReplyObject) redisReply *reply = NULL;
	AUTO_WORDS words = { 0 };

	words_add(&words, TEXT("open"));
	words_add(&words, TEXT(FORMAT));
	if (redis_step(store, &words, NULL, &reply, err) < 0)
		return -1;
	if (text_is(redis_text(reply), FORMAT))
		return 0;
	return error_set(err,
			 "store %s: the keys %s have format %.*s, and this cn_monitor reads "
			 "format " FORMAT ": use the version that wrote them, or another prefix",
			 store->address.shown, store->prefix, TEXT_ARGS(redis_text(reply)));
}

static void free_redis(struct store_redis *store)
{
	store_close(store->log);
	redis_connection_free(store->connection);
	redis_address_clear(&store->address);
	pthread_mutex_destroy(&store->cursor_lock);
	pthread_mutex_destroy(&store->call_lock);
	pthread_mutex_destroy(&store->txn_lock);
	pthread_mutex_destroy(&store->take_lock);
	free(store->unsettled_ids);
	free(store->late_ids);
	free(store->prefix);
	store_clear(&store->base);
	free(store);
}

static void close_redis(struct store *base)
{
	struct store_redis *store = redis_of(base);

	/* Others need not wait for the leases. If that fails, they wait. */
	if (redis_job_release(store, text_of(store->client), NULL) < 0)
		redis_hang_up(store->connection);
	store_on_wake(store->log, STORE_FILTER, NULL, NULL);
	free_redis(store);
}

static int open_all(struct store_redis *store, const struct store_settings *settings,
		    struct error *err)
{
	struct store_settings log = *settings;
	AUTO(free) char *url = NULL;

	if (redis_address_init(&store->address, settings, err) < 0 ||
	    name_ourselves(store, err) < 0 ||
	    redis_connection_new(&store->connection, &store->address, err) < 0)
		return -1;
	store->prefix = str_format("{cn:%s}:", store->address.prefix);
	url = str_format("embedded:%s", store->address.log);
	log.url = url;
	if (store_open(&store->log, &log, err) < 0)
		return -1;
	store_on_wake(store->log, STORE_FILTER, wake_filter, &store->base);
	return check_format(store, err);
}

static int open_redis(struct store **out, const struct store_settings *settings, const char *place,
		      struct error *err)
{
	struct store_redis *store = NEW(struct store_redis);

	store_init(&store->base, settings);
	pthread_mutex_init(&store->cursor_lock, NULL);
	pthread_mutex_init(&store->call_lock, NULL);
	pthread_mutex_init(&store->txn_lock, NULL);
	pthread_mutex_init(&store->take_lock, NULL);
	store->retention_ms = settings->retention_ms;
	store->max_bytes = settings->max_bytes;
	if (open_all(store, settings, err) < 0) {
		free_redis(store);
		return -1;
	}
	*out = &store->base;
	return 0;
}

#define STORE_REDIS(url_scheme)                                                                   \
	{                                                                                         \
		.scheme = (url_scheme), .open = open_redis, .close = close_redis,                 \
		.log_append = redis_log_append, .log_commit = redis_log_commit,                   \
		.log_drain = redis_log_drain, .lease_take = redis_lease_take,                     \
		.lease_drop = redis_lease_drop, .lease_look = redis_lease_look,                   \
		.fence = redis_fence, .member_put = redis_member_put,                             \
		.member_visit = redis_member_visit, .tell = redis_tell,                           \
		.log_read = redis_log_read, .log_range = redis_log_range,                         \
		.log_trim = redis_log_trim, .gap_put = redis_gap_put,                             \
		.gap_visit = redis_gap_visit, .note_put = redis_note_put,                         \
		.note_get = redis_note_get, .begin = redis_begin, .commit = redis_commit,         \
		.abort = redis_abort, .put = redis_put, .remove = redis_remove, .get = redis_get, \
		.scan = redis_scan, .peek = redis_peek, .peek_scan = redis_peek_scan,             \
		.state_trim = redis_state_trim, .job_put = redis_job_put,                         \
		.job_take = redis_job_take, .job_next_due = redis_job_next_due,                   \
		.job_save = redis_job_save, .job_prolong = redis_job_prolong,                     \
		.job_retry = redis_job_retry, .job_end = redis_job_end,                           \
		.job_release_all = redis_job_release_all, .job_is_ours = redis_job_is_ours,       \
		.job_visit = redis_job_visit, .dead_get = redis_dead_get,                         \
		.dead_retry = redis_dead_retry, .dead_drop = redis_dead_drop,                     \
		.count = redis_count,                                                             \
	}

const struct store_type store_redis = STORE_REDIS("redis");
const struct store_type store_rediss = STORE_REDIS("rediss");
const struct store_type store_redis_unix = STORE_REDIS("unix");
