/* identity: somebody as a person writes it, in the cluster's words (API facts, 14.3). */
#ifndef ACTION_IDENTITY_H
#define ACTION_IDENTITY_H

#include "base/text.h"

#define IDENTITY_HELP                                                                      \
	"a number (NFS), root, the name of a local user or group, auth_id:500, uid:1000, " \
	"gid:1000 or sid:S-1-5-..."

struct identity {
	const char *type;  /* id_type of owner_details, or "auth_id" */
	const char *value; /* points into the text */
};

/* is_group: what a bare number or name means. */
struct identity identity_of(const char *text, bool is_group);
bool identity_is_sane(const char *text, bool is_group);
/* The cluster's own number; NULL where only the cluster knows it. For free(). */
char *identity_auth_id(struct identity identity);
/* Whether somebody, whom the cluster tells in two forms, is this one. Each may be NULL. */
bool identity_is(struct identity identity, const char *auth_id, const char *type,
		 const char *value);

#endif
