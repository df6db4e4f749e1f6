#include <errno.h>
#include <openssl/evp.h>
#include <openssl/rand.h>
#include <stdio.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "store/store_redis_forward.h"

#define LOG_KEPT_MS (60 * 60 * 1000) /* of what was forwarded, on this machine */

const char *const redis_space_names[SPACE_COUNT] = {
	"meta",  "halves",  "settle", "expect", "labels",  "inbox",
	"tally", "pending", "repair", "alarms", "digests", "chain",
};

void redis_know_seq(struct store_redis *store, uint64_t seq)
{
	pthread_mutex_lock(&store->seen_lock);
	store->seen = MAX(store->seen, seq);
	pthread_mutex_unlock(&store->seen_lock);
}

uint64_t redis_seen_seq(struct store_redis *store)
{
	uint64_t seen;

	pthread_mutex_lock(&store->seen_lock);
	seen = store->seen;
	pthread_mutex_unlock(&store->seen_lock);
	return seen;
}

static int redis_count(struct store *base, struct store_counts *out, struct error *err)
{
	struct store_redis *store = redis_of(base);
	AUTO(freeReplyObject) redisReply *reply = NULL;
	struct store_counts counts = { 0 };
	AUTO_WORDS words = { 0 };

	words_add(&words, TEXT("count"));
	if (redis_log_extent(store, &counts.first_seq, &counts.last_seq, &counts.log_bytes, err) <
		    0 ||
	    redis_step(store, &words, NULL, &reply, err) < 0)
		return -1;
	if (reply->elements != 6)
		return redis_damaged(store, err);
	counts.jobs_taken = (uint64_t)redis_number(reply->element[1]);
	counts.jobs_waiting = (uint64_t)redis_number(reply->element[0]) - counts.jobs_taken;
	counts.jobs_done = (uint64_t)redis_number(reply->element[2]);
	counts.jobs_dead = (uint64_t)redis_number(reply->element[3]);
	counts.state_bytes = redis_number(reply->element[4]);
	counts.gaps = (uint64_t)redis_number(reply->element[5]);
	if (store->forward)
		counts.log_behind = redis_forward_behind(store->forward);
	*out = counts;
	return 0;
}

static void redis_advice(struct store *base, void (*visit)(void *ctx, const char *sentence),
			 void *ctx)
{
	struct store_redis *store = redis_of(base);

	redis_advice_visit(&store->advice, visit, ctx);
	if (store->forward)
		redis_forward_advice(store->forward, visit, ctx);
}

/* ---- Opening ---- */

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

char *redis_source_name(struct store_redis *store)
{
	unsigned char bytes[4] = { 0 };
	char text[9];

	/* Without chance it is still another one than any other process's. */
	if (RAND_bytes(bytes, sizeof(bytes)) != 1)
		memset(bytes, 0, sizeof(bytes));
	hex(text, bytes, sizeof(bytes));
	return str_format("%s.%s", store->source, text);
}

int redis_check_format(struct store_redis *store, const redisReply *reply, struct error *err)
{
	if (text_is(redis_text(reply), REDIS_FORMAT))
		return 0;
	return error_set(err,
			 "store %s: the keys %s have format %.*s, and this cn_monitor reads "
			 "format " REDIS_FORMAT
			 ": use the version that wrote them, or another prefix",
			 store->address.shown, store->prefix, TEXT_ARGS(redis_text(reply)));
}

static int ask_format(struct store_redis *store, struct error *err)
{
	AUTO(freeReplyObject) redisReply *reply = NULL;
	AUTO_WORDS words = { 0 };

	words_add(&words, TEXT("open"));
	words_add(&words, TEXT(REDIS_FORMAT));
	if (redis_step(store, &words, NULL, &reply, err) < 0)
		return -1;
	return redis_check_format(store, reply, err);
}

static int look_at_format(struct store_redis *store, struct error *err)
{
	AUTO(freeReplyObject) redisReply *reply = NULL;
	AUTO_WORDS words = { 0 };

	words_add(&words, TEXT("format"));
	if (redis_step(store, &words, NULL, &reply, err) < 0)
		return -1;
	if (!redis_text(reply).size)
		return error_set(err,
				 "store %s: there are no keys %s: no cn_monitor has used them yet "
				 "(see [STORE] PREFIX)",
				 store->address.shown, store->prefix);
	return redis_check_format(store, reply, err);
}

static int link_open(struct redis_link *link, struct store_redis *store, struct error *err)
{
	link->store = store;
	return redis_connection_new(&link->connection, &store->address, err);
}

static void free_redis(struct store_redis *store)
{
	uint64_t one = 1;

	store->is_over = true;
	/* The threads wait for nothing from now on. */
	if (store->over_fd >= 0 && write(store->over_fd, &one, sizeof(one)) != sizeof(one))
		abort();
	redis_listen_stop(store);
	redis_forward_close(store->forward);
	store_close(store->log);
	redis_link_close(&store->calls);
	redis_link_close(&store->listens);
	redis_advice_clear(&store->advice);
	redis_address_clear(&store->address);
	redis_promises_clear(store);
	redis_jobs_clear(store);
	freeReplyObject(store->rest);
	pthread_mutex_destroy(&store->rest_lock);
	pthread_mutex_destroy(&store->lease_lock);
	pthread_mutex_destroy(&store->seen_lock);
	pthread_mutex_destroy(&store->calls.lock);
	pthread_mutex_destroy(&store->txn_lock);
	pthread_mutex_destroy(&store->take_lock);
	pthread_mutex_destroy(&store->taken_lock);
	if (store->over_fd >= 0)
		close(store->over_fd);
	free(store->unsettled_ids);
	free(store->late_ids);
	free(store->prefix);
	free(store->source);
	store_clear(&store->base);
	free(store);
}

