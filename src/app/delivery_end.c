#include "app/delivery_end.h"

#include <inttypes.h>

#include "base/clock.h"

/* ---- What is to be stored, and said ---- */

void delivery_say(struct delivery *delivery, enum log_level level, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	free(delivery->line);
	delivery->line = str_vformat(format, args);
	va_end(args);
	delivery->level = level;
}

bool delivery_is_ending(const struct delivery *delivery)
{
	return delivery->state == DELIVERY_WRITING && delivery->write != WRITE_PROGRESS;
}

void delivery_write_soon(struct delivery *delivery, enum delivery_write write)
{
	delivery->state = DELIVERY_WRITING;
	delivery->write = write;
	delivery->deliver->ending_count += delivery_is_ending(delivery);
	if (delivery->body.json) {
		free(delivery->job.body);
		delivery->job.body = job_body_text(&delivery->body);
	}
	list_append(&delivery->deliver->writing, &delivery->queue_link);
	deliver_turn_soon(delivery->deliver);
}

/* For the log: where the event was, although a step may have moved the file since. */
struct text delivery_place(const struct delivery *delivery)
{
	return delivery->body.event ? delivery->body.event->path : TEXT("?");
}

/* Ends the job; outcome is a sentence, and given away. */
void delivery_end(struct delivery *delivery, enum delivery_write write, char *outcome)
{
	free(delivery->job.outcome);
	delivery->job.outcome = outcome;
	if (write == WRITE_DEAD && !delivery->job.id)
		delivery_say(delivery, LOG_ERROR, "%.*s -> %s; given up",
			     TEXT_ARGS(delivery_place(delivery)), outcome);
	else if (write == WRITE_DEAD)
		delivery_say(
			delivery, LOG_ERROR,
			"%.*s -> %s; given up: kept as a dead letter (cn_monitor dead show %" PRIu64
			")",
			TEXT_ARGS(delivery_place(delivery)), outcome, delivery->job.id);
	else if (write == WRITE_HELD)
		delivery_say(delivery, LOG_WARN, "%.*s -> %s", TEXT_ARGS(delivery_place(delivery)),
			     outcome);
	else
		/* What the action log says is its own line; a second one for it would be noise. */
		delivery_say(delivery, strcmp(outcome, "log: done") == 0 ? LOG_DEBUG : LOG_INFO,
			     "%.*s -> %s", TEXT_ARGS(delivery_place(delivery)), outcome);
	delivery_write_soon(delivery, write);
}

void delivery_end_dead(struct delivery *delivery, const char *why)
{
	delivery_end(delivery, WRITE_DEAD, str_copy(why));
}

/* The job has no more steps. */
void delivery_end_of_steps(struct delivery *delivery)
{
	const char *failure = job_body_failure(&delivery->body);
	AUTO(free) char *why = failure ? str_copy(failure) : NULL;

	if (!why) {
		delivery_end(delivery, WRITE_DONE, job_body_summary(&delivery->body));
		return;
	}
	delivery->job.attempts = job_body_back_to_failure(&delivery->body);
	delivery_end(delivery, WRITE_DEAD, TAKE(why));
}

/* The step under way failed for good; why is a sentence that begins with its module. */
void delivery_fail_step(struct delivery *delivery, const char *outcome, const char *said,
			unsigned attempts, char *why)
{
	struct job_body *body = &delivery->body;
	enum step_on_error on_error = job_body_on_error(body);
	const char *failure = job_body_failure(body);
	AUTO(free) char *sentence = why;

	job_body_note(body, outcome, said, attempts, clock_now_ms());
	if (failure) { /* of the steps that follow it, this is the end */
		AUTO(free) char *both = str_format("%s; and then %s", failure, sentence);

		delivery->job.attempts = job_body_back_to_failure(body);
		delivery_end(delivery, WRITE_DEAD, TAKE(both));
		return;
	}
	delivery->job.attempts = attempts;
	if (on_error == STEP_STOP) {
		delivery_end(delivery, WRITE_DEAD, TAKE(sentence));
		return;
	}
	delivery_say(delivery, LOG_ERROR, "%.*s -> %s; %s", TEXT_ARGS(delivery_place(delivery)),
		     sentence,
		     on_error == STEP_CONTINUE ? "the job goes on, as on_error says"
					       : "the steps of on_error follow");
	if (on_error == STEP_STEPS)
		job_body_fail(body, sentence, attempts);
	else
		job_body_next_step(body, NULL);
	delivery->job.attempts = 0;
	delivery_write_soon(delivery, WRITE_PROGRESS);
}

/* ---- Trying again ---- */

void delivery_retry_at(struct delivery *delivery, int64_t due_ms, const char *why)
{
	delivery->job.due_ms = due_ms;
	job_body_note(&delivery->body, "retry", why, delivery->job.attempts, clock_now_ms());
	delivery_write_soon(delivery, WRITE_RETRY);
}

static double seconds_until(int64_t due_ms)
{
	return (double)MAX(due_ms - clock_now_ms(), 0) / 1000;
}

/* The step failed and may work later. */
void delivery_attempt_again(struct delivery *delivery, const char *why, int64_t not_before_ms)
{
	const struct settings *settings = delivery->deliver->settings;
	const char *module = job_body_module(&delivery->body);
	int64_t most = job_body_attempts(&delivery->body, MAX(settings->act.attempts, 1));
	unsigned attempt = delivery->run.attempt;
	int64_t due_ms;

	delivery->job.attempts = attempt;
	if (attempt >= most) {
		delivery_fail_step(delivery, "dead", why, attempt,
				   str_format("%s: %s (after %u attempt%s)", module, why, attempt,
					      attempt == 1 ? "" : "s"));
		return;
	}
	due_ms = clock_now_ms() +
		 deliver_back_off(delivery->deliver,
				  job_body_back_off(&delivery->body, settings->act.back_off_ms),
				  attempt);
	due_ms = MAX(due_ms, not_before_ms);
	delivery_say(delivery, LOG_WARN, "%.*s -> %s: %s; attempt %u of %lld in %.1f s",
		     TEXT_ARGS(delivery_place(delivery)), module, why, attempt + 1, (long long)most,
		     seconds_until(due_ms));
	delivery_retry_at(delivery, due_ms, why);
}

/* The cluster could not be asked at all: that is no attempt at the step. */
void delivery_wait_for_cluster(struct delivery *delivery, const struct file_reply *reply)
{
	unsigned waits = job_body_count_wait(&delivery->body);
	int64_t due_ms = clock_now_ms() +
			 MAX(deliver_back_off(delivery->deliver,
					      delivery->deliver->settings->act.back_off_ms, waits),
			     reply->retry_after_ms);

	delivery_say(delivery, LOG_WARN,
		     "%.*s -> %s waits for the cluster: %s; asked again in %.1f s",
		     TEXT_ARGS(delivery_place(delivery)), job_body_module(&delivery->body),
		     reply->why, seconds_until(due_ms));
	delivery_retry_at(delivery, due_ms, reply->why);
}
