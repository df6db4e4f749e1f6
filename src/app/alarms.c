#include "app/alarms.h"

#include "action/action.h"
#include "app/alarm_state.h"
#include "app/deliver_unstored.h"
#include "app/describe.h"
#include "app/job.h"
#include "base/clock.h"
#include "base/log.h"

#define LOOK_MS 1000

/* What one look needs, in a worker; the store may let it wait. */
struct look {
	uv_work_t work;
	struct alarms *alarms;
	struct store *store;
	const char *watch, *path; /* for events that are about none */
	struct rule_set **sets;
	size_t set_count;
	json_t *monitor;
	struct buf *news; /* lines for the log, each ended by a NUL */
	struct error err;
};

struct alarms {
	uv_loop_t *loop;
	const struct daemon *daemon;
	uv_timer_t timer;
	struct look *look; /* NULL: none is under way */
	bool is_closing;
	struct alarm_progress progress;
	json_t *store_states; /* by number of an alarm: of the trouble that the store is in */
	bool had_some; /* alarms, at the last look: what they told may have to be forgotten */
	struct error trouble;
};

/* ---- In the worker ---- */

static bool load_state(void *ctx, struct text key, struct text value)
{
	AUTO(free) char *name = text_copy(key);
	json_t *state = json_loadb(value.data, value.size, 0, NULL);

	if (state)
		json_object_set_new(ctx, name, state);
	return true;
}

static void set_standard(json_t *options, const char *name, const char *text)
{
	if (!json_object_get(options, name))
		json_object_set_new(options, name, json_string(text));
}

/* Of a short form, the value of the module's one key. Borrowed. */
static json_t *whole_options(json_t *step, const char *module)
{
	const struct action_type *type = action_type_find(module);
	json_t *options = json_object();

	if (type && type->short_key && json_object_get(step, "options"))
		json_object_set(options, type->short_key, json_object_get(step, "options"));
	json_object_set_new(step, "options", options);
	return options;
}

/* What a step says where the file does not: of rules it would be about a file. */
static void set_texts(json_t *body)
{
	json_t *step;
	size_t i;

	json_array_foreach(json_object_get(body, "steps"), i, step)
	{
		const char *module = json_string_value(json_object_get(step, "module"));
		json_t *options = json_object_get(step, "options");

		if (!json_is_object(options))
			options = whole_options(step, module);
		if (strcmp(module, "email") == 0) {
			set_standard(options, "subject",
				     "[cn_monitor] {alarm.state}: {alarm.text}");
			set_standard(
				options, "body",
				"{alarm.text}\n\n  trouble:  {alarm.kind}\n  state:    "
				"{alarm.state}\n  since:    {alarm.since}\n  time:     {time}\n");
		} else if (strcmp(module, "log") == 0 || strcmp(module, "webhook") == 0) {
			set_standard(options, "text",
				     "{alarm.state}: {alarm.text} (since {alarm.since})");
		}
	}
}

/* The job's body, and a line of news; for free(). */
static char *job_body_of(struct look *look, const struct rule_set *set,
			 const struct rule_alarm *alarm, const char *kind, const json_t *state,
			 bool is_over, int64_t now_ms)
{
	AUTO(free)
	char *since = clock_format(json_integer_value(json_object_get(state, "since_ms")));
	const char *text = json_string_value(json_object_get(state, "text"));
	json_t *results =
		json_pack("{s:{s:s,s:s,s:s,s:s}}", "alarm", "state", is_over ? "over" : "trouble",
			  "kind", kind, "text", text ? text : "", "since", since);
	const struct event event = { .type = EVENT_TYPE_UNKNOWN,
				     .type_name = TEXT("alarm"),
				     .path = text_of(look->path),
				     .watch = text_of(look->watch),
				     .time_ms = now_ms };
	AUTO(free)
	char *draft = job_body_new_with(alarm->rule, rule_set_digest(set), &event, RULE_ENFORCE,
					results, NULL);
	json_t *body = json_loads(draft, 0, NULL);
	char *whole;

	json_decref(results);
	set_texts(body);
	whole = json_dumps(body, JSON_COMPACT);
	json_decref(body);
	(void)!buf_print(look->news, "%s: %s", is_over ? "over" : "trouble", text ? text : "");
	(void)!buf_append(look->news, "", 1);
	return whole;
}

