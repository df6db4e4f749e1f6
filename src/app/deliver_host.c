/* deliver_host: what deliver provides to the modules that it runs. */
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

static int host_expect(void *self, struct action_run *run, const struct action_effect *effects,
		       size_t count, struct error *err)
{
	struct deliver *deliver = self;
	struct delivery *delivery = delivery_of(run);
	struct expectation *expectations = mem_array(count ? count : 1, sizeof(*expectations));
	AUTO(free) char *body = NULL;
	struct job progress = { .id = run->job, .attempts = run->attempt };
	uint64_t first;
	int rc = 0;

	if (run->memory)
		json_object_set(delivery->body.json, "memory", run->memory);
	progress.body = body = job_body_text(&delivery->body);
	for (size_t i = 0; i < count; i++) {
		expectations[i] = (struct expectation){ run->job, run->step, effects[i].type,
							effects[i].file_id, effects[i].path };
		delivery->expected |= EVENT_KIND(effects[i].type);
	}
	if (!delivery->has_expected)
		rc = store_log_range(deliver->store, &first, &delivery->after_seq, err);
	if (rc == 0)
		rc = echo_expect(deliver->store, expectations, count, &progress, clock_now_ms(),
				 LEASE_MS, err);
	if (rc == 0)
		delivery->has_expected = true;
	free(expectations);
	return rc;
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
