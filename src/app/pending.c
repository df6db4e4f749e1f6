#include "app/pending.h"

#include <inttypes.h>

#include "app/identities.h"
#include "base/clock.h"
#include "base/list.h"
#include "base/log.h"
#include "base/metric.h"

#define LOADED_MAX 1000 /* events in memory */
#define ASKING_MAX 16
#define PAUSE_MS 1000 /* after the cluster could not be asked; twice as long each time */
#define PAUSE_MOST_MS 60000

/* In SPACE_META: the number given last. */
static const struct text number_key = { "pending_number", 14 };

/* What the cluster said about one file; shared by all of its events. */
struct answer {
	struct file_info info;
	bool has_info;
	const char **owner_names, **group_names; /* NULL: not known; see identities_match */
	struct file_tags tags;
	bool has_tags;
	unsigned users;
};

struct item {
	struct list link; /* in loaded, in a question's items, or in ready */
	uint64_t number;
	size_t watch;
	struct pending_event waiting;
	struct answer *answer;
};

struct question {
	struct pending *pending;
	struct list link;
	struct list items;
	size_t watch;
	struct cluster_call *call;
	struct file_info info; /* said already, but not yet who has the names */
	bool has_info;
	struct answer *answer; /* all but the tags, which are asked for */
};

/* Who waits for names. */
struct waiter {
	struct pending *pending;
	size_t watch;
};

/* A watch whose cluster cannot be asked now. */
struct pause {
	int64_t until_ms; /* monotonic */
	unsigned failures;
};

struct pending {
	struct pending_host host;
	struct store *store;
	uv_timer_t *timer; /* freed when it is closed */
	struct list loaded;
	struct list questions;
	struct list ready;
	struct list judged; /* in the transaction under way */
	size_t in_memory, asking;
	uint64_t last_number; /* given */
	uint64_t last_loaded;
	bool is_numbering;         /* numbers were given in the transaction under way */
	struct pause *pauses;      /* one a watch */
	struct identities **names; /* one a watch, as far as there are rules */
	size_t names_count;
	struct waiter *waiters; /* one a watch */
	struct metric *waiting, *asked;
};

static void fill(struct pending *pending);
static void ask_all(struct pending *pending);

struct pending *pending_new(void)
{
	struct pending *pending = NEW(struct pending);

	list_init(&pending->loaded);
	list_init(&pending->questions);
	list_init(&pending->ready);
	list_init(&pending->judged);
	pending->waiting = metric_get("cn_events_waiting_for_attributes", METRIC_GAUGE,
				      "Events in memory that wait for what the cluster says of "
				      "their files.");
	pending->asked = metric_get("cn_attribute_requests_total", METRIC_COUNTER,
				    "Requests for what rules ask about files.");
	return pending;
}

/* ---- Memory ---- */

static void answer_drop(struct answer *answer)
{
	if (!answer || --answer->users)
		return;
	file_info_clear(&answer->info);
	file_tags_clear(&answer->tags);
	free(answer->owner_names);
	free(answer->group_names);
	free(answer);
}

static void waiting_clear(struct pending_event *waiting)
{
	free(waiting->event);
	json_decref(waiting->rules);
}

static void item_free(struct pending *pending, struct item *item)
{
	list_remove(&item->link);
	pending->in_memory--;
	waiting_clear(&item->waiting);
	answer_drop(item->answer);
	free(item);
}

static void free_items(struct pending *pending, struct list *items)
{
	struct item *item;

	list_for_each (item, items, link)
		item_free(pending, item);
}

static void question_free(struct question *question)
{
	struct pending *pending = question->pending;

	if (question->call)
		pending->host.clusters[question->watch]->cancel(question->call);
	list_remove(&question->link);
	pending->asking--;
	file_info_clear(&question->info);
	answer_drop(question->answer);
	free(question);
}

static void forget_all(struct pending *pending)
{
	struct question *question;

	list_for_each (question, &pending->questions, link) {
		free_items(pending, &question->items);
		question_free(question);
	}
	free_items(pending, &pending->loaded);
	free_items(pending, &pending->ready);
	free_items(pending, &pending->judged);
	for (size_t i = 0; i < pending->names_count; i++)
		if (pending->names[i])
			identities_cancel(pending->names[i]);
	pending->last_loaded = 0;
	pending->is_numbering = false;
}

