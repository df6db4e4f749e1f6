/* store_redis_lease: which process is the active one of a role. */
#include <inttypes.h>
#include <stdio.h>

#include "base/parse.h"
#include "store/store_redis_forward.h"

#define TOKEN_MAX 0xffffffu /* what a record of the local log has room for */

static const char *const role_names[STORE_ROLE_COUNT] = {
	[STORE_WATCH] = "watch",
	[STORE_FILTER] = "filter",
	[STORE_ACT] = "act",
};

/* Who we are to the lease. A process that watches comes back as itself after a restart. */
static const char *holder_of(const struct store_redis *store, enum store_role role)
{
	return role == STORE_WATCH && store->source ? store->source : store->client;
}

/* ---- What survives a restart: the watch's token ---- */

int redis_lease_load(struct store_redis *store, struct error *err)
{
	AUTO(free) char *token = NULL;
	int64_t number;

	if (store_note_get(store->log, "lease/watch", &token, err) < 0)
		return -1;
	if (token && parse_number(text_of(token), 1, TOKEN_MAX, &number, NULL) == 0)
		store->watch_token = store->leases[STORE_WATCH].token = (uint64_t)number;
	return 0;
}

/* Before anything is appended under it. */
static int save_token(struct store_redis *store, uint64_t token, struct error *err)
{
	AUTO(free) char *text = str_format("%" PRIu64, token);

	if (token > TOKEN_MAX)
		return error_set(err, "store %s: the watches' lease changed hands too often",
				 store->address.shown);
	return store_note_put(store->log, "lease/watch", text_of(text), err);
}

/* ---- Taking ---- */

/*
 * Whether somebody else's lease ran out before our eyes: it was the same at looks that were never
 * further apart than it lasts. A look that failed begins anew: while the server is away nobody can
 * renew.
 */
static bool has_lapsed(struct redis_lease *lease, int64_t ttl_ms)
{
	int64_t now_ms = redis_now_ms();

	if (!lease->seen[0])
		return false;
	if (now_ms - lease->looked_ms > ttl_ms) {
		lease->seen[0] = 0;
		return false;
	}
	return now_ms - lease->seen_ms >= ttl_ms;
}

static void note_look(struct redis_lease *lease, struct text until)
{
	int64_t now_ms = redis_now_ms();

	lease->looked_ms = now_ms;
	if (lease->seen[0] && text_is(until, lease->seen))
		return;
	snprintf(lease->seen, sizeof(lease->seen), "%.*s", TEXT_ARGS(until));
	lease->seen_ms = now_ms;
}

static int ask(struct store_redis *store, enum store_role role, int64_t ttl_ms, redisReply **out,
	       struct error *err)
{
	struct redis_lease *lease = &store->leases[role];
	bool lapsed = has_lapsed(lease, ttl_ms);
	AUTO_WORDS words = { 0 };

	words_add(&words, TEXT("lease"));
	words_add(&words, text_of(role_names[role]));
	words_add(&words, text_of(holder_of(store, role)));
	words_add(&words, text_of(store->base.member));
	words_add_number(&words, (int64_t)lease->token);
	words_add_number(&words, ttl_ms);
	words_add(&words, lapsed ? text_of(lease->seen) : TEXT("-"));
	if (redis_step(store, &words, NULL, out, err) < 0)
		return -1;
	if ((*out)->elements == 4)
		return 0;
	freeReplyObject(*out);
	return redis_damaged(store, err);
}

/* Nobody can be asked. */
static int go_on(struct store_redis *store, enum store_role role, struct store_lease *out,
		 struct error *err)
{
	struct redis_lease *lease = &store->leases[role];

	lease->seen[0] = 0;
	/* What a watch hears is judged by when it heard it (the script's `forward`): to go on costs
	 * nothing. */
	if (role != STORE_WATCH || !store->log || !lease->token ||
	    (lease->holder[0] && !lease->is_held))
		return -1;
	error_clear(err);
	*out = (struct store_lease){ .token = lease->token, .is_unconfirmed = true };
	snprintf(out->holder, sizeof(out->holder), "%s", store->base.member);
	lease->is_held = true;
	return 1;
}

