#include "simulator/acl.h"

#include "base/parse.h"
#include "simulator/auth.h"

enum { ACES_MAX = 200 };

static const char everyone[] = "8589934592";
static const char *const controls[] = { "PRESENT",      "DEFAULTED", "TRUSTED",
					"AUTO_INHERIT", "PROTECTED", NULL };
static const char *const specials[] = { "STICKY_BIT", "SET_GID", "SET_UID", NULL };
static const char *const flag_names[] = {
	"OBJECT_INHERIT", "CONTAINER_INHERIT", "NO_PROPAGATE_INHERIT",
	"INHERIT_ONLY",   "INHERITED",         NULL
};

/* ---- reading ---- */

static bool is_known(const char *const *names, const char *name)
{
	if (!names)
		return right_parse(name);
	for (; *names; names++) {
		if (strcmp(*names, name) == 0)
			return true;
	}
	return false;
}

/* A list of names; names NULL: of rights. */
static json_t *parse_names(struct request *request, const json_t *object, const char *member,
			   const char *const *names, enum presence presence)
{
	const json_t *list = json_object_get(object, member);
	json_t *name;
	size_t index;

	if (!list && presence == OPTIONAL)
		return json_array();
	if (!json_is_array(list)) {
		answer_error(request, 400, "decode_error", "%s: expected a list", member);
		return NULL;
	}
	json_array_foreach(list, index, name)
	{
		if (json_is_string(name) && is_known(names, json_string_value(name)))
			continue;
		answer_error(request, 400, "decode_error", "%s: '%s' is not known", member,
			     json_is_string(name) ? json_string_value(name) : "?");
		return NULL;
	}
	return json_deep_copy(list);
}

static int parse_trustee(struct request *request, const json_t *ace, struct tree_identity *out)
{
	const json_t *trustee = json_object_get(ace, "trustee");
	const json_t *details = json_object_get(ace, "trustee_details");
	const char *text = json_string_value(
		json_is_object(trustee) ? json_object_get(trustee, "auth_id") : trustee);
	const struct user *user;

	if (text)
		return identity_by_auth_id(request, text, false, out);
	if (json_is_object(details))
		return identity_by_details(request, details, out);
	const char *name = json_string_value(json_object_get(trustee, "name"));
	user = name ? auth_find_user(request->sim->auth, name) : NULL;
	if (user)
		return identity_by_auth_id(request, user->auth_id, false, out);
	for (int i = 0; i < 2; i++) {
		const json_t *number = json_object_get(trustee, i ? "gid" : "uid");

		if (!json_is_integer(number))
			continue;
		AUTO(free)
		char *auth_id = str_format("%lld", (long long)(((json_int_t)(3 + i) << 32) +
							       json_integer_value(number)));
		return identity_by_auth_id(request, auth_id, i, out);
	}
	answer_error(request, 400, "decode_error", "trustee: expected an identity");
	return -1;
}

static json_t *ace_new(const char *type, const struct tree_identity *trustee, json_t *flags,
		       json_t *rights)
{
	AUTO(free) char *auth_id = str_format("%llu", (unsigned long long)trustee->auth_id);

	return json_pack("{s:s, s:o, s:s, s:{s:s, s:s}, s:o}", "type", type, "flags", flags,
			 "trustee", auth_id, "trustee_details", "id_type", trustee->id_type,
			 "id_value", trustee->id_value, "rights", rights);
}

static json_t *parse_ace(struct request *request, const json_t *ace)
{
	static const char *const types[] = { "ALLOWED", "DENIED", NULL };
	AUTO(json_decref) json_t *flags = NULL;
	AUTO(json_decref) json_t *rights = NULL;
	struct tree_identity trustee;
	const char *type;

	if (!json_is_object(ace)) {
		answer_error(request, 400, "decode_error", "aces: expected objects");
		return NULL;
	}
	if (member_string(request, ace, "type", NEEDED, &type) < 0)
		return NULL;
	if (!is_known(types, type)) {
		answer_error(request, 400, "decode_error", "type: '%s' is not known", type);
		return NULL;
	}
	flags = parse_names(request, ace, "flags", flag_names, NEEDED);
	rights = flags ? parse_names(request, ace, "rights", NULL, NEEDED) : NULL;
	if (!rights || parse_trustee(request, ace, &trustee) < 0)
		return NULL;
	return ace_new(type, &trustee, TAKE(flags), TAKE(rights));
}

json_t *acl_parse(struct request *request, const json_t *body)
{
	const json_t *list = json_object_get(body, "aces");
	AUTO(json_decref) json_t *aces = json_array();
	AUTO(json_decref) json_t *control = NULL;
	AUTO(json_decref) json_t *special = NULL;
	json_t *ace;
	size_t index;

	if (!json_is_array(list)) {
		answer_error(request, 400, "decode_error", "aces: expected a list");
		return NULL;
	}
	if (json_array_size(list) > ACES_MAX) {
		answer_error(request, 400, "fs_too_many_aces_error", "More than %d entries",
			     ACES_MAX);
		return NULL;
	}
	json_array_foreach(list, index, ace)
	{
		json_t *parsed = parse_ace(request, ace);

		if (!parsed)
			return NULL;
		json_array_append_new(aces, parsed);
	}
	control = parse_names(request, body, "control", controls, OPTIONAL);
	special = control ? parse_names(request, body, "posix_special_permissions", specials,
					OPTIONAL)
			  : NULL;
	if (!special)
		return NULL;
	return json_pack("{s:o, s:o, s:o}", "control", TAKE(control), "posix_special_permissions",
			 TAKE(special), "aces", TAKE(aces));
}

/* ---- modes ---- */

