/* rights: what a user may do with a file: privileges, then the ACL, then the mode. */
#include "base/parse.h"
#include "simulator/auth.h"
#include "simulator/files.h"

static const char *const right_names[] = {
	"READ",      "READ_EA",      "READ_ATTR",   "READ_ACL",     "WRITE_EA",    "WRITE_ATTR",
	"WRITE_ACL", "CHANGE_OWNER", "WRITE_GROUP", "DELETE",       "EXECUTE",     "MODIFY",
	"EXTEND",    "ADD_FILE",     "ADD_SUBDIR",  "DELETE_CHILD", "SYNCHRONIZE",
};

static const unsigned read_rights = RIGHT_READ | RIGHT_READ_EA | RIGHT_READ_ATTR | RIGHT_READ_ACL |
				    RIGHT_EXECUTE | RIGHT_SYNCHRONIZE;
static const unsigned write_rights = RIGHT_WRITE_EA | RIGHT_WRITE_ATTR | RIGHT_MODIFY |
				     RIGHT_EXTEND | RIGHT_ADD_FILE | RIGHT_ADD_SUBDIR |
				     RIGHT_DELETE_CHILD;
static const unsigned owner_rights = RIGHT_WRITE_ATTR | RIGHT_WRITE_ACL | RIGHT_WRITE_GROUP;
static const char everyone[] = "8589934592";
static const char users_group[] = "513";
static const char administrators_group[] = "512";

unsigned right_parse(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(right_names); i++) {
		if (strcmp(right_names[i], name) == 0)
			return 1u << i;
	}
	return 0;
}

const char *right_name(unsigned right)
{
	return right_names[__builtin_ctz(right)];
}

static unsigned rights_of_bits(unsigned bits)
{
	unsigned rights = RIGHT_READ_ATTR | RIGHT_READ_ACL | RIGHT_SYNCHRONIZE;

	if (bits & 4)
		rights |= RIGHT_READ | RIGHT_READ_EA;
	if (bits & 2)
		rights |= write_rights;
	if (bits & 1)
		rights |= RIGHT_EXECUTE;
	return rights;
}

static bool is_identity(uint64_t auth_id, const char *text)
{
	AUTO(free) char *own = str_format("%llu", (unsigned long long)auth_id);

	return strcmp(own, text) == 0;
}

static unsigned rights_of_mode(const struct user *user, const struct tree_stat *stat)
{
	if (is_identity(stat->owner.auth_id, user->auth_id))
		return rights_of_bits(stat->mode >> 6) | owner_rights;
	if (is_identity(stat->group.auth_id, users_group))
		return rights_of_bits(stat->mode >> 3);
	return rights_of_bits(stat->mode);
}

static bool ace_is_about(const json_t *ace, const struct user *user)
{
	const json_t *trustee = json_object_get(ace, "trustee");
	const char *id = json_string_value(
		json_is_object(trustee) ? json_object_get(trustee, "auth_id") : trustee);

	if (!id)
		return false;
	return strcmp(id, user->auth_id) == 0 || strcmp(id, everyone) == 0 ||
	       strcmp(id, users_group) == 0 ||
	       (strcmp(id, administrators_group) == 0 && user->privileges == PRIVILEGE_ALL);
}

static unsigned ace_rights(const json_t *ace)
{
	unsigned rights = 0;
	size_t index;
	json_t *name;

	json_array_foreach(json_object_get(ace, "rights"), index, name)
	{
		if (json_is_string(name))
			rights |= right_parse(json_string_value(name));
	}
	return rights;
}

/* The first entry that speaks of a right decides about it. */
static unsigned rights_of_acl(const struct user *user, const json_t *acl)
{
	unsigned allowed = 0, decided = 0;
	size_t index;
	json_t *ace;

	json_array_foreach(json_object_get(acl, "aces"), index, ace)
	{
		const char *type = json_string_value(json_object_get(ace, "type"));
		unsigned rights = ace_is_about(ace, user) ? ace_rights(ace) & ~decided : 0;

		decided |= rights;
		if (type && strcmp(type, "ALLOWED") == 0)
			allowed |= rights;
	}
	return allowed;
}

static unsigned own_rights(const struct request *request, struct node *node)
{
	const json_t *acl = tree_acl(node);
	struct tree_stat stat;

	if (acl)
		return rights_of_acl(request->user, acl);
	tree_stat(request->sim->tree, node, &stat);
	return rights_of_mode(request->user, &stat);
}

unsigned file_rights(const struct request *request, struct node *node)
{
	if (request->user->privileges & PRIVILEGE(FILE_FULL_ACCESS))
		return RIGHT_ALL;
	unsigned always = request->user->privileges & PRIVILEGE(FILE_READ_ACCESS) ? read_rights : 0;
	for (struct node *above = tree_parent(node); above && !always; above = tree_parent(above)) {
		if (!(own_rights(request, above) & RIGHT_EXECUTE))
			return 0;
	}
	return own_rights(request, node) | always;
}

bool file_allow(struct request *request, struct node *node, unsigned rights)
{
	unsigned missing = rights & ~file_rights(request, node);

	if (!missing)
		return true;
	unsigned first = missing & -missing;
	answer_error(request, 403,
		     first & (RIGHT_CHANGE_OWNER | RIGHT_WRITE_ACL | RIGHT_WRITE_GROUP)
			     ? "fs_access_perm_not_owner_error"
			     : "fs_access_denied_error",
		     "Access denied: %s is missing", right_name(first));
	return false;
}

void answer_missing_privilege(struct request *request, privilege_set any_of)
{
	bool as_401 =
		switch_value(&request->sim->switches, SWITCH_MISSING_PRIVILEGE) == MISSING_401;

	answer_error(request, as_401 ? 401 : 403, "http_unauthorized_error",
		     "Missing privilege: %s", privilege_first_name(any_of));
}
