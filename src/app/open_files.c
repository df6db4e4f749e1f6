#include "app/open_files.h"

#include <uthash.h>

#include "base/clock.h"
#include "base/list.h"
#include "base/log.h"
#include "base/metric.h"

#define FEW 8 /* so many are asked for one by one, and at a time */
#define WAITING_MAX 100000
#define SAY_AGAIN_MS 60000

struct wanted {
	struct list link; /* in a watch's queue or listed, in a call's, or in the answers */
	struct open_files_asker *asker;
	size_t watch;
	char *key; /* watch, a space, id */
	const char *id;
	bool is_single; /* a listing did not come to it */
	struct cluster_call *call;
	int64_t sent_ms;
	enum open_verdict verdict;
	bool is_taken;
	UT_hash_handle hh;
};

struct asked_watch {
	struct open_files_asker *asker;
	struct list queue;
	struct list listed; /* wait for the listing */
	struct list single; /* each for its own answer */
	size_t queue_count, single_count;
	struct cluster_call *listing;
	int64_t silent_until_ms;
};

struct open_files_asker {
	struct open_files_host host;
	struct asked_watch *watches;
	struct wanted *by_key;
	struct list answers;
	struct metric *requests;
};

struct open_files_asker *open_files_new(void)
{
	struct open_files_asker *asker = NEW(struct open_files_asker);

	list_init(&asker->answers);
	asker->requests = metric_get("cn_open_file_requests_total", METRIC_COUNTER,
				     "Requests for who has a file open.");
	return asker;
}

static void forget(struct wanted *wanted)
{
	list_remove(&wanted->link);
	HASH_DEL(wanted->asker->by_key, wanted);
	free(wanted->key);
	free(wanted);
}

void open_files_close(struct open_files_asker *asker)
{
	struct wanted *wanted, *next;

	if (!asker->host.settings)
		return;
	HASH_ITER(hh, asker->by_key, wanted, next)
	{
		if (wanted->call)
			asker->host.clusters[wanted->watch]->cancel(wanted->call);
		forget(wanted);
	}
	for (size_t i = 0; i < asker->host.settings->watch_count; i++)
		if (asker->watches[i].listing)
			asker->host.clusters[i]->cancel(asker->watches[i].listing);
	free(TAKE(asker->watches));
	asker->host = (struct open_files_host){ 0 };
}

void open_files_free(struct open_files_asker *asker)
{
	if (!asker)
		return;
	open_files_close(asker);
	free(asker);
}

void open_files_open(struct open_files_asker *asker, const struct open_files_host *host)
{
	asker->host = *host;
	asker->watches = mem_array(host->settings->watch_count, sizeof(*asker->watches));
	for (size_t i = 0; i < host->settings->watch_count; i++) {
		struct asked_watch *watch = &asker->watches[i];

		watch->asker = asker;
		list_init(&watch->queue);
		list_init(&watch->listed);
		list_init(&watch->single);
	}
}

bool open_files_ask(struct open_files_asker *asker, struct text watch, struct text file_id)
{
	AUTO(free) char *key = NULL;
	struct wanted *wanted;
	size_t index = 0;

	if (!asker->host.settings || !file_id.size || HASH_COUNT(asker->by_key) >= WAITING_MAX)
		return false;
	while (index < asker->host.settings->watch_count &&
	       !text_is(watch, asker->host.settings->watches[index].name))
		index++;
	if (index == asker->host.settings->watch_count || !asker->host.clusters[index]->get_open)
		return false;
	key = str_format("%zu %.*s", index, TEXT_ARGS(file_id));
	HASH_FIND_STR(asker->by_key, key, wanted);
	if (wanted)
		return true;
	wanted = NEW(struct wanted);
	list_init(&wanted->link);
	wanted->asker = asker;
	wanted->watch = index;
	wanted->key = TAKE(key);
	wanted->id = strchr(wanted->key, ' ') + 1;
	HASH_ADD_KEYPTR(hh, asker->by_key, wanted->key, strlen(wanted->key), wanted);
	list_append(&asker->watches[index].queue, &wanted->link);
	asker->watches[index].queue_count++;
	return true;
}

/* ---- Answers ---- */

static void answer(struct wanted *wanted, enum open_verdict verdict)
{
	wanted->verdict = verdict;
	list_remove(&wanted->link);
	list_append(&wanted->asker->answers, &wanted->link);
}

static void say(struct asked_watch *watch, const struct file_reply *reply)
{
	size_t index = (size_t)(watch - watch->asker->watches);
	const char *cure = reply->result == FILE_DENIED
				   ? " (PRIVILEGE_SMB_FILE_HANDLE_READ lets the user ask)"
				   : "";

	if (clock_monotonic_ms() < watch->silent_until_ms)
		return;
	watch->silent_until_ms = clock_monotonic_ms() + SAY_AGAIN_MS;
	log_warn("filter",
		 "watch '%s': who has files open cannot be asked of the cluster: %s%s; rules with "
		 "unless_open wait, and ask again",
		 watch->asker->host.settings->watches[index].name, reply->why, cure);
}

