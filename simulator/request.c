#include "simulator/request.h"

#include <inttypes.h>

#include "base/parse.h"

const char *request_header(const struct request *request, const char *name)
{
	return MHD_lookup_connection_value(request->connection, MHD_HEADER_KIND, name);
}

int request_flag(struct request *request, const char *name, bool *out)
{
	const char *value = url_parameter(&request->url, name);

	*out = false;
	if (!value || strcmp(value, "false") == 0)
		return 0;
	*out = true;
	if (strcmp(value, "true") == 0)
		return 0;
	answer_error(request, 400, "invalid_request_error",
		     "Query parameter %s: expected true or false", name);
	return -1;
}

int request_number(struct request *request, const char *name, int64_t absent, int64_t *out)
{
	const char *value = url_parameter(&request->url, name);

	*out = absent;
	if (!value || parse_number(text_of(value), 0, INT64_MAX, out, NULL) == 0)
		return 0;
	answer_error(request, 400, "invalid_request_error", "Query parameter %s: expected a number",
		     name);
	return -1;
}

static json_t *request_json(struct request *request)
{
	json_error_t where;
	struct text body = request->body ? buf_text(request->body) : TEXT_NONE;
	json_t *json;

	if (text_starts_with(body, TEXT("\xEF\xBB\xBF"))) {
		answer_error(request, 400, "decode_error",
			     "The body begins with a byte order mark");
		return NULL;
	}
	json = json_loadb(body.data ? body.data : "", body.size, JSON_DECODE_ANY, &where);
	if (!json)
		answer_error(request, 400, "decode_error", "The body is not JSON: %s, line %d",
			     where.text, where.line);
	return json;
}

json_t *request_object(struct request *request)
{
	AUTO(json_decref) json_t *json = request_json(request);

	if (json && !json_is_object(json)) {
		answer_error(request, 400, "decode_error", "The body is not a JSON object");
		return NULL;
	}
	return TAKE(json);
}

json_t *request_array(struct request *request)
{
	AUTO(json_decref) json_t *json = request_json(request);

	if (json && !json_is_array(json)) {
		answer_error(request, 400, "decode_error", "The body is not a JSON array");
		return NULL;
	}
	return TAKE(json);
}

/* 1: there it is; 0: absent and that is fine; -1: answered. null counts as absent. */
static int member_find(struct request *request, const json_t *object, const char *name,
		       enum presence presence, json_t **out)
{
	*out = json_object_get(object, name);
	if (*out && !json_is_null(*out))
		return 1;
	if (presence == OPTIONAL)
		return 0;
	answer_error(request, 400, "decode_error", "Missing member: %s", name);
	return -1;
}

static int member_refuse(struct request *request, const char *name, const char *expected)
{
	answer_error(request, 400, "decode_error", "Member %s: expected %s", name, expected);
	return -1;
}

int member_string(struct request *request, const json_t *object, const char *name,
		  enum presence presence, const char **out)
{
	json_t *value;
	int found = member_find(request, object, name, presence, &value);

	if (found <= 0)
		return found;
	if (!json_is_string(value))
		return member_refuse(request, name, "a string");
	*out = json_string_value(value);
	return 0;
}

int member_bool(struct request *request, const json_t *object, const char *name,
		enum presence presence, bool *out)
{
	json_t *value;
	int found = member_find(request, object, name, presence, &value);

	if (found <= 0)
		return found;
	if (!json_is_boolean(value))
		return member_refuse(request, name, "true or false");
	*out = json_is_true(value);
	return 0;
}

int member_size(struct request *request, const json_t *object, const char *name, int64_t *out)
{
	json_t *value;
	int found = member_find(request, object, name, OPTIONAL, &value);

	if (found <= 0)
		return found;
	if (json_is_integer(value) && json_integer_value(value) >= 0) {
		*out = json_integer_value(value);
		return 0;
	}
	if (!json_is_string(value) ||
	    parse_number(text_of(json_string_value(value)), 0, INT64_MAX, out, NULL) < 0)
		return member_refuse(request, name, "a decimal number in a string");
	return 0;
}

/* The first answer counts: a later one would come from a handler's careless way out. */
static void answer(struct request *request, unsigned status, const char *type, const void *data,
		   size_t size)
{
	if (request->response)
		MHD_destroy_response(request->response);
	request->status = status;
	request->response =
		MHD_create_response_from_buffer(size, (void *)data, MHD_RESPMEM_MUST_COPY);
	if (type)
		answer_header(request, "Content-Type", type);
}

void answer_json(struct request *request, unsigned status, json_t *body)
{
	AUTO(free) char *text = json_dumps(body, JSON_COMPACT | JSON_ENCODE_ANY);

	json_decref(body);
	if (!text) /* a value that is not UTF-8: a mistake of ours */
		abort();
	answer(request, status, "application/json", text, strlen(text));
}

void answer_empty(struct request *request, unsigned status)
{
	answer(request, status, NULL, "", 0);
}

void answer_bytes(struct request *request, const char *type, const void *data, size_t size)
{
	answer(request, 200, type, data, size);
}

json_t *error_body(const char *class, const char *description)
{
	json_t *body = json_object();
	json_t *text = json_string(description);

	json_object_set_new(body, "description", text ? text : json_string("?"));
	json_object_set_new(body, "module", json_string("/rest/files"));
	json_object_set_new(body, "error_class", json_string(class));
	json_object_set_new(body, "stack", json_pack("[s]", "cn_simulator"));
	json_object_set_new(body, "user_visible", json_true());
	json_object_set_new(body, "inner", json_null());
	return body;
}

void answer_error(struct request *request, unsigned status, const char *class, const char *format,
		  ...)
{
	va_list args;

	va_start(args, format);
	AUTO(free) char *description = str_vformat(format, args);
	va_end(args);
	answer_json(request, status, error_body(class, description));
}

void answer_header(struct request *request, const char *name, const char *value)
{
	if (MHD_add_response_header(request->response, name, value) != MHD_YES)
		abort();
}

void answer_etag(struct request *request, const char *etag)
{
	answer_header(request, "ETag", etag);
}

bool request_if_match(struct request *request, const char *etag, const char *what)
{
	const char *wanted = request_header(request, "If-Match");
	bool with_class =
		switch_value(&request->sim->switches, SWITCH_MISMATCH_CLASS) == USUAL_SIDE;

	if (!wanted || strcmp(wanted, "*") == 0 || strcmp(wanted, etag) == 0)
		return true;
	answer_error(request, 412, with_class ? "fs_tag_mismatch_error" : "",
		     "If-Match %s: %s is at %s", wanted, what, etag);
	return false;
}

void answer_paging(const struct request *request, json_t *list, const char *next)
{
	json_t *paging = json_object();

	if (next) {
		json_object_set_new(paging, "next", json_string(next));
	} else {
		switch (switch_value(&request->sim->switches, SWITCH_PAGING_END)) {
		case PAGING_EMPTY:
			json_object_set_new(paging, "next", json_string(""));
			break;
		case PAGING_NULL:
			json_object_set_new(paging, "next", json_null());
			break;
		default:
			break;
		}
	}
	json_object_set_new(list, "paging", paging);
}