static void free_timer(uv_handle_t *handle)
{
	free(handle);
}

void pending_close(struct pending *pending)
{
	if (!pending->host.loop)
		return;
	forget_all(pending);
	uv_close((uv_handle_t *)TAKE(pending->timer), free_timer);
	free(TAKE(pending->pauses));
	free(TAKE(pending->waiters));
	pending->host = (struct pending_host){ 0 };
}

void pending_free(struct pending *pending)
{
	if (!pending)
		return;
	pending_close(pending);
	forget_all(pending);
	for (size_t i = 0; i < pending->names_count; i++)
		identities_free(pending->names[i]);
	free(pending->names);
	free(pending);
}

/* ---- The store: number -> {"event": .., "rules": [..], "echo": true, "settled": true} ---- */

static struct text key_text(const struct store_key *key)
{
	return (struct text){ key->bytes, sizeof(key->bytes) };
}

int pending_put(struct pending *pending, struct store_txn *txn, const struct pending_event *waiting,
		struct error *err)
{
	AUTO(free) char *event = event_to_json(waiting->event);
	AUTO(free) char *rules = json_dumps(waiting->rules, JSON_COMPACT);
	AUTO(free)
	char *value = str_format("{\"event\":%s,\"rules\":%s,\"echo\":%s,\"settled\":%s}", event,
				 rules, waiting->is_echo ? "true" : "false",
				 waiting->is_settled ? "true" : "false");
	struct store_key key = store_key(++pending->last_number);

	pending->is_numbering = true;
	return store_put(txn, SPACE_PENDING, key_text(&key), text_of(value), err);
}

int pending_save(struct pending *pending, struct store_txn *txn, struct error *err)
{
	AUTO(free) char *number = NULL;

	if (!pending->is_numbering)
		return 0;
	number = str_format("%" PRIu64, pending->last_number);
	return store_put(txn, SPACE_META, number_key, text_of(number), err);
}

void pending_committed(struct pending *pending)
{
	pending->is_numbering = false;
	free_items(pending, &pending->judged);
	fill(pending);
	ask_all(pending);
}

static void free_json(json_t **place)
{
	json_decref(*place);
}

static bool read_value(struct pending_event *out, struct text value)
{
	__attribute__((cleanup(free_json))) json_t *object =
		json_loadb(value.data, value.size, 0, NULL);
	json_t *rules = json_object_get(object, "rules");
	AUTO(free) char *event = json_dumps(json_object_get(object, "event"), JSON_COMPACT);

	if (!event || !json_is_array(rules) ||
	    event_from_json(&out->event, text_of(event), NULL) < 0)
		return false;
	out->rules = json_incref(rules);
	out->is_echo = json_is_true(json_object_get(object, "echo"));
	out->is_settled = json_is_true(json_object_get(object, "settled"));
	return true;
}

static size_t find_watch(const struct pending *pending, struct text name)
{
	size_t i = 0;

	while (i < pending->host.settings->watch_count &&
	       !text_is(name, pending->host.settings->watches[i].name))
		i++;
	return i;
}

/* What cannot be asked is judged as it is: by what is not known no rule is true. */
static void load_item(struct pending *pending, uint64_t number, struct text value)
{
	struct item *item = NEW(struct item);

	list_init(&item->link);
	item->number = number;
	pending->in_memory++;
	if (!read_value(&item->waiting, value)) {
		log_error("filter", "an event that waits for the cluster is damaged: left out");
		list_append(&pending->ready, &item->link);
		return;
	}
	item->watch = find_watch(pending, item->waiting.event->watch);
	list_append(item->watch < pending->host.settings->watch_count ? &pending->loaded
								      : &pending->ready,
		    &item->link);
}

static bool load_one(void *ctx, struct text key, struct text value)
{
	struct pending *pending = ctx;

	load_item(pending, store_key_number(key), value);
	pending->last_loaded = store_key_number(key);
	return pending->in_memory < LOADED_MAX;
}

