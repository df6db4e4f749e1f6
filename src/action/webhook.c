/* webhook: posts an event to a web service: as a CloudEvent, or to a chat. */
#include <inttypes.h>
#include <strings.h>

#include "action/gather.h"
#include "action/module.h"
#include "action/webhook_body.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/secret.h"
#include "io/sign.h"

#define SIGNATURE_HEADERS 3
#define ANSWER_MAX ((size_t)64 * 1024)

struct webhook_config {
	char *url;
	int preset; /* enum webhook_preset */
	char *text;
	char *secret_file;
	int severity; /* in severities */
	struct key_list headers;
	struct gather_options digest;
	int64_t timeout_ms;
	bool verify_tls;
	char *ca_file;
	char *fingerprint;
};

struct webhook_run {
	struct action_run *run;
	struct gather gather;
	struct http_call *call;
};

static const char *const presets[] = { "generic", "slack", "teams", "pagerduty", NULL };
static const char *const severities[] = { "critical", "error", "warning", "info", NULL };

static const struct config_key webhook_keys[] = {
	{ .name = "url",
	  .type = KEY_SECRET,
	  .offset = offsetof(struct webhook_config, url),
	  .help = "Where to POST; kept secret, for it often is the only key to the other side.",
	  .is_required = true },
	{ .name = "preset",
	  .type = KEY_CHOICE,
	  .offset = offsetof(struct webhook_config, preset),
	  .standard = "generic",
	  .help = "What is posted: generic is a CloudEvent (JSON), slack and teams a chat message, "
		  "pagerduty an event of its API v2.",
	  .choices = presets },
	{ .name = "text",
	  .type = KEY_TEMPLATE,
	  .offset = offsetof(struct webhook_config, text),
	  .help = "The message of a chat; member text of a CloudEvent's data." },
	{ .name = "secret_file",
	  .type = KEY_PATH,
	  .offset = offsetof(struct webhook_config, secret_file),
	  .help = "A file that only we can read. generic: the key with which the message is signed "
		  "(HMAC-SHA256, as Standard Webhooks does). pagerduty: the integration key." },
	{ .name = "severity",
	  .type = KEY_CHOICE,
	  .offset = offsetof(struct webhook_config, severity),
	  .standard = "error",
	  .help = "pagerduty: how bad it is.",
	  .choices = severities },
	{ .name = "headers",
	  .type = KEY_LIST,
	  .offset = offsetof(struct webhook_config, headers),
	  .help = "More request headers, 'Name: value'; their values are kept secret." },
	GATHER_KEYS(struct webhook_config, digest),
	{ .name = "timeout",
	  .type = KEY_TIME,
	  .offset = offsetof(struct webhook_config, timeout_ms),
	  .standard = "10s",
	  .help = "How long to wait for an answer.",
	  .least = 1,
	  .most = 10 * 60 * 1000 },
	{ .name = "verify_tls",
	  .type = KEY_BOOL,
	  .offset = offsetof(struct webhook_config, verify_tls),
	  .standard = "yes",
	  .help = "Whether the server's certificate is checked." },
	{ .name = "ca_file",
	  .type = KEY_PATH,
	  .offset = offsetof(struct webhook_config, ca_file),
	  .help = "Certificates (PEM) to check the server's with, instead of the system's." },
	{ .name = "fingerprint",
	  .type = KEY_TEXT,
	  .offset = offsetof(struct webhook_config, fingerprint),
	  .help = "SHA-256 of the server's certificate, instead of checking chain and name." },
	{ 0 },
};

/* Scheme and host: all of the URL that anybody is shown. For free(). */
static char *url_shown(const char *url)
{
	const char *start = strstr(url, "://");
	const char *host = start ? start + 3 : url;
	size_t size = strcspn(host, "/?#");
	const char *user = memrchr(host, '@', size);

	if (user) {
		size -= user + 1 - host;
		host = user + 1;
	}
	return str_format("%.*s%.*s", start ? (int)(start + 3 - url) : 0, url, (int)size, host);
}

static bool is_loopback(const char *url)
{
	static const char *const starts[] = { "http://127.", "http://localhost", "http://[::1]" };

	for (size_t i = 0; i < ARRAY_SIZE(starts); i++)
		if (strncasecmp(url, starts[i], strlen(starts[i])) == 0)
			return true;
	return false;
}

static void check_secret(const struct webhook_config *config, struct place place,
			 struct problems *problems)
{
	AUTO(free) char *secret = NULL;
	AUTO_ERROR err = { 0 };
	bool is_chat = config->preset == WEBHOOK_SLACK || config->preset == WEBHOOK_TEAMS;

	if (!config->secret_file && config->preset == WEBHOOK_PAGERDUTY)
		problems_error(problems, place,
			       "webhook: preset pagerduty: expected secret_file, a file with the "
			       "integration key");
	else if (config->secret_file && is_chat)
		problems_error(
			problems, place,
			"webhook: secret_file: the chats take no signature, their url is the "
			"secret");
	else if (config->secret_file && secret_read(&secret, config->secret_file, &err) < 0)
		problems_error(problems, place, "webhook: secret_file: %s", error_text(&err));
}

