#include "app/fingerprint.h"

#include "app/inbox.h"
#include "base/clock.h"
#include "base/list.h"
#include "base/log.h"
#include "base/metric.h"
#include "store/echo.h"

#define WAIT_MS 2000      /* for the echoes; then the file is looked at all the same */
#define TICK_MS 50        /* between looks at the ledger */
#define ASK_AGAIN_MS 1000 /* when the cluster could not be asked */
#define TRIES_MAX 5
#define ASKING_MAX 16
#define FREE_REPEATS 8 /* of one file, before the looks at it are put off */
#define REPEAT_PAUSE_MS 100
#define REPEAT_PAUSE_MOST_MS 60000
#define REPEATS_MAX 256  /* files of which that is remembered */
#define CHECKS_MAX 10000 /* more are not kept: a storm is no moment to look at each file twice */

struct check {
	struct fingerprints *prints;
	struct list link;
	uint64_t job;
	unsigned step;
	const struct cluster *cluster;
	struct event *event;
	event_kinds kinds;
	char *file_id;
	char *change_time;
	char *permissions; /* NULL: not known */
	uint64_t after_seq;
	int64_t next_ms, deadline_ms;
	unsigned tries;
	bool is_renewed; /* while the cluster was asked: its answer may be from before */
	struct cluster_call *call;
};

/*
 * A file that was judged again because of us. Should a cluster tell its files' state in a way that
 * always looks like somebody else's change, each of our actions would lead to the next: the more
 * often it happens, the longer it takes.
 */
struct repeat {
	struct list link;
	char *file_id;
	unsigned count;
	int64_t last_ms;
};

struct fingerprints {
	struct fingerprints_host host;
	uv_timer_t timer;
	struct list checks;
	struct list repeats; /* the latest last */
	size_t repeat_count;
	size_t count, asking;
	struct metric *found;
};

static void on_timer(uv_timer_t *timer)
{
	fingerprints_tick(timer->data);
}

struct fingerprints *fingerprints_open(const struct fingerprints_host *host)
{
	struct fingerprints *prints = NEW(struct fingerprints);

	prints->host = *host;
	list_init(&prints->checks);
	list_init(&prints->repeats);
	uv_timer_init(host->loop, &prints->timer);
	prints->timer.data = prints;
	prints->found = metric_get("cn_merged_changes_total", METRIC_COUNTER,
				   "Changes by others that the cluster merged with our own.");
	return prints;
}

static void repeat_free(struct fingerprints *prints, struct repeat *repeat)
{
	list_remove(&repeat->link);
	prints->repeat_count--;
	free(repeat->file_id);
	free(repeat);
}

static struct repeat *repeat_find(struct fingerprints *prints, const char *file_id)
{
	struct repeat *repeat;

	list_for_each (repeat, &prints->repeats, link) {
		if (clock_monotonic_ms() - repeat->last_ms > 2 * REPEAT_PAUSE_MOST_MS)
			repeat_free(prints, repeat);
		else if (strcmp(repeat->file_id, file_id) == 0)
			return repeat;
	}
	return NULL;
}

static void repeat_count(struct fingerprints *prints, const char *file_id)
{
	struct repeat *repeat = repeat_find(prints, file_id);

	if (!repeat) {
		if (prints->repeat_count == REPEATS_MAX)
			repeat_free(prints, list_entry(prints->repeats.next, struct repeat, link));
		repeat = NEW(struct repeat);
		list_init(&repeat->link);
		repeat->file_id = str_copy(file_id);
		prints->repeat_count++;
	}
	repeat->count++;
	repeat->last_ms = clock_monotonic_ms();
	list_remove(&repeat->link);
	list_append(&prints->repeats, &repeat->link);
}

static int64_t repeat_pause(struct fingerprints *prints, const char *file_id)
{
	const struct repeat *repeat = repeat_find(prints, file_id);
	unsigned more = repeat && repeat->count > FREE_REPEATS ? repeat->count - FREE_REPEATS : 0;

	if (!more)
		return 0;
	return MIN((int64_t)REPEAT_PAUSE_MS << MIN(more - 1, 20), REPEAT_PAUSE_MOST_MS);
}

static void check_free(struct check *check)
{
	if (check->call) {
		check->cluster->cancel(check->call);
		check->prints->asking--;
	}
	list_remove(&check->link);
	check->prints->count--;
	free(check->event);
	free(check->file_id);
	free(check->change_time);
	free(check->permissions);
	free(check);
}

static void forget_prints(uv_handle_t *handle)
{
	free(handle->data);
}

void fingerprints_close(struct fingerprints *prints)
{
	struct check *check;

	if (!prints)
		return;
	list_for_each (check, &prints->checks, link)
		check_free(check);
	while (!list_is_empty(&prints->repeats))
		repeat_free(prints, list_entry(prints->repeats.next, struct repeat, link));
	uv_close((uv_handle_t *)&prints->timer, forget_prints);
}

