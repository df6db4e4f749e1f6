#include "io/mail.h"

#include <stdatomic.h>
#include <stdio.h>

#include "io/transfer.h"

/*
 * Each mail has a thread of its own while it is under way: when libcurl has sent the message it
 * waits for the server's answer to it, and to the farewell, inside the call, also through the multi
 * interface, and a server may take minutes to look into a mail. Not threads of libuv's pool: a mail
 * server that hangs would take them from everybody else.
 */
#define THREADS_MAX 16
#define REFUSAL_MAX ((size_t)500)
#define THREAD_STACK ((size_t)512 << 10)

enum call_state {
	CALL_WAITING, /* for a thread */
	CALL_BROKEN,  /* ends without having been tried */
	CALL_RUNNING,
	CALL_ENDED,
};

struct mail_call {
	struct http_guest guest;  /* of http, until it has ended */
	struct http *http;        /* NULL: closed */
	struct transfer transfer; /* the thread's, while there is one */
	struct curl_slist *recipients;
	char *message;
	size_t size;
	size_t sent;
	char *peer;
	char *fingerprint;
	char *refusal; /* the last answer of the server that was none of success; NULL: none */
	enum mail_security security;
	enum call_state state;
	uv_thread_t thread;
	uv_async_t ended;
	atomic_bool is_cancelled;
	void (*done)(void *ctx, enum mail_result result, const char *why);
	void *ctx;
};

static void call_closed(uv_handle_t *handle)
{
	struct mail_call *call = CONTAINER_OF(handle, struct mail_call, ended);

	curl_easy_cleanup(call->transfer.easy);
	curl_slist_free_all(call->recipients);
	free(call->message);
	free(call->peer);
	free(call->fingerprint);
	free(call->refusal);
	free(call);
}

/* Once only, with no thread running. */
static void call_end(struct mail_call *call)
{
	call->state = CALL_ENDED;
	list_remove(&call->guest.link);
	uv_close((uv_handle_t *)&call->ended, call_closed);
}

static size_t on_read(char *out, size_t one, size_t room, void *ctx)
{
	struct mail_call *call = ctx;
	size_t size = MIN(room, call->size - call->sent);

	memcpy(out, call->message + call->sent, size);
	call->sent += size;
	return size;
}

/* Each line of an answer of the server: libcurl itself says little more than that it was weird. */
static size_t on_answer(char *data, size_t one, size_t size, void *ctx)
{
	struct mail_call *call = ctx;
	struct text line = text_trim((struct text){ data, size });

	if (line.size > 3 && (line.data[0] == '4' || line.data[0] == '5')) {
		free(call->refusal);
		call->refusal = str_copy_n(line.data, MIN(line.size, REFUSAL_MAX));
	}
	return size;
}

static char *call_explain(const struct mail_call *call, long code)
{
	const struct transfer *transfer = &call->transfer;

	if (transfer->code == CURLE_USE_SSL_FAILED)
		return str_format("the mail server %s does not offer STARTTLS; nothing was sent, "
				  "because nothing goes out in the clear unless SECURITY = plain",
				  call->peer);
	if (transfer->code == CURLE_LOGIN_DENIED)
		return str_format("the mail server %s refused the log-in (%ld): check USERNAME "
				  "and PASSWORD_FILE",
				  call->peer, code);
	if (code >= 400 && call->refusal)
		return str_format("the mail server %s answered: %s", call->peer, call->refusal);
	return transfer_explain(transfer, call->peer);
}

/* The server's last reply decides, unless it never came that far. */
static enum mail_result call_result(const struct mail_call *call, long code)
{
	const struct transfer *transfer = &call->transfer;

	if (transfer->code == CURLE_OK)
		return MAIL_SENT;
	if (transfer_is_tls_refused(transfer))
		return MAIL_REFUSED;
	if (transfer->code == CURLE_USE_SSL_FAILED || transfer->code == CURLE_LOGIN_DENIED)
		return code >= 400 && code < 500 ? MAIL_LATER : MAIL_REFUSED;
	if (transfer->code == CURLE_BAD_FUNCTION_ARGUMENT || transfer->code == CURLE_URL_MALFORMAT)
		return MAIL_REFUSED;
	return code >= 500 && code < 600 ? MAIL_REFUSED : MAIL_LATER;
}

