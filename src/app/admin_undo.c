/* admin_undo: what jobs did is taken back, by jobs that are made for it. */
#include <inttypes.h>

#include "app/admin_part.h"
#include "app/approval.h"
#include "app/describe.h"
#include "app/undo.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"

#define UNDONE_MOST 10000 /* by one question: their bodies are in memory */
#define MADE_AT_ONCE 500  /* in one transaction: act waits meanwhile */

/* A job that is to be taken back. */
struct undone {
	uint64_t id;
	char *file_id;
	json_t *body;
};

struct undo {
	struct admin_wanted wanted;
	uint64_t job; /* 0: whatever is wanted */
	bool is_found, is_cut;
	size_t looked_at;
	json_t *taken_back; /* by a job's number: the job that took it back */
	struct undone *undone;
	size_t count;
	json_t *cannot;
};

static void undo_clear(struct undo *undo)
{
	for (size_t i = 0; i < undo->count; i++) {
		free(undo->undone[i].file_id);
		json_decref(undo->undone[i].body);
	}
	free(undo->undone);
	json_decref(undo->taken_back);
	json_decref(undo->cannot);
}

/* ---- Which ---- */

static void add_obstacle(struct undo *undo, uint64_t job, const char *why)
{
	json_array_append_new(undo->cannot,
			      json_pack("{s:I,s:s}", "job", (json_int_t)job, "why", why));
}

static json_t *taken_back_by(const struct undo *undo, uint64_t job)
{
	AUTO(free) char *key = str_format("%" PRIu64, job);

	return json_object_get(undo->taken_back, key);
}

/* The newest first: an undo is seen before what it took back. */
static void note_undo(struct undo *undo, const struct job *job, const json_t *body)
{
	AUTO(free) char *key = str_format("%" PRIu64, undo_job(body));
	bool is_done = job->state == JOB_DONE &&
		       !text_starts_with(text_of(job->outcome ? job->outcome : ""),
					 TEXT("not taken back"));

	if (undo_job(body) && is_done && !taken_back_by(undo, job->id))
		json_object_set_new(undo->taken_back, key, json_integer((json_int_t)job->id));
}

/* A held job that was approved: what it did stands in the job as which it went on, too. */
static bool went_on(const struct job *job)
{
	return text_starts_with(text_of(job->outcome ? job->outcome : ""), TEXT(APPROVAL_WENT_ON));
}

static void choose(struct undo *undo, const struct job *job, json_t *body)
{
	json_t *by = taken_back_by(undo, job->id);
	AUTO(free)
	char *obstacle = went_on(job)
				 ? str_format("it was %s, which can be taken back", job->outcome)
				 : undo_obstacle(body);

	if (by && !obstacle)
		obstacle =
			str_format("job %lld has taken it back", (long long)json_integer_value(by));
	if (obstacle) {
		add_obstacle(undo, job->id, obstacle);
		return;
	}
	undo->undone = mem_grow(undo->undone, undo->count + 1, sizeof(*undo->undone));
	undo->undone[undo->count++] = (struct undone){
		.id = job->id,
		.file_id = str_copy(job->file_id ? job->file_id : ""),
		.body = json_incref(body),
	};
}

/* What was taken back by hand is nothing that the rule did. */
static bool is_meant(const struct undo *undo, const struct job *job, const json_t *body)
{
	return undo->job ? job->id == undo->job
			 : !undo_job(body) && !went_on(job) && admin_is_wanted(&undo->wanted, body);
}

static bool look_at(void *ctx, const struct job *job)
{
	struct undo *undo = ctx;
	AUTO(json_decref) json_t *body = NULL;

	if (undo->wanted.since_ms && job->ended_ms < undo->wanted.since_ms)
		return false;
	if (undo->looked_at++ == ADMIN_LOOKED_AT_MOST || undo->count == UNDONE_MOST) {
		undo->is_cut = true;
		return false;
	}
	body = admin_job_body(job);
	note_undo(undo, job, body);
	if (is_meant(undo, job, body)) {
		undo->is_found = true;
		choose(undo, job, body);
	}
	return !(undo->job && undo->is_found);
}

static int newest_first(const void *a, const void *b)
{
	const struct undone *first = a, *second = b;

	return (first->id < second->id) - (first->id > second->id);
}

