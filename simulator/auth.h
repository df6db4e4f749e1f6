/* auth: who may speak to the simulator: users, their sessions and their access tokens. */
#ifndef SIMULATOR_AUTH_H
#define SIMULATOR_AUTH_H

#include "base/list.h"
#include "simulator/privilege.h"

struct user {
	struct list link;
	char *name;
	char *password;
	char *auth_id; /* "500" is admin; others from "1000" */
	char *sid;
	privilege_set privileges;
	json_t *roles;
};

enum { ACCESS_TOKENS_PER_USER = 2, SESSIONS_MAX = 1000 };

struct token {
	struct list link;
	char *text;
	char *id; /* NULL: a session's */
	struct user *user;
	struct user *creator;
	int64_t created_ms;
	int64_t expires_ms; /* INT64_MAX: never */
	bool enabled;
};

struct auth {
	struct list users;
	struct list tokens;
	int next_id;
};

struct auth *auth_new(void);
void auth_free(struct auth *auth);
AUTO_DEFINE(struct auth *, auth_free)

/* NAME:PASSWORD[:PRIVILEGE,...|role]; without the third part everything is allowed. */
MUST_CHECK int auth_add_user(struct auth *auth, const char *specification, struct error *err);
/* [USER@]TEXT: an access token that never expires; of the first user if none is named. */
MUST_CHECK int auth_add_token(struct auth *auth, const char *specification, struct error *err);
struct user *auth_first_user(const struct auth *auth);
struct user *auth_find_user(const struct auth *auth, const char *name);

struct token *auth_new_session(struct auth *auth, struct user *user);
/* NULL: the user has two already. */
struct token *auth_new_access_token(struct auth *auth, struct user *user, struct user *creator,
				    int64_t expires_ms);
struct token *auth_find_access_token(const struct auth *auth, const char *id);
/* The newest enabled access token of a user, or NULL. */
struct token *auth_access_token_of(const struct auth *auth, const struct user *user);
void auth_remove_token(struct token *token);
/* All sessions end now, as if ten hours had passed. */
int auth_end_sessions(struct auth *auth);

/* Looks a text up; NULL: unknown, expired or disabled. */
struct token *auth_check(const struct auth *auth, const char *text);

/* Random bytes in base64 behind a prefix; for free(). */
char *auth_secret(const char *prefix);

json_t *identity_json(const struct user *user);

#endif
