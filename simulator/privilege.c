#include "simulator/privilege.h"

#include "base/parse.h"

#define PRIVILEGE_ROW(name, help) { "PRIVILEGE_" #name, help },
static const struct {
	const char *name;
	const char *help;
} privileges[] = { PRIVILEGES(PRIVILEGE_ROW) };
#undef PRIVILEGE_ROW

#define DATA_RIGHTS                                                                                \
	(PRIVILEGE(FILE_FULL_ACCESS) | PRIVILEGE(FILE_READ_ACCESS) | PRIVILEGE(FS_SETTINGS_READ) | \
	 PRIVILEGE(FS_SETTINGS_WRITE) | PRIVILEGE(FS_ATTRIBUTES_READ) |                            \
	 PRIVILEGE(FS_FILE_LOCK_WRITE) | PRIVILEGE(FS_LOCK_READ) | PRIVILEGE(FS_LOCK_WRITE) |      \
	 PRIVILEGE(FS_DELETE_TREE_READ) | PRIVILEGE(FS_DELETE_TREE_WRITE) |                        \
	 PRIVILEGE(SNAPSHOT_READ) | PRIVILEGE(SNAPSHOT_WRITE) |                                    \
	 PRIVILEGE(SNAPSHOT_DIFFERENCE_READ) | PRIVILEGE(SNAPSHOT_POLICY_READ) |                   \
	 PRIVILEGE(SNAPSHOT_POLICY_WRITE) | PRIVILEGE(CLUSTER_READ) | PRIVILEGE(IDENTITY_READ) |   \
	 PRIVILEGE(SMB_FILE_HANDLE_READ) | PRIVILEGE(SMB_FILE_HANDLE_WRITE) |                      \
	 PRIVILEGE(QUOTA_READ) | PRIVILEGE(QUOTA_WRITE) | PRIVILEGE(ANALYTICS_READ))

#define OBSERVER_RIGHTS                                                                          \
	(PRIVILEGE(FS_SETTINGS_READ) | PRIVILEGE(FS_ATTRIBUTES_READ) | PRIVILEGE(FS_LOCK_READ) | \
	 PRIVILEGE(FS_DELETE_TREE_READ) | PRIVILEGE(SNAPSHOT_READ) |                             \
	 PRIVILEGE(SNAPSHOT_DIFFERENCE_READ) | PRIVILEGE(SNAPSHOT_POLICY_READ) |                 \
	 PRIVILEGE(IDENTITY_READ) | PRIVILEGE(CLUSTER_READ) | PRIVILEGE(NETWORK_READ) |          \
	 PRIVILEGE(NETWORK_IP_ALLOCATION_READ) | PRIVILEGE(UPGRADE_READ) |                       \
	 PRIVILEGE(REBOOT_READ) | PRIVILEGE(AUDIT_READ) | PRIVILEGE(SMB_FILE_HANDLE_READ) |      \
	 PRIVILEGE(QUOTA_READ) | PRIVILEGE(ANALYTICS_READ) | PRIVILEGE(METRICS_READ) |           \
	 PRIVILEGE(TENANT_READ))

static const struct {
	const char *name;
	privilege_set set;
} roles_known[] = {
	{ "Administrators", PRIVILEGE_ALL },
	{ "Data-Administrators", DATA_RIGHTS },
	{ "Observers", OBSERVER_RIGHTS },
};

const char *privilege_name(int place)
{
	return privileges[place].name;
}

json_t *privilege_names(privilege_set set)
{
	json_t *names = json_array();

	for (int place = 0; place < PRIVILEGE_COUNT; place++) {
		if (set >> place & 1)
			json_array_append_new(names, json_string(privileges[place].name));
	}
	return names;
}

json_t *privilege_descriptions(void)
{
	json_t *all = json_array();

	for (int place = 0; place < PRIVILEGE_COUNT; place++)
		json_array_append_new(all, json_pack("{s:s, s:s}", "name", privileges[place].name,
						     "description", privileges[place].help));
	return all;
}

const char *privilege_first_name(privilege_set set)
{
	return set ? privileges[__builtin_ctzll(set)].name : "";
}

static bool privilege_find(struct text name, privilege_set *out, json_t *roles)
{
	static const size_t prefix = sizeof("PRIVILEGE_") - 1;

	if (text_is(name, "none"))
		return true;
	if (text_is(name, "all"))
		name = TEXT("Administrators");
	for (size_t i = 0; i < ARRAY_SIZE(roles_known); i++) {
		if (!text_is(name, roles_known[i].name))
			continue;
		*out |= roles_known[i].set;
		json_array_append_new(roles, json_string(roles_known[i].name));
		return true;
	}
	for (int place = 0; place < PRIVILEGE_COUNT; place++) {
		if (!text_is(name, privileges[place].name) &&
		    !text_is(name, privileges[place].name + prefix))
			continue;
		*out |= (privilege_set)1 << place;
		return true;
	}
	return false;
}

/* What was probably meant, or NULL. */
static const char *privilege_nearest(struct text name)
{
	const char *known[2 * PRIVILEGE_COUNT + ARRAY_SIZE(roles_known) + 1] = { 0 };
	size_t count = 0;

	for (int place = 0; place < PRIVILEGE_COUNT; place++) {
		known[count++] = privileges[place].name;
		known[count++] = privileges[place].name + sizeof("PRIVILEGE_") - 1;
	}
	for (size_t i = 0; i < ARRAY_SIZE(roles_known); i++)
		known[count++] = roles_known[i].name;
	return parse_nearest(name, known);
}

int privilege_parse(struct text list, privilege_set *out, json_t *roles, struct error *err)
{
	privilege_set set = 0;

	while (list.size) {
		struct text name = text_trim(text_cut(&list, ','));

		if (privilege_find(name, &set, roles))
			continue;
		const char *nearest = privilege_nearest(name);
		return error_set(err, "'%.*s' is neither a privilege nor a role%s%s%s",
				 TEXT_ARGS(name), nearest ? "; did you mean " : "",
				 nearest ? nearest : "", nearest ? "?" : "");
	}
	*out = set;
	return 0;
}
