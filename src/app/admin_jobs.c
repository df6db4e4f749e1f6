/* admin_jobs: jobs are looked at, and dead letters decided about. */
#include <inttypes.h>

#include "app/admin_part.h"
#include "app/describe.h"
#include "base/clock.h"
#include "base/log.h"

#define SHOWN_MOST 10000
#define DECIDED_AT_ONCE 500 /* in one transaction: act waits meanwhile */

static const char *const job_states[] = {
	[JOB_WAITING] = "waiting", [JOB_TAKEN] = "taken", [JOB_DONE] = "done", [JOB_DEAD] = "dead"
};

/* ---- Which jobs ---- */

struct admin_wanted admin_wanted_of(const struct admin_question *question)
{
	const char *rule = admin_text(question, "rule"), *path = admin_text(question, "path");

	return (struct admin_wanted){ rule && *rule ? rule : NULL, path && *path ? path : NULL,
				      (int64_t)admin_number(question, "since_ms", 0) };
}

static const char *text_at(const json_t *object, const char *name)
{
	const char *text = json_string_value(json_object_get(object, name));

	return text ? text : "";
}

/* Where it happened, where it was first, or where the job brought it. */
static bool is_path_wanted(const json_t *body, const char *path)
{
	const char *const places[] = { text_at(json_object_get(body, "event"), "path"),
				       text_at(body, "first_path"), text_at(body, "path") };

	for (size_t i = 0; i < ARRAY_SIZE(places); i++)
		if (text_starts_with(text_of(places[i]), text_of(path)))
			return true;
	return false;
}

bool admin_is_wanted(const struct admin_wanted *wanted, const json_t *body)
{
	return (!wanted->rule || strcmp(text_at(body, "rule"), wanted->rule) == 0) &&
	       (!wanted->path || is_path_wanted(body, wanted->path));
}

/* ---- Looking ---- */

struct look {
	struct admin_wanted wanted;
	json_t *list;
	size_t most;
	size_t looked_at;
	bool is_cut; /* before everything was looked at that was asked for */
};

static json_t *job_json(const struct job *job, json_t *body)
{
	return json_pack("{s:I,s:s,s:s,s:i,s:o,s:o,s:s,s:O}", "id", (json_int_t)job->id, "state",
			 job_states[job->state], "file_id", job->file_id ? job->file_id : "",
			 "attempts", (int)job->attempts, "due", describe_time(job->due_ms), "ended",
			 describe_time(job->ended_ms), "outcome", job->outcome ? job->outcome : "",
			 "body", body);
}

json_t *admin_job_body(const struct job *job)
{
	json_t *body = json_loads(job->body ? job->body : "{}", 0, NULL);

	return body ? body : json_object();
}

static bool look_at(void *ctx, const struct job *job)
{
	struct look *look = ctx;
	AUTO(json_decref) json_t *body = NULL;

	/* Newest first: what follows ended even earlier. */
	if (look->wanted.since_ms && job->ended_ms < look->wanted.since_ms)
		return false;
	if (look->looked_at++ == ADMIN_LOOKED_AT_MOST) {
		look->is_cut = true;
		return false;
	}
	body = admin_job_body(job);
	if (admin_is_wanted(&look->wanted, body))
		json_array_append_new(look->list, job_json(job, body));
	return json_array_size(look->list) < look->most;
}

static void answer_one(struct admin_question *question, uint64_t id)
{
	AUTO(json_decref) json_t *list = json_array();
	AUTO(json_decref) json_t *body = NULL;
	AUTO_ERROR err = { 0 };
	struct job job = { 0 };
	int there = store_dead_get(question->store, id, &job, &err);

	if (there < 0) {
		admin_refuse(question, 500, error_text(&err));
		return;
	}
	if (there) {
		body = admin_job_body(&job);
		json_array_append_new(list, job_json(&job, body));
		job_clear(&job);
	}
	admin_reply(question, json_pack("{s:O,s:b}", "jobs", list, "is_cut", false));
}

void admin_jobs(struct admin_question *question)
{
	const char *wanted = admin_text(question, "state");
	uint64_t id = admin_number(question, "job", 0);
	AUTO_ERROR err = { 0 };

	for (size_t state = 0; wanted && state < ARRAY_SIZE(job_states); state++) {
		if (strcmp(wanted, job_states[state]) != 0)
			continue;
		if (id && state == JOB_DEAD) {
			answer_one(question, id);
			return;
		}

		AUTO(json_decref) json_t *list = json_array();
		struct look look = { .wanted = admin_wanted_of(question), .list = list };

		look.most = MIN((size_t)admin_number(question, "limit", 100), SHOWN_MOST);
		if (look.most && store_job_visit(question->store, (enum job_state)state, SIZE_MAX,
						 look_at, &look, &err) < 0)
			admin_refuse(question, 500, error_text(&err));
		else
			admin_reply(question,
				    json_pack("{s:O,s:b}", "jobs", list, "is_cut", look.is_cut));
		return;
	}
	admin_refuse(question, 400, "state: expected waiting, taken, done or dead");
}

/* ---- Deciding ---- */

enum dead_choice { DEAD_RETRY, DEAD_DROP };

/* A dead letter that was chosen. */
struct chosen {
	uint64_t id;
	int64_t ended_ms;
	char *outcome;
};

