#include "app/describe.h"

#include <string.h>
#include <unistd.h>

#include "base/clock.h"

json_t *describe_time(int64_t ms)
{
	AUTO(free) char *text = clock_format(ms);

	return ms ? json_string(text) : json_null();
}

/* ---- This process ---- */

/* "all", or the types that the streams which listen tell of. */
static json_t *types_json(event_kinds types)
{
	json_t *list;

	if ((types & EVENT_TYPES) == EVENT_TYPES)
		return json_string("all");
	list = json_array();
	for (unsigned type = 0; type < EVENT_TYPE_COUNT; type++)
		if (types & EVENT_KIND(type))
			json_array_append_new(list, json_string(event_type_name(type)));
	return list;
}

static json_t *watch_json(const struct watch_settings *watch, const struct watcher_status *status,
			  const char *why)
{
	static const char *const states[] = { "down", "connecting", "listening" };

	return json_pack("{s:s,s:s,s:s,s:s,s:s,s:o,s:o,s:o,s:I,s:I,s:I}", "name", watch->name,
			 "cluster", watch->on->name, "path", watch->path, "state",
			 states[status->state], "why", why, "since",
			 describe_time(status->since_ms), "events", types_json(status->types),
			 "last_byte", describe_time(status->last_byte_ms), "messages",
			 (json_int_t)status->messages, "bytes", (json_int_t)status->bytes,
			 "reconnects", (json_int_t)status->reconnects);
}

static json_t *heartbeat_json(const struct heartbeat_status *status)
{
	return json_pack("{s:s,s:s,s:o,s:I}", "state", heartbeat_state_name(status->state), "why",
			 status->why, "heard", describe_time(status->heard_ms), "delay_ms",
			 (json_int_t)status->delay_ms);
}

static json_t *repair_json(struct repair *repair)
{
	struct repair_status status = { .state = "off", .baseline_id = -1 };
	json_t *object;

	if (repair)
		repair_get_status(repair, &status);
	object = json_pack("{s:s,s:s,s:s}", "state", status.state, "method", status.method, "why",
			   status.why);
	if (status.baseline_id >= 0)
		json_object_set_new(object, "baseline",
				    json_pack("{s:I,s:o}", "snapshot",
					      (json_int_t)status.baseline_id, "time",
					      describe_time(status.baseline_ms)));
	if (strcmp(status.state, "repairing") == 0)
		json_object_set_new(object, "under_way",
				    json_pack("{s:o,s:o,s:o,s:I,s:I,s:I,s:I,s:I}", "from",
					      describe_time(status.from_ms), "until",
					      describe_time(status.until_ms), "begun",
					      describe_time(status.begun_ms), "tasks_done",
					      (json_int_t)status.counts.tasks, "tasks_waiting",
					      (json_int_t)status.tasks_waiting, "differences",
					      (json_int_t)status.counts.differences, "requests",
					      (json_int_t)status.counts.requests, "interruptions",
					      (json_int_t)status.counts.interruptions));
	return object;
}

/* NULL: this process does not listen. */
static json_t *watches_json(const struct daemon *daemon)
{
	json_t *list = json_array();

	for (size_t i = 0; i < daemon->settings->watch_count; i++) {
		struct watcher *watcher = crew_watcher(daemon->crew, i);
		struct watcher_status status;

		if (!watcher) {
			json_decref(list);
			return NULL;
		}
		watcher_get_status(watcher, &status);

		json_t *watch = watch_json(&daemon->settings->watches[i], &status, status.why);

		if (*status.store_trouble)
			json_object_set_new(watch, "store_trouble",
					    json_string(status.store_trouble));
		if (daemon->settings->watches[i].heartbeat_ms)
			json_object_set_new(watch, "heartbeat", heartbeat_json(&status.heartbeat));
		json_object_set_new(watch, "repair", repair_json(crew_repair(daemon->crew, i)));
		json_array_append_new(list, watch);
	}
	return list;
}

/* Of lines, each ended by a newline. */
static json_t *lines_json(struct text lines)
{
	json_t *list = json_array();

	while (lines.size) {
		struct text line = text_cut(&lines, '\n');

		json_array_append_new(list, json_stringn(line.data, line.size));
	}
	return list;
}