static int put_job(struct look *look, struct store_txn *txn, const struct rule_set *set,
		   const struct rule_alarm *alarm, const char *kind, const json_t *state,
		   bool is_over, int64_t now_ms, struct error *err)
{
	AUTO(free)
	char *body = job_body_of(look, set, alarm, kind, state, is_over, now_ms);
	const struct job job = { .file_id = (char *)"", .due_ms = now_ms, .body = body };
	uint64_t id;

	return store_job_put(txn, &job, &id, err);
}

static const char *text_of_trouble(const json_t *troubles, const char *key)
{
	const json_t *trouble;
	size_t i;

	json_array_foreach(
		troubles, i,
		trouble) if (strcmp(json_string_value(json_object_get(trouble, "key")), key) ==
			     0) return json_string_value(json_object_get(trouble, "text"));
	return NULL;
}

/* One trouble of one alarm; key: "0 stream/main". */
static int step(struct look *look, struct store_txn *txn, const struct rule_set *set,
		const struct rule_alarm *alarm, json_t *states, const char *key, const char *kind,
		const char *text, int64_t now_ms, struct error *err)
{
	json_t *state = json_object_get(states, key);
	json_t *mine = state ? json_deep_copy(state) : json_object();
	enum alarm_verdict verdict = alarm_step(mine, text, alarm->after_ms, now_ms);
	int64_t gone_ms = json_integer_value(json_object_get(mine, "gone_ms"));
	bool is_over = gone_ms && now_ms - gone_ms >= ALARM_HOLD_MS;
	int rc = 0;

	if (verdict != ALARM_NOTHING)
		rc = put_job(look, txn, set, alarm, kind, mine, verdict == ALARM_CLEAR, now_ms,
			     err);
	if (rc == 0 && is_over) {
		rc = store_delete(txn, SPACE_ALARMS, text_of(key), err);
	} else if (rc == 0 && !json_equal(mine, state)) {
		AUTO(free) char *value = json_dumps(mine, JSON_COMPACT);

		rc = store_put(txn, SPACE_ALARMS, text_of(key), text_of(value), err);
	}
	json_decref(mine);
	json_object_del(states, key);
	return rc;
}

/* Of one alarm: the troubles that are there, and those that were. */
static int judge_alarm(struct look *look, struct store_txn *txn, const struct rule_set *set,
		       const struct rule_alarm *alarm, size_t number, json_t *states,
		       const json_t *troubles, int64_t now_ms, struct error *err)
{
	AUTO(free) char *start = str_format("%zu ", number);
	json_t *trouble, *state;
	const char *name;
	void *next;
	size_t i;
	int rc = 0;

	json_array_foreach(troubles, i, trouble)
	{
		int kind = (int)json_integer_value(json_object_get(trouble, "kind"));
		AUTO(free)
		char *key = str_format("%s%.400s", start,
				       json_string_value(json_object_get(trouble, "key")));

		if (rc == 0 && alarm->kinds >> kind & 1)
			rc = step(look, txn, set, alarm, states, key, alarm_kind_name(kind),
				  json_string_value(json_object_get(trouble, "text")), now_ms, err);
	}
	json_object_foreach_safe(states, next, name, state)
	{
		const char *kind = name + strlen(start);

		if (strncmp(name, start, strlen(start)) != 0 || rc < 0)
			continue;
		AUTO(free) char *kind_name = str_copy_n(kind, strcspn(kind, "/"));
		AUTO(free) char *key = str_copy(name);

		rc = step(look, txn, set, alarm, states, key, kind_name,
			  text_of_trouble(troubles, kind), now_ms, err);
	}
	return rc;
}

/* What is left belongs to alarms that the rules do not have any more. */
static int forget_rest(struct store_txn *txn, json_t *states, struct error *err)
{
	const char *name;
	json_t *state;

	json_object_foreach(states, name, state) if (store_delete(txn, SPACE_ALARMS, text_of(name),
								  err) < 0) return -1;
	return 0;
}

