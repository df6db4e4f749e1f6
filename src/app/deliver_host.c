/* deliver_host: what deliver provides to the modules that it runs. */
#include <assert.h>
#include <inttypes.h>

#include "app/delivery.h"
#include "app/digest.h"
#include "app/inbox.h"
#include "base/clock.h"
#include "store/echo.h"

#define LOOKED_THROUGH 10000 /* records */
#define ARRIVAL_TRIES 20     /* conflicts with the filter or another act */

static struct delivery *delivery_of(struct action_run *run)
{
	return CONTAINER_OF(run, struct delivery, run);
}

static const struct cluster *host_cluster(void *self, const char *watch)
{
	struct deliver *deliver = self;

	for (size_t i = 0; i < deliver->settings->watch_count; i++)
		if (strcmp(deliver->settings->watches[i].name, watch) == 0)
			return deliver->clusters[i];
	return NULL;
}

/* ---- Digests: part of the same transactions ---- */

/* What a step wants gathered (entry), or told (key). */
struct digest_order {
	char *group;
	int64_t window_ms;
	json_t *entry;
	char *key;
};

static void order_free(struct digest_order *order)
{
	if (!order)
		return;
	free(order->group);
	json_decref(order->entry);
	free(order->key);
	free(order);
}

/* The step under way again, as the only one, for what is gathered under key. */
static char *telling_job(void *ctx, const char *key)
{
	const struct delivery *delivery = ctx;
	static const char *const kept[] = { "rule", "rules", "watch", "event" };
	const struct job_body *body = &delivery->body;
	AUTO(free) char *text = job_body_options(body);
	json_t *options = json_loads(text, JSON_DECODE_ANY, NULL);
	json_t *job = json_pack("{s:i,s:s}", "step", 0, "mode", "enforce");

	for (size_t i = 0; i < ARRAY_SIZE(kept); i++)
		json_object_set(job, kept[i], json_object_get(body->json, kept[i]));
	json_object_set_new(options, "gathered", json_string(key));
	json_object_set_new(
		job, "steps",
		json_pack("[{s:s,s:o}]", "module", job_body_module(body), "options", options));
	char *written = json_dumps(job, JSON_COMPACT);

	json_decref(job);
	return written;
}

static int keep_in(struct delivery *delivery, struct store_txn *txn, struct error *err)
{
	const struct digest_order *order = delivery->order;
	const struct digest digest = { order->group, order->window_ms, order->entry };
	json_t *memory;
	int64_t due_ms;

	if (digest_keep_in(txn, &digest, clock_now_ms(), telling_job, delivery, &due_ms, err) < 0)
		return -1;
	memory = due_ms ? json_pack("{s:I}", "kept", (json_int_t)due_ms)
			: json_pack("{s:b}", "alone", true);
	json_decref(delivery->run.memory);
	delivery->run.memory = memory;
	return 0;
}

static int take_in(struct delivery *delivery, struct store_txn *txn, struct error *err)
{
	json_t *gathered;

	if (digest_take_in(txn, delivery->order->key, &gathered, err) < 0)
		return -1;
	if (!gathered)
		return 0;
	if (!delivery->run.memory)
		delivery->run.memory = json_object();
	json_object_set_new(delivery->run.memory, "gathered", gathered);
	return 0;
}

static int order_in(struct delivery *delivery, struct store_txn *txn, struct error *err)
{
	if (!delivery->order)
		return 0;
	return delivery->order->key ? take_in(delivery, txn, err) : keep_in(delivery, txn, err);
}

/* ---- Expectations: those of one turn share one wait for the disk ---- */

void deliver_forget_expectations(struct delivery *delivery)
{
	for (size_t i = 0; i < delivery->effect_count; i++) {
		free((char *)delivery->effects[i].file_id);
		free((char *)delivery->effects[i].path);
	}
	free(TAKE(delivery->effects));
	delivery->effect_count = 0;
	order_free(TAKE(delivery->order));
	delivery->go_on = NULL;
}

