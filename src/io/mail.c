#include "io/mail.h"

#include "io/transfer.h"

struct mail_call {
	struct transfer transfer;
	struct curl_slist *recipients;
	char *message;
	size_t size;
	size_t sent;
	char *peer;
	char *fingerprint;
	enum mail_security security;
	void (*done)(void *ctx, enum mail_result result, const char *why);
	void *ctx;
};

static void call_release(struct transfer *transfer)
{
	struct mail_call *call = CONTAINER_OF(transfer, struct mail_call, transfer);

	curl_slist_free_all(call->recipients);
	free(call->message);
	free(call->peer);
	free(call->fingerprint);
	free(call);
}

static size_t on_read(char *out, size_t one, size_t room, void *ctx)
{
	struct mail_call *call = ctx;
	size_t size = MIN(room, call->size - call->sent);

	memcpy(out, call->message + call->sent, size);
	call->sent += size;
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

static void call_ended(struct transfer *transfer)
{
	struct mail_call *call = CONTAINER_OF(transfer, struct mail_call, transfer);
	enum mail_result result;
	long code = 0;

	curl_easy_getinfo(transfer->easy, CURLINFO_RESPONSE_CODE, &code);
	result = call_result(call, code);
	AUTO(free) char *why = result == MAIL_SENT ? NULL : call_explain(call, code);
	call->done(call->ctx, result, why);
}

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
	curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS,
			 (long)(server->timeout_ms ? server->timeout_ms : 60000));
	curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, 20000L);
	if (server->username) {
		curl_easy_setopt(easy, CURLOPT_USERNAME, server->username);
		curl_easy_setopt(easy, CURLOPT_PASSWORD, server->password ? server->password : "");
	}
}

struct mail_call *mail_send(struct http *http, const struct mail_server *server,
			    const char *const *to, size_t to_count, struct text message,
			    void (*done)(void *ctx, enum mail_result result, const char *why),
			    void *ctx)
{
	struct mail_call *call = NEW(struct mail_call);
	CURL *easy;

	transfer_init(&call->transfer, http);
	easy = call->transfer.easy;
	call->transfer.ended = call_ended;
	call->transfer.release = call_release;
	call->message = text_copy(message);
	call->size = message.size;
	call->done = done;
	call->ctx = ctx;
	call_set_server(call, server);
	curl_easy_setopt(easy, CURLOPT_UPLOAD, 1L);
	curl_easy_setopt(easy, CURLOPT_READFUNCTION, on_read);
	curl_easy_setopt(easy, CURLOPT_READDATA, call);
	curl_easy_setopt(easy, CURLOPT_INFILESIZE_LARGE, (curl_off_t)message.size);

	AUTO(free) char *problem = call_address(call, to, to_count, server->from);
	if (problem)
		transfer_break(&call->transfer, CURLE_BAD_FUNCTION_ARGUMENT, problem);
	else
		transfer_start(&call->transfer);
	return call;
}

void mail_cancel(struct mail_call *call)
{
	if (call)
		transfer_cancel(&call->transfer);
}