static json_t *rules_json(const struct daemon *daemon)
{
	struct reload_status status;
	json_t *files = json_array();

	reload_get_status(daemon->reload, &status);
	for (size_t i = 0; i < daemon->settings->watch_count; i++) {
		const struct rule_set *set = reload_get(daemon->reload, i);

		json_array_append_new(files, json_pack("{s:s,s:s,s:I,s:s}", "watch",
						       daemon->settings->watches[i].name, "items",
						       daemon->settings->watches[i].items, "rules",
						       (json_int_t)rule_set_count(set), "digest",
						       rule_set_digest(set)));
	}
	return json_pack("{s:o,s:o,s:I,s:I,s:b,s:s,s:I,s:I,s:o}", "files", files, "loaded",
			 describe_time(status.loaded_ms), "reloads", (json_int_t)status.reloads,
			 "refused", (json_int_t)status.refused, "ok", status.last_is_ok,
			 "last_report", status.last_report, "warnings",
			 (json_int_t)status.warning_count, "accepted",
			 (json_int_t)status.accepted_count, "warning_lines",
			 lines_json(text_of(status.warnings)));
}

/* NULL: this process does not judge. */
static json_t *filter_json(const struct daemon *daemon)
{
	struct filter *filter = crew_filter(daemon->crew);
	struct filter_status status;

	if (!filter)
		return NULL;
	filter_get_status(filter, &status);
	return json_pack("{s:I,s:I,s:I,s:I,s:I,s:I,s:s,s:s}", "cursor", (json_int_t)status.cursor,
			 "events", (json_int_t)status.events, "matches", (json_int_t)status.matches,
			 "echoes", (json_int_t)status.echoes, "jobs", (json_int_t)status.jobs,
			 "delay_ms", (json_int_t)status.delay_ms, "trouble", status.trouble,
			 "tripped", status.tripped);
}

static void add_breaker(void *ctx, const char *server, enum breaker_state state, int64_t since_ms,
			const char *why)
{
	json_array_append_new(ctx, json_pack("{s:s,s:s,s:o,s:s}", "server", server, "state",
					     breaker_state_name(state), "since",
					     describe_time(since_ms), "why", why));
}

static json_t *act_json(const struct daemon *daemon)
{
	struct deliver *deliver = crew_deliver(daemon->crew);
	struct deliver_status status;
	json_t *breakers;

	if (!deliver)
		return NULL;
	breakers = json_array();
	deliver_get_status(deliver, &status);
	breakers_visit(deliver_breakers(deliver), add_breaker, breakers);
	return json_pack("{s:I,s:I,s:I,s:I,s:s,s:o}", "running", (json_int_t)status.running, "done",
			 (json_int_t)status.done, "retried", (json_int_t)status.retried, "dead",
			 (json_int_t)status.dead, "trouble", status.trouble, "breakers", breakers);
}

json_t *describe_roles(const struct daemon *daemon)
{
	json_t *roles = json_object();

	for (int role = 0; role < STORE_ROLE_COUNT; role++) {
		struct crew_status status;

		crew_get_status(daemon->crew, role, &status);
		if (status.state == CREW_ABSENT)
			continue;
		json_object_set_new(roles, store_role_name(role),
				    json_pack("{s:s,s:o,s:s}", "state",
					      crew_state_name(status.state), "since",
					      describe_time(status.since_ms), "why", status.why));
	}
	return roles;
}

static void set_if_any(json_t *object, const char *name, json_t *value)
{
	if (value)
		json_object_set_new(object, name, value);
}

json_t *describe_process(const struct daemon *daemon)
{
	char host[256] = "";
	json_t *us;

	gethostname(host, sizeof(host) - 1);
	us = json_pack("{s:s,s:I,s:s,s:o}", "host", host, "pid", (json_int_t)getpid(), "version",
		       CN_VERSION, "started", describe_time(daemon->started_ms));
	set_if_any(us, "roles", describe_roles(daemon));
	set_if_any(us, "rules", rules_json(daemon));
	set_if_any(us, "watches", watches_json(daemon));
	set_if_any(us, "filter", filter_json(daemon));
	set_if_any(us, "act", act_json(daemon));
	return us;
}

/* ---- All processes ---- */

static int64_t age_of(const json_t *member)
{
	return json_integer_value(json_object_get(member, "age_ms"));
}

/* Every process that is heard of, this one as it is now, first. */
static json_t *all_members(const struct daemon *daemon)
{
	json_t *list = json_pack("[{s:s,s:i,s:o}]", "member", daemon->name, "age_ms", 0, "status",
				 describe_process(daemon));
	size_t i;
	json_t *member;

	json_array_foreach(members_list(daemon->members), i, member)
	{
		const char *name = json_string_value(json_object_get(member, "member"));

		if (!name || strcmp(name, daemon->name) != 0)
			json_array_append(list, member);
	}
	return list;
}