void fingerprints_add(struct fingerprints *prints, const struct fingerprint *print)
{
	struct check *check;
	int64_t now_ms;

	if (!print->event->file_id.size || prints->count >= CHECKS_MAX)
		return;
	check = NEW(struct check);
	check->prints = prints;
	check->job = print->job;
	check->step = print->step;
	check->cluster = print->cluster;
	check->event = event_copy(print->event);
	check->kinds = print->kinds & FINGERPRINT_KINDS;
	check->file_id = text_copy(print->event->file_id);
	check->change_time = str_copy(print->state.change_time);
	check->permissions = str_copy(print->state.permissions);
	check->after_seq = print->after_seq;
	now_ms = clock_monotonic_ms() + repeat_pause(prints, check->file_id);
	check->next_ms = now_ms + TICK_MS;
	check->deadline_ms = now_ms + WAIT_MS;
	list_append(&prints->checks, &check->link);
	prints->count++;
	if (!uv_is_active((uv_handle_t *)&prints->timer))
		uv_timer_start(&prints->timer, on_timer, TICK_MS, TICK_MS);
}

/* Change times alone would not do: many file systems' clocks tick every few milliseconds. */
static bool is_as_left(const struct check *check, const struct fingerprint_state *state)
{
	return strcmp(check->change_time, state->change_time) == 0 &&
	       (!check->permissions || !state->permissions ||
		strcmp(check->permissions, state->permissions) == 0);
}

void fingerprints_renew(struct fingerprints *prints, const char *file_id,
			const struct file_info *before, const struct fingerprint *print)
{
	AUTO(free) char *permissions = before ? file_permissions(before) : NULL;
	struct fingerprint_state found = { before ? before->change_time : NULL, permissions };
	const struct fingerprint_state *left = &print->state;
	struct check *check;

	/* A step that set no permissions: then it was somebody else who did. */
	if (!(print->kinds & FINGERPRINT_PERMISSIONS) && permissions && left->permissions &&
	    strcmp(permissions, left->permissions) != 0)
		return;
	list_for_each (check, &prints->checks, link) {
		if (strcmp(check->file_id, file_id) != 0 ||
		    (found.change_time && !is_as_left(check, &found)))
			continue;
		free(check->change_time);
		free(check->permissions);
		check->change_time = str_copy(left->change_time);
		check->permissions = str_copy(left->permissions);
		check->is_renewed = check->call != NULL;
	}
}

/* One event for each kind that was expected: which of them the other caused is not known. */
static int hand_over(struct check *check, const char *path, struct error *err)
{
	struct store *store = check->prints->host.store;
	AUTO(store_abort) struct store_txn *txn = NULL;
	struct inbox_item item = { .after_seq = check->after_seq };
	uint64_t first;

	if (store_log_range(store, &first, &item.until_seq, err) < 0 ||
	    store_begin(store, &txn, err) < 0)
		return -1;
	for (int type = 0; type < EVENT_TYPE_COUNT; type++) {
		struct event event = {
			.type = (enum event_type)type,
			.type_name = text_of(event_type_name((enum event_type)type)),
			.kinds = EVENT_KIND(type),
			.origin = ORIGIN_LIVE,
			.path = text_of(path),
			.file_id = check->event->file_id,
			.watch = check->event->watch,
			.time_ms = clock_now_ms(),
		};

		if (!(check->kinds & EVENT_KIND(type)))
			continue;
		item.event = &event;
		if (inbox_put(txn, &item, err) < 0)
			return -1;
	}
	return store_commit(TAKE(txn), err);
}

/* Whether the check is over. */
static bool conclude(struct check *check, const struct file_reply *reply)
{
	struct fingerprints *prints = check->prints;
	AUTO_ERROR err = { 0 };

	if (reply->result == FILE_LATER || reply->result == FILE_AMBIGUOUS)
		return ++check->tries >= TRIES_MAX;
	if (reply->result != FILE_OK || !reply->info->change_time)
		return true;

	AUTO(free) char *permissions = file_permissions(reply->info);
	struct fingerprint_state state = { reply->info->change_time, permissions };

	if (is_as_left(check, &state))
		return true;
	if (check->is_renewed || prints->host.is_busy(prints->host.self, check->file_id))
		return false; /* it may have been us again */
	if (hand_over(check, reply->info->path, &err) < 0) {
		log_warn("act", "%s; a change by somebody else is judged a little later",
			 error_text(&err));
		return false;
	}
	repeat_count(prints, check->file_id);
	metric_add(prints->found, 1);
	log_info("act",
		 "%s was changed by somebody else at the same moment as by job %llu: judged again",
		 reply->info->path, (unsigned long long)check->job);
	return true;
}

static void looked(void *ctx, const struct file_reply *reply)
{
	struct check *check = ctx;

	check->call = NULL;
	check->prints->asking--;
	if (conclude(check, reply))
		check_free(check);
	else
		check->next_ms = clock_monotonic_ms() + ASK_AGAIN_MS;
}

static bool is_due(struct check *check, int64_t now_ms)
{
	struct fingerprints *prints = check->prints;
	AUTO_ERROR err = { 0 };

	if (check->call || now_ms < check->next_ms || prints->asking >= ASKING_MAX ||
	    prints->host.is_busy(prints->host.self, check->file_id))
		return false;
	return now_ms >= check->deadline_ms ||
	       echo_count_open(prints->host.store, check->job, check->step, clock_now_ms(), &err) ==
		       0;
}

void fingerprints_tick(struct fingerprints *prints)
{
	int64_t now_ms = clock_monotonic_ms();
	struct check *check;

	list_for_each (check, &prints->checks, link) {
		if (!is_due(check, now_ms))
			continue;
		prints->asking++;
		check->is_renewed = false;
		check->call =
			check->cluster->get(check->cluster->self, check->file_id, looked, check);
	}
	if (list_is_empty(&prints->checks))
		uv_timer_stop(&prints->timer);
}
