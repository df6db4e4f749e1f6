/* api_session: log in, who am I, roles, privileges, access tokens, identities (sections 4, 14.3).
 */
#include "base/clock.h"
#include "simulator/auth.h"
#include "simulator/route.h"

static void answer_bad_password(struct request *request)
{
	switch (switch_value(&request->sim->switches, SWITCH_BAD_PASSWORD)) {
	case PASSWORD_400:
		answer_error(request, 400, "http_unauthorized_error", "Invalid credentials");
		break;
	case PASSWORD_EMPTY:
		answer_empty(request, 401);
		break;
	default:
		answer_error(request, 401, "http_unauthorized_error", "Invalid credentials");
		break;
	}
}

static void run_login(struct request *request)
{
	AUTO(json_decref) json_t *body = request_object(request);
	struct auth *auth = request->sim->auth;
	const char *name, *password;

	if (!body || member_string(request, body, "username", NEEDED, &name) < 0 ||
	    member_string(request, body, "password", NEEDED, &password) < 0)
		return;
	struct user *user = auth_find_user(auth, name);
	if (!user || strcmp(user->password, password) != 0) {
		answer_bad_password(request);
		return;
	}
	answer_json(request, 200,
		    json_pack("{s:s}", "bearer_token", auth_new_session(auth, user)->text));
}

static void run_who_am_i(struct request *request)
{
	const struct user *user = request->user;
	json_t *body = json_pack("{s:s, s:s, s:s, s:s, s:s, s:n, s:b, s:o}", "id", user->auth_id,
				 "name", user->name, "primary_group", "513", "sid", user->sid,
				 "uid", "", "home_directory", "can_change_password", 1,
				 "privileges", privilege_names(user->privileges));

	if (request->token->id)
		json_object_set_new(body, "access_token_id", json_string(request->token->id));
	answer_json(request, 200, body);
}

static void run_my_roles(struct request *request)
{
	answer_json(request, 200, json_incref(request->user->roles));
}

static void run_privileges(struct request *request)
{
	answer_json(request, 200, privilege_descriptions());
}

/* ---- access tokens ---- */

static json_t *token_json(const struct token *token)
{
	AUTO(free) char *created = clock_format(token->created_ms);
	AUTO(free)
	char *expires = token->expires_ms == INT64_MAX ? NULL : clock_format(token->expires_ms);

	return json_pack("{s:s, s:o, s:o, s:s, s:s?, s:b}", "id", token->id, "user",
			 identity_json(token->user), "creator", identity_json(token->creator),
			 "creation_time", created, "expiration_time", expires, "enabled",
			 (int)token->enabled);
}

/* The user that an identity's subset names; NULL: 400 was answered. */
static struct user *identity_find(struct request *request, const json_t *identity)
{
	struct user *user;
	const char *name = NULL, *auth_id = NULL, *sid = NULL;

	if (!json_is_object(identity)) {
		answer_error(request, 400, "decode_error", "Expected an identity");
		return NULL;
	}
	if (member_string(request, identity, "name", OPTIONAL, &name) < 0 ||
	    member_string(request, identity, "auth_id", OPTIONAL, &auth_id) < 0 ||
	    member_string(request, identity, "sid", OPTIONAL, &sid) < 0)
		return NULL;
	list_for_each (user, &request->sim->auth->users, link) {
		if ((auth_id && strcmp(auth_id, user->auth_id) == 0) ||
		    (sid && strcmp(sid, user->sid) == 0) || (name && strcmp(name, user->name) == 0))
			return user;
	}
	answer_error(request, 400, "cred_invalid_local_user_error", "There is no such user");
	return NULL;
}

static int member_time(struct request *request, const json_t *object, const char *name,
		       int64_t *out_ms)
{
	const char *text = NULL;

	if (member_string(request, object, name, OPTIONAL, &text) < 0)
		return -1;
	if (!text || !*text || clock_parse(text, out_ms))
		return 0;
	answer_error(request, 400, "decode_error",
		     "%s: expected a time like "
		     "2026-11-22T17:08:09Z",
		     name);
	return -1;
}

static struct token *token_of_path(struct request *request)
{
	struct token *token = auth_find_access_token(request->sim->auth, request->argument[0]);

	if (!token)
		answer_error(request, 404, "http_not_found_error", "No such access token: %s",
			     request->argument[0]);
	return token;
}

static void run_list_tokens(struct request *request)
{
	const char *name = url_parameter(&request->url, "user");
	json_t *entries = json_array();
	struct token *token;
	int64_t limit, after, number = 0;
	char *next = NULL;

	if (request_number(request, "limit", 1000, &limit) < 0 ||
	    request_number(request, "after", 0, &after) < 0) {
		json_decref(entries);
		return;
	}
	list_for_each (token, &request->sim->auth->tokens, link) {
		const struct user *user = token->user;

		if (!token->id ||
		    (name && strcmp(name, user->name) != 0 && strcmp(name, user->auth_id) != 0))
			continue;
		if (number++ < after)
			continue;
		if ((int64_t)json_array_size(entries) == MAX(limit, 1)) {
			next = str_format("/v1/auth/access-tokens/?limit=%lld&after=%lld",
					  (long long)limit, (long long)number - 1);
			break;
		}
		json_array_append_new(entries, token_json(token));
	}
	json_t *list = json_pack("{s:o}", "entries", entries);
	answer_paging(request, list, next);
	free(next);
	answer_json(request, 200, list);
}