static void host_expect(void *self, struct action_run *run, const struct action_effect *effects,
			size_t count, action_expected *done, void *ctx)
{
	struct deliver *deliver = self;
	struct delivery *delivery = delivery_of(run);

	size_t all_count;
	struct action_effect *all = also_caused_add(deliver->also_caused, run->action->type->name,
						    effects, count, &all_count);

	assert(!delivery->go_on && !run->is_finished);
	delivery->effects = mem_array(all_count ? all_count : 1, sizeof(*delivery->effects));
	delivery->effect_count = all_count;
	for (size_t i = 0; i < all_count; i++)
		delivery->effects[i] =
			(struct expectation){ run->job,
					      run->step,
					      all[i].type,
					      str_copy(all[i].file_id),
					      all[i].path ? str_copy(all[i].path) : NULL,
					      all[i].is_lasting };
	also_caused_clear(all, count, all_count);
	delivery->go_on = done;
	delivery->go_on_ctx = ctx;
	list_append(&deliver->expecting, &delivery->queue_link);
	deliver_turn_soon(deliver);
}

/* With its progress: where it was going, and that this attempt was made. */
static int write_expectations(struct delivery *delivery, uint64_t after_seq, struct store_txn *txn,
			      struct error *err)
{
	struct job progress = { .id = delivery->job.id, .attempts = delivery->run.attempt };
	AUTO(free) char *body = NULL;

	if (order_in(delivery, txn, err) < 0)
		return -1;
	if (delivery->run.memory)
		json_object_set(delivery->body.json, "memory", delivery->run.memory);
	progress.body = body = job_body_text(&delivery->body);
	if (echo_expect_in(txn, delivery->effects, delivery->effect_count, after_seq,
			   clock_now_ms(), err) < 0)
		return -1;
	return store_job_save_in(txn, &progress, clock_now_ms(),
				 delivery->deliver->settings->act.lease_ms, err);
}

int deliver_write_expectations(struct deliver *deliver, uint64_t after_seq, struct store_txn *txn,
			       struct error *err)
{
	struct delivery *delivery;

	list_for_each (delivery, &deliver->expecting, queue_link)
		if (write_expectations(delivery, after_seq, txn, err) < 0)
			return -1;
	return 0;
}

static void go_on(struct delivery *delivery, const char *why)
{
	action_expected *done = delivery->go_on;

	list_remove(&delivery->queue_link);
	deliver_forget_expectations(delivery);
	done(delivery->go_on_ctx, why);
}

void deliver_go_on(struct deliver *deliver, uint64_t after_seq)
{
	struct list stored;
	struct delivery *delivery;

	list_take_all(&stored, &deliver->expecting);
	list_for_each (delivery, &stored, queue_link) {
		for (size_t i = 0; i < delivery->effect_count; i++)
			delivery->expected |= EVENT_KIND(delivery->effects[i].type);
		if (!delivery->has_expected)
			delivery->after_seq = after_seq;
		delivery->has_expected |= delivery->order == NULL;
		go_on(delivery, NULL);
	}
}

void deliver_go_on_without(struct deliver *deliver, const char *why)
{
	struct list refused;
	struct delivery *delivery;

	list_take_all(&refused, &deliver->expecting);
	list_for_each (delivery, &refused, queue_link)
		go_on(delivery, why);
}

static void host_order(struct delivery *delivery, struct digest_order order, action_expected *done,
		       void *ctx)
{
	assert(!delivery->go_on && !delivery->run.is_finished);
	delivery->order = NEW(struct digest_order);
	*delivery->order = order;
	delivery->go_on = done;
	delivery->go_on_ctx = ctx;
	list_append(&delivery->deliver->expecting, &delivery->queue_link);
	deliver_turn_soon(delivery->deliver);
}

