/* store_redis_call: one step of the script, asked until it is answered or its time is up. */
#include <poll.h>
#include <stdio.h>

#include "store/store_redis.h"

#define PAUSE_MS 20 /* before the second try; then doubled */
#define PAUSE_MAX_MS 500
#define AWAY_MS 300 /* a call that finds an outage that is known tries so long */

/* ---- Words ---- */

void words_clear(struct words *words)
{
	buf_free(words->bytes);
	free(words->ends);
	*words = (struct words){ 0 };
}

void words_add(struct words *words, struct text word)
{
	if (!words->bytes)
		words->bytes = buf_new(SIZE_MAX / 2);
	if (word.size && !buf_append(words->bytes, word.data, word.size))
		abort();                          /* the limit is beyond memory */
	if (!(words->count & (words->count + 1))) /* room for 1, 3, 7, ... more */
		words->ends = mem_grow(words->ends, 2 * words->count + 1, sizeof(*words->ends));
	words->ends[words->count++] = words->bytes->size;
}

void words_add_number(struct words *words, int64_t number)
{
	char text[24];

	words_add(words, (struct text){ text, (size_t)snprintf(text, sizeof(text), "%lld",
							       (long long)number) });
}

void words_add_id(struct words *words, uint64_t id)
{
	char text[24];

	words_add(words, (struct text){ text, (size_t)snprintf(text, sizeof(text), "%016llu",
							       (unsigned long long)id) });
}

static struct text word(const struct words *words, size_t i)
{
	size_t from = i ? words->ends[i - 1] : 0;

	/* Empty words only: there are no bytes yet to point at. */
	return words->bytes->data
		       ? (struct text){ words->bytes->data + from, words->ends[i] - from }
		       : TEXT("");
}

void words_add_all(struct words *words, const struct words *more)
{
	for (size_t i = 0; i < more->count; i++)
		words_add(words, word(more, i));
}

/* ---- Replies ---- */

struct text redis_text(const redisReply *reply)
{
	return reply && (reply->type == REDIS_REPLY_STRING || reply->type == REDIS_REPLY_STATUS)
		       ? (struct text){ reply->str, reply->len }
		       : TEXT("");
}

int64_t redis_number(const redisReply *reply)
{
	double number;

	if (!reply)
		return 0;
	if (reply->type == REDIS_REPLY_INTEGER)
		return reply->integer;
	if (reply->type != REDIS_REPLY_STRING)
		return 0;
	number = strtod(reply->str, NULL); /* scores are doubles */
	return number >= 9e18 ? INT64_MAX : number <= -9e18 ? INT64_MIN : (int64_t)number;
}

int redis_damaged(struct store_redis *store, struct error *err)
{
	return error_set(err, "store %s: an answer that this cn_monitor does not understand",
			 store->address.shown);
}

/* ---- Asking ---- */

/*
 * While a slot's keys are moved to another node of a cluster, a request that names a missing key,
 * as ours always do, is sent there with ASK. It is not followed: some of the keys are still here,
 * and a step sees all of them or is not done. So it is tried again until they are all in one place.
 */
static bool is_being_moved(const redisReply *reply)
{
	return redis_is_error(reply, "ASK") || redis_is_error(reply, "TRYAGAIN") ||
	       redis_is_error(reply, "BUSY");
}

/* A server that swallows everything leaves time to ask another, if there is one. */
static int64_t try_until(const struct redis_connection *connection, int64_t until_ms)
{
	int64_t rest_ms = until_ms - redis_now_ms();

	return redis_has_others(connection) ? until_ms - MAX(rest_ms, 0) / 2 : until_ms;
}

/* One try; *out is an answer, maybe an error of the server's. */
static enum redis_outcome try_step(struct redis_link *link, const struct words *words,
				   int64_t until_ms, redisReply **out, struct error *err)
{
	struct store_redis *store = link->store;
	struct text *all = mem_array(words->count + 4, sizeof(*all));
	enum redis_outcome outcome;
	redisReply *reply;

	all[0] = TEXT("EVALSHA");
	all[1] = text_of(store->digest);
	all[2] = TEXT("1");
	all[3] = text_of(store->prefix);
	for (size_t i = 0; i < words->count; i++)
		all[4 + i] = word(words, i);
	outcome = redis_call(link->connection, words->count + 4, all, until_ms, &reply, err);
	if (outcome == REDIS_ANSWERED && redis_is_error(reply, "NOSCRIPT")) {
		freeReplyObject(reply);
		all[0] = TEXT("EVAL");
		all[1] = text_of(store_redis_script);
		outcome =
			redis_call(link->connection, words->count + 4, all, until_ms, &reply, err);
	}
	free(all);
	if (outcome == REDIS_ANSWERED)
		*out = reply;
	return outcome;
}