/* As many as there is room for. */
static void fill(struct pending *pending)
{
	struct store_key from = store_key(pending->last_loaded + 1);
	AUTO_ERROR err = { 0 };

	if (!pending->host.loop || pending->is_numbering || pending->in_memory >= LOADED_MAX ||
	    pending->last_loaded >= pending->last_number)
		return;
	if (store_peek_scan(pending->store, SPACE_PENDING, key_text(&from), load_one, pending,
			    &err) < 0)
		log_warn("filter", "%s; events that wait for the cluster wait a little longer",
			 error_text(&err));
	else if (pending->in_memory < LOADED_MAX)
		pending->last_loaded = pending->last_number;
	metric_set(pending->waiting, (int64_t)pending->in_memory);
}

int pending_load(struct pending *pending, struct store *store, struct error *err)
{
	AUTO(free) char *number = NULL;

	forget_all(pending);
	pending->store = store;
	if (store_peek(store, SPACE_META, number_key, &number, err) < 0)
		return -1;
	pending->last_number = number ? strtoull(number, NULL, 10) : 0;
	fill(pending);
	ask_all(pending);
	return 0;
}

/* ---- Asking ---- */

static void on_timer(uv_timer_t *timer)
{
	pending_tick(timer->data);
}

void pending_tick(struct pending *pending)
{
	fill(pending);
	ask_all(pending);
}

static void look_again_in(struct pending *pending, int64_t ms)
{
	if (!uv_is_active((uv_handle_t *)pending->timer))
		uv_timer_start(pending->timer, on_timer, (uint64_t)MAX(ms, 1), 0);
}

void pending_open(struct pending *pending, const struct pending_host *host)
{
	pending->host = *host;
	pending->pauses = mem_array(host->settings->watch_count, sizeof(*pending->pauses));
	pending->waiters = mem_array(host->settings->watch_count, sizeof(*pending->waiters));
	for (size_t i = 0; i < host->settings->watch_count; i++)
		pending->waiters[i] = (struct waiter){ pending, i };
	pending->timer = NEW(uv_timer_t);
	uv_timer_init(host->loop, pending->timer);
	pending->timer->data = pending;
	pending_tick(pending);
}

/* The cluster could not say: all events of the question wait on. */
static void put_off(struct pending *pending, struct question *question, const char *why,
		    int64_t retry_after_ms)
{
	struct pause *pause = &pending->pauses[question->watch];
	int64_t pause_ms = MIN((int64_t)PAUSE_MS << MIN(pause->failures, 10), PAUSE_MOST_MS);
	struct item *item;

	pause->failures++;
	pause->until_ms = clock_monotonic_ms() + MAX(pause_ms, retry_after_ms);
	log_warn("filter",
		 "watch '%s': what rules ask about files cannot be asked of the cluster: %s; the "
		 "events wait, again in %lld s",
		 pending->host.settings->watches[question->watch].name, why,
		 (long long)(pause_ms / 1000));
	list_for_each (item, &question->items, link) {
		list_remove(&item->link);
		list_append(&pending->loaded, &item->link);
	}
}

static void add_names(struct pending *pending, size_t watch, struct answer *answer)
{
	const struct identities *names = pending->names[watch];

	if (!identities_are_known(names))
		return;
	answer->owner_names = identities_match(names, &answer->info, false);
	answer->group_names = identities_match(names, &answer->info, true);
}

static struct file_facts facts_of(const struct answer *answer)
{
	return (struct file_facts){ .info = &answer->info,
				    .owner_names = answer->owner_names,
				    .group_names = answer->group_names,
				    .tags = answer->has_tags ? &answer->tags : NULL };
}

static void give_answer(struct pending *pending, struct question *question, struct answer *answer)
{
	struct item *item;

	list_for_each (item, &question->items, link) {
		item->answer = answer;
		answer->users++;
		list_remove(&item->link);
		list_append(&pending->ready, &item->link);
	}
	pending->pauses[question->watch] = (struct pause){ 0 };
}

/* The file is gone, or may not be looked at. */
static void give_nothing(struct pending *pending, struct question *question)
{
	struct answer *answer = NEW(struct answer);

	answer->users = 1;
	give_answer(pending, question, answer);
	answer_drop(answer);
}

