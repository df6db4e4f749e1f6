/* api_entries: listing directories, making, linking and renaming (sections 8.1 and 8.2). */
#include "base/parse.h"
#include "simulator/auth.h"
#include "simulator/files.h"
#include "simulator/route.h"
#include "simulator/smb_pattern.h"

/* ---- listing ---- */

static const int64_t default_page = 1000;

static char *next_page(const struct request *request, int64_t limit, uint64_t cursor)
{
	const char *pattern = url_parameter(&request->url, "smb-pattern");
	AUTO(free) char *encoded = pattern ? url_encode(pattern) : NULL;
	const char *snapshot = url_parameter(&request->url, "snapshot");
	struct text ref = request->url.part[2];

	return str_format("/v1/files/%.*s/entries/?limit=%lld&after=%llu%s%s%s%s", TEXT_ARGS(ref),
			  (long long)limit, (unsigned long long)cursor,
			  snapshot ? "&snapshot=" : "", snapshot ? snapshot : "",
			  encoded ? "&smb-pattern=" : "", encoded ? encoded : "");
}

/* The entries of one page; *out_after is the last one's cursor, 0 at the end of the directory. */
static json_t *list_page(struct request *request, struct node *directory,
			 const char *directory_path, int64_t limit, uint64_t *after)
{
	struct sim *sim = request->sim;
	const char *pattern = url_parameter(&request->url, "smb-pattern");
	json_t *files = json_array();
	struct tree_entry entries[256];
	bool more = true;

	while (more && (int64_t)json_array_size(files) < limit) {
		size_t wanted =
			MIN((int64_t)ARRAY_SIZE(entries), limit - (int64_t)json_array_size(files));
		size_t count = tree_list(sim->tree, directory, *after, wanted, entries, &more);

		for (size_t i = 0; i < count; i++) {
			*after = entries[i].cursor;
			if (pattern && !smb_pattern_matches(text_of(pattern), entries[i].name))
				continue;
			AUTO(free) char *path = path_join(text_of(directory_path), entries[i].name);
			json_array_append_new(files, file_json(sim, entries[i].node, path, false));
		}
	}
	if (!more)
		*after = 0;
	return files;
}

static bool cursor_parse(const char *text, uint64_t *out)
{
	char *end;

	*out = strtoull(text, &end, 10);
	return *text >= '0' && *text <= '9' && !*end;
}

static void run_list(struct request *request)
{
	struct sim *sim = request->sim;
	struct node *directory = file_find_read(request);
	const char *after_text = url_parameter(&request->url, "after");
	uint64_t after = 0;
	int64_t limit;

	if (!directory || request_number(request, "limit", default_page, &limit) < 0)
		return;
	if (after_text && *after_text && !cursor_parse(after_text, &after)) {
		answer_error(request, 400, "invalid_request_error", "after: %s is no cursor",
			     after_text);
		return;
	}
	if (tree_type(directory) != TREE_DIRECTORY) {
		answer_error(request, 400, "fs_not_a_directory_error", "Not a directory");
		return;
	}
	if (!file_allow(request, directory, RIGHT_READ))
		return;
	limit = MAX(1, MIN(limit, switch_value(&sim->switches, SWITCH_PAGE_LIMIT)));
	char id[TREE_ID_TEXT_SIZE];
	struct tree_stat stat;
	AUTO(free) char *path = tree_path(sim->tree, directory);
	AUTO(json_decref) json_t *own = file_json(sim, directory, path, false);
	json_t *files = list_page(request, directory, path, limit, &after);

	tree_id_format(sim->tree, tree_id(directory), id);
	tree_stat(sim->tree, directory, &stat);
	json_t *list = json_pack("{s:O, s:s, s:I, s:o}", "path", json_object_get(own, "path"), "id",
				 id, "child_count", (json_int_t)stat.child_count, "files", files);
	AUTO(free) char *next = after ? next_page(request, limit, after) : NULL;
	answer_paging(request, list, next);
	answer_json(request, 200, list);
}

/* ---- making and moving ---- */

struct order {
	struct request *request;
	struct node *directory;
	const json_t *body;
	struct text name;
	char *path; /* of the new name */
	struct node *made;
};

static enum tree_result create(struct order *order, struct tree_new *what, struct error *err)
{
	const struct user *user = order->request->user;
	struct tree_identity owner = { .auth_id = strtoull(user->auth_id, NULL, 10),
				       .id_type = "LOCAL_USER",
				       .id_value = user->name };
	struct tree_identity group = { .auth_id = 513,
				       .id_type = "LOCAL_GROUP",
				       .id_value = "Users" };

	what->owner = &owner;
	what->group = &group;
	return tree_create(order->request->sim->tree, order->directory, order->name, what,
			   &order->made, err);
}

static void order_finish(struct order *order, enum tree_result result, const struct error *err)
{
	if (result != TREE_OK)
		answer_tree_error(order->request, result, err);
	else
		answer_file(order->request, order->made, order->path, false);
}

static void create_file(struct order *order)
{
	struct tree_new what = { .type = TREE_FILE };
	AUTO_ERROR err = { 0 };

	if (file_allow(order->request, order->directory, RIGHT_ADD_FILE))
		order_finish(order, create(order, &what, &err), &err);
}

static void create_directory(struct order *order)
{
	struct tree_new what = { .type = TREE_DIRECTORY };
	AUTO_ERROR err = { 0 };

	if (file_allow(order->request, order->directory, RIGHT_ADD_SUBDIR))
		order_finish(order, create(order, &what, &err), &err);
}

