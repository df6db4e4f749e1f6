/* api_files: attributes, lock, delete, resolve (sections 7, 8.3, 11, 14.1). */
#include "base/clock.h"
#include "base/parse.h"
#include "simulator/files.h"
#include "simulator/nanotime.h"
#include "simulator/render.h"
#include "simulator/route.h"
#include "simulator/snapshots.h"

/* ---- attributes ---- */

static void run_get_attributes(struct request *request)
{
	struct node *node = file_find_read(request);
	bool with_lock;

	if (!node || request_flag(request, "retrieve-file-lock", &with_lock) < 0 ||
	    !file_allow(request, node, RIGHT_READ_ATTR | (with_lock ? RIGHT_READ_ACL : 0)))
		return;
	answer_file(request, node, NULL, with_lock);
}

static int change_mode(struct request *request, const json_t *body, struct tree_change *change)
{
	const char *mode = NULL;

	if (member_string(request, body, "mode", OPTIONAL, &mode) < 0)
		return -1;
	if (!mode)
		return 0;
	if (parse_mode(text_of(mode), &change->mode, NULL) < 0) {
		answer_error(request, 400, "fs_invalid_attrs_error", "mode: %s", mode);
		return -1;
	}
	change->set |= TREE_SET_MODE;
	return 0;
}

static int change_identity(struct request *request, const json_t *body, const char *name,
			   bool is_group, struct tree_identity *out, bool *out_set)
{
	AUTO(free) char *details_name = str_format("%s_details", name);
	const json_t *details = json_object_get(body, details_name);
	const char *auth_id = NULL;

	*out_set = false;
	if (member_string(request, body, name, OPTIONAL, &auth_id) < 0)
		return -1;
	if (!auth_id && (!details || json_is_null(details)))
		return 0;
	*out_set = true;
	if (auth_id)
		return identity_by_auth_id(request, auth_id, is_group, out);
	return identity_by_details(request, details, out);
}

static int change_times(struct request *request, const json_t *body, struct tree_change *change)
{
	const struct {
		const char *name;
		unsigned bit;
		int64_t *ns;
	} times[] = {
		{ "creation_time", TREE_SET_CREATION, &change->creation_ns },
		{ "access_time", TREE_SET_ACCESS, &change->access_ns },
		{ "modification_time", TREE_SET_MODIFICATION, &change->modification_ns },
		{ "change_time", TREE_SET_CHANGE, &change->change_ns },
	};

	for (size_t i = 0; i < ARRAY_SIZE(times); i++) {
		const char *text = NULL;

		if (member_string(request, body, times[i].name, OPTIONAL, &text) < 0)
			return -1;
		if (!text)
			continue;
		if (!nanotime_parse(text, times[i].ns)) {
			answer_error(request, 400, "decode_error", "%s: not a time: %s",
				     times[i].name, text);
			return -1;
		}
		change->set |= times[i].bit;
	}
	return 0;
}

static int change_flags(struct request *request, const json_t *body, struct tree_change *change)
{
	static const char *const names[] = {
		"read_only",
		"hidden",
		"system",
		"archive",
		"temporary",
		"compressed",
		"not_content_indexed",
		"sparse_file",
		"offline",
	};
	const json_t *flags = json_object_get(body, "extended_attributes");

	if (!flags || json_is_null(flags))
		return 0;
	change->set |= TREE_SET_FLAGS;
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		bool on = false;

		if (member_bool(request, flags, names[i], OPTIONAL, &on) < 0)
			return -1;
		change->flags |= on << i;
	}
	return 0;
}

/* Body to change; -1: answered. */
static int change_parse(struct request *request, const json_t *body, struct tree_change *change)
{
	bool set_owner, set_group;
	int64_t size = -1;

	if (change_mode(request, body, change) < 0 ||
	    change_identity(request, body, "owner", false, &change->owner, &set_owner) < 0 ||
	    change_identity(request, body, "group", true, &change->group, &set_group) < 0 ||
	    member_size(request, body, "size", &size) < 0 ||
	    change_times(request, body, change) < 0 || change_flags(request, body, change) < 0)
		return -1;
	change->set |= (set_owner ? TREE_SET_OWNER : 0) | (set_group ? TREE_SET_GROUP : 0) |
		       (size >= 0 ? TREE_SET_SIZE : 0);
	change->size = size;
	return 0;
}

static unsigned change_rights(const struct tree_change *change)
{
	const unsigned plain = TREE_SET_CREATION | TREE_SET_ACCESS | TREE_SET_MODIFICATION |
			       TREE_SET_CHANGE | TREE_SET_FLAGS;

	return (change->set & plain ? RIGHT_WRITE_ATTR : 0) |
	       (change->set & TREE_SET_MODE ? RIGHT_WRITE_ACL : 0) |
	       (change->set & TREE_SET_OWNER ? RIGHT_CHANGE_OWNER : 0) |
	       (change->set & TREE_SET_GROUP ? RIGHT_WRITE_GROUP : 0) |
	       (change->set & TREE_SET_SIZE ? RIGHT_MODIFY : 0);
}

static void run_patch_attributes(struct request *request)
{
	AUTO(json_decref) json_t *body = request_object(request);
	struct node *node = body ? file_find(request) : NULL;
	struct tree_change change = { 0 };
	AUTO_ERROR err = { 0 };

	if (!node || change_parse(request, body, &change) < 0 ||
	    !file_allow(request, node, change_rights(&change)) || !file_if_match(request, node))
		return;
	enum tree_result result = tree_set_attributes(request->sim->tree, node, &change, &err);
	if (result != TREE_OK)
		answer_tree_error(request, result, &err);
	else
		answer_file(request, node, NULL, false);
}