static json_t *rights_of_bits(unsigned bits, bool is_directory)
{
	unsigned rights = RIGHT_READ_ATTR | RIGHT_READ_ACL | RIGHT_SYNCHRONIZE;
	json_t *names = json_array();

	if (bits & 4)
		rights |= RIGHT_READ | RIGHT_READ_EA;
	if (bits & 2)
		rights |=
			RIGHT_WRITE_EA | RIGHT_WRITE_ATTR | RIGHT_MODIFY | RIGHT_EXTEND |
			(is_directory ? RIGHT_ADD_FILE | RIGHT_ADD_SUBDIR | RIGHT_DELETE_CHILD : 0);
	if (bits & 1)
		rights |= RIGHT_EXECUTE;
	for (unsigned bit = 1; bit <= rights; bit <<= 1) {
		if (rights & bit)
			json_array_append_new(names, json_string(right_name(bit)));
	}
	return names;
}

json_t *acl_of_mode(const struct tree_stat *stat)
{
	bool is_directory = stat->type == TREE_DIRECTORY;
	const struct tree_identity all = { (uint64_t)2 << 32, "INTERNAL", "Everyone" };
	json_t *aces = json_array();
	json_t *special = json_array();

	json_array_append_new(aces, ace_new("ALLOWED", &stat->owner, json_array(),
					    rights_of_bits(stat->mode >> 6, is_directory)));
	json_array_append_new(aces, ace_new("ALLOWED", &stat->group, json_array(),
					    rights_of_bits(stat->mode >> 3, is_directory)));
	json_array_append_new(aces, ace_new("ALLOWED", &all, json_array(),
					    rights_of_bits(stat->mode, is_directory)));
	for (int i = 0; specials[i]; i++) {
		if (stat->mode & 01000 << i)
			json_array_append_new(special, json_string(specials[i]));
	}
	return json_pack("{s:[s], s:o, s:o}", "control", "PRESENT", "posix_special_permissions",
			 special, "aces", aces);
}

/* The first entry about somebody that speaks of a right decides about it. */
static unsigned bits_for(const json_t *acl, const char *auth_id)
{
	static const struct {
		unsigned rights;
		unsigned bit;
	} bits[] = { { RIGHT_READ, 4 },
		     { RIGHT_MODIFY | RIGHT_ADD_FILE, 2 },
		     { RIGHT_EXECUTE, 1 } };
	unsigned allowed = 0, decided = 0;
	json_t *ace, *name;
	size_t index, name_index;

	json_array_foreach(json_object_get(acl, "aces"), index, ace)
	{
		const char *trustee = json_string_value(json_object_get(ace, "trustee"));
		const char *type = json_string_value(json_object_get(ace, "type"));
		unsigned rights = 0;

		if (strcmp(trustee, auth_id) != 0 && strcmp(trustee, everyone) != 0)
			continue;
		json_array_foreach(json_object_get(ace, "rights"), name_index, name) rights |=
			right_parse(json_string_value(name));
		allowed |= *type == 'A' ? rights & ~decided : 0;
		decided |= rights;
	}
	unsigned mode = 0;
	for (size_t i = 0; i < ARRAY_SIZE(bits); i++)
		mode |= allowed & bits[i].rights ? bits[i].bit : 0;
	return mode;
}

unsigned acl_mode(const json_t *acl, const struct tree_stat *stat)
{
	AUTO(free) char *owner = str_format("%llu", (unsigned long long)stat->owner.auth_id);
	AUTO(free) char *group = str_format("%llu", (unsigned long long)stat->group.auth_id);
	unsigned mode =
		bits_for(acl, owner) << 6 | bits_for(acl, group) << 3 | bits_for(acl, everyone);
	json_t *name;
	size_t index;

	json_array_foreach(json_object_get(acl, "posix_special_permissions"), index, name)
	{
		for (int i = 0; specials[i]; i++) {
			if (strcmp(specials[i], json_string_value(name)) == 0)
				mode |= 01000 << i;
		}
	}
	return mode;
}

/* ---- the second version ---- */

static json_t *identity_v2(struct request *request, const json_t *ace)
{
	const char *auth_id = json_string_value(json_object_get(ace, "trustee"));
	const json_t *details = json_object_get(ace, "trustee_details");
	const char *value = json_string_value(json_object_get(details, "id_value"));
	uint64_t id = strtoull(auth_id, NULL, 10);
	const struct user *user;

	list_for_each (user, &request->sim->auth->users, link) {
		if (strcmp(user->auth_id, auth_id) == 0)
			return identity_json(user);
	}
	const char *domain = id >> 32 == 2   ? "WORLD"
			     : id >> 32 == 3 ? "POSIX_USER"
			     : id >> 32 == 4 ? "POSIX_GROUP"
			     : id >> 32 == 5 ? "ACTIVE_DIRECTORY"
					     : "LOCAL";
	json_t *identity = json_pack("{s:s, s:s, s:n, s:n, s:s, s:s}", "domain", domain, "auth_id",
				     auth_id, "uid", "gid", "sid", "", "name", value);
	if (id >> 32 == 3 || id >> 32 == 4)
		json_object_set_new(identity, id >> 32 == 3 ? "uid" : "gid",
				    json_integer(id & UINT32_MAX));
	return identity;
}

json_t *acl_v2(const json_t *acl, struct request *request)
{
	json_t *copy = json_deep_copy(acl);
	json_t *ace;
	size_t index;

	json_array_foreach(json_object_get(copy, "aces"), index, ace)
	{
		json_object_set_new(ace, "trustee", identity_v2(request, ace));
		json_object_del(ace, "trustee_details");
	}
	return copy;
}
