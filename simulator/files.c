#include "simulator/files.h"

#include "base/parse.h"
#include "simulator/auth.h"
#include "simulator/nanotime.h"
#include "simulator/render.h"
#include "simulator/snapshots.h"

/* ---- finding ---- */

static bool is_id(const char *ref)
{
	return *ref && strspn(ref, "0123456789") == strlen(ref);
}

struct node *file_find_ref(struct request *request, const char *ref)
{
	struct tree *tree = request->sim->tree;
	struct node *node = NULL;
	AUTO_ERROR err = { 0 };
	uint64_t id;

	if (is_id(ref)) {
		node = tree_id_parse(tree, text_of(ref), &id) ? tree_node(tree, id) : NULL;
		if (!node)
			answer_error(request, 404, "fs_no_such_inode_error", "No such inode: %s",
				     ref);
		return node;
	}
	if (*ref != '/' || !render_is_utf8(text_of(ref))) {
		answer_error(request, 404, "fs_no_such_entry_error",
			     "Not an absolute path: the slashes of a path are sent as %%2F");
		return NULL;
	}
	enum tree_result result = tree_lookup(tree, text_of(ref), &node, &err);
	if (result != TREE_OK) {
		answer_tree_error(request, result, &err);
		return NULL;
	}
	return node;
}

struct node *file_find(struct request *request)
{
	if (url_parameter(&request->url, "snapshot")) {
		answer_error(request, 400, "invalid_request_error",
			     "This cannot be done in a snapshot");
		return NULL;
	}
	tree_sync(request->sim->tree);
	return file_find_ref(request, request->argument[0]);
}

/* ---- finding what was ---- */

static bool is_covered(struct request *request, const struct snapshot *snapshot, uint64_t id)
{
	if (tree_snapshot_covers(request->sim->tree, snapshot->id, snapshot->source, id))
		return true;
	answer_error(request, 404, "fs_file_not_covered_by_snapshot_error",
		     "Not below the directory of the snapshot");
	return false;
}

static struct node *find_id_then(struct request *request, const struct snapshot *snapshot,
				 const char *ref)
{
	struct tree *tree = request->sim->tree;
	struct node *node = NULL;
	uint64_t id;

	if (tree_id_parse(tree, text_of(ref), &id))
		node = tree_snapshot_node(tree, snapshot->id, id);
	if (!node) {
		answer_error(request, 404, "fs_no_such_file_version_error",
			     "Not in the snapshot: %s", ref);
		return NULL;
	}
	return is_covered(request, snapshot, id) ? node : NULL;
}

struct node *file_find_then(struct request *request, const struct snapshot *snapshot,
			    const char *ref)
{
	struct node *node = NULL;
	AUTO_ERROR err = { 0 };

	if (is_id(ref))
		return find_id_then(request, snapshot, ref);
	enum tree_result result =
		tree_snapshot_lookup(request->sim->tree, snapshot->id, text_of(ref), &node, &err);
	if (result != TREE_OK) {
		answer_tree_error(request, result, &err);
		return NULL;
	}
	return is_covered(request, snapshot, tree_id(node)) ? node : NULL;
}

struct node *file_find_read(struct request *request)
{
	const char *text = url_parameter(&request->url, "snapshot");
	const struct snapshot *snapshot = text ? snapshot_named(request, text) : NULL;

	if (!text)
		return file_find(request);
	tree_sync(request->sim->tree);
	return snapshot ? file_find_then(request, snapshot, request->argument[0]) : NULL;
}

bool file_find_entry(struct request *request, const char *ref, struct node **out_directory,
		     char **out_name)
{
	struct tree *tree = request->sim->tree;
	struct text path = text_of(ref);

	while (path.size > 1 && path.data[path.size - 1] == '/')
		path.size--;
	if (is_id(ref)) {
		struct node *node = file_find_ref(request, ref);

		if (!node)
			return false;
		*out_directory = tree_parent(node);
		*out_name = text_copy(tree_name(node));
	} else {
		AUTO(free) char *above = text_copy(path_parent(path));

		*out_directory = file_find_ref(request, above);
		if (!*out_directory) {
			/* What is missing is a directory part, not the entry itself. */
			if (request->status == 404)
				answer_error(request, 404, "fs_no_such_path_error",
					     "No such path: %s", above);
			return false;
		}
		*out_name = text_copy(path_name(path));
	}
	if (*out_directory && **out_name && tree_child(tree, *out_directory, text_of(*out_name)))
		return true;
	if (!*out_directory || !**out_name)
		answer_error(request, 400, "fs_file_path_invalid_error",
			     "The root has no entry of its own");
	else
		answer_error(request, 404, "fs_no_such_entry_error", "No such entry: %s",
			     *out_name);
	free(TAKE(*out_name));
	return false;
}