static void run_create_token(struct request *request)
{
	AUTO(json_decref) json_t *body = request_object(request);
	int64_t expires_ms = INT64_MAX;

	if (!body || member_time(request, body, "expiration_time", &expires_ms) < 0)
		return;
	struct user *user = identity_find(request, json_object_get(body, "user"));
	if (!user)
		return;
	struct token *token =
		auth_new_access_token(request->sim->auth, user, request->token->user, expires_ms);
	if (!token) {
		answer_error(request, 400, "invalid_request_error",
			     "A user cannot have more than %d access tokens",
			     ACCESS_TOKENS_PER_USER);
		return;
	}
	answer_json(request, 200,
		    json_pack("{s:s, s:s}", "id", token->id, "bearer_token", token->text));
}

static void run_get_token(struct request *request)
{
	const struct token *token = token_of_path(request);

	if (token)
		answer_json(request, 200, token_json(token));
}

static void run_change_token(struct request *request)
{
	AUTO(json_decref) json_t *body = request_object(request);
	struct token *token = body ? token_of_path(request) : NULL;

	if (!token)
		return;
	int64_t expires_ms = token->expires_ms;
	bool enabled = token->enabled;
	if (member_bool(request, body, "enabled", OPTIONAL, &enabled) < 0 ||
	    member_time(request, body, "expiration_time", &expires_ms) < 0)
		return;
	const char *expires = json_string_value(json_object_get(body, "expiration_time"));
	token->expires_ms = expires && !*expires ? INT64_MAX : expires_ms;
	token->enabled = enabled;
	answer_json(request, 200, token_json(token));
}

static void run_delete_token(struct request *request)
{
	struct token *token = token_of_path(request);

	if (!token)
		return;
	if (token == request->token)
		request->token = NULL;
	auth_remove_token(token);
	answer_empty(request, 200);
}

/* ---- identities, users, roles ---- */

static void run_find_identity(struct request *request)
{
	AUTO(json_decref) json_t *body = request_object(request);
	const struct user *user = body ? identity_find(request, body) : NULL;

	if (user)
		answer_json(request, 200, identity_json(user));
}

static void run_users(struct request *request)
{
	json_t *users = json_array();
	const struct user *user;

	list_for_each (user, &request->sim->auth->users, link)
		json_array_append_new(users, json_pack("{s:s, s:s, s:s, s:s, s:s, s:n}", "id",
						       user->auth_id, "name", user->name,
						       "primary_group", "513", "sid", user->sid,
						       "uid", "", "home_directory"));
	answer_json(request, 200, users);
}

static void run_roles(struct request *request)
{
	static const char *const names[] = { "Administrators", "Data-Administrators", "Observers" };
	json_t *roles = json_array();

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		privilege_set set = 0;
		AUTO(json_decref) json_t *ignored = json_array();

		if (privilege_parse(text_of(names[i]), &set, ignored, NULL) < 0)
			abort();
		json_array_append_new(roles,
				      json_pack("{s:s, s:s, s:o}", "name", names[i], "description",
						names[i], "privileges", privilege_names(set)));
	}
	answer_json(request, 200, roles);
}

const struct route routes_session[] = {
	{ "POST", "/v1/session/login", run_login, ROUTE_OPEN },
	{ "GET", "/v1/session/who-am-i", run_who_am_i },
	{ "GET", "/v1/session/roles", run_my_roles },
	{ "GET", "/v1/auth/privileges/", run_privileges },
	{ "GET", "/v1/auth/access-tokens/", run_list_tokens, 0, PRIVILEGE(ACCESS_TOKENS_READ) },
	{ "POST", "/v1/auth/access-tokens/", run_create_token, ROUTE_CHANGES,
	  PRIVILEGE(ACCESS_TOKENS_WRITE) },
	{ "GET", "/v1/auth/access-tokens/{}", run_get_token, 0, PRIVILEGE(ACCESS_TOKENS_READ) },
	{ "PATCH", "/v1/auth/access-tokens/{}", run_change_token, ROUTE_CHANGES,
	  PRIVILEGE(ACCESS_TOKENS_WRITE) },
	{ "DELETE", "/v1/auth/access-tokens/{}", run_delete_token, ROUTE_CHANGES,
	  PRIVILEGE(ACCESS_TOKENS_WRITE) },
	{ "POST", "/v1/identity/find", run_find_identity, 0, PRIVILEGE(IDENTITY_READ) },
	{ "POST", "/v1/auth/identity/find", run_find_identity, 0, PRIVILEGE(IDENTITY_READ) },
	{ "GET", "/v1/users/", run_users, 0, PRIVILEGE(LOCAL_USER_READ) },
	{ "GET", "/v1/auth/roles/", run_roles, 0, PRIVILEGE(ROLE_READ) },
	{ NULL },
};
