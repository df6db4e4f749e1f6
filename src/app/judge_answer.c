/* judge_answer: rules that depend on what the cluster knows of a file: their events wait, and the
 * rules are asked again with the answer. */
#include "app/judge_part.h"

int judge_wait(struct judge *judge, const struct event *event, json_t *label, struct error *err)
{
	const struct pending_event waiting = { (struct event *)event, judge->is_echo, false,
					       judge->waiting };

	if (judge->trial)
		return 0;
	json_object_set_new(label, "asking", json_copy(judge->waiting));
	return pending_put(judge->pending, judge->txn, &waiting, err);
}

/* A rule whose file is quiet now. */
int judge_wait_about(struct judge *judge, const struct judged_watch *watch, const struct rule *rule,
		     const struct event *event, json_t *label, struct error *err)
{
	if (judge->trial)
		return judge->trial->unknown_is_true
			       ? judge_fire(judge, watch, rule, event, label, err)
			       : 0;

	AUTO(json_decref) json_t *rules = json_pack("[s]", rule->name);
	const struct pending_event waiting = { (struct event *)event, false, true, rules };

	label_append(label, "asking", json_string(rule->name));
	return pending_put(judge->pending, judge->txn, &waiting, err);
}

static int ask_again(struct judge *judge, const struct judged_watch *watch,
		     const struct pending_event *waiting, const struct file_facts *file,
		     json_t *label, struct error *err)
{
	size_t i;
	json_t *name;

	json_array_foreach(waiting->rules, i, name)
	{
		const char *text = json_string_value(name);
		const struct rule *rule = text ? rule_set_find(watch->set, text) : NULL;
		enum truth truth;
		int result = 0;

		if (!rule || rule->mode == RULE_OFF)
			continue; /* the rules have changed since */
		truth = rule_test_with(watch->matcher, rule, waiting->event, file);
		if (truth == TRUTH_UNKNOWN)
			label_append(label, "undecided", json_string(rule->name));
		if (truth != TRUTH_TRUE)
			continue;
		if (waiting->is_settled)
			result = judge_fire(judge, watch, rule, waiting->event, label, err);
		else
			result = judge_follow(judge, watch, rule, waiting->event, label, err);
		if (result < 0 || rule->stop)
			return result;
	}
	return 0;
}

/* The cluster has said what it knows of the file: the rules that waited for that are asked again.
 */
static int judge_answer(void *ctx, const struct pending_event *waiting,
			const struct file_facts *file, struct error *err)
{
	struct judge *judge = ctx;
	const struct event *event = waiting->event;
	struct judged_watch *watch = judge_find_watch(judge, event->watch);
	AUTO(json_decref) json_t *label = NULL;

	if (!watch)
		return 0;
	judge->time_ms = MAX(judge->time_ms, judge->now_ms);
	if (event->seq && label_get(judge->txn, event->seq, event->index, &label, err) < 0)
		return -1;
	if (!label)
		label = json_object();
	json_object_del(label, "asking");
	if (ask_again(judge, watch, waiting, file, label, err) < 0)
		return -1;
	return label_put(judge->txn, event->seq, event->index, label, err);
}

bool judge_has_answers(const struct judge *judge)
{
	return pending_has_answers(judge->pending);
}

int64_t judge_answers(struct judge *judge, size_t max, struct error *err)
{
	return pending_judge(judge->pending, judge->txn, max, judge_answer, judge, err);
}

void judge_ask_with(struct judge *judge, const struct pending_host *host)
{
	if (host)
		pending_open(judge->pending, host);
	else
		pending_close(judge->pending);
}
