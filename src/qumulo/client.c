#include "qumulo/client.h"

#include <ctype.h>
#include <strings.h>

#include "base/log.h"
#include "qumulo/call.h"
#include "qumulo/session.h"

#define TIMEOUT_MS 30000
#define REFUSAL_MAX (64u << 10)

struct qumulo *qumulo_new(struct http *http, const struct qumulo_settings *settings)
{
	struct qumulo *qumulo = NEW(struct qumulo);

	qumulo->http = http;
	qumulo->settings = *settings;
	list_init(&qumulo->calls);
	list_init(&qumulo->failed);
	qumulo->session = session_new(qumulo);
	qumulo->later = NEW(uv_timer_t);
	uv_timer_init(http_loop(http), qumulo->later);
	qumulo->later->data = qumulo;
	return qumulo;
}

static void timer_closed(uv_handle_t *handle)
{
	free(handle);
}

void qumulo_free(struct qumulo *qumulo)
{
	if (!qumulo)
		return;
	session_cancel_waiting(qumulo->session);
	while (!list_is_empty(&qumulo->failed))
		qumulo_cancel(list_entry(qumulo->failed.next, struct qumulo_call, link));
	while (!list_is_empty(&qumulo->calls))
		qumulo_cancel(list_entry(qumulo->calls.next, struct qumulo_call, link));
	session_free(qumulo->session);
	uv_close((uv_handle_t *)qumulo->later, timer_closed);
	free(qumulo);
}

const char *qumulo_name(const struct qumulo *qumulo)
{
	return qumulo->settings.name;
}

uv_loop_t *qumulo_loop(const struct qumulo *qumulo)
{
	return http_loop(qumulo->http);
}

char *qumulo_ref(const char *id_or_path)
{
	for (const char *c = id_or_path; *c; c++)
		if (!isdigit((unsigned char)*c))
			return http_escape(text_of(id_or_path));
	return str_copy(id_or_path);
}

static void call_free(struct qumulo_call *call)
{
	list_remove(&call->link);
	if (call->release)
		call->release(call->ctx);
	buf_free(call->refusal);
	free(call->method);
	free(call->path);
	free(call->if_match);
	free(call->body);
	free(call->why);
	free(call);
}

static void call_begin(struct qumulo_call *call)
{
	list_remove(&call->link);
	list_append(&call->qumulo->calls, &call->link);
	if (call->is_log_in)
		call_send(call, NULL, 0);
	else
		session_join(call->qumulo->session, call);
}

/* The end, unless done asks for more. */
static void call_finish(struct qumulo_call *call, const struct qumulo_answer *answer)
{
	call->http = NULL;
	call->is_over = true;
	call->is_repeated = false;
	call->done(call->ctx, answer);
	if (!call->is_repeated)
		return call_free(call);
	call->is_over = false;
	call->is_renewed = false;
	call->is_judged = false;
	call->addresses_tried = 0;
	call_begin(call);
}

static void failed_are_told(uv_timer_t *timer)
{
	struct qumulo *qumulo = timer->data;
	struct qumulo_call *call;

	if (list_is_empty(&qumulo->failed))
		return;
	call = list_entry(qumulo->failed.next, struct qumulo_call, link);
	list_remove(&call->link);
	if (!list_is_empty(&qumulo->failed))
		uv_timer_start(timer, failed_are_told, 0, 0);
	AUTO(free) char *why = TAKE(call->why);
	call_finish(call, &(struct qumulo_answer){ .result = call->failure,
						   .error_class = "",
						   .why = why,
						   .retry_after_ms = call->retry_after_ms });
}

void call_fail_later(struct qumulo_call *call, enum file_result result, int64_t retry_after_ms,
		     const char *why)
{
	list_remove(&call->link);
	list_append(&call->qumulo->failed, &call->link);
	call->failure = result;
	call->retry_after_ms = retry_after_ms;
	free(call->why);
	call->why = str_copy(why);
	uv_timer_start(call->qumulo->later, failed_are_told, 0, 0);
}

static const struct qumulo_address *call_address(const struct qumulo_call *call)
{
	return &call->qumulo->settings.addresses[call->address];
}

static char *address_print(const struct qumulo_address *address)
{
	bool is_ipv6 = strchr(address->host, ':') != NULL;

	return str_format("%s%s%s:%d", is_ipv6 ? "[" : "", address->host, is_ipv6 ? "]" : "",
			  address->port);
}

/* What did not get through. Nothing has happened if it was not sent or only asks. */
static enum file_result failure_result(const struct qumulo_call *call, enum http_failure failure)
{
	bool is_get = strcmp(call->method, "GET") == 0;

	switch (failure) {
	case HTTP_NOT_SENT:
	case HTTP_TLS_REFUSED:
		return FILE_LATER;
	case HTTP_TOO_LARGE:
		return is_get ? FILE_REFUSED : FILE_AMBIGUOUS;
	default:
		return is_get ? FILE_LATER : FILE_AMBIGUOUS;
	}
}