/* ---- ETags ---- */

char *file_etag(struct sim *sim, struct node *node)
{
	struct tree_stat stat;

	tree_stat(sim->tree, node, &stat);
	return str_format("\"%llu\"", (unsigned long long)stat.etag);
}

bool file_if_match(struct request *request, struct node *node)
{
	AUTO(free) char *etag = file_etag(request->sim, node);

	return request_if_match(request, etag, "the object");
}

/* ---- JSON ---- */

static const char *const type_names[] = {
	[TREE_FILE] = "FS_FILE_TYPE_FILE",
	[TREE_DIRECTORY] = "FS_FILE_TYPE_DIRECTORY",
	[TREE_SYMLINK] = "FS_FILE_TYPE_SYMLINK",
	[TREE_PIPE] = "FS_FILE_TYPE_UNIX_PIPE",
	[TREE_CHARACTER_DEVICE] = "FS_FILE_TYPE_UNIX_CHARACTER_DEVICE",
	[TREE_BLOCK_DEVICE] = "FS_FILE_TYPE_UNIX_BLOCK_DEVICE",
	[TREE_SOCKET] = "FS_FILE_TYPE_UNIX_SOCKET",
};

static const char *const flag_names[] = {
	"read_only",           "hidden",      "system",  "archive", "temporary", "compressed",
	"not_content_indexed", "sparse_file", "offline",
};

static void set_number_text(json_t *object, const char *name, uint64_t value)
{
	char digits[24];

	snprintf(digits, sizeof(digits), "%llu", (unsigned long long)value);
	json_object_set_new(object, name, json_string(digits));
}

static void set_time(json_t *object, const char *name, int64_t ns)
{
	AUTO(free) char *text = nanotime_format(ns);

	json_object_set_new(object, name, json_string(text));
}

static void set_identity(json_t *object, const char *name, const struct tree_identity *identity)
{
	AUTO(free) char *details = str_format("%s_details", name);

	set_number_text(object, name, identity->auth_id);
	json_object_set_new(object, details,
			    json_pack("{s:s, s:s}", "id_type", identity->id_type, "id_value",
				      identity->id_value));
}

static json_t *flags_json(unsigned flags)
{
	json_t *object = json_object();

	for (size_t i = 0; i < ARRAY_SIZE(flag_names); i++)
		json_object_set_new(object, flag_names[i], json_boolean(flags >> i & 1));
	return object;
}

static void set_place(json_t *object, const char *path, bool is_directory)
{
	AUTO(free) char *clean = render_clean(text_of(path));
	bool is_root = strcmp(clean, "/") == 0;
	AUTO(free) char *slashed = str_format("%s/", clean);
	struct text name = path_name(text_of(clean));

	json_object_set_new(object, "path",
			    json_string(is_directory && !is_root ? slashed : clean));
	json_object_set_new(object, "name", json_stringn(name.data ? name.data : "", name.size));
}

