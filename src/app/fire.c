#include "app/fire.h"

#include "app/job.h"
#include "app/label.h"

/* stopped: why it is not done; NULL: it is. */
static int put_job(const struct firing *firing, const struct rule *rule, const struct event *event,
		   enum rule_mode mode, json_t *results, const char *stopped, json_t *label,
		   struct error *err)
{
	AUTO(free) char *file_id = text_copy(event->file_id);
	AUTO(free)
	char *body = job_body_new_with(rule, rule_set_digest(firing->set), event, mode, results,
				       stopped);
	struct job job = { .file_id = file_id, .due_ms = firing->now_ms, .body = body };
	uint64_t id;

	if (store_job_put(firing->txn, &job, &id, err) < 0)
		return error_prefix(err, "new job");
	label_append(label, "jobs", json_integer((json_int_t)id));
	if (firing->cause &&
	    tally_chain(firing->tally, firing->txn, firing->cause, id, firing->time_ms, err) < 0)
		return -1;
	return 1;
}

/* 1: go on; 0: it may be a loop, and *out_why is what the dead letter says, if there is one. */
static int ask_loop(const struct firing *firing, const struct rule *rule, const struct event *event,
		    char **out_why, json_t *label, struct error *err)
{
	int free_to_act = 1;

	if (firing->trial || !tally_may_loop(rule))
		return 1;
	if (firing->cause && firing->depth_most)
		free_to_act = tally_depth(firing->tally, firing->txn, rule, event, firing->cause,
					  firing->depth_most, firing->time_ms, out_why, err);
	if (free_to_act > 0 && firing->runs_most.count)
		free_to_act = tally_runs(firing->tally, firing->txn, rule, event,
					 &firing->runs_most, firing->time_ms, out_why, err);
	if (free_to_act == 0)
		label_append(label, "stopped", json_string(rule->name));
	return free_to_act;
}

/* 1: go on; 0: not yet, or not this one. */
static int ask_threshold(const struct firing *firing, const struct rule *rule,
			 const struct event *event, json_t *results, json_t *label,
			 struct error *err)
{
	json_t *files;
	int fires;

	if (!rule->threshold.count)
		return 1;
	fires = tally_threshold(firing->tally, firing->txn, rule, event, firing->time_ms, &files,
				err);
	if (fires > 0)
		json_object_set_new(results, "threshold", files);
	else if (fires == 0)
		label_append(label, "counted", json_string(rule->name));
	return fires;
}

static int ask_throttle(const struct firing *firing, const struct rule *rule,
			const struct event *event, json_t *results, json_t *label,
			struct error *err)
{
	uint64_t suppressed;
	int passes;

	if (!rule->throttle.count)
		return 1;
	passes = tally_throttle(firing->tally, firing->txn, rule, event, firing->time_ms,
				&suppressed, err);
	if (passes > 0)
		json_object_set_new(results, "throttle",
				    json_pack("{s:I}", "suppressed", (json_int_t)suppressed));
	else if (passes == 0)
		label_append(label, "throttled", json_string(rule->name));
	return passes;
}

static int tell(const struct firing *firing, const struct rule *rule, const struct event *event,
		enum trial_end end)
{
	if (firing->trial)
		firing->trial->ended(firing->trial->ctx, firing->set, rule, event, firing->time_ms,
				     end);
	return end < TRIAL_COUNTED;
}

int fire_rule(const struct firing *firing, const struct rule *rule, const struct event *event,
	      json_t *label, struct error *err)
{
	AUTO(json_decref) json_t *results = json_object();
	AUTO(free) char *stopped = NULL;
	enum rule_mode mode = rule->mode;
	bool is_limited = false;
	int go_on = ask_threshold(firing, rule, event, results, label, err);

	if (go_on == 0)
		return tell(firing, rule, event, TRIAL_COUNTED);
	if (go_on > 0)
		go_on = ask_throttle(firing, rule, event, results, label, err);
	if (go_on == 0)
		return tell(firing, rule, event, TRIAL_THROTTLED);
	if (go_on < 0)
		return -1;
	if (mode == RULE_ENFORCE) {
		go_on = ask_loop(firing, rule, event, &stopped, label, err);
		if (go_on < 0 || (go_on == 0 && !stopped))
			return go_on;
	}
	if (rule->limit.count && mode == RULE_ENFORCE && !stopped) {
		int free_to_act =
			tally_limit(firing->tally, firing->txn, rule, event, firing->time_ms, err);

		if (free_to_act < 0)
			return -1;
		if (!free_to_act) {
			mode = RULE_DRY_RUN;
			is_limited = true;
			label_append(label, "limited", json_string(rule->name));
		}
	}
	if (firing->trial)
		return tell(firing, rule, event,
			    is_limited             ? TRIAL_LIMITED
			    : mode == RULE_DRY_RUN ? TRIAL_DRY_RUN
						   : TRIAL_JOB);
	return put_job(firing, rule, event, mode, results, stopped, label, err);
}