/* What the process says of itself that has it and was heard of last; borrowed, NULL: none has it.
 */
static json_t *newest_with(json_t *members, const char *part)
{
	int64_t least_ms = MEMBER_FRESH_MS;
	json_t *found = NULL, *member;
	size_t i;

	json_array_foreach(members, i, member)
	{
		json_t *value = json_object_get(json_object_get(member, "status"), part);

		if (value && age_of(member) < least_ms) {
			least_ms = age_of(member);
			found = value;
		}
	}
	return found;
}

static json_t *nobody_listens(const struct daemon *daemon)
{
	const struct watcher_status status = { .state = WATCHER_DOWN };
	json_t *list = json_array();

	for (size_t i = 0; i < daemon->settings->watch_count; i++)
		json_array_append_new(list, watch_json(&daemon->settings->watches[i], &status,
						       "no process is active as watch"));
	return list;
}

static json_t *watches_of_all(const struct daemon *daemon, json_t *members)
{
	json_t *watches = newest_with(members, "watches");

	return watches ? json_incref(watches) : nobody_listens(daemon);
}

static json_t *filter_of_all(json_t *members)
{
	json_t *filter = newest_with(members, "filter");

	return filter ? json_incref(filter)
		      : json_pack("{s:i,s:i,s:i,s:i,s:i,s:i,s:s}", "cursor", 0, "events", 0,
				  "matches", 0, "echoes", 0, "jobs", 0, "delay_ms", 0, "trouble",
				  "no process is active as filter");
}

/* The counts of all that act together; trouble of the first that has some. */
static json_t *act_of_all(json_t *members)
{
	static const char *const counts[] = { "running", "done", "retried", "dead" };
	json_int_t sums[ARRAY_SIZE(counts)] = { 0 };
	const char *trouble = "", *whose = "";
	json_int_t processes = 0;
	json_t *breakers = json_array();
	size_t i;
	json_t *member;

	json_array_foreach(members, i, member)
	{
		json_t *act = json_object_get(json_object_get(member, "status"), "act");
		const char *text = json_string_value(json_object_get(act, "trouble"));

		if (!act || age_of(member) >= MEMBER_FRESH_MS)
			continue;
		processes++;
		json_array_extend(breakers, json_object_get(act, "breakers"));
		for (size_t j = 0; j < ARRAY_SIZE(counts); j++)
			sums[j] += json_integer_value(json_object_get(act, counts[j]));
		if (text && *text && !*trouble) {
			trouble = text;
			whose = json_string_value(json_object_get(member, "member"));
		}
	}

	bool is_one_of_many = *trouble && processes > 1 && whose;
	AUTO(free)
	char *said = str_format("%s%s%s", is_one_of_many ? whose : "", is_one_of_many ? ": " : "",
				processes ? trouble : "no process acts");

	return json_pack("{s:I,s:I,s:I,s:I,s:s,s:I,s:o}", counts[0], sums[0], counts[1], sums[1],
			 counts[2], sums[2], counts[3], sums[3], "trouble", said, "processes",
			 processes, "breakers", breakers);
}

/* Whether another process works by other rules than we; of a watch that it does not have, no. */
static bool has_other_rules(json_t *ours, json_t *theirs)
{
	size_t i, j;
	json_t *our, *their;

	json_array_foreach(json_object_get(ours, "files"), i, our)
	{
		const char *watch = json_string_value(json_object_get(our, "watch"));

		json_array_foreach(json_object_get(theirs, "files"), j, their)
		{
			const char *other = json_string_value(json_object_get(their, "watch"));

			if (watch && other && strcmp(watch, other) == 0 &&
			    !json_equal(json_object_get(our, "digest"),
					json_object_get(their, "digest")))
				return true;
		}
	}
	return false;
}