json_t *file_json(struct sim *sim, struct node *node, const char *path, bool with_lock)
{
	AUTO(free) char *first_path = path ? NULL : tree_path(sim->tree, node);
	json_t *object = json_object();
	char id[TREE_ID_TEXT_SIZE];
	struct tree_stat stat;
	char mode[8];

	tree_stat(sim->tree, node, &stat);
	bool is_directory = stat.type == TREE_DIRECTORY;
	uint64_t meta_blocks = is_directory;
	tree_id_format(sim->tree, stat.id, id);
	snprintf(mode, sizeof(mode), "%04o", stat.mode & 07777);
	set_place(object, path ? path : first_path, is_directory);
	json_object_set_new(object, "num_links", json_integer(stat.links));
	json_object_set_new(object, "type", json_string(type_names[stat.type]));
	json_object_set_new(object, "major_minor_numbers",
			    json_pack("{s:I, s:I}", "major", (json_int_t)stat.major, "minor",
				      (json_int_t)stat.minor));
	json_object_set_new(
		object, "symlink_target_type",
		json_string(stat.symlink_target ? stat.symlink_target : "FS_FILE_TYPE_UNKNOWN"));
	json_object_set_new(object, "file_number", json_string(id));
	json_object_set_new(object, "id", json_string(id));
	json_object_set_new(object, "mode", json_string(mode));
	set_identity(object, "owner", &stat.owner);
	set_identity(object, "group", &stat.group);
	set_number_text(object, "blocks", stat.data_blocks + meta_blocks);
	set_number_text(object, "datablocks", stat.data_blocks);
	set_number_text(object, "metablocks", meta_blocks);
	set_number_text(object, "size", stat.size);
	set_time(object, "access_time", stat.access_ns);
	set_time(object, "modification_time", stat.modification_ns);
	set_time(object, "change_time", stat.change_ns);
	set_time(object, "creation_time", stat.creation_ns);
	json_object_set_new(object, "child_count", json_integer(stat.child_count));
	json_object_set_new(object, "extended_attributes", flags_json(stat.flags));
	json_object_set_new(object, "directory_entry_hash_policy",
			    is_directory ? json_string("FS_DIRECTORY_HASH_VERSION_FOLDED")
					 : json_null());
	if (is_directory)
		json_object_set_new(object, "data_revision", json_null());
	else
		set_number_text(object, "data_revision", stat.data_revision);
	set_number_text(object, "user_metadata_revision", stat.user_metadata_revision);
	if (with_lock) {
		AUTO(free)
		char *retention = stat.retention_ns == TREE_TIME_NONE
					  ? NULL
					  : nanotime_format(stat.retention_ns);

		json_object_set_new(object, "lock",
				    json_pack("{s:s?, s:b}", "retention_period", retention,
					      "legal_hold", (int)stat.legal_hold));
	}
	return object;
}

void answer_file(struct request *request, struct node *node, const char *path, bool with_lock)
{
	AUTO(free) char *etag = file_etag(request->sim, node);

	answer_json(request, 200, file_json(request->sim, node, path, with_lock));
	answer_etag(request, etag);
}

void answer_file_done(struct request *request, struct node *node)
{
	AUTO(free) char *etag = file_etag(request->sim, node);

	answer_empty(request, 200);
	answer_etag(request, etag);
}

/* ---- errors ---- */

void answer_tree_error(struct request *request, enum tree_result result, const struct error *err)
{
	static const struct {
		unsigned status;
		const char *class;
	} known[] = {
		[TREE_OK] = { 500, "" },
		[TREE_NO_ENTRY] = { 404, "fs_no_such_entry_error" },
		[TREE_NO_PATH] = { 404, "fs_no_such_path_error" },
		[TREE_NO_NODE] = { 404, "fs_no_such_inode_error" },
		[TREE_EXISTS] = { 409, "fs_entry_exists_error" },
		[TREE_NOT_DIRECTORY] = { 400, "fs_not_a_directory_error" },
		[TREE_NOT_FILE] = { 400, "fs_not_a_file_error" },
		[TREE_NOT_EMPTY] = { 409, "fs_directory_not_empty_error" },
		[TREE_CYCLE] = { 400, "fs_directory_cycle_error" },
		[TREE_WRONG_TYPE] = { 400, "fs_invalid_file_type_error" },
		[TREE_BAD_NAME] = { 400, "fs_invalid_name_error" },
		[TREE_LONG_NAME] = { 400, "fs_name_size_error" },
		[TREE_LONG_PATH] = { 400, "fs_path_size_error" },
		[TREE_MANY_LINKS] = { 409, "fs_file_too_many_links_error" },
		[TREE_AMBIGUOUS] = { 400, "fs_entry_hardlink_ambiguity_error" },
		[TREE_LOCKED] = { 403, "fs_read_only_error" },
		[TREE_DENIED] = { 403, "fs_access_denied_error" },
		[TREE_NO_SPACE] = { 507, "fs_no_space_error" },
		[TREE_NO_KEY] = { 404, "fs_user_metadata_key_not_found" },
		[TREE_NO_STREAM] = { 404, "fs_no_such_entry_error" },
		[TREE_NOT_KEPT] = { 501, "http_not_implemented_error" },
		[TREE_INVALID] = { 400, "invalid_request_error" },
		[TREE_FAILED] = { 500, "fs_access_error" },
	};
	unsigned status = known[result].status;
	AUTO(free) char *clean = render_clean(text_of(error_text(err)));

	if (result == TREE_NO_SPACE &&
	    switch_value(&request->sim->switches, SWITCH_NO_SPACE) == OTHER_SIDE)
		status = 500;
	answer_error(request, status, known[result].class, "%s", clean);
}