static void create_symlink(struct order *order)
{
	struct tree_new what = { .type = TREE_SYMLINK, .symlink_target = "FS_FILE_TYPE_UNKNOWN" };
	AUTO_ERROR err = { 0 };

	if (member_string(order->request, order->body, "old_path", NEEDED, &what.symlink_text) <
		    0 ||
	    member_string(order->request, order->body, "symlink_target_type", OPTIONAL,
			  &what.symlink_target) < 0 ||
	    !file_allow(order->request, order->directory, RIGHT_ADD_FILE))
		return;
	order_finish(order, create(order, &what, &err), &err);
}

static void create_unix_file(struct order *order)
{
	static const struct {
		const char *name;
		enum tree_type type;
	} types[] = {
		{ "FS_FILE_TYPE_UNIX_PIPE", TREE_PIPE },
		{ "FS_FILE_TYPE_UNIX_SOCKET", TREE_SOCKET },
		{ "FS_FILE_TYPE_UNIX_CHARACTER_DEVICE", TREE_CHARACTER_DEVICE },
		{ "FS_FILE_TYPE_UNIX_BLOCK_DEVICE", TREE_BLOCK_DEVICE },
	};
	struct request *request = order->request;
	const json_t *numbers = json_object_get(order->body, "major_minor_numbers");
	struct tree_new what = { 0 };
	const char *name;
	AUTO_ERROR err = { 0 };

	if (member_string(request, order->body, "unix_file_type", NEEDED, &name) < 0)
		return;
	what.major = json_integer_value(json_object_get(numbers, "major"));
	what.minor = json_integer_value(json_object_get(numbers, "minor"));
	for (size_t i = 0; i < ARRAY_SIZE(types); i++) {
		if (strcmp(types[i].name, name) != 0)
			continue;
		what.type = types[i].type;
		if (file_allow(request, order->directory, RIGHT_ADD_FILE))
			order_finish(order, create(order, &what, &err), &err);
		return;
	}
	answer_error(request, 400, "decode_error", "unix_file_type: %s", name);
}

/* The entry that old_path names; false: answered. */
static bool find_old(struct order *order, struct node **out_directory, char **out_name)
{
	struct request *request = order->request;
	const char *old_path;

	if (member_string(request, order->body, "old_path", NEEDED, &old_path) < 0)
		return false;
	if (*old_path != '/' &&
	    switch_value(&request->sim->switches, SWITCH_RENAME_BY_ID) == USUAL_SIDE) {
		answer_error(request, 404, "fs_no_such_entry_error",
			     "old_path is not an absolute path: %s", old_path);
		return false;
	}
	return file_find_entry(request, old_path, out_directory, out_name);
}

static void create_link(struct order *order)
{
	struct tree *tree = order->request->sim->tree;
	AUTO(free) char *old_name = NULL;
	struct node *old_directory;
	AUTO_ERROR err = { 0 };

	if (!find_old(order, &old_directory, &old_name) ||
	    !file_allow(order->request, order->directory, RIGHT_ADD_FILE))
		return;
	order->made = tree_child(tree, old_directory, text_of(old_name));
	enum tree_result result = tree_link(tree, order->made, order->directory, order->name, &err);
	order_finish(order, result, &err);
}

static void rename_entry(struct order *order)
{
	struct request *request = order->request;
	struct tree *tree = request->sim->tree;
	AUTO(free) char *old_name = NULL;
	struct node *old_directory;
	bool clobber = false;
	AUTO_ERROR err = { 0 };

	if (!find_old(order, &old_directory, &old_name) ||
	    member_bool(request, order->body, "clobber", OPTIONAL, &clobber) < 0)
		return;
	order->made = tree_child(tree, old_directory, text_of(old_name));
	unsigned adding =
		tree_type(order->made) == TREE_DIRECTORY ? RIGHT_ADD_SUBDIR : RIGHT_ADD_FILE;
	if (!(file_rights(request, order->made) & RIGHT_DELETE) &&
	    !file_allow(request, old_directory, RIGHT_DELETE_CHILD))
		return;
	if (!file_allow(request, order->directory, adding) ||
	    !handles_allow_move(request, order->made))
		return;
	uint64_t id = tree_id(order->made);
	enum tree_result result = tree_rename(tree, old_directory, text_of(old_name),
					      order->directory, order->name, clobber, &err);
	order->made = tree_node(tree, id);
	order_finish(order, result, &err);
}

static const struct {
	const char *name;
	void (*run)(struct order *order);
} actions[] = {
	{ "CREATE_FILE", create_file },       { "CREATE_DIRECTORY", create_directory },
	{ "CREATE_SYMLINK", create_symlink }, { "CREATE_LINK", create_link },
	{ "RENAME", rename_entry },           { "CREATE_UNIX_FILE", create_unix_file },
};

static void run_create(struct request *request)
{
	AUTO(json_decref) json_t *body = request_object(request);
	struct node *directory = body ? file_find(request) : NULL;
	const char *name, *action;

	if (!directory || member_string(request, body, "name", NEEDED, &name) < 0 ||
	    member_string(request, body, "action", NEEDED, &action) < 0)
		return;
	if (tree_type(directory) != TREE_DIRECTORY) {
		answer_error(request, 400, "fs_not_a_directory_error", "Not a directory");
		return;
	}
	AUTO(free) char *directory_path = tree_path(request->sim->tree, directory);
	AUTO(free) char *path = path_join(text_of(directory_path), text_of(name));
	struct order order = { request, directory, body, text_of(name), path, NULL };
	for (size_t i = 0; i < ARRAY_SIZE(actions); i++) {
		if (strcmp(actions[i].name, action) == 0) {
			actions[i].run(&order);
			return;
		}
	}
	answer_error(request, 400, "decode_error", "action: %s", action);
}

const struct route routes_entries[] = {
	{ "GET", "/v1/files/{}/entries/", run_list },
	{ "POST", "/v1/files/{}/entries/", run_create, ROUTE_CHANGES },
	{ NULL },
};
