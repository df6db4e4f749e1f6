#include "app/approval.h"

#include <inttypes.h>

#include "base/clock.h"

static const json_t *step_of(const json_t *body, json_int_t step)
{
	return json_array_get(json_object_get(body, "steps"), (size_t)step);
}

static json_int_t number_at(const json_t *object, const char *name)
{
	return json_integer_value(json_object_get(object, name));
}

int64_t approval_wanted(const struct job_body *body)
{
	const json_t *approved = json_object_get(body->json, "approved");

	if (json_is_integer(approved) && json_integer_value(approved) == body->step)
		return 0;
	return number_at(step_of(body->json, body->step), "approve_ms");
}

char *approval_hold(struct job_body *body, uint64_t job, const char *what, int64_t now_ms)
{
	int64_t until_ms = now_ms + approval_wanted(body);
	AUTO(free) char *until = clock_format(until_ms);
	json_t *held = json_pack("{s:s,s:I,s:s}", "until", until, "until_ms", (json_int_t)until_ms,
				 "what", what);

	json_object_set_new(body->json, "held", held);
	return str_format("%s waits for approval until %s: %s (cn_monitor approve %" PRIu64 ")",
			  job_body_module(body), until, what, job);
}

bool approval_is_held(const json_t *body)
{
	return json_is_object(json_object_get(body, "held"));
}

char *approval_obstacle(const json_t *body, int64_t now_ms)
{
	const json_t *held = json_object_get(body, "held");
	const char *until = json_string_value(json_object_get(held, "until"));

	if (!held)
		return str_copy("it does not wait for approval");
	if (now_ms >= number_at(held, "until_ms"))
		return str_format("it waited until %s; cn_monitor dead retry has it ask again",
				  until ? until : "?");
	return NULL;
}

char *approval_body_new(const json_t *body)
{
	json_t *approved = json_deep_copy(body);
	char *text;

	json_object_del(approved, "held");
	json_object_set(approved, "approved", json_object_get(body, "step"));
	text = json_dumps(approved, JSON_COMPACT);
	json_decref(approved);
	return text;
}
