#include "app/delivery.h"

#include <inttypes.h>

#include "action/stray.h"
#include "app/approval.h"
#include "app/delivery_end.h"
#include "app/undo.h"
#include "base/clock.h"

/* For an echo that may never come: as long as the file is looked at once more (fingerprint).
 * Longer, and somebody else's change would be taken for it. */
#define SILENT_ECHO_MS 2000
#define PUT_BACK_MS 100 /* how soon a file is looked at again that another job puts back */
#define CHANGES_MAX 5   /* times that a step is judged again at once because its file changed */

/* ---- Born and gone ---- */

static bool find_watch(const struct settings *settings, const char *name, size_t *out)
{
	for (size_t i = 0; i < settings->watch_count; i++) {
		if (strcmp(settings->watches[i].name, name) == 0) {
			*out = i;
			return true;
		}
	}
	return false;
}

struct delivery *delivery_new(struct deliver *deliver, struct job *job)
{
	struct delivery *delivery = NEW(struct delivery);

	delivery->deliver = deliver;
	delivery->job = *job;
	*job = (struct job){ 0 };
	list_init(&delivery->queue_link);
	list_append(&deliver->running, &delivery->link);
	deliver->running_count++;
	return delivery;
}

static void end_run(struct delivery *delivery)
{
	int64_t now_ms = clock_monotonic_ms();

	if (delivery->has_turn)
		turns_end(delivery->deliver->turns, delivery->action, now_ms - delivery->turn_ms,
			  clock_now_ms());
	delivery->has_turn = false;
	deliver_forget_expectations(delivery);
	json_decref(delivery->run.memory);
	json_decref(delivery->run.result);
	free(delivery->run.why);
	delivery->run = (struct action_run){ 0 };
	action_cache_put(delivery->deliver->cache, TAKE(delivery->action));
	file_info_clear(&delivery->file);
	delivery->has_file = false;
	delivery->has_expected = false;
	delivery->expected = 0;
}

void delivery_free(struct delivery *delivery)
{
	const struct cluster *cluster;

	if (!delivery)
		return;
	cluster = delivery->deliver->clusters[delivery->watch];
	if (delivery->call)
		cluster->cancel(delivery->call);
	if (delivery->state == DELIVERY_ACTING && !delivery->run.is_finished)
		delivery->action->type->cancel(&delivery->run);
	end_run(delivery);
	list_remove(&delivery->link);
	list_remove(&delivery->queue_link);
	delivery->deliver->running_count--;
	delivery->deliver->ending_count -= delivery_is_ending(delivery);
	job_clear(&delivery->job);
	job_body_clear(&delivery->body);
	free(delivery->ending);
	free(delivery->line);
	free(delivery);
}

/* ---- Looking at the file ---- */

static void act(struct delivery *delivery);

/* An attempt before this one left something behind that the module must see to. */
static bool has_begun(const struct delivery *delivery)
{
	return delivery->action->type->sees_to_the_end &&
	       json_object_size(delivery->body.memory) > 0;
}

/*
 * Whether the rule still wants the file where it is now. A path where an earlier step or an earlier
 * attempt of this one brought it is no reason to ask.
 */
static bool still_matches(struct delivery *delivery, const char *path)
{
	struct job_body *body = &delivery->body;
	struct rule_matcher *matcher;
	const struct rule *rule;
	struct event moved = *body->event;

	if (strcmp(path, job_body_path(body)) == 0 || job_body_remembers(body, path) ||
	    has_begun(delivery))
		return true;
	if (undo_job(body->json)) {
		job_body_move_event(body, path);
		return true;
	}
	rule = deliver_find_rule(delivery->deliver, delivery->watch, body->rule, &matcher);
	moved.path = text_of(path);
	if (rule && rule_test(matcher, rule, &moved) == TRUTH_FALSE)
		return false;
	job_body_move_event(body, path);
	return true;
}