static int judge_all(struct look *look, struct store_txn *txn, json_t *states,
		     const json_t *troubles, struct error *err)
{
	int64_t now_ms = clock_now_ms();
	size_t number = 0;

	for (size_t i = 0; i < look->set_count; i++)
		for (size_t j = 0; j < rule_set_alarm_count(look->sets[i]); j++, number++)
			if (judge_alarm(look, txn, look->sets[i], rule_set_alarm(look->sets[i], j),
					number, states, troubles, now_ms, err) < 0)
				return -1;
	return forget_rest(txn, states, err);
}

/* One look is under way at a time. */
static void watch_progress(struct look *look, uint64_t last_seq, json_t *troubles)
{
	const json_t *filter = json_object_get(look->monitor, "filter");
	json_int_t cursor = json_integer_value(json_object_get(filter, "cursor"));

	if (filter)
		alarm_watch_progress(&look->alarms->progress, (uint64_t)cursor, last_seq,
				     clock_now_ms(), troubles);
}

static void look_now(uv_work_t *work)
{
	struct look *look = work->data;
	AUTO(store_abort) struct store_txn *txn = NULL;
	json_t *states = json_object(), *troubles = NULL;
	struct store_counts counts;

	if (store_count(look->store, &counts, &look->err) == 0 &&
	    store_begin(look->store, &txn, &look->err) == 0 &&
	    store_fence(txn, STORE_FILTER, &look->err) == 0 &&
	    store_scan(txn, SPACE_ALARMS, TEXT_NONE, load_state, states, &look->err) == 0) {
		troubles = alarm_troubles(look->monitor, counts.jobs_dead);
		watch_progress(look, counts.last_seq, troubles);
		if (judge_all(look, txn, states, troubles, &look->err) == 0)
			(void)!store_commit(TAKE(txn), &look->err);
	}
	json_decref(troubles);
	json_decref(states);
}

/* ---- In the loop ---- */

static void look_free(struct look *look)
{
	for (size_t i = 0; i < look->set_count; i++)
		rule_set_free(look->sets[i]);
	free(look->sets);
	json_decref(look->monitor);
	buf_free(look->news);
	error_clear(&look->err);
	free(look);
}

static void alarms_free(struct alarms *alarms)
{
	error_clear(&alarms->trouble);
	json_decref(alarms->store_states);
	free(alarms);
}

static void say(struct alarms *alarms, const struct look *look)
{
	struct text news = buf_text(look->news);
	const char *why = look->err.text ? look->err.text : "";
	const char *old = alarms->trouble.text ? alarms->trouble.text : "";

	if (*why && strcmp(why, old) != 0)
		log_warn("alarms", "cannot be told: %s", why);
	error_clear(&alarms->trouble);
	if (*why)
		error_set(&alarms->trouble, "%s", why);
	while (news.size) {
		struct text line = text_cut(&news, '\0');

		log_warn("alarms", "%.*s", TEXT_ARGS(line));
	}
}

/* ---- The trouble that the store itself is in: told past it ---- */

/* For free(); NULL: none. */
static char *store_trouble(const struct look *look)
{
	const json_t *watch;
	size_t i;

	json_array_foreach(json_object_get(look->monitor, "watches"), i, watch)
	{
		const char *why = json_string_value(json_object_get(watch, "store_trouble"));

		if (why)
			return str_format("nothing can be stored, so that the stream of watch %s "
					  "is not read: %s",
					  json_string_value(json_object_get(watch, "name")), why);
	}
	if (look->err.text)
		return str_format("nothing can be stored: %s", look->err.text);
	return NULL;
}

static void tell_past_the_store(struct alarms *alarms, const char *body)
{
	struct deliver *deliver = crew_deliver(alarms->daemon->crew);

	if (deliver)
		deliver_put_unstored(deliver, body);
}

static void judge_store(struct alarms *alarms, struct look *look, const struct rule_set *set,
			const struct rule_alarm *alarm, size_t number, const char *text)
{
	int64_t now_ms = clock_now_ms();
	AUTO(free) char *key = str_format("%zu", number);
	json_t *state = json_object_get(alarms->store_states, key);
	enum alarm_verdict verdict;

	if (!(alarm->kinds >> ALARM_STORE & 1) || (!text && !state))
		return;
	if (!state) {
		state = json_object();
		json_object_set_new(alarms->store_states, key, state);
	}
	verdict = alarm_step(state, text, alarm->after_ms, now_ms);
	if (verdict != ALARM_NOTHING) {
		AUTO(free)
		char *body = job_body_of(look, set, alarm, alarm_kind_name(ALARM_STORE), state,
					 verdict == ALARM_CLEAR, now_ms);

		tell_past_the_store(alarms, body);
	}
	if (!text &&
	    now_ms - json_integer_value(json_object_get(state, "gone_ms")) >= ALARM_HOLD_MS)
		json_object_del(alarms->store_states, key);
}

