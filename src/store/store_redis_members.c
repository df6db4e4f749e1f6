/* store_redis_members: what the processes of a store tell each other. */
#include <errno.h>
#include <stdio.h>

#include "base/clock.h"
#include "store/store_redis_forward.h"

#define BLOCK_MS 5000 /* the server lets us wait so long at once */
#define WOKEN_MOST 100
#define TOLD_KEPT 300
#define PAUSE_MS 50
#define PAUSE_MAX_MS 1000

/* ---- Members ---- */

int redis_member_put(struct store *base, struct text status_json, int64_t ttl_ms, struct error *err)
{
	AUTO(freeReplyObject) redisReply *reply = NULL;
	AUTO_WORDS words = { 0 };

	words_add(&words, TEXT("member"));
	words_add(&words, text_of(base->member));
	words_add(&words, status_json);
	words_add_number(&words, ttl_ms);
	return redis_step(redis_of(base), &words, NULL, &reply, err);
}

void redis_member_leave(struct store_redis *store)
{
	AUTO(freeReplyObject) redisReply *reply = NULL;
	AUTO_WORDS words = { 0 };

	words_add(&words, TEXT("unmember"));
	words_add(&words, text_of(store->base.member));
	if (redis_step(store, &words, NULL, &reply, NULL) < 0)
		return; /* they wait */
}

struct member {
	const char *name;
	struct text status;
	int64_t age_ms;
};

static int compare_members(const void *a, const void *b)
{
	const struct member *left = a, *right = b;

	return strcmp(left->name, right->name);
}

int redis_member_visit(struct store *base,
		       void (*visit)(void *ctx, const char *name, struct text status_json,
				     int64_t age_ms),
		       void *ctx, struct error *err)
{
	AUTO(freeReplyObject) redisReply *reply = NULL;
	struct member *members;
	AUTO_WORDS words = { 0 };
	size_t count;

	words_add(&words, TEXT("members"));
	if (redis_step(redis_of(base), &words, NULL, &reply, err) < 0)
		return -1;
	count = reply->elements / 3;
	members = mem_array(count + 1, sizeof(*members));
	for (size_t i = 0; i < count; i++)
		members[i] = (struct member){
			redis_text(reply->element[3 * i]).data,
			redis_text(reply->element[3 * i + 2]),
			redis_number(reply->element[3 * i + 1]),
		};
	qsort(members, count, sizeof(*members), compare_members);
	for (size_t i = 0; i < count; i++)
		visit(ctx, members[i].name, members[i].status, members[i].age_ms);
	free(members);
	return 0;
}

/* ---- Messages ---- */

int redis_tell(struct store *base, struct text message, struct error *err)
{
	AUTO(freeReplyObject) redisReply *reply = NULL;
	AUTO_WORDS words = { 0 };

	words_add(&words, TEXT("tell"));
	words_add(&words, message);
	words_add_number(&words, TOLD_KEPT);
	return redis_step(redis_of(base), &words, NULL, &reply, err);
}

/* ---- The thread that hears ---- */

static void wake_all(struct store_redis *store)
{
	for (int role = 0; role < STORE_ROLE_COUNT; role++)
		store_wake(&store->base, (enum store_role)role);
	if (store->forward)
		redis_forward_poke(store->forward);
}

static void set_id(char id[48], const redisReply *reply)
{
	snprintf(id, 48, "%.*s", TEXT_ARGS(redis_text(reply)));
}

/* Whether an id of a stream is behind another. */
static bool is_behind(const char *a, const char *b)
{
	unsigned long long left[2] = { 0 }, right[2] = { 0 };

	sscanf(a, "%llu-%llu", &left[0], &left[1]);
	sscanf(b, "%llu-%llu", &right[0], &right[1]);
	return left[0] != right[0] ? left[0] > right[0] : left[1] > right[1];
}

/*
 * After the start, and whenever the server was away: it may be one that forgot something. is_first:
 * what was told before is not for us.
 */
static int resume(struct store_redis *store, bool is_first, struct error *err)
{
	AUTO(freeReplyObject) redisReply *reply = NULL;
	AUTO_WORDS words = { 0 };
	AUTO(free) char *seen = str_format("%llu", (unsigned long long)redis_seen_seq(store));

	words_add(&words, TEXT("resume"));
	words_add(&words, text_of(store->client));
	words_add(&words, text_of(seen));
	if (redis_link_step(&store->listens, &words, &reply, err) < 0)
		return -1;
	if (reply->elements != 3)
		return redis_damaged(store, err);
	if (is_first || is_behind(store->woken, redis_text(reply->element[0]).data))
		set_id(store->woken, reply->element[0]);
	if (is_first || is_behind(store->told, redis_text(reply->element[1]).data))
		set_id(store->told, reply->element[1]);
	return is_first
		       ? 0
		       : redis_promise_again(store, (uint64_t)redis_number(reply->element[2]), err);
}