/*
 * Whether another job of this process has just moved the file there, taking it for its own, whose
 * place it had taken (action/stray.h). It notices by the answer, and puts it back. Before that is
 * done, and stored, the file is not to be moved on from its place: it would be put back once more.
 * A job that has itself one to put back, or may have, waits for nobody: two may have each other's.
 */
static bool was_moved_by_mistake(const struct delivery *delivery, const struct file_info *file)
{
	const struct deliver *deliver = delivery->deliver;
	const json_t *own = delivery->body.memory;
	struct delivery *other;

	if (stray_in(own))
		return false;
	if (strays_have(deliver->strays, delivery->job.id, file->id))
		return true;
	if (json_object_get(own, "target") ||
	    strcmp(file->path, job_body_path(&delivery->body)) == 0) /* where it was all the time */
		return false;
	list_for_each (other, &deliver->running, link) {
		const json_t *memory = other->run.memory ? other->run.memory : other->body.memory;
		const char *target = json_string_value(json_object_get(memory, "target"));

		if (other != delivery && target && strcmp(target, file->path) == 0 &&
		    other->job.file_id && strcmp(other->job.file_id, file->id) != 0)
			return true;
	}
	return false;
}

static void file_is_gone(struct delivery *delivery)
{
	job_body_note(&delivery->body, "gone", "the file is gone", delivery->job.attempts,
		      clock_now_ms());
	metric_add(delivery->deliver->gone, 1);
	delivery_end(delivery, WRITE_DONE,
		     str_format("gone: the file is gone, nothing left for %s",
				job_body_module(&delivery->body)));
}

static void file_has_moved(struct delivery *delivery, const char *path)
{
	job_body_note(&delivery->body, "moved", path, delivery->job.attempts, clock_now_ms());
	delivery_end(delivery, WRITE_DONE,
		     str_format("no longer matches: the file is at %s now", path));
}

/* The job ends; path: where the file is, NULL: it is gone. What an attempt of it may have left
 * somewhere is put right first. */
static void end_without_file(struct delivery *delivery, const char *path)
{
	if (delivery->action->type->puts_right && !delivery->is_over &&
	    json_object_get(delivery->body.memory, "target")) {
		delivery->is_over = true;
		delivery->ending = path ? str_copy(path) : NULL;
		act(delivery);
	} else if (path) {
		file_has_moved(delivery, path);
	} else {
		file_is_gone(delivery);
	}
}

/* An undo whose file is not as the job left it: whoever changed it since has the last word. */
static bool is_refused(struct delivery *delivery, const struct file_info *file)
{
	AUTO(free) char *why = undo_refusal(&delivery->body, file);

	if (!why)
		return false;
	job_body_note(&delivery->body, "refused", why, delivery->job.attempts, clock_now_ms());
	delivery_end(delivery, WRITE_DONE, str_format("not taken back: %s", why));
	return true;
}

static void looked(void *ctx, const struct file_reply *reply)
{
	struct delivery *delivery = ctx;
	bool needs_file = delivery->action->type->needs_file;
	const char *module = job_body_module(&delivery->body);

	delivery->call = NULL;
	switch (reply->result) {
	case FILE_OK:
		file_info_copy(&delivery->file, reply->info);
		delivery->has_file = true;
		if (is_refused(delivery, reply->info))
			return;
		if (was_moved_by_mistake(delivery, reply->info)) {
			delivery_retry_at(delivery, clock_now_ms() + PUT_BACK_MS,
					  "another job moved the file by mistake, and puts it "
					  "back");
			return;
		}
		if (!still_matches(delivery, reply->info->path)) {
			end_without_file(delivery, reply->info->path);
			return;
		}
		act(delivery);
		return;
	case FILE_GONE:
		if (needs_file && !has_begun(delivery) &&
		    !(delivery->action->type->removes_file &&
		      json_object_size(delivery->body.memory)))
			end_without_file(delivery, NULL);
		else
			act(delivery);
		return;
	case FILE_DENIED:
	case FILE_REFUSED:
	case FILE_EXISTS:
		if (!needs_file) {
			act(delivery);
			return;
		}
		delivery_fail_step(
			delivery, "rejected", reply->why, delivery->job.attempts,
			str_format("%s: the file cannot be read: %s", module, reply->why));
		return;
	case FILE_BUSY:
	case FILE_CHANGED:
	case FILE_LATER:
	case FILE_AMBIGUOUS:
		if (reply->status == 0 || reply->status == 401) {
			delivery_wait_for_cluster(delivery, reply);
			return;
		}
		delivery->run.attempt = delivery->job.attempts + 1;
		delivery_attempt_again(
			delivery, reply->why,
			reply->retry_after_ms ? clock_now_ms() + reply->retry_after_ms : 0);
		return;
	}
}