/* A dead letter may have done some of its steps, too. */
static int find(struct undo *undo, struct store *store, struct error *err)
{
	if (store_job_visit(store, JOB_DONE, SIZE_MAX, look_at, undo, err) < 0)
		return -1;
	if (!(undo->job && undo->is_found) &&
	    store_job_visit(store, JOB_DEAD, SIZE_MAX, look_at, undo, err) < 0)
		return -1;
	if (undo->job && !undo->is_found)
		add_obstacle(
			undo, undo->job,
			undo->is_cut
				? "the history is too long to look through all of it, and the "
				  "job is not in its newer part"
				: "there is no such job in the history: it is still under way, "
				  "or it ended before [STORE] RETENTION");
	if (undo->count)
		qsort(undo->undone, undo->count, sizeof(*undo->undone), newest_first);
	return 0;
}

/* ---- Taking back ---- */

static int make_some(struct store *store, struct undone *undone, size_t count, bool anyway,
		     uint64_t *ids, struct error *err)
{
	AUTO(store_abort) struct store_txn *txn = NULL;

	if (store_begin(store, &txn, err) < 0)
		return -1;
	for (size_t i = 0; i < count; i++) {
		AUTO(free) char *body = undo_body_new(undone[i].body, undone[i].id, anyway);
		struct job job = {
			.file_id = undone[i].file_id,
			.due_ms = clock_now_ms(),
			.body = body,
		};

		if (store_job_put(txn, &job, &ids[i], err) < 0)
			return -1;
	}
	return store_commit(TAKE(txn), err);
}

/* by: the job that does it; 0: none, it is only told what it would do. */
static json_t *describe(const struct undone *undone, uint64_t by)
{
	AUTO(free) char *what = undo_what(undone->body);
	AUTO(free) char *rest = undo_rest(undone->body);
	const json_t *path = json_object_get(undone->body, "path");
	json_t *object = json_pack("{s:I,s:s}", "job", (json_int_t)undone->id, "what", what);

	if (!path)
		path = json_object_get(json_object_get(undone->body, "event"), "path");
	json_object_set(object, "path", (json_t *)path);
	if (rest)
		json_object_set_new(object, "stays", json_string(rest));
	if (by)
		json_object_set_new(object, "by", json_integer((json_int_t)by));
	return object;
}

static int make(struct undo *undo, struct store *store, bool anyway, json_t *list,
		struct error *err)
{
	uint64_t ids[MADE_AT_ONCE];

	for (size_t i = 0; i < undo->count; i += MADE_AT_ONCE) {
		size_t count = MIN(undo->count - i, MADE_AT_ONCE);

		if (make_some(store, undo->undone + i, count, anyway, ids, err) < 0)
			return -1;
		for (size_t k = 0; k < count; k++)
			json_array_append_new(list, describe(&undo->undone[i + k], ids[k]));
	}
	if (undo->count)
		log_info("admin", "%zu job%s taken back by hand", undo->count,
			 undo->count == 1 ? " is" : "s are");
	return 0;
}

static int answer_undo(struct admin_question *question, struct undo *undo, struct error *err)
{
	bool is_dry_run = admin_number(question, "dry_run", 0) == 1;
	bool anyway = admin_number(question, "force", 0) == 1;
	AUTO(json_decref) json_t *list = json_array();

	if (find(undo, question->store, err) < 0)
		return -1;
	for (size_t i = 0; is_dry_run && i < undo->count; i++)
		json_array_append_new(list, describe(&undo->undone[i], 0));
	if (!is_dry_run && make(undo, question->store, anyway, list, err) < 0)
		return error_prefix(err, "%zu of %zu jobs are taken back", json_array_size(list),
				    undo->count);
	admin_reply(question, json_pack("{s:O,s:O,s:b}", "undo", list, "cannot", undo->cannot,
					"is_cut", undo->is_cut));
	return 0;
}

void admin_undo(struct admin_question *question)
{
	__attribute__((cleanup(undo_clear))) struct undo undo = {
		.wanted = admin_wanted_of(question),
		.job = admin_number(question, "job", 0),
		.taken_back = json_object(),
		.cannot = json_array(),
	};
	AUTO_ERROR err = { 0 };

	if (!undo.job == !(undo.wanted.rule && undo.wanted.since_ms))
		admin_refuse(question, 400,
			     "expected either job=NUMBER or rule=NAME and since_ms=T");
	else if (answer_undo(question, &undo, &err) < 0)
		admin_refuse(question, 500, error_text(&err));
}
