#include "app/alarm_state.h"

#define BEHIND_MS 60000

static const char *text_at(const json_t *object, const char *name)
{
	const char *text = json_string_value(json_object_get(object, name));

	return text ? text : "";
}

/* Takes text over. */
static void add(json_t *troubles, enum alarm_kind kind, const char *what, char *text)
{
	AUTO(free) char *key = str_format("%s/%s", alarm_kind_name(kind), what);

	json_array_append_new(troubles,
			      json_pack("{s:i,s:s,s:s}", "kind", kind, "key", key, "text", text));
	free(text);
}

static void find_streams(const json_t *monitor, json_t *troubles)
{
	const json_t *watch;
	size_t i;

	json_array_foreach(json_object_get(monitor, "watches"), i, watch)
	{
		const char *name = text_at(watch, "name"), *why = text_at(watch, "why");
		const json_t *heartbeat = json_object_get(watch, "heartbeat");

		if (strcmp(text_at(watch, "state"), "listening") != 0)
			add(troubles, ALARM_STREAM, name,
			    str_format("watch %s is not heard%s%s", name, *why ? ": " : "", why));
		else if (strcmp(text_at(heartbeat, "state"), "deaf") == 0)
			add(troubles, ALARM_STREAM, name,
			    str_format("watch %s is open, but does not tell everything: %s", name,
				       text_at(heartbeat, "why")));
	}
}

static void find_filter(const json_t *filter, json_t *troubles)
{
	json_int_t delay_ms = json_integer_value(json_object_get(filter, "delay_ms"));

	if (*text_at(filter, "trouble"))
		add(troubles, ALARM_FILTER, "",
		    str_format("the rules are not asked: %s", text_at(filter, "trouble")));
	else if (delay_ms > BEHIND_MS)
		add(troubles, ALARM_FILTER, "",
		    str_format("the rules are asked %lld s late", (long long)delay_ms / 1000));
	if (*text_at(filter, "tripped"))
		add(troubles, ALARM_LIMIT, "",
		    str_format("only a dry run until the rule is changed: %s",
			       text_at(filter, "tripped")));
}

static void find_act(const json_t *act, json_t *troubles)
{
	const json_t *breaker;
	size_t i;

	if (*text_at(act, "trouble"))
		add(troubles, ALARM_ACT, "",
		    str_format("actions are not done: %s", text_at(act, "trouble")));
	json_array_foreach(json_object_get(act, "breakers"), i, breaker)
		add(troubles, ALARM_SERVER, text_at(breaker, "server"),
		    str_format("%s does not work: %s", text_at(breaker, "server"),
			       text_at(breaker, "why")));
}

json_t *alarm_troubles(const json_t *monitor, uint64_t dead_letters)
{
	const json_t *rules = json_object_get(monitor, "rules");
	json_t *troubles = json_array();

	find_streams(monitor, troubles);
	find_filter(json_object_get(monitor, "filter"), troubles);
	find_act(json_object_get(monitor, "act"), troubles);
	if (json_is_false(json_object_get(rules, "ok")))
		add(troubles, ALARM_RULES, "",
		    str_copy("the changed rules have errors, and the old ones stay at work "
			     "(cn_monitor check)"));
	if (dead_letters)
		add(troubles, ALARM_DEAD_LETTER, "",
		    str_format("%llu job%s given up and wait%s for a decision (cn_monitor dead)",
			       (unsigned long long)dead_letters,
			       dead_letters == 1 ? " was" : "s were",
			       dead_letters == 1 ? "s" : ""));
	return troubles;
}

static bool has_filter_trouble(const json_t *troubles)
{
	const json_t *trouble;
	size_t i;

	json_array_foreach(troubles, i, trouble)
	{
		if (json_integer_value(json_object_get(trouble, "kind")) == ALARM_FILTER)
			return true;
	}
	return false;
}

void alarm_watch_progress(struct alarm_progress *progress, uint64_t cursor, uint64_t last_seq,
			  int64_t now_ms, json_t *troubles)
{
	if (cursor != progress->cursor || last_seq <= cursor) {
		*progress = (struct alarm_progress){ .cursor = cursor };
		return;
	}
	if (!progress->since_ms)
		progress->since_ms = now_ms;
	if (now_ms - progress->since_ms > BEHIND_MS && !has_filter_trouble(troubles))
		add(troubles, ALARM_FILTER, "",
		    str_format("the rules have not been asked for %lld s; %llu records wait",
			       (long long)(now_ms - progress->since_ms) / 1000,
			       (unsigned long long)(last_seq - cursor)));
}

static int64_t time_at(const json_t *state, const char *name)
{
	return json_integer_value(json_object_get(state, name));
}

static void set_time(json_t *state, const char *name, int64_t ms)
{
	json_object_set_new(state, name, json_integer((json_int_t)ms));
}

static enum alarm_verdict is_there(json_t *state, const char *text, int64_t after_ms,
				   int64_t now_ms)
{
	if (!time_at(state, "since_ms"))
		set_time(state, "since_ms", now_ms);
	json_object_del(state, "gone_ms");
	if (json_is_true(json_object_get(state, "raised")))
		return ALARM_NOTHING;
	json_object_set_new(state, "text", json_string(text));
	if (now_ms - time_at(state, "since_ms") < after_ms)
		return ALARM_NOTHING;
	json_object_set_new(state, "raised", json_true());
	return ALARM_RAISE;
}

enum alarm_verdict alarm_step(json_t *state, const char *text, int64_t after_ms, int64_t now_ms)
{
	if (text)
		return is_there(state, text, after_ms, now_ms);
	if (!time_at(state, "gone_ms"))
		set_time(state, "gone_ms", now_ms);
	if (now_ms - time_at(state, "gone_ms") < ALARM_HOLD_MS)
		return ALARM_NOTHING;
	return json_is_true(json_object_get(state, "raised")) ? ALARM_CLEAR : ALARM_NOTHING;
}
