#include "app/trim.h"

#include "app/repair_close.h"
#include "app/watch_gap.h"
#include "store/echo.h"

/* What was heard later may still be on its way to us, with echoes that we know only by what was
 * expected. */
static int cut_to_what_was_heard(struct store *store, const char *watch, int64_t *now_ms,
				 struct error *err)
{
	int64_t heard_ms;

	if (watch_gap_heard_until(store, watch, &heard_ms, err) < 0)
		return -1;
	if (heard_ms)
		*now_ms = MIN(*now_ms, heard_ms);
	return 0;
}

#define GAP_HOLD_MS (24 * 60 * 60 * 1000)

/* Of what we did in a gap its repair tells later. */
static int cut_to_gaps(struct store *store, const struct settings *settings, int64_t *now_ms,
		       struct error *err)
{
	int64_t since_ms;

	if (repair_waits_since(store, settings, &since_ms, err) < 0)
		return -1;
	*now_ms = MIN(*now_ms, MAX(since_ms, *now_ms - GAP_HOLD_MS));
	return 0;
}

/* Expectations that no event can fit any more. */
static int trim_echoes(struct store *store, const struct settings *settings, uint64_t cursor,
		       int64_t now_ms, struct error *err)
{
	AUTO(store_abort) struct store_txn *txn = NULL;
	uint64_t first, last;
	int64_t count;

	/* Records that wait to be judged may hold the echoes. */
	if (store_log_range(store, &first, &last, err) < 0)
		return -1;
	if (last > cursor)
		return 0;
	/* What is heard is in the log at once where the log is ours alone; but since it was heard
	 * last there may be a gap already of which nobody knows yet. */
	for (size_t i = 0; i < settings->watch_count; i++)
		if ((!settings_store_is_embedded(settings) ||
		     settings->watches[i].gap_repair != GAP_REPAIR_OFF) &&
		    cut_to_what_was_heard(store, settings->watches[i].name, &now_ms, err) < 0)
			return -1;
	if (cut_to_gaps(store, settings, &now_ms, err) < 0 || store_begin(store, &txn, err) < 0 ||
	    store_fence(txn, STORE_FILTER, err) < 0)
		return -1;
	count = echo_expire(txn, now_ms, err);
	if (count <= 0)
		return (int)count;
	return store_commit(TAKE(txn), err);
}

int trim_store(struct store *store, const struct settings *settings, uint64_t cursor,
	       int64_t now_ms, struct error *err)
{
	int log = store_log_trim(store, now_ms, err);
	int state = log < 0 ? -1 : store_state_trim(store, now_ms, err);

	if (state < 0 || trim_echoes(store, settings, cursor, now_ms, err) < 0)
		return -1;
	return log == 1 || state == 1;
}
