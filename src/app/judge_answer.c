/* judge_answer: rules that depend on what the cluster knows of a file: their events wait, and the
 * rules are asked again with the answer. */
#include "app/judge_part.h"
#include "app/settle.h"

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
	judge->cause = 0; /* not known any more */
	if (event->seq && label_get(judge->txn, event->seq, event->index, &label, err) < 0)
		return -1;
	if (!label)
		label = json_object();
	json_object_del(label, "asking");
	if (ask_again(judge, watch, waiting, file, label, err) < 0)
		return -1;
	return label_put(judge->txn, event->seq, event->index, label, err);
}

/* Whether somebody has a quiet file open; what is not known is asked again later. */
static int judge_open(void *ctx, struct text watch, struct text file_id, int64_t sent_ms,
		      enum open_verdict verdict, struct error *err)
{
	struct judge *judge = ctx;

	judge->time_ms = MAX(judge->time_ms, judge->now_ms);
	judge->cause = 0;
	return settle_answer(judge->settle, judge->txn, watch, file_id, sent_ms,
			     verdict == FILE_IS_CLOSED, judge->now_ms, judge_quiet, judge, err);
}

bool judge_has_answers(const struct judge *judge)
{
	return pending_has_answers(judge->pending) || open_files_has_answers(judge->open_files);
}

int64_t judge_answers(struct judge *judge, size_t max, struct error *err)
{
	int64_t count = open_files_take(judge->open_files, max, judge_open, judge, err);
	int64_t more;

	if (count < 0 || count == (int64_t)max)
		return count;
	more = pending_judge(judge->pending, judge->txn, max - count, judge_answer, judge, err);
	return more < 0 ? -1 : count + more;
}

/* Only a rule that what is known leaves open. */
static bool wants_tags(void *ctx, const struct pending_event *waiting,
		       const struct file_facts *file)
{
	struct judge *judge = ctx;
	struct judged_watch *watch = judge_find_watch(judge, waiting->event->watch);
	size_t i;
	json_t *name;

	if (!watch)
		return false;
	json_array_foreach(waiting->rules, i, name)
	{
		const char *text = json_string_value(name);
		const struct rule *rule = text ? rule_set_find(watch->set, text) : NULL;

		if (rule && rule->asks_tags &&
		    rule_test_with(watch->matcher, rule, waiting->event, file) == TRUTH_UNKNOWN)
			return true;
	}
	return false;
}

void judge_ask_with(struct judge *judge, const struct pending_host *host)
{
	struct pending_host with_tags;

	if (!host) {
		pending_close(judge->pending);
		open_files_close(judge->open_files);
		return;
	}
	open_files_open(judge->open_files,
			&(struct open_files_host){ host->settings, host->clusters, host->answered,
						   host->ctx });
	with_tags = *host;
	with_tags.wants_tags = wants_tags;
	with_tags.judge = judge;
	pending_open(judge->pending, &with_tags);
}