static void judge_store_alarms(struct alarms *alarms, struct look *look)
{
	AUTO(free) char *text = store_trouble(look);
	size_t number = 0;

	for (size_t i = 0; i < look->set_count; i++)
		for (size_t j = 0; j < rule_set_alarm_count(look->sets[i]); j++, number++)
			judge_store(alarms, look, look->sets[i], rule_set_alarm(look->sets[i], j),
				    number, text);
}

static void looked(uv_work_t *work, int status)
{
	struct look *look = work->data;
	struct alarms *alarms = look->alarms;

	(void)status;
	alarms->look = NULL;
	if (look->err.text)
		buf_reset(look->news); /* nothing of it was stored; it is found again */
	if (!alarms->is_closing)
		judge_store_alarms(alarms, look);
	say(alarms, look);
	look_free(look);
	if (alarms->is_closing)
		alarms_free(alarms);
}

/* Each file of rules once, although several watches may have it. */
static void share_sets(struct alarms *alarms, struct look *look, size_t *out_alarms)
{
	const struct settings *settings = alarms->daemon->settings;

	look->sets = mem_array(settings->watch_count, sizeof(*look->sets));
	for (size_t i = 0; i < settings->watch_count; i++) {
		bool is_new = true;

		for (size_t j = 0; j < i && is_new; j++)
			is_new =
				strcmp(settings->watches[i].items, settings->watches[j].items) != 0;
		if (!is_new)
			continue;
		look->sets[look->set_count] = rule_set_share(reload_get(alarms->daemon->reload, i));
		*out_alarms += rule_set_alarm_count(look->sets[look->set_count++]);
	}
}

static void tick(uv_timer_t *timer)
{
	struct alarms *alarms = timer->data;
	const struct settings *settings = alarms->daemon->settings;
	struct crew_status filter;
	struct look *look;
	size_t count = 0;

	crew_get_status(alarms->daemon->crew, STORE_FILTER, &filter);
	if (alarms->look || filter.state != CREW_ACTIVE || !settings->watch_count)
		return;
	look = NEW(struct look);
	look->alarms = alarms;
	look->store = alarms->daemon->store;
	look->watch = settings->watches[0].name;
	look->path = settings->watches[0].path;
	look->news = buf_new(SIZE_MAX / 2);
	look->work.data = look;
	share_sets(alarms, look, &count);
	if (!count && !alarms->had_some)
		return look_free(look);
	alarms->had_some = count;
	look->monitor = describe_monitor(alarms->daemon);
	alarms->look = look;
	uv_queue_work(alarms->loop, &look->work, look_now, looked);
}

struct alarms *alarms_open(uv_loop_t *loop, const struct daemon *daemon)
{
	struct alarms *alarms = NEW(struct alarms);

	alarms->loop = loop;
	alarms->daemon = daemon;
	alarms->store_states = json_object();
	alarms->had_some = true; /* before a restart, perhaps */
	uv_timer_init(loop, &alarms->timer);
	alarms->timer.data = alarms;
	uv_timer_start(&alarms->timer, tick, LOOK_MS, LOOK_MS);
	return alarms;
}

static void closed(uv_handle_t *handle)
{
	struct alarms *alarms = handle->data;

	alarms->is_closing = true;
	if (alarms->look)
		return; /* looked() ends it */
	alarms_free(alarms);
}

void alarms_close(struct alarms *alarms)
{
	if (!alarms)
		return;
	/* The store is closed next: what is under way must be over. */
	uv_timer_stop(&alarms->timer);
	while (alarms->look)
		uv_run(alarms->loop, UV_RUN_ONCE);
	uv_close((uv_handle_t *)&alarms->timer, closed);
}