static void look(struct delivery *delivery)
{
	const struct cluster *cluster = delivery->deliver->clusters[delivery->watch];
	const struct event *event = delivery->body.event;
	AUTO(free) char *id = text_copy(event->file_id);
	AUTO(free) char *path = text_copy(event->path);

	delivery->state = DELIVERY_LOOKING;
	file_info_clear(&delivery->file);
	delivery->has_file = false;
	delivery->call = cluster->get(cluster->self, *id ? id : path, looked, delivery);
}

/* ---- Acting ---- */

static void prepare_run(struct delivery *delivery)
{
	const struct watch_settings *watch = &delivery->deliver->settings->watches[delivery->watch];

	delivery->run = (struct action_run){
		.action = delivery->action,
		.job = delivery->job.id,
		.step = delivery->body.step,
		.attempt = delivery->job.attempts + 1,
		.rule = delivery->body.rule,
		.cluster_name = watch->on ? watch->on->name : "",
		.event = delivery->body.event,
		.is_over = delivery->is_over,
		.first_path = job_body_first_path(&delivery->body),
		.file = delivery->has_file ? &delivery->file : NULL,
		.results = delivery->body.results,
		.memory = json_incref(delivery->body.memory),
		.result = json_object(),
	};
}

static char *planned(struct delivery *delivery)
{
	char *plan =
		delivery->action->type->plan ? delivery->action->type->plan(&delivery->run) : NULL;

	return plan ? plan : str_copy("would run, and cannot say what it would do");
}

/* No request is built, and nothing is stored but what would have been done. */
static void plan(struct delivery *delivery)
{
	AUTO(free) char *what = planned(delivery);
	AUTO(free) char *why = str_format("dry run: %s", what);

	job_body_note(&delivery->body, "planned", why, 0, clock_now_ms());
	job_body_next_step(&delivery->body, delivery->run.result);
	end_run(delivery);
	delivery_begin(delivery);
}

static bool must_be_approved(struct delivery *delivery)
{
	AUTO(free) char *what = NULL;
	char *sentence;

	if (!approval_wanted(&delivery->body))
		return false;
	what = planned(delivery);
	job_body_note(&delivery->body, "held", what, delivery->job.attempts, clock_now_ms());
	sentence = approval_hold(&delivery->body, delivery->job.id, what, clock_now_ms());
	delivery_end(delivery, WRITE_HELD, sentence);
	return true;
}

/* The server that the step needs has failed for a while: that is no attempt at the step. */
static bool waits_for_server(struct delivery *delivery)
{
	struct deliver *deliver = delivery->deliver;
	char *(*server_of)(const struct action *action) = delivery->action->type->server;
	AUTO(free) char *server = server_of ? server_of(delivery->action) : NULL;
	AUTO(free) char *last = NULL;
	AUTO(free) char *why = NULL;
	int64_t again_ms;

	if (!server || breakers_allow(deliver->breakers, server, clock_now_ms(), &again_ms, &last))
		return false;
	why = str_format("waits until %s works again: %s", server, last);
	delivery_retry_at(
		delivery,
		again_ms + deliver_back_off(deliver, deliver->settings->act.back_off_ms, 1), why);
	return true;
}