bool redis_is_away(const struct redis_link *link)
{
	return link->is_away;
}

void redis_link_close(struct redis_link *link)
{
	redis_connection_free(link->connection);
	free(link->away_why);
}

bool redis_pause(struct store_redis *store, int64_t ms)
{
	struct pollfd over = { .fd = store->over_fd, .events = POLLIN };

	return poll(&over, 1, (int)ms) == 0;
}

/* An error that will pass; the next try may be elsewhere. */
static void let_pass(struct redis_link *link, redisReply *reply, struct error *err)
{
	error_set(err, "store %s: %s", link->store->address.shown, reply->str);
	if (!is_being_moved(reply))
		redis_hang_up(link->connection);
	freeReplyObject(reply);
}

static void note_presence(struct redis_link *link, bool is_there, const struct error *err)
{
	link->is_away = !is_there;
	link->away_ms = redis_now_ms();
	free(TAKE(link->away_why));
	if (link->is_away)
		link->away_why = str_copy(error_text(err));
}

/*
 * An outage is waited for once, by the call that finds it. Until somebody answers again, calls give
 * up soon; and those that waited for their turn meanwhile fail with the one before them. Otherwise
 * a handful of threads would keep each other waiting for a handful of time-outs.
 */
static bool failed_meanwhile(const struct redis_link *link, int64_t begun_ms)
{
	return link->is_away && link->away_ms > begun_ms;
}

/* 0, or -1; *out_sent: it may have happened all the same. */
static int ask(struct redis_link *link, const struct words *words, bool *out_sent, redisReply **out,
	       struct error *err)
{
	struct store_redis *store = link->store;
	int64_t until_ms = redis_now_ms() + store->address.timeout_ms;
	/* When it is too late for another try. */
	int64_t late_ms = link->is_away ? redis_now_ms() + AWAY_MS : until_ms;
	int64_t wait_ms = PAUSE_MS;

	*out_sent = false;
	if (err)
		error_clear(err);
	while (true) {
		int64_t try_until_ms = try_until(link->connection, until_ms);
		redisReply *reply = NULL;
		AUTO_ERROR own = { 0 };
		enum redis_outcome outcome = try_step(link, words, try_until_ms, &reply, &own);

		bool is_final = outcome == REDIS_ANSWERED && !redis_will_pass(reply);

		if (is_final) {
			note_presence(link, true, NULL);
			if (reply->type != REDIS_REPLY_ERROR) {
				if (err)
					error_clear(err);
				*out = reply;
				return 0;
			}
			error_set(err, "store %s: %s", store->address.shown, reply->str);
			freeReplyObject(reply);
			return -1;
		}
		if (outcome == REDIS_ANSWERED)
			let_pass(link, reply, &own);
		note_presence(link, outcome == REDIS_REFUSED, &own);
		*out_sent |= outcome == REDIS_LOST;
		/* What was said before tells more than that the time is up. */
		if (!err || !err->text || redis_now_ms() < try_until_ms)
			error_set(err, "%s", error_text(&own));
		if (outcome == REDIS_REFUSED || link->tries_once ||
		    redis_now_ms() + wait_ms >= MIN(late_ms, until_ms) ||
		    !redis_pause(store, wait_ms))
			return -1;
		wait_ms = MIN(2 * wait_ms, PAUSE_MAX_MS);
	}
}

/* Whoever asked for that commit was told that it failed. If it did not, its jobs have left all the
 * same; if it did, it must not happen any more. */