static void webhook_check(const void *options, struct place place, struct problems *problems)
{
	const struct webhook_config *config = options;
	AUTO(free) char *shown = url_shown(config->url);
	bool is_plain = strncasecmp(config->url, "http://", 7) == 0;

	log_hide(config->url);
	if (!is_plain && strncasecmp(config->url, "https://", 8) != 0)
		problems_error(problems, place,
			       "webhook: url: expected one that begins with https://");
	else if (strpbrk(config->url, " \t\r\n{}"))
		problems_error(problems, place,
			       "webhook: url (%s): it may hold neither white space nor braces; "
			       "fields are not filled in here",
			       shown);
	else if (is_plain && !is_loopback(config->url))
		problems_warning(problems, place,
				 "webhook: %s is reached without encryption: anybody on the way "
				 "can read what is posted; https:// is safer",
				 shown);
	if (!config->verify_tls)
		problems_warning(problems, place,
				 "webhook: the certificate of %s is not checked; ca_file or "
				 "fingerprint are safer",
				 shown);
	check_secret(config, place, problems);
	for (size_t i = 0; i < config->headers.count; i++) {
		AUTO(free) char *wrong = module_check_header(config->headers.items[i]);

		if (wrong)
			problems_error(problems, place, "webhook: headers, number %zu: %s", i + 1,
				       wrong);
	}
}

/* What follows the host is where services put their keys. */
static void hide_secrets(const struct webhook_config *config)
{
	const char *start = strstr(config->url, "://");
	const char *path = start ? start + 3 + strcspn(start + 3, "/?#") : config->url;

	log_hide(config->url);
	if (strlen(path) > 8) /* "/hooks" is no secret, and would hide the word everywhere */
		log_hide(path);
	for (size_t i = 0; i < config->headers.count; i++) {
		struct text value = text_of(config->headers.items[i]);

		(void)text_cut(&value, ':');
		AUTO(free) char *hidden = text_copy(text_trim(value));
		if (strlen(hidden) > 8)
			log_hide(hidden);
	}
}

static char *webhook_server(const struct action *action)
{
	const struct webhook_config *config = action->config;

	/* What is only gathered need not wait for it; the job that tells it does. */
	return gather_only(&config->digest) ? NULL : url_shown(config->url);
}

static int webhook_open(struct action *action, struct error *err)
{
	const struct webhook_config *config = action->config;
	AUTO(free) char *secret = NULL;

	if (!action->host->http)
		return error_set(err, "there is no HTTP client");
	hide_secrets(config);
	/* A relic of an older file of rules, perhaps: it is read again when the rules are. */
	if (config->secret_file && secret_read(&secret, config->secret_file, err) < 0)
		return error_prefix(err, "secret_file");
	if (secret)
		log_hide(secret);
	action->data = TAKE(secret);
	return 0;
}

static void webhook_close(struct action *action)
{
	free(action->data);
}

/* For sentences: the URL is taken out wherever a library or the other side repeats it. */
static char *without_url(const struct webhook_config *config, const char *sentence)
{
	const char *start = strstr(config->url, "://");
	const char *path = start ? start + 3 + strcspn(start + 3, "/?#") : config->url;
	AUTO(buf_free) struct buf *out = buf_new(SIZE_MAX / 2);
	const char *at;
	bool fits = true;

	if (strlen(path) < 2)
		return str_copy(sentence);
	while ((at = strstr(sentence, path))) {
		fits &= buf_print(out, "%.*s/***", (int)(at - sentence), sentence);
		sentence = at + strlen(path);
	}
	fits &= buf_print(out, "%s", sentence);
	(void)fits;
	return buf_take(out);
}

static void webhook_end(struct action_run *run, enum action_result result, int64_t retry_after_ms,
			const char *what, const char *said)
{
	const struct webhook_config *config = run->action->config;
	AUTO(free) char *shown = url_shown(config->url);
	AUTO(free) char *clean = without_url(config, said);

	if (result == ACTION_RETRY)
		module_retry(run, retry_after_ms, "%s %s%s%s", shown, what, *clean ? ": " : "",
			     clean);
	else
		action_finish(run, result, "%s %s%s%s", shown, what, *clean ? ": " : "", clean);
}

static void webhook_answered(struct action_run *run, const struct http_answer *answer)
{
	int status = answer->status;
	AUTO(free) char *said = module_first_line(answer->body, 300);
	AUTO(free) char *what = str_format("answered with status %d", status);
	AUTO(free) char *number = str_format("%d", status);

	module_note_result(run, "status", number);
	if (status >= 200 && status < 300)
		action_finish(run, ACTION_DONE, NULL);
	else if (status == 408 || status == 425 || status == 429 || status >= 500)
		webhook_end(run, ACTION_RETRY, answer->retry_after_ms, what, said);
	else if (status >= 300 && status < 400)
		webhook_end(run, ACTION_REJECTED, 0,
			    "answered with a redirect, which is not followed: give its final "
			    "address as url",
			    "");
	else
		webhook_end(run, ACTION_REJECTED, 0, what, said);
}