static void answered_single(void *ctx, const struct file_reply *reply)
{
	struct wanted *wanted = ctx;
	struct open_files_asker *asker = wanted->asker;
	struct asked_watch *watch = &asker->watches[wanted->watch];

	wanted->call = NULL;
	watch->single_count--;
	if (reply->result != FILE_OK)
		say(watch, reply);
	answer(wanted, reply->result != FILE_OK ? FILE_IS_UNKNOWN
		       : reply->open->count     ? FILE_IS_OPEN
		       : reply->open->is_whole  ? FILE_IS_CLOSED
						: FILE_IS_UNKNOWN);
	open_files_send(asker);
	asker->host.answered(asker->host.ctx);
}

static int compare_ids(const void *left, const void *right)
{
	return strcmp(*(char *const *)left, *(char *const *)right);
}

static void judge_listed(struct asked_watch *watch, const struct open_files *open)
{
	struct wanted *wanted;

	if (open->count)
		qsort(open->ids, open->count, sizeof(*open->ids), compare_ids);
	list_for_each (wanted, &watch->listed, link) {
		bool is_open = open->count && bsearch(&wanted->id, open->ids, open->count,
						      sizeof(*open->ids), compare_ids);

		if (is_open || open->is_whole) {
			answer(wanted, is_open ? FILE_IS_OPEN : FILE_IS_CLOSED);
			continue;
		}
		wanted->is_single = true;
		list_remove(&wanted->link);
		list_append(&watch->queue, &wanted->link);
		watch->queue_count++;
	}
}

static void answered_listing(void *ctx, const struct file_reply *reply)
{
	struct asked_watch *watch = ctx;
	struct open_files_asker *asker = watch->asker;
	struct wanted *wanted;

	watch->listing = NULL;
	if (reply->result == FILE_OK) {
		judge_listed(watch, reply->open);
	} else {
		say(watch, reply);
		list_for_each (wanted, &watch->listed, link)
			answer(wanted, FILE_IS_UNKNOWN);
	}
	open_files_send(asker);
	asker->host.answered(asker->host.ctx);
}

/* ---- Asking ---- */

static void start_listing(struct asked_watch *watch, const struct cluster *cluster)
{
	size_t count = 0;
	struct wanted *wanted;

	list_for_each (wanted, &watch->queue, link) {
		if (wanted->is_single)
			continue;
		list_remove(&wanted->link);
		list_append(&watch->listed, &wanted->link);
		wanted->sent_ms = clock_now_ms();
		count++;
	}
	watch->queue_count -= count;
	metric_add(watch->asker->requests, 1);
	watch->listing = cluster->get_open(cluster->self, NULL, count, answered_listing, watch);
}

static void start_single(struct asked_watch *watch, const struct cluster *cluster,
			 struct wanted *wanted)
{
	list_remove(&wanted->link);
	list_append(&watch->single, &wanted->link);
	watch->queue_count--;
	watch->single_count++;
	if (!wanted->is_single)
		wanted->sent_ms = clock_now_ms();
	metric_add(watch->asker->requests, 1);
	wanted->call = cluster->get_open(cluster->self, wanted->id, 1, answered_single, wanted);
}

static void send_watch(struct asked_watch *watch, const struct cluster *cluster)
{
	size_t fresh = 0;
	struct wanted *wanted;

	list_for_each (wanted, &watch->queue, link)
		fresh += !wanted->is_single;
	if (fresh > FEW && !watch->listing)
		start_listing(watch, cluster);
	list_for_each (wanted, &watch->queue, link) {
		if (watch->single_count == FEW)
			return;
		if (wanted->is_single || !watch->listing)
			start_single(watch, cluster, wanted);
	}
}

void open_files_send(struct open_files_asker *asker)
{
	if (!asker->host.settings)
		return;
	for (size_t i = 0; i < asker->host.settings->watch_count; i++)
		if (asker->watches[i].queue_count)
			send_watch(&asker->watches[i], asker->host.clusters[i]);
}

/* ---- What came of it ---- */

bool open_files_has_answers(const struct open_files_asker *asker)
{
	return !list_is_empty(&asker->answers);
}

int64_t open_files_take(struct open_files_asker *asker, size_t max, open_files_answer *take,
			void *ctx, struct error *err)
{
	int64_t count = 0;
	struct wanted *wanted;

	list_for_each (wanted, &asker->answers, link) {
		const char *watch = asker->host.settings->watches[wanted->watch].name;

		if (count == (int64_t)max)
			break;
		if (take(ctx, text_of(watch), text_of(wanted->id), wanted->sent_ms, wanted->verdict,
			 err) < 0)
			return -1;
		wanted->is_taken = true;
		count++;
	}
	return count;
}

void open_files_committed(struct open_files_asker *asker)
{
	struct wanted *wanted;

	list_for_each (wanted, &asker->answers, link)
		if (wanted->is_taken)
			forget(wanted);
	open_files_send(asker);
}
