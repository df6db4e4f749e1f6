#include "store/echo_digests.h"

#include "store/echo.h"

struct echo_digests {
	uint64_t *items; /* as they come from the store: sorted */
	size_t count, room;
	size_t max;
};

struct echo_digests *echo_digests_new(void)
{
	return NEW(struct echo_digests);
}

void echo_digests_free(struct echo_digests *digests)
{
	if (!digests)
		return;
	free(digests->items);
	free(digests);
}

static bool collect(void *ctx, struct text key, struct text value)
{
	struct echo_digests *digests = ctx;
	uint64_t digest;

	if (!echo_key_digest(key, &digest))
		return false; /* behind them */
	if (digests->count && digests->items[digests->count - 1] == digest)
		return true;
	if (digests->count == digests->room) {
		digests->room = MAX(64, digests->room * 2);
		digests->items = mem_grow(digests->items, digests->room, sizeof(*digests->items));
	}
	digests->items[digests->count++] = digest;
	return digests->count <= digests->max;
}

int echo_digests_read(struct echo_digests *digests, struct store *store, size_t max,
		      struct error *err)
{
	digests->count = 0;
	digests->max = max;
	if (store_peek_scan(store, SPACE_EXPECT, echo_first_digest_key(), collect, digests, err) <
	    0) {
		digests->count = 0;
		return -1;
	}
	return digests->count <= max;
}

static bool has(const struct echo_digests *digests, uint64_t digest)
{
	size_t low = 0, high = digests->count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (digests->items[middle] == digest)
			return true;
		if (digests->items[middle] < digest)
			low = middle + 1;
		else
			high = middle;
	}
	return false;
}

bool echo_digests_may_have(const struct echo_digests *digests, const struct event *event)
{
	if (!digests->count)
		return false;
	return (event->file_id.size && has(digests, echo_digest(event->file_id, TEXT_NONE))) ||
	       has(digests, echo_digest(TEXT_NONE, event->path));
}
