#include <netinet/tcp.h>
#include <strings.h>
#include <sys/socket.h>

#include "base/buf.h"
#include "io/transfer.h"

#define BODY_LIMIT (16u << 20)
#define CONNECT_TIMEOUT_MS 10000
/* Servers close idle connections; the longer one was idle, the likelier amid our next request. */
#define IDLE_MOST_S 30L
/* Of streams: what the cluster's own clients set. */
#define KEEPALIVE_IDLE_S 60L
#define KEEPALIVE_INTERVAL_S 10L
#define USER_TIMEOUT_MS 90000u

AUTO_DEFINE(CURLU *, curl_url_cleanup)

struct http_call {
	struct transfer transfer;
	struct curl_slist *headers;
	char *peer;        /* for messages: "storage1:8000" */
	char *fingerprint; /* NULL: none */
	struct buf *body;
	char *etag;
	char *content_type;
	bool is_safe; /* may be sent twice */
	bool is_stream;
	bool is_sent; /* perhaps: a connection was there and the request about to go */
	bool is_told; /* on_status was called */
	bool is_too_large;
	size_t limit_bytes;
	void (*on_status)(void *ctx, int status, const char *content_type);
	void (*on_data)(void *ctx, const char *data, size_t size);
	void (*done)(void *ctx, const struct http_answer *answer);
	void *ctx;
};

static void call_release(struct transfer *transfer)
{
	struct http_call *call = CONTAINER_OF(transfer, struct http_call, transfer);

	curl_slist_free_all(call->headers);
	free(call->peer);
	free(call->fingerprint);
	free(call->etag);
	free(call->content_type);
	buf_free(call->body);
	free(call);
}

static int call_status(const struct http_call *call)
{
	long status = 0;

	curl_easy_getinfo(call->transfer.easy, CURLINFO_RESPONSE_CODE, &status);
	return (int)status;
}

/* on_status may cancel the call. */
static bool call_tell_status(struct http_call *call)
{
	if (!call->is_told) {
		call->is_told = true;
		if (call->on_status)
			call->on_status(call->ctx, call_status(call), call->content_type);
	}
	return call->transfer.state == TRANSFER_RUNNING;
}

static bool header_take(struct text line, const char *name, char **value)
{
	struct text rest = line;
	struct text found = text_cut(&rest, ':');

	if (found.size != strlen(name) || strncasecmp(found.data, name, found.size) != 0)
		return false;
	free(*value);
	*value = text_copy(text_trim(rest));
	return true;
}

static size_t on_header(char *data, size_t one, size_t size, void *ctx)
{
	struct http_call *call = ctx;
	struct text line = text_trim((struct text){ data, size });

	if (call->transfer.state != TRANSFER_RUNNING)
		return 0;
	if (call->is_told)
		return size; /* a trailer */
	if (text_starts_with(line, TEXT("HTTP/"))) {
		/* After "100 Continue" the true answer begins anew. */
		free(TAKE(call->etag));
		free(TAKE(call->content_type));
	} else if (line.size == 0) {
		if (call_status(call) >= 200 && !call_tell_status(call))
			return 0;
	} else if (!header_take(line, "etag", &call->etag)) {
		header_take(line, "content-type", &call->content_type);
	}
	return size;
}

static size_t on_body(char *data, size_t one, size_t size, void *ctx)
{
	struct http_call *call = ctx;

	if (call->transfer.state != TRANSFER_RUNNING || !call_tell_status(call))
		return 0;
	if (call->transfer.is_paused)
		return CURL_WRITEFUNC_PAUSE;
	if (call->on_data) {
		call->on_data(call->ctx, data, size);
		return call->transfer.state == TRANSFER_RUNNING ? size : 0;
	}
	if (!buf_append(call->body, data, size)) {
		call->is_too_large = true;
		return 0;
	}
	return size;
}

/*
 * Just before the request goes out. libcurl sends a request again by itself when a connection that
 * it had kept turns out to be closed; what it asked for may have happened nevertheless, so only a
 * request that may be repeated is let through twice.
 */
static int on_ready(void *ctx, char *ip, char *local_ip, int port, int local_port)
{
	struct http_call *call = ctx;

	if ((call->is_sent && !call->is_safe) || !transfer_check_pin(&call->transfer))
		return CURL_PREREQFUNC_ABORT;
	call->is_sent = true;
	return CURL_PREREQFUNC_OK;
}

