#include "simulator/auth.h"

#include <openssl/evp.h>
#include <openssl/rand.h>

#include "base/clock.h"
#include "simulator/render.h"

static const int64_t session_ms = 10 * 3600 * 1000;

struct auth *auth_new(void)
{
	struct auth *auth = NEW(struct auth);

	list_init(&auth->users);
	list_init(&auth->tokens);
	auth->next_id = 1000;
	return auth;
}

static void user_free(struct user *user)
{
	list_remove(&user->link);
	free(user->name);
	free(user->password);
	free(user->auth_id);
	free(user->sid);
	json_decref(user->roles);
	free(user);
}
AUTO_DEFINE(struct user *, user_free)

void auth_remove_token(struct token *token)
{
	list_remove(&token->link);
	free(token->text);
	free(token->id);
	free(token);
}

void auth_free(struct auth *auth)
{
	struct token *token;
	struct user *user;

	if (!auth)
		return;
	list_for_each (token, &auth->tokens, link)
		auth_remove_token(token);
	list_for_each (user, &auth->users, link)
		user_free(user);
	free(auth);
}

int auth_add_user(struct auth *auth, const char *specification, struct error *err)
{
	struct text rest = text_of(specification);
	struct text name = text_cut(&rest, ':');
	struct text password = text_cut(&rest, ':');
	AUTO(user_free) struct user *user = NEW(struct user);

	list_init(&user->link);
	user->roles = json_array();
	user->name = text_copy(name);
	if (!name.size || !password.size)
		return error_set(err, "user '%s': expected NAME:PASSWORD or NAME:PASSWORD:RIGHTS",
				 specification);
	if (!render_is_utf8(name))
		return error_set(err, "user: the name is not UTF-8");
	if (auth_find_user(auth, user->name))
		return error_set(err, "user '%s' is there twice", user->name);
	if (!rest.data)
		rest = TEXT("Administrators");
	if (privilege_parse(rest, &user->privileges, user->roles, err) < 0)
		return error_prefix(err, "user '%s'", user->name);
	user->password = text_copy(password);
	user->auth_id =
		text_is(name, "admin") ? str_copy("500") : str_format("%d", auth->next_id++);
	user->sid = str_format("S-1-5-21-1-2-3-%s", user->auth_id);
	list_append(&auth->users, &TAKE(user)->link);
	return 0;
}

struct user *auth_first_user(const struct auth *auth)
{
	return list_is_empty(&auth->users) ? NULL : list_entry(auth->users.next, struct user, link);
}

struct user *auth_find_user(const struct auth *auth, const char *name)
{
	struct user *user;

	list_for_each (user, &auth->users, link) {
		if (strcmp(user->name, name) == 0)
			return user;
	}
	return NULL;
}

char *auth_secret(const char *prefix)
{
	unsigned char bytes[48];
	char base64[4 * sizeof(bytes) / 3 + 1];

	if (RAND_bytes(bytes, sizeof(bytes)) != 1)
		abort();
	EVP_EncodeBlock((unsigned char *)base64, bytes, sizeof(bytes));
	return str_format("%s%s", prefix, base64);
}

/* About 22 digits, as a cluster's. */
static char *random_token_id(void)
{
	uint64_t halves[2];

	if (RAND_bytes((unsigned char *)halves, sizeof(halves)) != 1)
		abort();
	return str_format("1%010llu%011llu", (unsigned long long)(halves[0] % 10000000000),
			  (unsigned long long)(halves[1] % 100000000000));
}

static struct token *token_new(struct auth *auth, struct user *user, struct user *creator,
			       int64_t expires_ms)
{
	struct token *token = NEW(struct token);

	token->user = user;
	token->creator = creator;
	token->created_ms = clock_now_ms();
	token->expires_ms = expires_ms;
	token->enabled = true;
	list_append(&auth->tokens, &token->link);
	return token;
}

/* Sessions that are over go first, then the oldest: a client that logs in too often loses them. */
static void limit_sessions(struct auth *auth)
{
	struct token *token;
	struct token *oldest = NULL;
	int count = 0;

	list_for_each (token, &auth->tokens, link) {
		if (token->id)
			continue;
		if (token->expires_ms <= clock_now_ms()) {
			auth_remove_token(token);
			continue;
		}
		oldest = oldest ? oldest : token;
		count++;
	}
	if (count >= SESSIONS_MAX)
		auth_remove_token(oldest);
}

struct token *auth_new_session(struct auth *auth, struct user *user)
{
	limit_sessions(auth);
	struct token *token = token_new(auth, user, user, clock_now_ms() + session_ms);

	token->text = auth_secret("session-v1:");
	return token;
}

struct token *auth_new_access_token(struct auth *auth, struct user *user, struct user *creator,
				    int64_t expires_ms)
{
	struct token *other;
	int count = 0;

	list_for_each (other, &auth->tokens, link)
		count += other->id && other->user == user;
	if (count >= ACCESS_TOKENS_PER_USER)
		return NULL;
	struct token *token = token_new(auth, user, creator, expires_ms);
	token->id = random_token_id();
	token->text = auth_secret("access-v1:");
	return token;
}

int auth_add_token(struct auth *auth, const char *specification, struct error *err)
{
	struct user *user = auth_first_user(auth);
	const char *at = strchr(specification, '@');
	const char *text = at ? at + 1 : specification;

	if (at) {
		AUTO(free) char *name = str_copy_n(specification, at - specification);
		user = auth_find_user(auth, name);
		if (!user)
			return error_set(err, "token for '%s': there is no --user of that name",
					 name);
	}
	if (strlen(text) < 4 || strlen(text) > 8192 || strpbrk(text, " \t\r\n"))
		return error_set(err, "token: expected 4 to 8192 characters without spaces");
	struct token *token = auth_new_access_token(auth, user, user, INT64_MAX);
	if (!token)
		return error_set(err, "token: a user cannot have more than %d (%s has)",
				 ACCESS_TOKENS_PER_USER, user->name);
	free(token->text);
	token->text = str_copy(text);
	return 0;
}

struct token *auth_find_access_token(const struct auth *auth, const char *id)
{
	struct token *token;

	list_for_each (token, &auth->tokens, link) {
		if (token->id && strcmp(token->id, id) == 0)
			return token;
	}
	return NULL;
}

struct token *auth_access_token_of(const struct auth *auth, const struct user *user)
{
	struct token *token;
	struct token *found = NULL;

	list_for_each (token, &auth->tokens, link) {
		if (token->id && token->user == user && token->enabled)
			found = token;
	}
	return found;
}

int auth_end_sessions(struct auth *auth)
{
	struct token *token;
	int count = 0;

	list_for_each (token, &auth->tokens, link) {
		if (!token->id && token->expires_ms > clock_now_ms()) {
			token->expires_ms = clock_now_ms();
			count++;
		}
	}
	return count;
}

struct token *auth_check(const struct auth *auth, const char *text)
{
	struct token *token;

	list_for_each (token, &auth->tokens, link) {
		if (strcmp(token->text, text) == 0)
			return token->enabled && token->expires_ms > clock_now_ms() ? token : NULL;
	}
	return NULL;
}

json_t *identity_json(const struct user *user)
{
	return json_pack("{s:s, s:s, s:n, s:n, s:s, s:s}", "domain", "LOCAL", "auth_id",
			 user->auth_id, "uid", "gid", "sid", user->sid, "name", user->name);
}