static bool call_tries_next_address(struct qumulo_call *call, const struct http_answer *answer)
{
	struct qumulo *qumulo = call->qumulo;
	bool is_harmless = answer->failure == HTTP_NOT_SENT ||
			   answer->failure == HTTP_TLS_REFUSED ||
			   (answer->failure == HTTP_LOST && strcmp(call->method, "GET") == 0);

	if (!is_harmless || call->stream.data)
		return false;
	if (qumulo->address == call->address)
		qumulo->address = (call->address + 1) % qumulo->settings.address_count;
	if (++call->addresses_tried >= qumulo->settings.address_count)
		return false;
	call->address = (call->address + 1) % qumulo->settings.address_count;
	return true;
}

static void call_failed(struct qumulo_call *call, const struct http_answer *answer)
{
	if (call_tries_next_address(call, answer))
		return call_begin(call);
	call_finish(call, &(struct qumulo_answer){
				  .result = failure_result(call, answer->failure),
				  .status = answer->status,
				  .error_class = "",
				  .why = answer->why,
			  });
}

/* ---- 401: for a credential that is not valid, or, on some clusters, for want of a privilege ----
 */

/* With another token: what was heard with the old one does not count. */
static void call_begin_anew(struct qumulo_call *call)
{
	if (call->refusal)
		buf_reset(call->refusal);
	call_begin(call);
}

static void judge_gone(void *ctx)
{
	struct qumulo_call *call = ctx;

	call->judge = NULL;
}

static void judge_done(void *ctx, const struct qumulo_answer *answer)
{
	struct qumulo_call *call = ctx;
	bool is_unknown = answer->status == 401;

	TAKE(call->judge)->release = NULL; /* the call may be gone before it */
	if (is_unknown && session_forget_token(call->qumulo->session, call))
		return call_begin_anew(call);
	/* It is valid now, and perhaps was not a moment ago: what is said to it this time counts. A
	 * stream begins again anyway, and tells of it. */
	if (answer->result == FILE_OK && !call->stream.data)
		return call_begin_anew(call);

	AUTO(free) char *why = TAKE(call->why);

	call_finish(call, &(struct qumulo_answer){
				  .result = answer->result == FILE_OK ? FILE_DENIED : FILE_LATER,
				  .status = 401,
				  .error_class = "",
				  .why = why,
			  });
}

/* Who the token belongs to may be asked without any privilege, so the answer tells the two apart.
 * Without that, work for which a new token is all it takes would be given up. */
static void call_judge(struct qumulo_call *call, const char *why)
{
	free(call->why);
	call->why = str_copy(why);
	call->is_judged = true;
	call->judge = call_start(call->qumulo, "GET", SESSION_WHO_AM_I, NULL, NULL, NULL,
				 judge_done, judge_gone, call);
	call->judge->is_renewed = true;
	call->judge->is_judged = true;
}

static void call_answered(struct qumulo_call *call, const struct http_answer *answer,
			  struct text text)
{
	json_t *body = text.size ? json_loadb(text.data, text.size, 0, NULL) : NULL;
	const char *error_class = json_string_value(json_object_get(body, "error_class"));
	bool is_get = strcmp(call->method, "GET") == 0;
	struct qumulo_answer told = {
		.status = answer->status,
		.error_class = error_class ? error_class : "",
		.etag = answer->etag,
		.retry_after_ms = answer->retry_after_ms,
		.body = body,
	};
	AUTO(free) char *why = answer_explain(answer->status, body);

	told.result = answer_result(told.status, told.error_class, is_get);
	told.why = told.result == FILE_OK ? NULL : why;
	if (told.status == 401 && !call->is_log_in && !call->is_judged)
		call_judge(call, why);
	else
		call_finish(call, &told);
	json_decref(body);
}

static void http_done(void *ctx, const struct http_answer *answer)
{
	struct qumulo_call *call = ctx;

	call->http = NULL;
	if (answer->failure != HTTP_ANSWERED)
		return call_failed(call, answer);
	if (call->is_open) /* a stream's body has ended */
		return call_finish(call, &(struct qumulo_answer){
						 .result = FILE_OK,
						 .status = answer->status,
						 .error_class = "",
						 .why = "the cluster ended the stream",
					 });
	if (!call->stream.data)
		call->qumulo->address = call->address;
	/* A request refused with 401 was not executed: it may be repeated, whatever it is. */
	if (answer->status == 401 && !call->is_log_in && !call->is_renewed) {
		call->is_renewed = true;
		if (session_renew(call->qumulo->session, call))
			return call_begin_anew(call);
	}
	call_answered(call, answer, call->refusal ? buf_text(call->refusal) : answer->body);
}

/* "text/event-source" is what clusters say, "text/event-stream" what the standard says. */
static bool is_event_stream(const char *content_type)
{
	struct text rest = text_of(content_type ? content_type : "");
	struct text type = text_trim(text_cut(&rest, ';'));

	return (type.size == 17 && strncasecmp(type.data, "text/event-source", 17) == 0) ||
	       (type.size == 17 && strncasecmp(type.data, "text/event-stream", 17) == 0);
}