static void go_on(struct pending *pending)
{
	ask_all(pending);
	if (pending_has_answers(pending))
		pending->host.answered(pending->host.ctx);
}

/* ---- User metadata, where rules ask for it ---- */

static void tags_asked(void *ctx, const struct file_reply *reply)
{
	struct question *question = ctx;
	struct pending *pending = question->pending;
	struct answer *answer = question->answer;

	question->call = NULL;
	switch (reply->result) {
	case FILE_OK:
		file_tags_copy(&answer->tags, reply->tags);
		answer->has_tags = true;
		give_answer(pending, question, answer);
		break;
	case FILE_GONE:
		give_nothing(pending, question);
		break;
	case FILE_DENIED:
	case FILE_REFUSED:
	case FILE_EXISTS:
		log_warn("filter",
			 "watch '%s': rules ask for tags of %s, which cannot be looked at: %s",
			 pending->host.settings->watches[question->watch].name, answer->info.path,
			 reply->why);
		give_answer(pending, question, answer);
		break;
	case FILE_BUSY:
	case FILE_CHANGED:
	case FILE_LATER:
	case FILE_AMBIGUOUS:
		put_off(pending, question, reply->why, reply->retry_after_ms);
		break;
	}
	question_free(question);
	go_on(pending);
}

static bool wants_tags(const struct pending *pending, const struct question *question)
{
	const struct file_facts file = facts_of(question->answer);
	struct item *item;

	if (!pending->host.wants_tags || !pending->host.clusters[question->watch]->get_tags)
		return false;
	list_for_each (item, &question->items, link)
		if (pending->host.wants_tags(pending->host.judge, &item->waiting, &file))
			return true;
	return false;
}

/* The attributes are there, and who has the names, as far as that can be known. */
static void conclude(struct pending *pending, struct question *question)
{
	const struct cluster *cluster = pending->host.clusters[question->watch];
	struct answer *answer = NEW(struct answer);

	answer->users = 1;
	answer->info = question->info;
	answer->has_info = true;
	question->info = (struct file_info){ 0 };
	question->has_info = false;
	question->answer = answer;
	add_names(pending, question->watch, answer);
	if (wants_tags(pending, question)) {
		metric_add(pending->asked, 1);
		question->call = cluster->get_tags(cluster->self, answer->info.id, NULL, tags_asked,
						   question);
		return;
	}
	give_answer(pending, question, answer);
	question_free(question);
}

/* ---- Who has the names that rules give to owners ---- */

static bool needs_names(const struct pending *pending, size_t watch)
{
	return pending->host.clusters[watch]->identify &&
	       identities_should_ask(pending->names[watch]);
}

/* All questions of the watch that wait for names go on: with them, or later. */
static void names_asked(void *ctx, const struct identity_reply *failure)
{
	struct waiter *waiter = ctx;
	struct pending *pending = waiter->pending;
	bool is_denied = failure && failure->result == FILE_DENIED;
	struct question *question;

	if (is_denied)
		log_warn("filter",
			 "watch '%s': who has the names in the rules cannot be asked of the "
			 "cluster: %s; only names that it shows by itself are known",
			 pending->host.settings->watches[waiter->watch].name, failure->why);
	list_for_each (question, &pending->questions, link) {
		if (question->watch != waiter->watch || !question->has_info)
			continue;
		if (!failure || is_denied) {
			conclude(pending, question);
			continue;
		}
		put_off(pending, question, failure->why, failure->retry_after_ms);
		question_free(question);
	}
	go_on(pending);
}

static void ask_names(struct pending *pending, size_t watch)
{
	struct identities *names = pending->names[watch];
	bool is_wanted = false;
	struct question *question;

	list_for_each (question, &pending->questions, link)
		is_wanted |= question->watch == watch && question->has_info;
	if (is_wanted && !identities_is_asking(names))
		identities_ask(names, pending->host.clusters[watch], names_asked,
			       &pending->waiters[watch]);
}

