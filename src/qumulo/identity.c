#include "qumulo/identity.h"

#include "qumulo/call.h"

struct identity_request {
	identity_done *done;
	void *ctx;
};

/* A number that may have come as a text; "" if it is neither, for free(). */
static char *number_text(const json_t *value)
{
	if (json_is_integer(value))
		return str_format("%" JSON_INTEGER_FORMAT, json_integer_value(value));
	return str_copy(json_is_string(value) ? json_string_value(value) : "");
}

static const char *text_member(const json_t *object, const char *name)
{
	const char *text = json_string_value(json_object_get(object, name));

	return text ? text : "";
}

static void found(void *ctx, const struct qumulo_answer *answer)
{
	struct identity_request *request = ctx;
	struct identity_reply reply = { answer->result, answer->why, answer->retry_after_ms, NULL };
	AUTO(free) char *uid = number_text(json_object_get(answer->body, "uid"));
	AUTO(free) char *gid = number_text(json_object_get(answer->body, "gid"));
	AUTO(free) char *auth_id = number_text(json_object_get(answer->body, "auth_id"));
	const struct known_identity identity = { auth_id, uid, gid,
						 text_member(answer->body, "sid") };

	if (answer->result == FILE_OK && !*auth_id && !*identity.sid && !*uid && !*gid) {
		reply.result = FILE_LATER;
		reply.why = "the answer holds no identity";
	} else if (answer->result == FILE_OK) {
		reply.identity = &identity;
	}
	request->done(request->ctx, &reply);
}

struct qumulo_call *identity_find(struct qumulo *qumulo, const char *name, identity_done *done,
				  void *ctx)
{
	struct identity_request *request = NEW(struct identity_request);
	json_t *body = json_pack("{s:s}", "name", name);
	struct qumulo_call *call;

	*request = (struct identity_request){ done, ctx };
	call = call_start(qumulo, "POST", "/v1/identity/find", NULL, body, NULL, found, free,
			  request);
	json_decref(body);
	return call;
}