static void stream_status(void *ctx, int status, const char *content_type)
{
	struct qumulo_call *call = ctx;

	if (status != 200)
		return;
	if (is_event_stream(content_type)) {
		AUTO(free) char *address = address_print(call_address(call));

		call->is_open = true;
		return call->stream.opened(call->ctx, address);
	}
	AUTO(free) char *address = address_print(call_address(call));
	AUTO(free)
	char *why = str_format("%s answered with '%s' where text/event-source was expected: is "
			       "this a cluster's REST API?",
			       address, content_type ? content_type : "no content type");
	http_cancel(TAKE(call->http));
	call_fail_later(call, FILE_REFUSED, 0, why);
}

static void stream_data(void *ctx, const char *data, size_t size)
{
	struct qumulo_call *call = ctx;

	if (call->is_open)
		return call->stream.data(call->ctx, data, size);
	/* An error's body; what is past the ceiling is no explanation anyway. */
	(void)!buf_append(call->refusal, data,
			  MIN(size, call->refusal->limit - call->refusal->size));
}

void call_send(struct qumulo_call *call, const char *token, uint64_t token_age)
{
	struct qumulo *qumulo = call->qumulo;
	const struct qumulo_address *address = call_address(call);
	AUTO(free) char *place = address_print(address);
	AUTO(free)
	char *url = str_format("%s://%s%s%s", address->is_plain ? "http" : "https", place,
			       address->prefix ? address->prefix : "", call->path);
	AUTO(free) char *bearer = token ? str_format("Authorization: Bearer %s", token) : NULL;
	AUTO(free) char *match = call->if_match ? str_format("If-Match: %s", call->if_match) : NULL;
	const char *headers[5] = { NULL };
	size_t count = 0;

	list_remove(&call->link);
	list_append(&qumulo->calls, &call->link);
	call->token_age = token_age;
	if (bearer)
		headers[count++] = bearer;
	if (match)
		headers[count++] = match;
	if (call->body)
		headers[count++] = "Content-Type: application/json";
	headers[count++] = call->stream.data ? "Accept: text/event-source, text/event-stream, */*"
					     : "Accept: application/json";
	call->http = http_start(qumulo->http,
				&(struct http_request){
					.method = call->method,
					.url = url,
					.headers = headers,
					.body = text_of(call->body),
					.timeout_ms = call->stream.data ? 0
						      : qumulo->settings.timeout_ms
							      ? qumulo->settings.timeout_ms
							      : TIMEOUT_MS,
					.tls = &qumulo->settings.tls,
					.is_stream = call->stream.data != NULL,
					.on_status = call->stream.data ? stream_status : NULL,
					.on_data = call->stream.data ? stream_data : NULL,
					.done = http_done,
					.ctx = call,
				});
}

static struct qumulo_call *call_new(struct qumulo *qumulo, const char *method, const char *path,
				    qumulo_done *done, void (*release)(void *ctx), void *ctx)
{
	struct qumulo_call *call = NEW(struct qumulo_call);

	list_init(&call->link);
	call->qumulo = qumulo;
	call->method = str_copy(method);
	call->path = str_copy(path);
	call->done = done;
	call->release = release;
	call->ctx = ctx;
	call->address = qumulo->address;
	return call;
}

struct qumulo_call *call_start(struct qumulo *qumulo, const char *method, const char *path,
			       const char *if_match, const json_t *body,
			       const struct call_stream *stream, qumulo_done *done,
			       void (*release)(void *ctx), void *ctx)
{
	struct qumulo_call *call = call_new(qumulo, method, path, done, release, ctx);

	call->if_match = str_copy(if_match);
	call->body = body ? json_dumps(body, JSON_COMPACT) : NULL;
	call->is_log_in = strcmp(path, SESSION_LOG_IN) == 0;
	if (stream) {
		call->stream = *stream;
		call->refusal = buf_new(REFUSAL_MAX);
		call->address = qumulo->stream_address;
		qumulo->stream_address =
			(qumulo->stream_address + 1) % qumulo->settings.address_count;
	}
	call_begin(call);
	return call;
}

struct qumulo_call *call_refuse(struct qumulo *qumulo, const char *why, qumulo_done *done,
				void (*release)(void *ctx), void *ctx)
{
	struct qumulo_call *call = call_new(qumulo, "", "", done, release, ctx);

	call_fail_later(call, FILE_REFUSED, 0, why);
	return call;
}

void call_repeat(struct qumulo_call *call, const char *path)
{
	free(call->path);
	call->path = str_copy(path);
	call->is_repeated = true;
}

struct qumulo_call *qumulo_request(struct qumulo *qumulo, const char *method, const char *path,
				   const char *if_match, json_t *body, qumulo_done *done, void *ctx)
{
	return call_start(qumulo, method, path, if_match, body, NULL, done, NULL, ctx);
}

void qumulo_cancel(struct qumulo_call *call)
{
	if (!call || call->is_over)
		return;
	qumulo_cancel(TAKE(call->judge));
	http_cancel(TAKE(call->http));
	call_free(call);
}