static int on_socket_made(void *ctx, curl_socket_t fd, curlsocktype purpose)
{
	struct http_call *call = ctx;
	unsigned timeout_ms = USER_TIMEOUT_MS;

	/* Fails on Unix sockets, and is not needed there. */
	if (call->is_stream)
		(void)setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &timeout_ms,
				 sizeof(timeout_ms));
	return CURL_SOCKOPT_OK;
}

static enum http_failure call_failure(const struct http_call *call)
{
	const struct transfer *transfer = &call->transfer;

	if (transfer->code == CURLE_OK)
		return HTTP_ANSWERED;
	if (call->is_too_large)
		return HTTP_TOO_LARGE;
	if (transfer_is_tls_refused(transfer))
		return HTTP_TLS_REFUSED;
	if (!call->is_sent)
		return HTTP_NOT_SENT;
	return transfer->code == CURLE_OPERATION_TIMEDOUT ? HTTP_TIMED_OUT : HTTP_LOST;
}

static char *call_explain(const struct http_call *call, enum http_failure failure)
{
	switch (failure) {
	case HTTP_ANSWERED:
		return NULL;
	case HTTP_TOO_LARGE:
		return str_format("%s: the answer is larger than %zu bytes", call->peer,
				  call->limit_bytes);
	case HTTP_LOST:
		if (call->transfer.code == CURLE_ABORTED_BY_CALLBACK ||
		    call->transfer.code == CURLE_GOT_NOTHING)
			return str_format("%s: the connection ended without an answer", call->peer);
		if (call->transfer.code == CURLE_PARTIAL_FILE)
			return str_format("%s: the connection ended amid the answer", call->peer);
		/* fall through */
	default:
		return transfer_explain(&call->transfer, call->peer);
	}
}

static void call_ended(struct transfer *transfer)
{
	struct http_call *call = CONTAINER_OF(transfer, struct http_call, transfer);
	enum http_failure failure = call_failure(call);
	AUTO(free) char *why = call_explain(call, failure);
	curl_off_t retry_after_s = 0;

	curl_easy_getinfo(transfer->easy, CURLINFO_RETRY_AFTER, &retry_after_s);
	call->done(call->ctx, &(struct http_answer){
				      .failure = failure,
				      .status = call->is_told ? call_status(call) : 0,
				      .body = buf_text(call->body),
				      .why = why,
				      .etag = call->etag,
				      .content_type = call->content_type,
				      .retry_after_ms = retry_after_s * 1000,
			      });
}

static void call_set_headers(struct http_call *call, const struct http_request *request)
{
	bool has_type = false;

	for (const char *const *header = request->headers; header && *header; header++) {
		has_type |= strncasecmp(*header, "content-type:", 13) == 0;
		call->headers = curl_slist_append(call->headers, *header);
	}
	if (!has_type)
		call->headers = curl_slist_append(call->headers, "Content-Type:");
	/* Waiting for "100 Continue" costs a second with servers that do not know it. */
	call->headers = curl_slist_append(call->headers, "Expect:");
	curl_easy_setopt(call->transfer.easy, CURLOPT_HTTPHEADER, call->headers);
}

static void call_set_method(struct http_call *call, const struct http_request *request)
{
	CURL *easy = call->transfer.easy;
	const char *method = request->method;
	bool wants_body =
		!strcmp(method, "POST") || !strcmp(method, "PUT") || !strcmp(method, "PATCH");

	call->is_safe = !strcmp(method, "GET") || !strcmp(method, "HEAD");
	if (!strcmp(method, "HEAD")) {
		curl_easy_setopt(easy, CURLOPT_NOBODY, 1L);
		return;
	}
	if (wants_body || request->body.size) {
		curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)request->body.size);
		curl_easy_setopt(easy, CURLOPT_COPYPOSTFIELDS,
				 request->body.data ? request->body.data : "");
	}
	curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, method);
}

/* "host:port" of a URL, for messages, and whether it is this machine. */
static char *url_peer(const char *url, bool *is_local)
{
	AUTO(curl_url_cleanup) CURLU *parts = curl_url();
	char *host = NULL;
	char *port = NULL;
	char *peer;

	*is_local = false;
	if (curl_url_set(parts, CURLUPART_URL, url, 0) != CURLUE_OK)
		return str_copy(url);
	curl_url_get(parts, CURLUPART_HOST, &host, 0);
	curl_url_get(parts, CURLUPART_PORT, &port, CURLU_DEFAULT_PORT);
	peer = str_format("%s:%s", host ? host : "?", port ? port : "?");
	*is_local = host && (!strcmp(host, "localhost") || !strcmp(host, "[::1]") ||
			     !strncmp(host, "127.", 4));
	curl_free(host);
	curl_free(port);
	return peer;
}