static void call_tell(struct mail_call *call)
{
	enum mail_result result;
	long code = 0;

	curl_easy_getinfo(call->transfer.easy, CURLINFO_RESPONSE_CODE, &code);
	result = call_result(call, code);
	AUTO(free) char *why = result == MAIL_SENT ? NULL : call_explain(call, code);
	call->done(call->ctx, result, why);
}

/* ---- Under way ---- */

/* In the call's thread, about once a second also while nothing happens. */
static int on_progress(void *ctx, curl_off_t download, curl_off_t downloaded, curl_off_t upload,
		       curl_off_t uploaded)
{
	struct mail_call *call = ctx;

	return atomic_load(&call->is_cancelled);
}

static void call_run(void *ctx)
{
	struct mail_call *call = ctx;

	call->transfer.code = curl_easy_perform(call->transfer.easy);
	uv_async_send(&call->ended);
}

static void call_break(struct mail_call *call, CURLcode code, const char *problem)
{
	call->state = CALL_BROKEN;
	call->transfer.code = code;
	snprintf(call->transfer.problem, sizeof(call->transfer.problem), "%s", problem);
	uv_async_send(&call->ended);
}

static void call_start(struct mail_call *call)
{
	uv_thread_options_t options = { UV_THREAD_HAS_STACK_SIZE, THREAD_STACK };

	if (uv_thread_create_ex(&call->thread, &options, call_run, call) == 0)
		call->state = CALL_RUNNING;
	else
		call_break(call, CURLE_FAILED_INIT, "no thread could be started");
}

static void calls_start(struct http *http)
{
	struct mail_call *call;
	size_t running = 0;

	list_for_each (call, http_guests(http), guest.link)
		running += call->state == CALL_RUNNING;
	list_for_each (call, http_guests(http), guest.link) {
		if (running >= THREADS_MAX)
			return;
		if (call->state != CALL_WAITING)
			continue;
		call_start(call);
		running++;
	}
}

static void on_ended(uv_async_t *async)
{
	struct mail_call *call = CONTAINER_OF(async, struct mail_call, ended);

	if (call->state == CALL_RUNNING)
		uv_thread_join(&call->thread);
	call_end(call);
	if (call->http)
		calls_start(call->http);
	if (!atomic_load(&call->is_cancelled))
		call_tell(call);
}

void mail_cancel(struct mail_call *call)
{
	if (!call || call->state == CALL_ENDED)
		return;
	atomic_store(&call->is_cancelled, true);
	if (call->state != CALL_RUNNING)
		call_end(call);
}

static void on_http_closes(struct http_guest *guest)
{
	struct mail_call *call = CONTAINER_OF(guest, struct mail_call, guest);

	call->http = NULL;
	mail_cancel(call);
}

/* ---- Setting up ---- */

/* "cn_monitor <storage@example.com>" -> "<storage@example.com>"; NULL if it could say more to a
 * server than who it is. For free(). */
static char *envelope_address(const char *address)
{
	struct text bare = text_trim(text_of(address));
	const char *open = strrchr(address, '<');

	for (const char *c = address; *c; c++)
		if ((unsigned char)*c < ' ')
			return NULL;
	if (open) {
		struct text rest = text_of(open + 1);

		bare = text_trim(text_cut(&rest, '>'));
	}
	if (bare.size == 0)
		return NULL;
	for (size_t i = 0; i < bare.size; i++)
		if ((unsigned char)bare.data[i] <= ' ' || bare.data[i] == '<' ||
		    bare.data[i] == '>' || bare.data[i] == 0x7f)
			return NULL;
	return str_format("<%.*s>", TEXT_ARGS(bare));
}

static char *call_address(struct mail_call *call, const char *const *to, size_t to_count,
			  const char *from)
{
	AUTO(free) char *sender = envelope_address(from);

	if (!sender)
		return str_format("'%s' is no mail address to send from", from);
	if (to_count == 0)
		return str_copy("the mail has no recipient");
	curl_easy_setopt(call->transfer.easy, CURLOPT_MAIL_FROM, sender);
	for (size_t i = 0; i < to_count; i++) {
		AUTO(free) char *recipient = envelope_address(to[i]);

		if (!recipient)
			return str_format("'%s' is no mail address to send to", to[i]);
		call->recipients = curl_slist_append(call->recipients, recipient);
	}
	curl_easy_setopt(call->transfer.easy, CURLOPT_MAIL_RCPT, call->recipients);
	return NULL;
}