static bool is_ours(const struct store_redis *store, struct text by)
{
	return text_is(by, store->client) ||
	       (store->source && text_starts_with(by, text_of(store->source)));
}

/* The value of a field of an entry: id, then fields and values. */
static struct text field(const redisReply *entry, size_t i)
{
	const redisReply *fields = entry->elements == 2 ? entry->element[1] : NULL;

	return fields && i < fields->elements ? redis_text(fields->element[i]) : TEXT("");
}

static void hear_wakes(struct store_redis *store, const redisReply *entries)
{
	static const char *const names[STORE_ROLE_COUNT] = { "watch", "filter", "act" };
	bool wakes[STORE_ROLE_COUNT] = { false };

	for (size_t i = 0; i < entries->elements; i++) {
		const redisReply *entry = entries->element[i];

		if (entry->elements == 2)
			set_id(store->woken, entry->element[0]);
		for (int role = 0; role < STORE_ROLE_COUNT; role++)
			wakes[role] |= text_is(field(entry, 1), names[role]) &&
				       !is_ours(store, field(entry, 3));
	}
	/* So many at once: others were thrown away meanwhile. */
	if (entries->elements == WOKEN_MOST)
		return wake_all(store);
	for (int role = 0; role < STORE_ROLE_COUNT; role++)
		if (wakes[role])
			store_wake(&store->base, (enum store_role)role);
}

static void hear_messages(struct store_redis *store, const redisReply *entries)
{
	for (size_t i = 0; i < entries->elements; i++) {
		const redisReply *entry = entries->element[i];

		if (entry->elements != 2)
			continue;
		set_id(store->told, entry->element[0]);
		store_hear(&store->base, field(entry, 1));
	}
}

static void hear(struct store_redis *store, const redisReply *streams)
{
	for (size_t i = 0; i < streams->elements; i++) {
		const redisReply *stream = streams->element[i];
		struct text name;

		if (stream->elements != 2)
			continue;
		name = redis_text(stream->element[0]);
		if (name.size > 4 && text_is((struct text){ name.data + name.size - 4, 4 }, "told"))
			hear_messages(store, stream->element[1]);
		else
			hear_wakes(store, stream->element[1]);
	}
}

static int listen_once(struct store_redis *store, struct error *err)
{
	AUTO(freeReplyObject) redisReply *reply = NULL;
	AUTO(free) char *wake = str_format("%swake", store->prefix);
	AUTO(free) char *told = str_format("%stold", store->prefix);
	AUTO_WORDS words = { 0 };

	words_add(&words, TEXT("XREAD"));
	words_add(&words, TEXT("COUNT"));
	words_add_number(&words, WOKEN_MOST);
	words_add(&words, TEXT("BLOCK"));
	words_add_number(&words, BLOCK_MS);
	words_add(&words, TEXT("STREAMS"));
	words_add(&words, text_of(wake));
	words_add(&words, text_of(told));
	words_add(&words, text_of(store->woken));
	words_add(&words, text_of(store->told));
	if (redis_link_command(&store->listens, &words, BLOCK_MS, &reply, err) < 0)
		return -1;
	if (reply->type == REDIS_REPLY_ARRAY)
		hear(store, reply);
	return 0;
}

static void *run(void *ctx)
{
	struct store_redis *store = ctx;
	int64_t pause_ms = PAUSE_MS;
	bool is_lost = !store->woken[0];

	while (!store->is_over) {
		AUTO_ERROR err = { 0 };

		if (is_lost && resume(store, !store->woken[0], &err) == 0) {
			is_lost = false;
			wake_all(store);
		}
		if (is_lost || listen_once(store, &err) < 0) {
			is_lost = true;
			if (!redis_pause(store, pause_ms))
				break;
			pause_ms = MIN(2 * pause_ms, PAUSE_MAX_MS);
		} else {
			pause_ms = PAUSE_MS;
		}
	}
	return NULL;
}

int redis_listen_start(struct store_redis *store, struct error *err)
{
	AUTO_ERROR away = { 0 };
	int rc;

	/* What is told from now on is heard. A watch may start while the server is away. */
	if (!redis_is_away(&store->calls) && resume(store, true, &away) < 0 && !store->log)
		return error_set(err, "%s", error_text(&away));
	store->listens.tries_once = true;
	redis_interrupt_by(store->listens.connection, store->over_fd);
	rc = pthread_create(&store->listener, NULL, run, store);
	if (rc) {
		errno = rc;
		return error_errno(err, "store: a thread");
	}
	store->is_listening = true;
	return 0;
}

void redis_listen_stop(struct store_redis *store)
{
	if (store->is_listening)
		pthread_join(store->listener, NULL);
	store->is_listening = false;
}