/* ---- lock ---- */

static void run_lock(struct request *request)
{
	AUTO(json_decref) json_t *body = request_object(request);
	struct node *node = body ? file_find(request) : NULL;
	const char *retention = NULL;
	int64_t retention_ns = TREE_TIME_NONE;
	bool hold = false;
	AUTO_ERROR err = { 0 };

	if (!node || member_string(request, body, "retention_period", OPTIONAL, &retention) < 0 ||
	    member_bool(request, body, "legal_hold", OPTIONAL, &hold) < 0)
		return;
	bool has_hold = json_is_boolean(json_object_get(body, "legal_hold"));
	if (retention && !nanotime_parse(retention, &retention_ns)) {
		answer_error(request, 400, "decode_error", "retention_period: not a time: %s",
			     retention);
		return;
	}
	if (!file_allow(request, node, RIGHT_WRITE_ACL) || !file_if_match(request, node))
		return;
	enum tree_result result =
		tree_set_lock(request->sim->tree, node, retention_ns, has_hold ? hold : -1, &err);
	if (result != TREE_OK)
		answer_tree_error(request, result, &err);
	else
		answer_file(request, node, NULL, true);
}

/* ---- delete ---- */

static bool may_remove(struct request *request, struct node *node, struct node *directory)
{
	if (file_rights(request, node) & RIGHT_DELETE)
		return true;
	return file_allow(request, directory, RIGHT_DELETE_CHILD);
}

static void remove_entry(struct request *request, struct node *directory, const char *name)
{
	struct tree *tree = request->sim->tree;
	struct node *node = tree_child(tree, directory, text_of(name));
	AUTO_ERROR err = { 0 };

	if (!node) {
		answer_error(request, 404, "fs_no_such_entry_error", "No such entry: %s", name);
		return;
	}
	if (!may_remove(request, node, directory) || !handles_allow_move(request, node))
		return;
	enum tree_result result = tree_unlink(tree, directory, text_of(name), &err);
	if (result != TREE_OK)
		answer_tree_error(request, result, &err);
	else
		answer_empty(request, 200);
}

static void run_delete(struct request *request)
{
	AUTO(free) char *name = NULL;
	struct node *node = file_find(request);
	struct node *directory;
	struct tree_stat stat;

	if (!node)
		return;
	tree_stat(request->sim->tree, node, &stat);
	if (request->argument[0][0] != '/' && stat.type != TREE_DIRECTORY && stat.links > 1) {
		answer_error(request, 400, "fs_entry_hardlink_ambiguity_error",
			     "The file has several names");
		return;
	}
	if (file_find_entry(request, request->argument[0], &directory, &name))
		remove_entry(request, directory, name);
}

static void run_delete_entry(struct request *request)
{
	struct node *directory = file_find(request);

	if (directory)
		remove_entry(request, directory, request->argument[1]);
}

/* ---- ids to paths ---- */

static struct node *resolve_one(struct sim *sim, const struct snapshot *snapshot, struct text text)
{
	uint64_t id;

	if (!tree_id_parse(sim->tree, text, &id))
		return NULL;
	if (!snapshot)
		return tree_node(sim->tree, id);
	return tree_snapshot_covers(sim->tree, snapshot->id, snapshot->source, id)
		       ? tree_snapshot_node(sim->tree, snapshot->id, id)
		       : NULL;
}

static void run_resolve(struct request *request)
{
	AUTO(json_decref) json_t *ids = request_array(request);
	const char *then = url_parameter(&request->url, "snapshot");
	const struct snapshot *snapshot = then && ids ? snapshot_named(request, then) : NULL;
	struct sim *sim = request->sim;
	json_t *id;
	size_t index;

	if (!ids || (then && !snapshot))
		return;
	AUTO(json_decref) json_t *found = json_array();
	tree_sync(sim->tree);
	json_array_foreach(ids, index, id)
	{
		struct text text = text_of(json_string_value(id));

		if (!text.data) {
			answer_error(request, 400, "decode_error", "Expected ids as strings");
			return;
		}
		struct node *node = resolve_one(sim, snapshot, text);
		if (!node && switch_value(&sim->switches, SWITCH_RESOLVE_DEAD) == USUAL_SIDE) {
			answer_error(request, 404,
				     snapshot ? "fs_no_such_file_version_error"
					      : "fs_no_such_inode_error",
				     "No such inode: %s", text.data);
			return;
		}
		if (!node)
			continue;
		json_t *file = file_json(sim, node, NULL, false);
		json_array_append_new(found, json_pack("{s:s, s:O}", "id", text.data, "path",
						       json_object_get(file, "path")));
		json_decref(file);
	}
	answer_json(request, 200, TAKE(found));
}

const struct route routes_files[] = {
	{ "GET", "/v1/files/{}/info/attributes", run_get_attributes },
	{ "PATCH", "/v1/files/{}/info/attributes", run_patch_attributes, ROUTE_CHANGES },
	{ "PATCH", "/v1/files/{}/file-lock", run_lock, ROUTE_CHANGES,
	  PRIVILEGE(FS_FILE_LOCK_WRITE) },
	{ "DELETE", "/v1/files/{}", run_delete, ROUTE_CHANGES },
	{ "DELETE", "/v1/files/{}/entries/{}", run_delete_entry, ROUTE_CHANGES },
	{ "POST", "/v1/files/resolve", run_resolve },
	{ NULL },
};