/* ---- identities ---- */

static const uint64_t nfs_uid_base = (uint64_t)3 << 32;
static const uint64_t nfs_gid_base = (uint64_t)4 << 32;

static int identity_refuse(struct request *request, const char *id_type, const char *id_value)
{
	answer_error(request, 400, "cred_invalid_local_user_error", "No such identity: %s %s",
		     id_type, id_value);
	return -1;
}

int identity_by_details(struct request *request, const json_t *details, struct tree_identity *out)
{
	const char *id_type, *id_value;
	const struct user *user;
	int64_t number;

	if (member_string(request, details, "id_type", NEEDED, &id_type) < 0 ||
	    member_string(request, details, "id_value", NEEDED, &id_value) < 0)
		return -1;
	*out = (struct tree_identity){ .id_type = id_type, .id_value = id_value };
	if (strcmp(id_type, "NFS_UID") == 0 || strcmp(id_type, "NFS_GID") == 0) {
		if (parse_number(text_of(id_value), 0, UINT32_MAX, &number, NULL) < 0)
			return identity_refuse(request, id_type, id_value);
		out->auth_id = number + (id_type[4] == 'U' ? nfs_uid_base : nfs_gid_base);
		return 0;
	}
	if (strcmp(id_type, "LOCAL_USER") == 0) {
		user = auth_find_user(request->sim->auth, id_value);
		if (!user)
			return identity_refuse(request, id_type, id_value);
		out->auth_id = strtoull(user->auth_id, NULL, 10);
		return 0;
	}
	if (strcmp(id_type, "LOCAL_GROUP") == 0) {
		static const char *const groups[] = { "Administrators", "Users", "Guests" };

		for (size_t i = 0; i < ARRAY_SIZE(groups); i++) {
			if (strcmp(groups[i], id_value) == 0) {
				out->auth_id = 512 + i;
				return 0;
			}
		}
	}
	if (strcmp(id_type, "SMB_SID") == 0 && strncmp(id_value, "S-1-", 4) == 0) {
		/* A directory's accounts are numbered by the last part of their SID. */
		out->auth_id = ((uint64_t)5 << 32) + strtoul(strrchr(id_value, '-') + 1, NULL, 10);
		return 0;
	}
	return identity_refuse(request, id_type, id_value);
}

int identity_by_auth_id(struct request *request, const char *auth_id, bool is_group,
			struct tree_identity *out)
{
	static const char *const groups[] = { "Administrators", "Users", "Guests" };
	static char value[24]; /* copied by the tree before the next call */
	const struct user *user;
	char *end;
	uint64_t id = strtoull(auth_id, &end, 10);

	if (!*auth_id || *end || *auth_id == '-')
		return identity_refuse(request, "auth_id", auth_id);
	*out = (struct tree_identity){ .auth_id = id, .id_type = "INTERNAL", .id_value = value };
	snprintf(value, sizeof(value), "%llu", (unsigned long long)id);
	list_for_each (user, &request->sim->auth->users, link) {
		if (strcmp(user->auth_id, auth_id) == 0) {
			out->id_type = "LOCAL_USER";
			out->id_value = user->name;
			return 0;
		}
	}
	if (id >= 512 && id <= 514) {
		out->id_type = "LOCAL_GROUP";
		out->id_value = groups[id - 512];
	} else if (id >> 32 == 3 || id >> 32 == 4) {
		out->id_type = id >> 32 == 3 ? "NFS_UID" : "NFS_GID";
		snprintf(value, sizeof(value), "%u", (unsigned)id);
	} else if (id == 500 || id == 501) {
		out->id_type = "LOCAL_USER";
		out->id_value = id == 500 ? "admin" : "guest";
	} else if (id < 1000) {
		return identity_refuse(request, "auth_id", auth_id);
	}
	return 0;
}
