#include "app/trim.h"

#include "store/echo.h"

/* Expectations that no event can fit any more. */
static int trim_echoes(struct store *store, uint64_t cursor, int64_t now_ms, struct error *err)
{
	AUTO(store_abort) struct store_txn *txn = NULL;
	uint64_t first, last;
	int64_t count;

	/* Records that wait to be judged may hold the echoes. */
	if (store_log_range(store, &first, &last, err) < 0)
		return -1;
	if (last > cursor)
		return 0;
	if (store_begin(store, &txn, err) < 0)
		return -1;
	count = echo_expire(txn, now_ms, err);
	if (count <= 0)
		return (int)count;
	return store_commit(TAKE(txn), err);
}

int trim_store(struct store *store, uint64_t cursor, int64_t now_ms, struct error *err)
{
	int log = store_log_trim(store, now_ms, err);
	int state = log < 0 ? -1 : store_state_trim(store, now_ms, err);

	if (state < 0 || trim_echoes(store, cursor, now_ms, err) < 0)
		return -1;
	return log == 1 || state == 1;
}