/* As many as the step allows are under way: that is no attempt at it either. */
static bool waits_for_turn(struct delivery *delivery)
{
	int64_t most = job_body_concurrency(&delivery->body), again_ms;

	if (!most)
		return false;
	if (turns_take(delivery->deliver->turns, delivery->action, most, clock_now_ms(),
		       &again_ms)) {
		delivery->has_turn = true;
		delivery->turn_ms = clock_monotonic_ms();
		return false;
	}
	delivery_retry_at(delivery, again_ms, "waits for its turn: concurrency");
	return true;
}

static void note_server(struct delivery *delivery)
{
	char *(*server_of)(const struct action *action) = delivery->action->type->server;
	AUTO(free) char *server = server_of ? server_of(delivery->action) : NULL;
	const struct action_run *run = &delivery->run;
	const char *why = run->outcome != ACTION_RETRY ? NULL
			  : run->why                   ? run->why
						       : "no reason was given";

	if (server)
		breakers_note(delivery->deliver->breakers, server, why, run->not_before_ms,
			      clock_now_ms());
}

static void act(struct delivery *delivery)
{
	prepare_run(delivery);
	if (job_body_is_step_dry_run(&delivery->body) || delivery->deliver->settings->act.dry_run) {
		plan(delivery);
		return;
	}
	if (must_be_approved(delivery) || waits_for_server(delivery) || waits_for_turn(delivery))
		return;
	delivery->state = DELIVERY_ACTING;
	delivery->action->type->start(&delivery->run);
}

void delivery_begin(struct delivery *delivery)
{
	AUTO(free) char *options = NULL;
	AUTO(free) char *stopped = NULL;
	AUTO_ERROR err = { 0 };

	if (delivery->deliver->is_closing)
		return; /* it is taken again after the start */
	/* The body is read at the first step; the job may be from an older version or damaged. */
	if (!delivery->body.json) {
		if (job_body_read(&delivery->body, delivery->job.body, &err) < 0) {
			delivery_end_dead(delivery, error_text(&err));
			return;
		}
		if (!find_watch(delivery->deliver->settings, delivery->body.watch,
				&delivery->watch)) {
			AUTO(free)
			char *why = str_format("the watch '%s' is not configured any more",
					       delivery->body.watch);

			delivery_end_dead(delivery, why);
			return;
		}
		stopped = job_body_take_stop(&delivery->body);
		if (stray_in(delivery->body.memory))
			strays_note(delivery->deliver->strays, delivery->job.id,
				    stray_in(delivery->body.memory));
	}
	if (stopped) {
		delivery_end_dead(delivery, stopped);
		return;
	}
	if (delivery->body.step == delivery->body.step_count) {
		delivery_end_of_steps(delivery);
		return;
	}
	options = job_body_options(&delivery->body);
	if (action_cache_get(delivery->deliver->cache, job_body_module(&delivery->body), options,
			     &delivery->action, &err) < 0) {
		delivery_end_dead(delivery, error_text(&err));
		return;
	}
	if (action_needs_file(delivery->action))
		look(delivery);
	else
		act(delivery);
}

/* ---- What came of it ---- */

/* A sentence about success, for the log and the history. */
static char *describe(const struct delivery *delivery)
{
	const char *path = json_string_value(json_object_get(delivery->run.result, "path"));

	if (delivery->run.why)
		return str_copy(delivery->run.why);
	if (path && strcmp(path, job_body_path(&delivery->body)) != 0)
		return str_format("moved to %s", path);
	return str_copy("done");
}

static const char *result_text(const struct delivery *delivery, const char *name)
{
	return json_string_value(json_object_get(delivery->run.result, name));
}

static void check_fingerprint(struct delivery *delivery)
{
	struct fingerprint print = {
		.job = delivery->job.id,
		.step = delivery->body.step,
		.cluster = delivery->deliver->clusters[delivery->watch],
		.event = delivery->body.event,
		.kinds = delivery->expected,
		.state = { result_text(delivery, "change_time"),
			   result_text(delivery, "permissions") },
		.after_seq = delivery->after_seq,
	};

	if (!print.state.change_time || !delivery->action->type->is_built_in_change)
		return;
	if (delivery->job.file_id && *delivery->job.file_id)
		fingerprints_renew(delivery->deliver->prints, delivery->job.file_id,
				   delivery->has_file ? &delivery->file : NULL, &print);
	if (delivery->expected & FINGERPRINT_KINDS)
		fingerprints_add(delivery->deliver->prints, &print);
}