static int settle(struct store_redis *store, struct error *err)
{
	AUTO_WORDS words = { 0 };
	AUTO(freeReplyObject) redisReply *reply = NULL;
	bool was_sent;

	words_add(&words, TEXT("settle"));
	words_add(&words, text_of(store->client));
	words_add_number(&words, (int64_t)store->unsettled);
	if (ask(&store->calls, &words, &was_sent, &reply, err) < 0)
		return -1;
	if (text_is(redis_text(reply), "done") && store->unsettled_count) {
		store->late_ids =
			mem_grow(store->late_ids, store->late_count + store->unsettled_count,
				 sizeof(*store->late_ids));
		memcpy(store->late_ids + store->late_count, store->unsettled_ids,
		       store->unsettled_count * sizeof(*store->late_ids));
		store->late_count += store->unsettled_count;
	}
	store->unsettled = 0;
	return 0;
}

static int step_locked(struct store_redis *store, const struct words *words,
		       const struct commit *commit, redisReply **out, struct error *err)
{
	bool was_sent = false;

	if (store->unsettled && settle(store, err) < 0)
		return -1;
	if (ask(&store->calls, words, &was_sent, out, err) == 0) {
		redis_advice_look(&store->advice, &store->address, store->calls.connection,
				  2 * store->max_bytes); /* log and state */
		return 0;
	}
	if (!commit || !was_sent)
		return -1;
	store->unsettled = commit->number;
	free(store->unsettled_ids);
	store->unsettled_ids =
		commit->count ? mem_copy(commit->left, commit->count * sizeof(*commit->left))
			      : NULL;
	store->unsettled_count = commit->count;
	return -1;
}

int redis_link_step(struct redis_link *link, const struct words *words, redisReply **out,
		    struct error *err)
{
	bool was_sent;

	return ask(link, words, &was_sent, out, err);
}

int redis_link_command(struct redis_link *link, const struct words *words, int64_t wait_ms,
		       redisReply **out, struct error *err)
{
	int64_t until_ms = redis_now_ms() + link->store->address.timeout_ms + wait_ms;
	struct text *all = mem_array(words->count, sizeof(*all));
	redisReply *reply = NULL;
	enum redis_outcome outcome;

	for (size_t i = 0; i < words->count; i++)
		all[i] = word(words, i);
	outcome = redis_call(link->connection, words->count, all, until_ms, &reply, err);
	free(all);
	if (outcome != REDIS_ANSWERED)
		return -1;
	if (reply->type != REDIS_REPLY_ERROR) {
		*out = reply;
		return 0;
	}
	error_set(err, "store %s: %s", link->store->address.shown, reply->str);
	freeReplyObject(reply);
	redis_hang_up(link->connection);
	return -1;
}

int redis_step(struct store_redis *store, const struct words *words, const struct commit *commit,
	       redisReply **out, struct error *err)
{
	int64_t begun_ms = redis_now_ms();
	AUTO_ERROR own = { 0 };
	int rc;

	pthread_mutex_lock(&store->calls.lock);
	if (failed_meanwhile(&store->calls, begun_ms))
		rc = error_set(&own, "%s", store->calls.away_why);
	else
		rc = step_locked(store, words, commit, out, &own);
	pthread_mutex_unlock(&store->calls.lock);
	return rc < 0 ? error_set(err, "%s", error_text(&own)) : 0;
}

int redis_settle(struct store_redis *store, struct error *err)
{
	AUTO_ERROR own = { 0 };
	int rc;

	pthread_mutex_lock(&store->calls.lock);
	rc = store->unsettled ? settle(store, &own) : 0;
	pthread_mutex_unlock(&store->calls.lock);
	return rc < 0 ? error_set(err, "%s", error_text(&own)) : 0;
}

bool redis_left_late(struct store_redis *store, uint64_t id)
{
	bool is_late = false;

	pthread_mutex_lock(&store->calls.lock);
	for (size_t i = 0; i < store->late_count; i++)
		is_late |= store->late_ids[i] == id;
	pthread_mutex_unlock(&store->calls.lock);
	return is_late;
}

void redis_forget_late(struct store_redis *store, uint64_t id)
{
	pthread_mutex_lock(&store->calls.lock);
	for (size_t i = 0; i < store->late_count;)
		if (store->late_ids[i] == id)
			store->late_ids[i] = store->late_ids[--store->late_count];
		else
			i++;
	pthread_mutex_unlock(&store->calls.lock);
}
