/* admin_approve: jobs that were held until somebody approves them go on. */
#include <inttypes.h>

#include "app/admin_part.h"
#include "app/approval.h"
#include "app/describe.h"
#include "base/clock.h"
#include "base/log.h"

struct approve {
	struct admin_question *question;
	struct admin_wanted wanted;
	uint64_t job;   /* 0: whatever is wanted */
	json_t *held;   /* {"job", "ended_ms", "file_id", "body"}, newest first */
	json_t *cannot; /* {"job", "why"} */
};

static bool look_at(void *ctx, const struct job *job)
{
	struct approve *approve = ctx;
	AUTO(json_decref) json_t *body = NULL;
	AUTO(free) char *obstacle = NULL;

	if (approve->job && job->id != approve->job)
		return true;
	body = admin_job_body(job);
	if (!approve->job && (!approval_is_held(body) || !admin_is_wanted(&approve->wanted, body)))
		return true;
	obstacle = approval_obstacle(body, clock_now_ms());
	if (obstacle)
		json_array_append_new(
			approve->cannot,
			json_pack("{s:I,s:s}", "job", (json_int_t)job->id, "why", obstacle));
	else
		json_array_append_new(approve->held,
				      json_pack("{s:I,s:I,s:s,s:O}", "job", (json_int_t)job->id,
						"ended_ms", (json_int_t)job->ended_ms, "file_id",
						job->file_id ? job->file_id : "", "body", body));
	return !approve->job;
}

/* Both in one transaction: it goes on once. 1; 0: somebody else has decided meanwhile. */
static int go_on(struct store *store, const json_t *held, uint64_t *out_id, struct error *err)
{
	AUTO(store_abort) struct store_txn *txn = NULL;
	AUTO(free) char *body = approval_body_new(json_object_get(held, "body"));
	AUTO(free) char *outcome = NULL;
	struct job fresh = {
		.file_id = (char *)json_string_value(json_object_get(held, "file_id")),
		.due_ms = clock_now_ms(),
		.body = body,
	};
	struct job old = {
		.id = (uint64_t)json_integer_value(json_object_get(held, "job")),
		.ended_ms = json_integer_value(json_object_get(held, "ended_ms")),
	};
	int there;

	if (store_begin(store, &txn, err) < 0 || store_job_put(txn, &fresh, out_id, err) < 0)
		return -1;
	outcome = str_format(APPROVAL_WENT_ON "%" PRIu64, *out_id);
	old.outcome = outcome;
	there = store_dead_drop(txn, &old, clock_now_ms(), err);
	if (there <= 0)
		return there;
	return store_commit(TAKE(txn), err) < 0 ? -1 : 1;
}

/* The oldest first, as they would have been done. */
static int go_on_all(const struct approve *approve, json_t *list, struct error *err)
{
	for (size_t i = json_array_size(approve->held); i-- > 0;) {
		const json_t *held = json_array_get(approve->held, i);
		uint64_t id;
		int there = go_on(approve->question->store, held, &id, err);

		if (there < 0)
			return -1;
		if (there)
			json_array_append_new(list, json_pack("{s:O,s:I}", "job",
							      json_object_get(held, "job"), "by",
							      (json_int_t)id));
	}
	return 0;
}

static int answer_approve(struct approve *approve, struct error *err)
{
	AUTO(json_decref) json_t *list = json_array();
	int rc = store_job_visit(approve->question->store, JOB_DEAD, SIZE_MAX, look_at, approve,
				 err);

	if (rc == 0)
		rc = go_on_all(approve, list, err);
	if (json_array_size(list))
		log_info("admin", "%zu job%s approved by hand", json_array_size(list),
			 json_array_size(list) == 1 ? " is" : "s are");
	if (rc < 0)
		return error_prefix(err, "%zu of %zu jobs are approved", json_array_size(list),
				    json_array_size(approve->held));
	admin_reply(approve->question,
		    json_pack("{s:O,s:O}", "approved", list, "cannot", approve->cannot));
	return 0;
}

void admin_approve(struct admin_question *question)
{
	AUTO(json_decref) json_t *held = json_array();
	AUTO(json_decref) json_t *cannot = json_array();
	struct approve approve = { question, admin_wanted_of(question),
				   admin_number(question, "job", 0), held, cannot };
	bool is_all = admin_number(question, "all", 0) == 1;
	AUTO_ERROR err = { 0 };

	if (!approve.job == !is_all)
		admin_refuse(question, 400, "expected either job=NUMBER or all=1");
	else if (answer_approve(&approve, &err) < 0)
		admin_refuse(question, 500, error_text(&err));
}
