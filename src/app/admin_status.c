/* admin_status: how the monitor is, with what only the store knows. */
#include <stdio.h>

#include "app/admin_part.h"
#include "app/describe.h"
#include "app/repair_close.h"
#include "store/echo.h"

#define GAPS_SHOWN 10
#define DEAD_SHOWN 5

struct gap_list {
	json_t *list;
	size_t most;
};

static void add_gap(void *ctx, const struct gap *gap)
{
	struct gap_list *gaps = ctx;

	json_array_append_new(gaps->list,
			      json_pack("{s:I,s:s,s:o,s:o,s:s,s:I}", "id", (json_int_t)gap->id,
					"watch", gap->watch, "from", describe_time(gap->from_ms),
					"until", describe_time(gap->until_ms), "reason",
					gap->reason ? gap->reason : "", "after_seq",
					(json_int_t)gap->after_seq));
	if (json_array_size(gaps->list) > gaps->most)
		json_array_remove(gaps->list, 0);
}

/* Those that are shown only: each is a question to the store. */
static void add_repair(const struct admin_question *question, json_t *shown)
{
	struct gap gap = { .id = (uint64_t)json_integer_value(json_object_get(shown, "id")),
			   .until_ms = json_is_string(json_object_get(shown, "until")) };

	snprintf(gap.watch, sizeof(gap.watch), "%s",
		 json_string_value(json_object_get(shown, "watch")));
	json_object_set_new(shown, "repair",
			    repair_gap_json(question->store, question->settings, &gap));
}

static int list_gaps(const struct admin_question *question, size_t most, json_t *list,
		     struct error *err)
{
	struct gap_list gaps = { list, most };
	json_t *gap;
	size_t i;

	if (store_gap_visit(question->store, add_gap, &gaps, err) < 0)
		return -1;
	json_array_foreach(list, i, gap) add_repair(question, gap);
	return 0;
}

static bool add_dead(void *ctx, const struct job *job)
{
	json_t *body = json_loads(job->body ? job->body : "{}", 0, NULL);
	const char *rule = json_string_value(json_object_get(body, "rule"));
	const char *path =
		json_string_value(json_object_get(json_object_get(body, "event"), "path"));

	json_array_append_new(ctx, json_pack("{s:I,s:o,s:s,s:s,s:s}", "job", (json_int_t)job->id,
					     "ended", describe_time(job->ended_ms), "rule",
					     rule ? rule : "", "path", path ? path : "", "outcome",
					     job->outcome ? job->outcome : ""));
	json_decref(body);
	return true;
}

static void add_advice(void *ctx, const char *sentence)
{
	json_array_append_new(ctx, json_string(sentence));
}

/* The cursor first: by then nothing that is in the log can be judged and not be counted. */
static json_t *store_json(const struct admin_question *question, uint64_t *out_cursor,
			  struct error *err)
{
	struct store_counts counts;
	AUTO(json_decref) json_t *gaps = json_array();
	AUTO(json_decref) json_t *dead = json_array();
	AUTO(json_decref) json_t *advice = json_array();
	struct store *store = question->store;
	int64_t expected;

	if (store_cursor_get(store, out_cursor, err) < 0 ||
	    (expected = echo_count(store, err)) < 0 || store_count(store, &counts, err) < 0 ||
	    list_gaps(question, GAPS_SHOWN, gaps, err) < 0 ||
	    store_job_visit(store, JOB_DEAD, DEAD_SHOWN, add_dead, dead, err) < 0)
		return NULL;
	store_advice(store, add_advice, advice);
	return json_pack(
		"{s:s,s:I,s:I,s:I,s:I,s:I,s:I,s:I,s:I,s:I,s:I,s:I,s:O,s:O,s:O}", "url",
		question->settings->store.shown, "first_seq", (json_int_t)counts.first_seq,
		"last_seq", (json_int_t)counts.last_seq, "log_bytes", (json_int_t)counts.log_bytes,
		"state_bytes", (json_int_t)counts.state_bytes, "jobs_waiting",
		(json_int_t)counts.jobs_waiting, "jobs_taken", (json_int_t)counts.jobs_taken,
		"jobs_done", (json_int_t)counts.jobs_done, "jobs_dead",
		(json_int_t)counts.jobs_dead, "expected_echoes", (json_int_t)expected, "gap_count",
		(json_int_t)counts.gaps, "log_behind", (json_int_t)counts.log_behind, "gaps", gaps,
		"dead", dead, "advice", advice);
}

/* The store is away: what this process knows by itself is told all the same. */
static json_t *no_store_json(const struct admin_question *question, const char *why)
{
	return json_pack("{s:s,s:s}", "url", question->settings->store.shown, "trouble", why);
}

void admin_status(struct admin_question *question)
{
	const char *trouble = json_string_value(json_object_get(question->known, "store_trouble"));
	json_t *status = TAKE(question->known);
	AUTO_ERROR err = { 0 };
	json_t *store = NULL;
	uint64_t cursor;

	if (trouble)
		error_set(&err, "%s", trouble);
	else
		store = store_json(question, &cursor, &err);
	if (store)
		json_object_set_new(json_object_get(status, "filter"), "cursor",
				    json_integer((json_int_t)cursor));
	json_object_del(status, "store_trouble");
	json_object_set_new(status, "store",
			    store ? store : no_store_json(question, error_text(&err)));
	admin_reply(question, status);
}