static void call_set_server(struct mail_call *call, const struct mail_server *server)
{
	CURL *easy = call->transfer.easy;
	struct http_tls tls = server->tls;
	int64_t timeout_ms = server->timeout_ms ? server->timeout_ms : 60000;
	bool is_ipv6 = strchr(server->host, ':') && server->host[0] != '[';
	AUTO(free)
	char *url = str_format("%s://%s%s%s:%d", server->security == MAIL_TLS ? "smtps" : "smtp",
			       is_ipv6 ? "[" : "", server->host, is_ipv6 ? "]" : "", server->port);

	call->peer = str_format("%s:%d", server->host, server->port);
	call->security = server->security;
	call->fingerprint = str_copy(tls.fingerprint);
	tls.fingerprint = call->fingerprint;
	transfer_set_tls(&call->transfer, &tls);
	curl_easy_setopt(easy, CURLOPT_URL, url);
	curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "smtp,smtps");
	/* ALL, not TRY: a server that offers no TLS gets neither password nor mail. */
	curl_easy_setopt(easy, CURLOPT_USE_SSL,
			 (long)(server->security == MAIL_PLAIN ? CURLUSESSL_NONE : CURLUSESSL_ALL));
	curl_easy_setopt(easy, CURLOPT_FRESH_CONNECT, 1L);
	curl_easy_setopt(easy, CURLOPT_FORBID_REUSE, 1L);
	curl_easy_setopt(easy, CURLOPT_PROXY, "");
	curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, (long)timeout_ms);
	curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, 20000L);
	/* Of one answer; the time-out above does not hold for the farewell. */
	curl_easy_setopt(easy, CURLOPT_SERVER_RESPONSE_TIMEOUT,
			 (long)(timeout_ms / 1000 + (timeout_ms % 1000 != 0)));
	if (server->username) {
		curl_easy_setopt(easy, CURLOPT_USERNAME, server->username);
		curl_easy_setopt(easy, CURLOPT_PASSWORD, server->password ? server->password : "");
	}
}

static void call_set_message(struct mail_call *call, struct text message)
{
	CURL *easy = call->transfer.easy;

	call->message = text_copy(message);
	call->size = message.size;
	curl_easy_setopt(easy, CURLOPT_UPLOAD, 1L);
	curl_easy_setopt(easy, CURLOPT_READFUNCTION, on_read);
	curl_easy_setopt(easy, CURLOPT_READDATA, call);
	curl_easy_setopt(easy, CURLOPT_INFILESIZE_LARGE, (curl_off_t)message.size);
	curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, on_answer);
	curl_easy_setopt(easy, CURLOPT_HEADERDATA, call);
	curl_easy_setopt(easy, CURLOPT_NOPROGRESS, 0L);
	curl_easy_setopt(easy, CURLOPT_XFERINFOFUNCTION, on_progress);
	curl_easy_setopt(easy, CURLOPT_XFERINFODATA, call);
}

struct mail_call *mail_send(struct http *http, const struct mail_server *server,
			    const char *const *to, size_t to_count, struct text message,
			    void (*done)(void *ctx, enum mail_result result, const char *why),
			    void *ctx)
{
	struct mail_call *call = NEW(struct mail_call);

	call->http = http;
	call->done = done;
	call->ctx = ctx;
	uv_async_init(http_loop(http), &call->ended, on_ended);
	transfer_init(&call->transfer, http);
	call_set_server(call, server);
	call_set_message(call, message);
	call->guest.http_closes = on_http_closes;
	list_append(http_guests(http), &call->guest.link);

	AUTO(free) char *problem = call_address(call, to, to_count, server->from);
	if (problem)
		call_break(call, CURLE_BAD_FUNCTION_ARGUMENT, problem);
	else
		calls_start(http);
	return call;
}