static void close_redis(struct store *base)
{
	struct store_redis *store = redis_of(base);

	if (base->reads_only) {
		free_redis(store);
		return;
	}
	/* Others need not wait for the leases. If that fails, they wait. */
	if (redis_job_release(store, true, NULL) < 0)
		redis_hang_up(store->calls.connection);
	else if (base->member)
		redis_member_leave(store);
	free_redis(store);
}

/* ---- What a process that watches has on its own machine ---- */

static int open_log(struct store_redis *store, const struct store_settings *settings,
		    struct error *err)
{
	AUTO(free) char *url = str_format("embedded:%s", store->address.log);
	struct store_settings log = *settings;

	log.url = url;
	log.retention_ms = MIN(settings->retention_ms, LOG_KEPT_MS);
	if (store_open(&store->log, &log, err) < 0 ||
	    store_note_get(store->log, "forward/holder", &store->source, err) < 0)
		return -1;
	if (!store->source) {
		store->source = str_copy(store->client);
		if (store_note_put(store->log, "forward/holder", text_of(store->source), err) < 0)
			return -1;
	}
	if (redis_lease_load(store, err) < 0)
		return -1;
	return redis_forward_open(&store->forward, store, err);
}

/* A watch that was at work before goes on, and what it hears waits in its log. */
static int open_server(struct store_redis *store, struct error *err)
{
	AUTO_ERROR away = { 0 };

	if (ask_format(store, &away) == 0)
		return 0;
	if (store->log && store->leases[STORE_WATCH].token && redis_is_away(&store->calls))
		return 0;
	return error_set(err, "%s", error_text(&away));
}

static int open_all(struct store_redis *store, const struct store_settings *settings,
		    struct error *err)
{
	store->over_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (store->over_fd < 0)
		return error_errno(err, "store: eventfd");
	if (redis_address_init(&store->address, settings, err) < 0 ||
	    name_ourselves(store, err) < 0 || link_open(&store->calls, store, err) < 0 ||
	    link_open(&store->listens, store, err) < 0)
		return -1;
	store->prefix = str_format("{cn:%s}:", store->address.prefix);
	if (store->base.reads_only)
		return look_at_format(store, err);
	if ((settings->watches && open_log(store, settings, err) < 0) ||
	    open_server(store, err) < 0 || redis_listen_start(store, err) < 0)
		return -1;
	return store->forward ? redis_forward_start(store->forward, err) : 0;
}

static int limit_redis(struct store *base, int64_t max_bytes, int64_t retention_ms,
		       struct error *err)
{
	struct store_redis *store = redis_of(base);

	if (store->log &&
	    store_limit(store->log, max_bytes, MIN(retention_ms, LOG_KEPT_MS), err) < 0)
		return -1;
	store->max_bytes = max_bytes;
	store->retention_ms = retention_ms;
	return 0;
}

static int open_redis(struct store **out, const struct store_settings *settings, const char *place,
		      struct error *err)
{
	struct store_redis *store = NEW(struct store_redis);

	store_init(&store->base, settings);
	redis_advice_init(&store->advice);
	pthread_mutex_init(&store->rest_lock, NULL);
	pthread_mutex_init(&store->lease_lock, NULL);
	pthread_mutex_init(&store->seen_lock, NULL);
	pthread_mutex_init(&store->calls.lock, NULL);
	pthread_mutex_init(&store->txn_lock, NULL);
	pthread_mutex_init(&store->take_lock, NULL);
	pthread_mutex_init(&store->taken_lock, NULL);
	store->promises_end = &store->promises;
	store->over_fd = -1;
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
		.limit = limit_redis, .log_append = redis_log_append,                             \
		.log_commit = redis_log_commit, .log_drain = redis_log_drain,                     \
		.lease_take = redis_lease_take, .lease_drop = redis_lease_drop,                   \
		.lease_look = redis_lease_look, .fence = redis_fence,                             \
		.member_put = redis_member_put, .member_visit = redis_member_visit,               \
		.tell = redis_tell, .log_read = redis_log_read, .log_range = redis_log_range,     \
		.log_trim = redis_log_trim, .gap_put = redis_gap_put,                             \
		.gap_visit = redis_gap_visit, .note_put = redis_note_put,                         \
		.note_get = redis_note_get, .begin = redis_begin, .commit = redis_commit,         \
		.abort = redis_abort, .put = redis_put, .remove = redis_remove, .get = redis_get, \
		.scan = redis_scan, .peek = redis_peek, .peek_scan = redis_peek_scan,             \
		.cursor_put = redis_cursor_put, .cursor_check = redis_cursor_check,               \
		.advice = redis_advice, .state_trim = redis_state_trim, .job_put = redis_job_put, \
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