static void call_set_connection(struct http_call *call, const struct http_request *request)
{
	CURL *easy = call->transfer.easy;
	bool is_local;

	call->peer = request->unix_socket ? str_copy(request->unix_socket) : NULL;
	if (!call->peer)
		call->peer = url_peer(request->url, &is_local);
	else
		is_local = true;
	if (is_local)
		curl_easy_setopt(easy, CURLOPT_PROXY, "");
	if (request->unix_socket)
		curl_easy_setopt(easy, CURLOPT_UNIX_SOCKET_PATH, request->unix_socket);
	curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, (long)request->timeout_ms);
	curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS,
			 (long)(request->connect_timeout_ms ? request->connect_timeout_ms
							    : CONNECT_TIMEOUT_MS));
	curl_easy_setopt(easy, CURLOPT_MAXAGE_CONN, IDLE_MOST_S);
	curl_easy_setopt(easy, CURLOPT_SOCKOPTFUNCTION, on_socket_made);
	curl_easy_setopt(easy, CURLOPT_SOCKOPTDATA, call);
	if (!request->is_stream)
		return;
	curl_easy_setopt(easy, CURLOPT_TCP_KEEPALIVE, 1L);
	curl_easy_setopt(easy, CURLOPT_TCP_KEEPIDLE, KEEPALIVE_IDLE_S);
	curl_easy_setopt(easy, CURLOPT_TCP_KEEPINTVL, KEEPALIVE_INTERVAL_S);
	curl_easy_setopt(easy, CURLOPT_FRESH_CONNECT, 1L);
	curl_easy_setopt(easy, CURLOPT_FORBID_REUSE, 1L);
	/* Floating addresses move: the name is looked up for each stream. */
	curl_easy_setopt(easy, CURLOPT_DNS_CACHE_TIMEOUT, 0L);
	/* A burst fills whatever is there; bigger pieces cost less. */
	curl_easy_setopt(easy, CURLOPT_BUFFERSIZE, 256L * 1024);
}

struct http_call *http_start(struct http *http, const struct http_request *request)
{
	struct http_call *call = NEW(struct http_call);
	struct http_tls tls = request->tls ? *request->tls : (struct http_tls){ .verify = true };
	CURL *easy;

	transfer_init(&call->transfer, http);
	easy = call->transfer.easy;
	call->transfer.ended = call_ended;
	call->transfer.release = call_release;
	call->limit_bytes = request->limit_bytes ? request->limit_bytes : BODY_LIMIT;
	call->body = buf_new(call->limit_bytes);
	call->is_stream = request->is_stream;
	call->on_status = request->on_status;
	call->on_data = request->on_data;
	call->done = request->done;
	call->ctx = request->ctx;
	call->fingerprint = str_copy(tls.fingerprint);
	tls.fingerprint = call->fingerprint;
	transfer_set_tls(&call->transfer, &tls);

	curl_easy_setopt(easy, CURLOPT_URL, request->url);
	curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
	curl_easy_setopt(easy, CURLOPT_PATH_AS_IS, 1L);
	curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
	curl_easy_setopt(easy, CURLOPT_USERAGENT, "cn_monitor/" CN_VERSION);
	curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, on_header);
	curl_easy_setopt(easy, CURLOPT_HEADERDATA, call);
	curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_body);
	curl_easy_setopt(easy, CURLOPT_WRITEDATA, call);
	curl_easy_setopt(easy, CURLOPT_PREREQFUNCTION, on_ready);
	curl_easy_setopt(easy, CURLOPT_PREREQDATA, call);
	call_set_method(call, request);
	call_set_headers(call, request);
	call_set_connection(call, request);
	transfer_start(&call->transfer);
	return call;
}

void http_cancel(struct http_call *call)
{
	if (call)
		transfer_cancel(&call->transfer);
}

void http_pause(struct http_call *call, bool paused)
{
	transfer_pause(&call->transfer, paused);
}

char *http_escape(struct text text)
{
	char *escaped = mem_array(text.size + 1, 3);
	char *to = escaped;

	for (size_t i = 0; i < text.size; i++) {
		unsigned char c = (unsigned char)text.data[i];

		if ((c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ||
		    c == '-' || c == '_' || c == '.' || c == '~') {
			*to++ = (char)c;
		} else {
			*to++ = '%';
			*to++ = "0123456789ABCDEF"[c >> 4];
			*to++ = "0123456789ABCDEF"[c & 15];
		}
	}
	*to = 0;
	return escaped;
}