static void step_done(struct delivery *delivery)
{
	const char *path = json_string_value(json_object_get(delivery->run.result, "path"));
	AUTO(free) char *what = describe(delivery);

	job_body_note(&delivery->body, "done", what, delivery->run.attempt, clock_now_ms());
	check_fingerprint(delivery);
	if (path)
		job_body_set_path(&delivery->body, path);
	job_body_next_step(&delivery->body, delivery->run.result);
	delivery->job.attempts = 0;
	delivery->changes = 0;
	if (delivery->body.step == delivery->body.step_count)
		delivery_end_of_steps(delivery);
	else
		delivery_write_soon(delivery, WRITE_PROGRESS);
}

static void step_changed(struct delivery *delivery, const char *why)
{
	if (++delivery->changes > CHANGES_MAX) {
		delivery->changes = 0;
		delivery_attempt_again(delivery, why, 0);
		return;
	}
	job_body_note(&delivery->body, "changed", why, delivery->run.attempt, clock_now_ms());
	log_info("act", "%.*s -> %s: %s; judged again", TEXT_ARGS(delivery_place(delivery)),
		 job_body_module(&delivery->body), why);
	/* Judged again, once what the attempt remembers is stored: begin reads the file anew. */
	delivery_write_soon(delivery, WRITE_PROGRESS);
}

/* Nothing is left, or what was left is put right. */
static void end_at_last(struct delivery *delivery, const char *why)
{
	AUTO(free) char *path = TAKE(delivery->ending);

	if (delivery->run.outcome == ACTION_CHANGED)
		log_info("act", "%.*s -> %s: %s", TEXT_ARGS(delivery_place(delivery)),
			 job_body_module(&delivery->body), why);
	if (path)
		file_has_moved(delivery, path);
	else
		file_is_gone(delivery);
}

static void step_ended(struct delivery *delivery)
{
	const char *module = job_body_module(&delivery->body);
	const char *why = delivery->run.why ? delivery->run.why : "no reason was given";
	unsigned attempt = delivery->run.attempt;

	if (delivery->is_over && delivery->run.outcome != ACTION_RETRY &&
	    delivery->run.outcome != ACTION_REJECTED) {
		end_at_last(delivery, why);
		return;
	}
	switch (delivery->run.outcome) {
	case ACTION_DONE:
		step_done(delivery);
		break;
	case ACTION_RETRY:
		delivery_attempt_again(delivery, why, delivery->run.not_before_ms);
		break;
	case ACTION_REJECTED:
		delivery_fail_step(delivery, "rejected", why, attempt,
				   str_format("%s: %s", module, why));
		break;
	case ACTION_GONE:
		file_is_gone(delivery);
		break;
	case ACTION_CHANGED:
		step_changed(delivery, why);
		break;
	}
}

void delivery_conclude(struct delivery *delivery)
{
	/* The module may have made an object of its own. */
	if (delivery->run.memory && delivery->run.memory != delivery->body.memory) {
		json_object_set(delivery->body.json, "memory", delivery->run.memory);
		delivery->body.memory = delivery->run.memory;
	}
	if (!delivery->run.result)
		delivery->run.result = json_object();
	if (delivery->has_expected) {
		delivery->closes_echo = true;
		delivery->echo_step = delivery->body.step;
		delivery->echo_keep_ms = delivery->deliver->settings->act.echo_expiry_ms;
		if (delivery->action->type->may_be_silent)
			delivery->echo_keep_ms = MIN(delivery->echo_keep_ms, SILENT_ECHO_MS);
	}
	note_server(delivery);
	step_ended(delivery);
	if (delivery->state == DELIVERY_WRITING)
		end_run(delivery);
}