static int take(struct store_redis *store, enum store_role role, int64_t ttl_ms,
		struct store_lease *out, struct error *err)
{
	struct redis_lease *lease = &store->leases[role];
	AUTO(freeReplyObject) redisReply *reply = NULL;
	AUTO_ERROR own = { 0 };
	uint64_t token;
	bool is_ours;

	if (ask(store, role, ttl_ms, &reply, &own) < 0)
		return go_on(store, role, out, &own) < 0 ? error_set(err, "%s", error_text(&own))
							 : 1;
	is_ours = redis_number(reply->element[0]) == 1;
	token = (uint64_t)redis_number(reply->element[1]);
	if (is_ours && role == STORE_WATCH && store->log && token != lease->token &&
	    save_token(store, token, err) < 0)
		return -1;
	lease->is_held = is_ours;
	if (is_ours)
		lease->token = token;
	if (is_ours && role == STORE_WATCH)
		store->watch_token = token;
	snprintf(lease->holder, sizeof(lease->holder), "%.*s",
		 TEXT_ARGS(redis_text(reply->element[2])));
	if (is_ours)
		lease->seen[0] = 0;
	else
		note_look(lease, redis_text(reply->element[3]));
	*out = (struct store_lease){ .token = token };
	snprintf(out->holder, sizeof(out->holder), "%s", lease->holder);
	return is_ours;
}

int redis_lease_take(struct store *base, enum store_role role, int64_t ttl_ms,
		     struct store_lease *out, struct error *err)
{
	struct store_redis *store = redis_of(base);
	int rc;

	pthread_mutex_lock(&store->lease_lock);
	rc = take(store, role, ttl_ms, out, err);
	pthread_mutex_unlock(&store->lease_lock);
	return rc;
}

int redis_lease_drop(struct store *base, enum store_role role, struct error *err)
{
	struct store_redis *store = redis_of(base);
	AUTO(freeReplyObject) redisReply *reply = NULL;
	AUTO_WORDS words = { 0 };

	words_add(&words, TEXT("unlease"));
	words_add(&words, text_of(role_names[role]));
	words_add(&words, text_of(holder_of(store, role)));
	pthread_mutex_lock(&store->lease_lock);
	store->leases[role].is_held = false;
	pthread_mutex_unlock(&store->lease_lock);
	return redis_step(store, &words, NULL, &reply, err);
}

int redis_lease_look(struct store *base, enum store_role role, struct store_lease *out,
		     struct error *err)
{
	struct store_redis *store = redis_of(base);
	AUTO(freeReplyObject) redisReply *reply = NULL;
	AUTO_WORDS words = { 0 };

	words_add(&words, TEXT("look"));
	words_add(&words, text_of(role_names[role]));
	if (redis_step(store, &words, NULL, &reply, err) < 0)
		return -1;
	if (!reply->elements)
		return 0;
	if (reply->elements != 2)
		return redis_damaged(store, err);
	*out = (struct store_lease){ .token = (uint64_t)redis_number(reply->element[0]) };
	snprintf(out->holder, sizeof(out->holder), "%.*s",
		 TEXT_ARGS(redis_text(reply->element[1])));
	return 1;
}

int redis_fence(struct store_txn *base, enum store_role role, struct error *err)
{
	struct redis_txn *txn = redis_txn_of(base);
	struct store_redis *store = redis_of(base->store);
	uint64_t token;

	pthread_mutex_lock(&store->lease_lock);
	token = store->leases[role].token;
	pthread_mutex_unlock(&store->lease_lock);
	if (!token)
		return error_set(err, "store %s: this process never held the lease of %s",
				 store->address.shown, role_names[role]);
	txn->fence_role = role_names[role];
	txn->fence_holder = holder_of(store, role);
	txn->fence_token = token;
	return 0;
}
