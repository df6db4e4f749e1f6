#include "action/identity.h"

#include <inttypes.h>

#include "base/parse.h"

static bool is_number(const char *text)
{
	int64_t number;

	return parse_number(text_of(text), 0, UINT32_MAX, &number, NULL) == 0;
}

static const char *after(const char *text, const char *start)
{
	size_t size = strlen(start);

	return strncmp(text, start, size) == 0 ? text + size : NULL;
}

struct identity identity_of(const char *text, bool is_group)
{
	const char *value;

	if ((value = after(text, "auth_id:")))
		return (struct identity){ "auth_id", value };
	if ((value = after(text, "sid:")))
		return (struct identity){ "SMB_SID", value };
	if ((value = after(text, "uid:")))
		return (struct identity){ "NFS_UID", value };
	if ((value = after(text, "gid:")))
		return (struct identity){ "NFS_GID", value };
	if ((value = after(text, "local:")))
		return (struct identity){ is_group ? "LOCAL_GROUP" : "LOCAL_USER", value };
	if (strcmp(text, "root") == 0)
		return (struct identity){ is_group ? "NFS_GID" : "NFS_UID", "0" };
	if (is_number(text))
		return (struct identity){ is_group ? "NFS_GID" : "NFS_UID", text };
	return (struct identity){ is_group ? "LOCAL_GROUP" : "LOCAL_USER", text };
}

bool identity_is_sane(const char *text, bool is_group)
{
	struct identity identity = identity_of(text, is_group);

	if (strcmp(identity.type, "SMB_SID") == 0)
		return after(identity.value, "S-1-") != NULL;
	if (strcmp(identity.type, "auth_id") == 0)
		return *identity.value &&
		       strspn(identity.value, "0123456789") == strlen(identity.value);
	if (strncmp(identity.type, "NFS_", 4) == 0)
		return is_number(identity.value);
	return *identity.value && !strpbrk(identity.value, ":{}/");
}

char *identity_auth_id(struct identity identity)
{
	uint64_t base = strcmp(identity.type, "NFS_UID") == 0   ? 3
			: strcmp(identity.type, "NFS_GID") == 0 ? 4
								: 0;

	if (strcmp(identity.type, "auth_id") == 0)
		return str_copy(identity.value);
	if (!base)
		return NULL;
	return str_format("%" PRIu64, (base << 32) + (uint64_t)strtoull(identity.value, NULL, 10));
}

bool identity_is(struct identity identity, const char *auth_id, const char *type, const char *value)
{
	AUTO(free) char *number = identity_auth_id(identity);

	if (type && value && strcmp(type, identity.type) == 0 && strcmp(value, identity.value) == 0)
		return true;
	return number && auth_id && strcmp(auth_id, number) == 0;
}