static void webhook_done(void *ctx, const struct http_answer *answer)
{
	struct webhook_run *state = ctx;
	struct action_run *run = state->run;

	free(state);
	run->data = NULL;
	if (answer->failure == HTTP_ANSWERED ||
	    (answer->failure == HTTP_TOO_LARGE && answer->status))
		webhook_answered(run, answer);
	else
		webhook_end(run, ACTION_RETRY, 0, "was not reached or did not answer",
			    answer->why ? answer->why : "");
}

/* As Standard Webhooks has it: of the id, the time in seconds, and the body, joined by dots. For
 * free() each. */
static void sign(const struct action_run *run, const char *body, char **headers)
{
	const struct webhook_config *config = run->action->config;
	const char *key = run->action->data;
	AUTO(free) char *id = NULL;
	AUTO(free) char *signed_text = NULL;
	AUTO(free) char *signature = NULL;
	long long now_s = (long long)clock_wall_ms() / 1000;

	if (!key || config->preset != WEBHOOK_GENERIC)
		return;
	id = webhook_id(run);
	signed_text = str_format("%s.%lld.%s", id, now_s, body);
	signature = sign_message(text_of(key), text_of(signed_text));
	headers[0] = str_format("webhook-id: %s", id);
	headers[1] = str_format("webhook-timestamp: %lld", now_s);
	headers[2] = str_format("webhook-signature: v1,%s", signature);
}

/* The headers of the request, ended by NULL, for free(); the texts stay where they are. */
static const char **headers_of(const struct webhook_config *config, const char *content_type,
			       char *const *signature)
{
	const char **headers = mem_array(config->headers.count + 5, sizeof(*headers));
	size_t count = config->headers.count;
	bool has_type = false;

	for (size_t i = 0; i < config->headers.count; i++) {
		headers[i] = config->headers.items[i];
		has_type |= strncasecmp(headers[i], "Content-Type:", 13) == 0;
	}
	if (!has_type)
		headers[count++] = content_type;
	for (size_t i = 0; i < SIGNATURE_HEADERS && signature[i]; i++)
		headers[count++] = signature[i];
	return headers;
}

static void gather_ended(void *ctx, enum action_result result, const char *why)
{
	struct webhook_run *state = ctx;
	struct action_run *run = state->run;
	AUTO(free) char *sentence = str_copy(why);

	free(state);
	run->data = NULL;
	action_finish(run, result, "%s", sentence);
}

static void post(void *ctx, const json_t *gathered)
{
	struct webhook_run *state = ctx;
	struct action_run *run = state->run;
	const struct webhook_config *config = run->action->config;
	char *signature[SIGNATURE_HEADERS] = { NULL };
	AUTO(free) char *body = NULL;
	AUTO_ERROR err = { 0 };
	const struct webhook_words words = { config->preset, config->text, run->action->data,
					     severities[config->severity], gathered };

	if (webhook_body(&body, &words, run, &err) < 0) {
		gather_ended(state, ACTION_REJECTED, error_text(&err));
		return;
	}
	sign(run, body, signature);
	const char **headers =
		headers_of(config,
			   config->preset == WEBHOOK_GENERIC ? "Content-Type: "
							       "application/cloudevents+json; "
							       "charset=utf-8"
							     : "Content-Type: application/json",
			   signature);
	struct http_tls tls = { config->verify_tls, config->ca_file, config->fingerprint };
	struct http_request request = {
		.method = "POST",
		.url = config->url,
		.headers = headers,
		.body = text_of(body),
		.timeout_ms = config->timeout_ms,
		.limit_bytes = ANSWER_MAX,
		.tls = &tls,
		.done = webhook_done,
	};

	request.ctx = state;
	state->call = http_start(run->action->host->http, &request);
	free(headers);
	for (size_t i = 0; i < SIGNATURE_HEADERS; i++)
		free(signature[i]);
}

static void webhook_start(struct action_run *run)
{
	const struct webhook_config *config = run->action->config;
	struct webhook_run *state = NEW(struct webhook_run);

	state->run = run;
	state->gather = (struct gather){ run, post, gather_ended, state };
	run->data = state;
	gather_begin(&state->gather, &config->digest);
}

static void webhook_cancel(struct action_run *run)
{
	struct webhook_run *state = run->data;

	if (!state)
		return;
	if (state->call)
		http_cancel(state->call);
	free(state);
	run->data = NULL;
}

static char *webhook_plan(struct action_run *run)
{
	const struct webhook_config *config = run->action->config;
	AUTO(free) char *shown = url_shown(config->url);

	return str_format("would post a %s message to %s", presets[config->preset], shown);
}

const struct action_type action_webhook = {
	.name = "webhook",
	.help = "Posts the event to a web service: as a CloudEvent, or to Slack, Teams or "
		"PagerDuty.",
	.keys = webhook_keys,
	.short_key = "url",
	.config_size = sizeof(struct webhook_config),
	.check = webhook_check,
	.server = webhook_server,
	.open = webhook_open,
	.close = webhook_close,
	.plan = webhook_plan,
	.start = webhook_start,
	.cancel = webhook_cancel,
};
