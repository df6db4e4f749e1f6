/* deliver_host: what deliver provides to the modules that it runs. */
#include <assert.h>
#include <inttypes.h>

#include "app/delivery.h"
#include "base/clock.h"
#include "store/echo.h"

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

/* ---- Expectations: those of one turn share one wait for the disk ---- */

void deliver_forget_expectations(struct delivery *delivery)
{
	for (size_t i = 0; i < delivery->effect_count; i++) {
		free((char *)delivery->effects[i].file_id);
		free((char *)delivery->effects[i].path);
	}
	free(TAKE(delivery->effects));
	delivery->effect_count = 0;
	delivery->go_on = NULL;
}

static void host_expect(void *self, struct action_run *run, const struct action_effect *effects,
			size_t count, action_expected *done, void *ctx)
{
	struct deliver *deliver = self;
	struct delivery *delivery = delivery_of(run);

	assert(!delivery->go_on && !run->is_finished);
	delivery->effects = mem_array(count ? count : 1, sizeof(*delivery->effects));
	delivery->effect_count = count;
	for (size_t i = 0; i < count; i++)
		delivery->effects[i] =
			(struct expectation){ run->job,
					      run->step,
					      effects[i].type,
					      str_copy(effects[i].file_id),
					      effects[i].path ? str_copy(effects[i].path) : NULL,
					      effects[i].is_lasting };
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
		delivery->has_expected = true;
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
		.withdraw = host_withdraw,
		.finished = host_finished,
		.http = http,
		.mail = mail,
	};
}
