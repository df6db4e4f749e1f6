#include "rule/alarm_parse.h"

#include "base/parse.h"
#include "rule/reference.h"
#include "rule/words.h"

#define ALARMS_MAX 100

static const struct reference_row kinds[] = {
	{ "stream", "a watch is not heard", NULL },
	{ "filter", "nothing is judged, or it is more than a minute behind", NULL },
	{ "act", "no process acts, or it cannot reach the store or the cluster", NULL },
	{ "server", "a mail server or web hook does not work", NULL },
	{ "dead_letter", "jobs were given up and wait for somebody's decision", NULL },
	{ "rules", "a changed rule file has errors; the old rules are at work", NULL },
	{ "limit", "a rule has reached its `limit` and only says what it would do", NULL },
	{ "store",
	  "the store takes nothing: the disk is full or read-only, `MAX_SIZE` is reached, Redis is "
	  "away",
	  NULL },
	{ 0 },
};

static const char *const kind_names[] = { "stream", "filter", "act",   "server", "dead_letter",
					  "rules",  "limit",  "store", NULL };
static const char *const alarm_known[] = { "on", "after", "actions", NULL };
static const struct words alarm_words = { "an alarm", alarm_known };

const char *alarm_kind_name(enum alarm_kind kind)
{
	return kind_names[kind];
}

const struct reference_row *alarm_kind_rows(void)
{
	return kinds;
}

size_t rule_set_alarm_count(const struct rule_set *set)
{
	return set->alarm_count;
}

const struct rule_alarm *rule_set_alarm(const struct rule_set *set, size_t index)
{
	return &set->alarms[index]->alarm;
}

static void read_kind(const struct node *node, unsigned *out, struct problems *problems)
{
	struct text text = words_text(node, "on", "a kind of trouble", problems);
	const char *near;

	for (size_t i = 0; text.size && i < ALARM_KINDS; i++) {
		if (!text_is(text, kind_names[i]))
			continue;
		*out |= 1u << i;
		return;
	}
	if (!text.size)
		return;
	near = parse_nearest(text, kind_names);
	problems_error(problems, node->place,
		       "on '%.*s': %s%s%s: expected stream, filter, act, server, dead_letter, "
		       "rules, limit or store",
		       TEXT_ARGS(text), near ? "did you mean '" : "there is no such trouble",
		       near ? near : "", near ? "'" : "");
}

static void read_kinds(const struct node *node, unsigned *out, struct problems *problems)
{
	if (node->kind != NODE_LIST)
		return read_kind(node, out, problems);
	node_for_each(child, node)
	{
		read_kind(child, out, problems);
	}
}

static void read_after(const struct node *node, int64_t *out_ms, struct problems *problems)
{
	struct text text = words_text(node, "after", "a time, like 5m", problems);
	AUTO_ERROR err = { 0 };

	if (text.size && parse_duration(text, out_ms, &err) < 0)
		problems_error(problems, node->place, "after: %s", error_text(&err));
}

/* What works on a file has none to work on. */
static void check_steps(const struct step_parser *steps, const struct rule *rule)
{
	for (size_t i = 0; i < rule->step_count; i++)
		if (steps->modules->needs_file &&
		    steps->modules->needs_file(steps->modules->ctx, rule->steps[i].module))
			problems_error(steps->problems, rule->steps[i].place,
				       "an alarm is about no file, and %s needs one: expected log, "
				       "exec, email or webhook",
				       rule->steps[i].module);
}

static void read_alarm(struct rule_set *set, struct step_parser *steps, const struct node *node)
{
	const struct node *on, *after, *actions;
	struct set_alarm *alarm;

	if (node->kind != NODE_MAPPING) {
		problems_error(
			steps->problems, node->place,
			"an alarm is %s: expected a mapping with actions, perhaps on and after",
			node_kind_name(node->kind));
		return;
	}
	words_check(&alarm_words, node, steps->problems);
	on = node_get(node, "on");
	after = node_get(node, "after");
	actions = node_get(node, "actions");
	alarm = NEW(struct set_alarm);
	alarm->rule.rule.name = str_copy("alarm");
	alarm->rule.rule.place = rule_set_place(set, node->place);
	alarm->alarm = (struct rule_alarm){ .rule = &alarm->rule.rule,
					    .kinds = on ? 0 : (1u << ALARM_KINDS) - 1,
					    .after_ms = 60000 };
	set->alarms = mem_grow(set->alarms, set->alarm_count + 1, sizeof(*set->alarms));
	set->alarms[set->alarm_count++] = alarm;
	if (on)
		read_kinds(on, &alarm->alarm.kinds, steps->problems);
	if (after)
		read_after(after, &alarm->alarm.after_ms, steps->problems);
	if (actions)
		step_parse(steps, &alarm->rule, actions);
	else
		problems_error(steps->problems, node->place,
			       "an alarm without actions: expected actions:, like actions: [email: "
			       "ops@example.com]");
	check_steps(steps, &alarm->rule.rule);
}

void alarms_read(struct rule_set *set, struct step_parser *steps, const struct node *node)
{
	if (node->kind != NODE_LIST) {
		problems_error(steps->problems, node->place,
			       "'alarms' is %s: expected a list, each with actions",
			       node_kind_name(node->kind));
		return;
	}
	if (set->alarm_count + node->count > ALARMS_MAX) {
		problems_error(steps->problems, node->place, "more than %d alarms", ALARMS_MAX);
		return;
	}
	node_for_each(child, node)
	{
		read_alarm(set, steps, child);
	}
}

void alarms_clear(struct rule_set *set)
{
	for (size_t i = 0; i < set->alarm_count; i++) {
		set_rule_clear(&set->alarms[i]->rule);
		free(set->alarms[i]);
	}
	free(set->alarms);
}