struct choosing {
	struct admin_wanted wanted;
	struct chosen *chosen;
	size_t count;
};

static void choose(struct choosing *choosing, const struct job *job)
{
	choosing->chosen =
		mem_grow(choosing->chosen, choosing->count + 1, sizeof(*choosing->chosen));
	choosing->chosen[choosing->count++] =
		(struct chosen){ job->id, job->ended_ms, str_copy(job->outcome) };
}

static void choosing_clear(struct choosing *choosing)
{
	for (size_t i = 0; i < choosing->count; i++)
		free(choosing->chosen[i].outcome);
	free(choosing->chosen);
}

static bool choose_wanted(void *ctx, const struct job *job)
{
	struct choosing *choosing = ctx;
	AUTO(json_decref)
	json_t *body = choosing->wanted.rule ? admin_job_body(job) : json_object();

	if (admin_is_wanted(&choosing->wanted, body))
		choose(choosing, job);
	return true;
}

static int choose_one(struct store *store, uint64_t id, struct choosing *choosing,
		      struct error *err)
{
	struct job job = { 0 };
	int there = store_dead_get(store, id, &job, err);

	if (there > 0)
		choose(choosing, &job);
	job_clear(&job);
	return there < 0 ? -1 : 0;
}

static int decide_one(struct store_txn *txn, const struct chosen *chosen, enum dead_choice choice,
		      struct error *err)
{
	int64_t now_ms = clock_now_ms();
	AUTO(free) char *outcome = str_format("dropped by hand: %s", chosen->outcome);
	const struct job job = {
		.id = chosen->id,
		.ended_ms = chosen->ended_ms,
		.due_ms = now_ms,
		.outcome = outcome,
	};

	return choice == DEAD_RETRY ? store_dead_retry(txn, &job, err)
				    : store_dead_drop(txn, &job, now_ms, err);
}

/* Adds the ids of those for which it was done to ids. */
static int decide_some(struct store *store, const struct chosen *chosen, size_t count,
		       enum dead_choice choice, json_t *ids, struct error *err)
{
	AUTO(store_abort) struct store_txn *txn = NULL;
	AUTO(json_decref) json_t *done = json_array();

	if (store_begin(store, &txn, err) < 0)
		return -1;
	for (size_t i = 0; i < count; i++) {
		int there = decide_one(txn, &chosen[i], choice, err);

		if (there < 0)
			return -1;
		if (there)
			json_array_append_new(done, json_integer((json_int_t)chosen[i].id));
	}
	if (store_commit(TAKE(txn), err) < 0)
		return -1;
	json_array_extend(ids, done);
	return 0;
}

static int decide(struct store *store, struct choosing *choosing, enum dead_choice choice,
		  json_t *ids, struct error *err)
{
	/* The oldest first, for the same order as at the first time. */
	for (size_t i = 0; i < choosing->count / 2; i++) {
		struct chosen other = choosing->chosen[i];

		choosing->chosen[i] = choosing->chosen[choosing->count - 1 - i];
		choosing->chosen[choosing->count - 1 - i] = other;
	}
	for (size_t i = 0; i < choosing->count; i += DECIDED_AT_ONCE)
		if (decide_some(store, choosing->chosen + i,
				MIN(choosing->count - i, DECIDED_AT_ONCE), choice, ids, err) < 0)
			return -1;
	return 0;
}

static void say_decided(enum dead_choice choice, const json_t *ids)
{
	const char *what = choice == DEAD_RETRY ? "tried again" : "dropped";
	size_t count = json_array_size(ids);

	if (count == 1)
		log_info("admin", "the dead letter of job %lld is %s by hand",
			 (long long)json_integer_value(json_array_get(ids, 0)), what);
	else if (count)
		log_info("admin", "%zu dead letters are %s by hand", count, what);
}

static void decide_about(struct admin_question *question, enum dead_choice choice)
{
	struct store *store = question->store;
	uint64_t id = admin_number(question, "job", 0);
	bool is_all = admin_number(question, "all", 0) == 1;
	__attribute__((cleanup(choosing_clear))) struct choosing choosing = {
		.wanted = admin_wanted_of(question)
	};
	AUTO(json_decref) json_t *ids = json_array();
	AUTO_ERROR err = { 0 };
	int rc;

	if (!id == !is_all) {
		admin_refuse(question, 400, "expected either job=NUMBER or all=1");
		return;
	}
	rc = is_all ? store_job_visit(store, JOB_DEAD, SIZE_MAX, choose_wanted, &choosing, &err)
		    : choose_one(store, id, &choosing, &err);
	if (rc == 0)
		rc = decide(store, &choosing, choice, ids, &err);
	say_decided(choice, ids);
	if (rc == 0) {
		admin_reply(question, json_pack("{s:O}", "jobs", ids));
		return;
	}

	AUTO(free)
	char *why = str_format("%s (done for %zu of %zu dead letters)", error_text(&err),
			       json_array_size(ids), choosing.count);

	admin_refuse(question, 500, why);
}

void admin_dead_retry(struct admin_question *question)
{
	decide_about(question, DEAD_RETRY);
}

void admin_dead_drop(struct admin_question *question)
{
	decide_about(question, DEAD_DROP);
}
