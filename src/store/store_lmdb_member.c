/* store_lmdb_member: what processes of one store tell each other, where there is only one. */
#include <stdio.h>

#include "base/clock.h"
#include "store/store_lmdb.h"

/* The directory's lock is the lease: a second process cannot open the store. */
int lmdb_lease_look(struct store *base, enum store_role role, struct store_lease *out,
		    struct error *err)
{
	*out = (struct store_lease){ .token = 1 };
	snprintf(out->holder, sizeof(out->holder), "%s", base->member ? base->member : "");
	return 1;
}

int lmdb_lease_take(struct store *base, enum store_role role, int64_t ttl_ms,
		    struct store_lease *out, struct error *err)
{
	return lmdb_lease_look(base, role, out, err);
}

int lmdb_lease_drop(struct store *base, enum store_role role, struct error *err)
{
	return 0;
}

int lmdb_fence(struct store_txn *txn, enum store_role role, struct error *err)
{
	return 0;
}

int lmdb_member_put(struct store *base, struct text status_json, int64_t ttl_ms, struct error *err)
{
	struct store_lmdb *store = lmdb_of(base);

	pthread_mutex_lock(&store->member_lock);
	free(store->status);
	store->status = text_copy(status_json);
	store->status_size = status_json.size;
	store->status_ms = clock_monotonic_ms();
	store->status_until_ms = store->status_ms + ttl_ms;
	pthread_mutex_unlock(&store->member_lock);
	return 0;
}

int lmdb_member_visit(struct store *base,
		      void (*visit)(void *ctx, const char *name, struct text status_json,
				    int64_t age_ms),
		      void *ctx, struct error *err)
{
	struct store_lmdb *store = lmdb_of(base);
	int64_t now_ms = clock_monotonic_ms();
	AUTO(free) char *status = NULL;
	size_t size = 0;
	int64_t age_ms;

	pthread_mutex_lock(&store->member_lock);
	if (store->status && now_ms < store->status_until_ms) {
		size = store->status_size;
		status = text_copy((struct text){ store->status, size });
	}
	age_ms = now_ms - store->status_ms;
	pthread_mutex_unlock(&store->member_lock);
	if (status)
		visit(ctx, base->member, (struct text){ status, size }, age_ms);
	return 0;
}

int lmdb_tell(struct store *base, struct text message, struct error *err)
{
	store_hear(base, message);
	return 0;
}

void lmdb_member_clear(struct store_lmdb *store)
{
	free(store->status);
	pthread_mutex_destroy(&store->member_lock);
}