static json_t *members_json(json_t *members)
{
	json_t *ours =
		json_object_get(json_object_get(json_array_get(members, 0), "status"), "rules");
	json_t *list = json_array();
	size_t i;
	json_t *member;

	json_array_foreach(members, i, member)
	{
		json_t *status = json_object_get(member, "status");
		json_t *rules = json_object_get(status, "rules");
		json_t *shown = json_pack("{s:O,s:O,s:b,s:b,s:b}", "member",
					  json_object_get(member, "member"), "age_ms",
					  json_object_get(member, "age_ms"), "is_fresh",
					  age_of(member) < MEMBER_FRESH_MS, "other_rules",
					  has_other_rules(ours, rules), "rules_ok",
					  !json_is_false(json_object_get(rules, "ok")));
		static const char *const copied[] = { "host", "pid", "version", "started",
						      "roles" };

		for (size_t j = 0; j < ARRAY_SIZE(copied); j++)
			if (json_object_get(status, copied[j]))
				json_object_set(shown, copied[j],
						json_object_get(status, copied[j]));
		json_array_append_new(list, shown);
	}
	return list;
}

json_t *describe_monitor(const struct daemon *daemon)
{
	AUTO(json_decref) json_t *members = all_members(daemon);
	json_t *us = json_object_get(json_array_get(members, 0), "status");

	return json_pack("{s:s,s:I,s:o,s:s,s:o,s:O,s:o,s:o,s:o}", "version", CN_VERSION, "pid",
			 (json_int_t)getpid(), "started", describe_time(daemon->started_ms),
			 "member", daemon->name, "watches", watches_of_all(daemon, members),
			 "rules", json_object_get(us, "rules"), "filter", filter_of_all(members),
			 "act", act_of_all(members), "members", members_json(members));
}

/* ---- In short ---- */

char *describe_in_a_line(const struct daemon *daemon)
{
	AUTO(buf_free) struct buf *line = buf_new(SIZE_MAX / 2);
	size_t count = daemon->settings->watch_count, listening = 0;
	struct reload_status rules;

	for (int role = 0; role < STORE_ROLE_COUNT; role++) {
		struct crew_status status;

		crew_get_status(daemon->crew, role, &status);
		if (status.state == CREW_ABSENT ||
		    (daemon->roles == CREW_ALL && status.state == CREW_ACTIVE))
			continue;
		(void)!buf_print(line, "%s %s; ", store_role_name(role),
				 crew_state_name(status.state));
	}
	for (size_t i = 0; i < count; i++) {
		struct watcher *watcher = crew_watcher(daemon->crew, i);
		struct watcher_status status = { 0 };

		if (watcher)
			watcher_get_status(watcher, &status);
		listening += status.state == WATCHER_LISTENING;
	}
	if (crew_watcher(daemon->crew, 0))
		(void)!buf_print(line, "%zu of %zu watch%s listening; ", listening, count,
				 count == 1 ? "" : "es");
	reload_get_status(daemon->reload, &rules);
	if (!rules.last_is_ok)
		(void)!buf_print(line,
				 "the changed rules have errors, the old ones stay at work; ");
	/* Without the last "; ". */
	return line->size ? str_copy_n(line->data, line->size - 2) : str_copy("up");
}

static void add_trouble(json_t *list, const char *who, const char *why)
{
	AUTO(free) char *text = str_format("%s: %s", who, why);

	if (*why)
		json_array_append_new(list, json_string(text));
}

json_t *describe_troubles(const struct daemon *daemon)
{
	json_t *list = json_array();
	struct filter *filter = crew_filter(daemon->crew);
	struct deliver *deliver = crew_deliver(daemon->crew);

	add_trouble(list, "store", members_trouble(daemon->members));
	for (int role = 0; role < STORE_ROLE_COUNT; role++) {
		struct crew_status status;

		crew_get_status(daemon->crew, role, &status);
		if (status.is_in_trouble)
			add_trouble(list, store_role_name(role), status.why);
	}
	for (size_t i = 0; i < daemon->settings->watch_count; i++) {
		struct watcher *watcher = crew_watcher(daemon->crew, i);
		struct watcher_status status;
		AUTO(free) char *who = str_format("watch/%s", daemon->settings->watches[i].name);

		if (!watcher)
			continue;
		watcher_get_status(watcher, &status);
		if (status.state != WATCHER_LISTENING)
			add_trouble(list, who, status.why);
		else if (*status.store_trouble)
			add_trouble(list, who, status.store_trouble);
		else if (status.heartbeat.state == HEARTBEAT_DEAF)
			add_trouble(list, who, status.heartbeat.why);
	}
	if (filter) {
		struct filter_status status;

		filter_get_status(filter, &status);
		add_trouble(list, "filter", status.trouble);
	}
	if (deliver) {
		struct deliver_status status;

		deliver_get_status(deliver, &status);
		add_trouble(list, "act", status.trouble);
	}
	return list;
}