static void host_gather(void *self, struct action_run *run, const struct action_gather *gather,
			action_expected *done, void *ctx)
{
	struct delivery *delivery = delivery_of(run);
	AUTO(free) char *options = job_body_options(&delivery->body);
	struct digest_order order = {
		.group = str_format("%s\n%s\n%s", delivery->body.watch, options, gather->by),
		.window_ms = gather->window_ms,
		.entry = json_deep_copy(gather->entry),
	};

	host_order(delivery, order, done, ctx);
}

static void host_take_gathered(void *self, struct action_run *run, const char *key,
			       action_expected *done, void *ctx)
{
	host_order(delivery_of(run), (struct digest_order){ .key = str_copy(key) }, done, ctx);
}

static void host_astray(void *self, struct action_run *run, const char *file_id)
{
	struct deliver *deliver = self;

	strays_note(deliver->strays, run->job, file_id);
}

static int put_arrival(struct deliver *deliver, const struct event *event, uint64_t after_seq,
		       struct error *err)
{
	AUTO(store_abort) struct store_txn *txn = NULL;
	struct inbox_item item = { .event = (struct event *)event };
	uint64_t first;

	if (store_log_range(deliver->store, &first, &item.until_seq, err) < 0)
		return -1;
	/* The filter looks through what came since. */
	item.after_seq = MAX(after_seq, MAX(item.until_seq, LOOKED_THROUGH) - LOOKED_THROUGH);
	if (store_begin(deliver->store, &txn, err) < 0 || inbox_put(txn, &item, err) < 0)
		return -1;
	return store_commit(TAKE(txn), err);
}

static void host_arrived(void *self, struct action_run *run, const char *file_id, const char *path,
			 bool is_directory)
{
	enum event_type type = is_directory ? CHILD_DIR_ADDED : CHILD_FILE_ADDED;
	struct event event = {
		.type = type,
		.type_name = text_of(event_type_name(type)),
		.kinds = EVENT_KIND(type),
		.origin = ORIGIN_LIVE,
		.path = text_of(path),
		.file_id = text_of(file_id),
		.watch = run->event->watch,
		.time_ms = clock_now_ms(),
	};
	AUTO_ERROR err = { 0 };
	int rc, tries = 0;

	do {
		error_clear(&err);
		rc = put_arrival(self, &event, run->event->seq, &err);
	} while (rc == STORE_CONFLICT && ++tries < ARRIVAL_TRIES);
	if (rc < 0)
		log_warn("act", "%s; rules are not asked about %s, which was put back",
			 error_text(&err), path);
}

static void host_withdraw(void *self, struct action_run *run)
{
	struct deliver *deliver = self;
	struct delivery *delivery = delivery_of(run);
	AUTO_ERROR err = { 0 };

	delivery->has_expected = false;
	delivery->expected = 0;
	if (echo_withdraw(deliver->store, run->job, run->step, &err) < 0)
		log_warn("act", "%s; the events that job %" PRIu64 " expected stay expected",
			 error_text(&err), run->job);
}

/* Called by the module, perhaps out of its start: what follows waits for the turn. */
static void host_finished(void *self, struct action_run *run)
{
	struct deliver *deliver = self;
	struct delivery *delivery = delivery_of(run);

	assert(!delivery->go_on);
	delivery->state = DELIVERY_FINISHED;
	list_append(&deliver->finished, &delivery->queue_link);
	deliver_turn_soon(deliver);
}

struct action_host deliver_host(struct deliver *deliver, struct http *http,
				const struct mail_server *mail)
{
	return (struct action_host){
		.self = deliver,
		.loop = deliver->loop,
		.cluster = host_cluster,
		.expect = host_expect,
		.gather = host_gather,
		.take_gathered = host_take_gathered,
		.astray = host_astray,
		.arrived = host_arrived,
		.withdraw = host_withdraw,
		.finished = host_finished,
		.http = http,
		.mail = mail,
	};
}
