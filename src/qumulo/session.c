#include "qumulo/session.h"

#include <ctype.h>

#include "base/clock.h"
#include "base/log.h"

#define TOKEN_MAX 8192
/*
 * A cluster may answer 401 to a request for which only a privilege is missing. A token from a
 * log-in so fresh is not the reason, and logging in for each such request would never end.
 */
#define FRESH_MS 60000
#define REFUSED_PAUSE_MS 10000

struct session {
	struct qumulo *qumulo;
	char *token;  /* NULL: none yet, or refused */
	uint64_t age; /* how many tokens there were */
	int64_t born_ms;
	bool is_from_log_in;
	struct qumulo_call *log_in; /* under way */
	struct list waiting;        /* for it */
	char *last_login;           /* user and password of the last log-in */
	char *refusal;
	int64_t refused_until_ms;
};

struct session *session_new(struct qumulo *qumulo)
{
	struct session *session = NEW(struct session);

	session->qumulo = qumulo;
	list_init(&session->waiting);
	return session;
}

void session_free(struct session *session)
{
	if (!session)
		return;
	free(session->token);
	free(session->last_login);
	free(session->refusal);
	free(session);
}

void session_cancel_waiting(struct session *session)
{
	while (!list_is_empty(&session->waiting))
		qumulo_cancel(list_entry(session->waiting.next, struct qumulo_call, link));
}

static bool token_is_sendable(const char *token)
{
	size_t size = strlen(token);

	for (size_t i = 0; i < size; i++)
		if (!isgraph((unsigned char)token[i]))
			return false;
	return size > 0 && size <= TOKEN_MAX;
}

static void session_take_token(struct session *session, const char *token, bool is_from_log_in)
{
	log_hide(token);
	free(session->token);
	session->token = str_copy(token);
	session->is_from_log_in = is_from_log_in;
	session->born_ms = clock_monotonic_ms();
	session->age++;
}

static void waiting_go_on(struct session *session)
{
	while (!list_is_empty(&session->waiting)) {
		struct qumulo_call *call =
			list_entry(session->waiting.next, struct qumulo_call, link);

		list_remove(&call->link);
		call_send(call, session->token, session->age);
	}
}

static void waiting_fail(struct session *session, const struct qumulo_answer *answer,
			 const char *why)
{
	/* Nothing was done that anybody waits for, and a password may be corrected in its file. */
	while (!list_is_empty(&session->waiting))
		call_fail_later(list_entry(session->waiting.next, struct qumulo_call, link),
				FILE_LATER, answer->retry_after_ms, why);
}

static struct text login_user(const struct session *session)
{
	struct text login = text_of(session->last_login);

	return text_cut(&login, '\n');
}

static void log_in_done(void *ctx, const struct qumulo_answer *answer)
{
	struct session *session = ctx;
	const char *token = json_string_value(json_object_get(answer->body, "bearer_token"));

	session->log_in = NULL;
	if (answer->result == FILE_OK && token && token_is_sendable(token)) {
		free(TAKE(session->refusal));
		session_take_token(session, token, true);
		return waiting_go_on(session);
	}

	bool is_refused = answer->result == FILE_DENIED || answer->result == FILE_REFUSED;
	AUTO(free)
	char *why =
		str_format("log-in of user %.*s at cluster '%s': %s%s",
			   TEXT_ARGS(login_user(session)), session->qumulo->settings.name,
			   answer->result == FILE_OK ? "the answer holds no token" : answer->why,
			   is_refused ? "; correct the password in its file, it is read at "
					"each attempt"
				      : "");
	if (is_refused) {
		free(session->refusal);
		session->refusal = str_copy(why);
		session->refused_until_ms = clock_monotonic_ms() + REFUSED_PAUSE_MS;
	}
	waiting_fail(session, answer, why);
}

static void session_log_in(struct session *session, struct qumulo_call *call, const char *username,
			   const char *password)
{
	AUTO(free) char *login = str_format("%s\n%s", username, password);
	json_t *body;

	if (session->last_login && strcmp(session->last_login, login) == 0 && session->refusal &&
	    clock_monotonic_ms() < session->refused_until_ms)
		return call_fail_later(call, FILE_LATER, 0, session->refusal);
	body = json_pack("{s:s, s:s}", "username", username, "password", password);
	if (!body)
		return call_fail_later(call, FILE_DENIED, 0, "the user name is not UTF-8");
	list_remove(&call->link);
	list_append(&session->waiting, &call->link);
	log_hide(password);
	free(session->last_login);
	session->last_login = TAKE(login);
	session->log_in = call_start(session->qumulo, "POST", SESSION_LOG_IN, NULL, body, NULL,
				     log_in_done, NULL, session);
	json_decref(body);
}

void session_join(struct session *session, struct qumulo_call *call)
{
	const struct qumulo_settings *settings = &session->qumulo->settings;
	AUTO(free) char *token = NULL;
	AUTO(free) char *username = NULL;
	AUTO(free) char *password = NULL;
	AUTO_ERROR err = { 0 };

	if (session->token)
		return call_send(call, session->token, session->age);
	if (session->log_in) {
		list_remove(&call->link);
		return list_append(&session->waiting, &call->link);
	}
	if (settings->credential(settings->ctx, &token, &username, &password, &err) < 0)
		return call_fail_later(call, FILE_LATER, 0, error_text(&err));
	if (!token && username)
		return session_log_in(session, call, username, password ? password : "");
	if (!token || !token_is_sendable(token))
		return call_fail_later(call, FILE_LATER, 0,
				       "the token is empty, longer than 8192 bytes, or has "
				       "characters that no token has");
	session_take_token(session, token, false);
	call_send(call, session->token, session->age);
}

/* Whether the credential has another token now than the one that was refused. */
static bool token_was_replaced(struct session *session)
{
	const struct qumulo_settings *settings = &session->qumulo->settings;
	AUTO(free) char *token = NULL;
	AUTO(free) char *username = NULL;
	AUTO(free) char *password = NULL;
	AUTO_ERROR err = { 0 };

	if (settings->credential(settings->ctx, &token, &username, &password, &err) < 0)
		return false;
	return !token || strcmp(token, session->token) != 0;
}

bool session_renew(struct session *session, const struct qumulo_call *call)
{
	if (call->token_age != session->age || !session->token)
		return true; /* somebody else was faster */
	if (session->is_from_log_in) {
		if (clock_monotonic_ms() - session->born_ms < FRESH_MS)
			return false;
	} else if (!token_was_replaced(session)) {
		return false;
	}
	free(TAKE(session->token));
	return true;
}

bool session_forget_token(struct session *session, const struct qumulo_call *call)
{
	bool is_from_log_in = session->is_from_log_in;

	if (call->token_age == session->age)
		free(TAKE(session->token));
	return is_from_log_in;
}