/* What is known of a rule's names stays; whoever waits for one asks again. */
void pending_use(struct pending *pending, size_t watch, const struct rule_set *set)
{
	if (watch >= pending->names_count) {
		pending->names = mem_grow(pending->names, watch + 1, sizeof(*pending->names));
		while (pending->names_count <= watch)
			pending->names[pending->names_count++] = NULL;
	}
	if (!pending->names[watch])
		pending->names[watch] = identities_new();
	identities_use(pending->names[watch], set);
	ask_names(pending, watch);
}

static void asked(void *ctx, const struct file_reply *reply)
{
	struct question *question = ctx;
	struct pending *pending = question->pending;

	question->call = NULL;
	switch (reply->result) {
	case FILE_OK:
		file_info_copy(&question->info, reply->info);
		question->has_info = true;
		if (needs_names(pending, question->watch)) {
			ask_names(pending, question->watch);
			return;
		}
		conclude(pending, question);
		go_on(pending);
		return;
	case FILE_BUSY:
	case FILE_CHANGED:
	case FILE_LATER:
	case FILE_AMBIGUOUS:
		put_off(pending, question, reply->why, reply->retry_after_ms);
		break;
	case FILE_DENIED:
	case FILE_REFUSED:
	case FILE_EXISTS:
		log_warn("filter",
			 "watch '%s': rules ask about a file that cannot be looked at: %s",
			 pending->host.settings->watches[question->watch].name, reply->why);
		give_nothing(pending, question);
		break;
	case FILE_GONE:
		give_nothing(pending, question);
		break;
	}
	question_free(question);
	go_on(pending);
}

static struct text file_of(const struct item *item)
{
	const struct event *event = item->waiting.event;

	return event->file_id.size ? event->file_id : event->path;
}

/* One request for the file of the first and all others that wait with it. */
static void ask(struct pending *pending, struct item *first)
{
	struct question *question = NEW(struct question);
	const struct cluster *cluster = pending->host.clusters[first->watch];
	AUTO(free) char *file = text_copy(file_of(first));
	struct item *item;

	question->pending = pending;
	question->watch = first->watch;
	list_init(&question->items);
	list_init(&question->link);
	list_append(&pending->questions, &question->link);
	pending->asking++;
	list_for_each (item, &pending->loaded, link) {
		if (item->watch != question->watch || !text_is(file_of(item), file))
			continue;
		list_remove(&item->link);
		list_append(&question->items, &item->link);
	}
	metric_add(pending->asked, 1);
	question->call = cluster->get(cluster->self, file, asked, question);
}

/* The first of a watch that can be asked; otherwise says when to look again. */
static struct item *next_item(struct pending *pending)
{
	int64_t now_ms = clock_monotonic_ms();
	int64_t soonest_ms = INT64_MAX;
	struct item *item;

	list_for_each (item, &pending->loaded, link) {
		int64_t until_ms = pending->pauses[item->watch].until_ms;

		if (until_ms <= now_ms)
			return item;
		soonest_ms = MIN(soonest_ms, until_ms);
	}
	if (soonest_ms != INT64_MAX)
		look_again_in(pending, soonest_ms - now_ms);
	return NULL;
}

static void ask_all(struct pending *pending)
{
	struct item *item;

	if (!pending->host.loop)
		return;
	while (pending->asking < ASKING_MAX && (item = next_item(pending)))
		ask(pending, item);
}

/* ---- Judging ---- */

bool pending_has_answers(const struct pending *pending)
{
	return !list_is_empty(&pending->ready);
}

int64_t pending_judge(struct pending *pending, struct store_txn *txn, size_t max,
		      pending_judge_one *judge, void *ctx, struct error *err)
{
	int64_t count = 0;
	struct item *item;

	list_for_each (item, &pending->ready, link) {
		struct store_key key = store_key(item->number);
		struct file_facts file = { 0 };

		if (count == max)
			break;
		count++;
		if (store_delete(txn, SPACE_PENDING, key_text(&key), err) < 0)
			return -1;
		if (item->answer && item->answer->has_info)
			file = facts_of(item->answer);
		if (item->waiting.event && judge(ctx, &item->waiting, &file, err) < 0)
			return -1;
		list_remove(&item->link);
		list_append(&pending->judged, &item->link);
	}
	return count;
}
