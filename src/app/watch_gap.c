#include "app/watch_gap.h"

#include <stdio.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/parse.h"

struct watch_gap {
	struct store *store;
	const char *watch;
	const char *who;
	struct gap gap; /* until_ms 0: it is open */
	bool is_there;  /* open, or closed and not stored so */
	bool is_stored;
};

struct watch_gap *watch_gap_new(struct store *store, const char *watch, const char *who)
{
	struct watch_gap *gap = NEW(struct watch_gap);

	gap->store = store;
	gap->watch = watch;
	gap->who = who;
	return gap;
}

void watch_gap_free(struct watch_gap *gap)
{
	if (!gap)
		return;
	watch_gap_retry(gap);
	free(gap->gap.reason);
	free(gap);
}

static void gap_store(struct watch_gap *gap)
{
	AUTO_ERROR err = { 0 };

	gap->is_stored = store_gap_put(gap->store, &gap->gap, &err) == 0;
	if (!gap->is_stored) {
		log_error(gap->who, "the gap cannot be written down; trying again: %s",
			  error_text(&err));
	} else if (gap->gap.until_ms) {
		free(TAKE(gap->gap.reason));
		gap->is_there = false;
	}
}

void watch_gap_retry(struct watch_gap *gap)
{
	if (gap->is_there && !gap->is_stored)
		gap_store(gap);
}

void watch_gap_open(struct watch_gap *gap, int64_t from_ms, uint64_t after_seq, const char *reason)
{
	if (gap->is_there) {
		/* Of one whose end could not be written down the end is not reached yet. */
		if (!gap->gap.until_ms && gap->gap.from_ms <= from_ms)
			return;
		gap->gap.until_ms = 0;
		gap->gap.from_ms = MIN(gap->gap.from_ms, from_ms);
		return gap_store(gap);
	}
	gap->gap = (struct gap){ .from_ms = from_ms,
				 .reason = str_copy(reason),
				 .after_seq = after_seq };
	snprintf(gap->gap.watch, sizeof(gap->gap.watch), "%s", gap->watch);
	gap->is_there = true;
	gap_store(gap);
}

void watch_gap_add(struct watch_gap *gap, int64_t from_ms, int64_t until_ms, const char *reason)
{
	struct gap past = { .from_ms = from_ms, .until_ms = until_ms, .reason = (char *)reason };
	AUTO_ERROR err = { 0 };

	snprintf(past.watch, sizeof(past.watch), "%s", gap->watch);
	if (store_gap_put(gap->store, &past, &err) < 0)
		log_error(gap->who, "a gap of %.1f s cannot be written down (%s): %s",
			  (double)(until_ms - from_ms) / 1000, reason, error_text(&err));
	else
		log_warn(gap->who, "found late: changes were not heard for %.1f s (gap %llu: %s)",
			 (double)(until_ms - from_ms) / 1000, (unsigned long long)past.id, reason);
}

bool watch_gap_explain(struct watch_gap *gap, const char *more)
{
	if (!gap->is_there || gap->gap.until_ms)
		return false;
	if (!strstr(gap->gap.reason, more)) {
		char *reason = str_format("%s; %s", more, gap->gap.reason);

		free(gap->gap.reason);
		gap->gap.reason = reason;
		gap_store(gap);
	}
	return true;
}

void watch_gap_close(struct watch_gap *gap)
{
	if (!gap->is_there || gap->gap.until_ms)
		return;
	gap->gap.until_ms = clock_now_ms();
	log_warn(gap->who,
		 "listening again after %.1f s; changes in this time were not heard (gap %llu: %s)",
		 (double)(gap->gap.until_ms - gap->gap.from_ms) / 1000,
		 (unsigned long long)gap->gap.id, gap->gap.reason);
	gap_store(gap);
}

static char *alive_name(const char *watch)
{
	return str_format("alive/%s", watch);
}

int watch_gap_heard_until(struct store *store, const char *watch, int64_t *out_ms,
			  struct error *err)
{
	AUTO(free) char *name = alive_name(watch);
	AUTO(free) char *value = NULL;

	if (store_note_get(store, name, &value, err) < 0)
		return -1;
	if (!value || parse_number(text_of(value), 0, INT64_MAX, out_ms, NULL) < 0)
		*out_ms = 0;
	return 0;
}

void watch_gap_note_alive(struct watch_gap *gap, int64_t time_ms)
{
	AUTO(free) char *name = alive_name(gap->watch);
	AUTO(free) char *value = str_format("%lld", (long long)time_ms);
	AUTO_ERROR err = { 0 };

	if (store_note_put(gap->store, name, text_of(value), &err) < 0)
		log_error(gap->who, "cannot write down that the stream is heard: %s",
			  error_text(&err));
}

/* The gap in which the last run ended goes on: a second one beside it would never be closed. */
static void gap_adopt(void *ctx, const struct gap *found)
{
	struct watch_gap *gap = ctx;

	if (found->until_ms || strcmp(found->watch, gap->watch) != 0)
		return;
	free(gap->gap.reason);
	gap->gap = *found;
	gap->gap.reason = str_format("%s; then cn_monitor was not running", found->reason);
	gap->is_there = true;
}

int watch_gap_resume(struct watch_gap *gap, struct error *err)
{
	int64_t from_ms;

	if (watch_gap_heard_until(gap->store, gap->watch, &from_ms, err) < 0 ||
	    store_gap_visit(gap->store, gap_adopt, gap, err) < 0)
		return -1;
	if (gap->is_there)
		gap_store(gap);
	else if (from_ms)
		watch_gap_open(gap, from_ms, GAP_AFTER_ALL, "cn_monitor was not running");
	return 0;
}
