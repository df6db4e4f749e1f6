/* api_snapshots: snapshots and the differences between them (section 15). */
#include <inttypes.h>

#include "base/clock.h"
#include "base/parse.h"
#include "simulator/files.h"
#include "simulator/nanotime.h"
#include "simulator/render.h"
#include "simulator/route.h"
#include "simulator/snapshots.h"

/* ---- one ---- */

static char *snapshot_etag(const struct snapshot *snapshot)
{
	return str_format("\"%" PRIu64 "\"", snapshot->version);
}

static json_t *snapshot_json(const struct sim *sim, const struct snapshot *snapshot)
{
	bool empty = switch_value(&sim->switches, SWITCH_NO_EXPIRATION) == OTHER_SIDE;
	AUTO(free) char *taken = nanotime_format(snapshot->taken_ns);
	AUTO(free)
	char *expires = snapshot->expires_ns != TREE_TIME_NONE
				? nanotime_format(snapshot->expires_ns)
			: empty ? str_copy("")
				: NULL;
	char source[TREE_ID_TEXT_SIZE];

	tree_id_format(sim->tree, snapshot->source, source);
	return json_pack("{s:I, s:s, s:s, s:s, s:n, s:s?, s:b}", "id", (json_int_t)snapshot->id,
			 "name", snapshot->name, "timestamp", taken, "source_file_id", source,
			 "policy_id", "expiration", expires, "in_delete",
			 (int)(snapshot->gone_at_ms != 0));
}

static json_t *status_json(const struct sim *sim, const struct snapshot *snapshot)
{
	json_t *status = snapshot_json(sim, snapshot);

	json_object_set_new(status, "source_file_path", json_string(snapshot->source_path));
	json_object_set_new(status, "policy_name", json_string(""));
	json_object_set_new(status, "owners", json_array());
	json_object_set_new(status, "lock_key", json_null());
	return status;
}

static void answer_snapshot(struct request *request, const struct snapshot *snapshot)
{
	AUTO(free) char *etag = snapshot_etag(snapshot);

	answer_json(request, 200, snapshot_json(request->sim, snapshot));
	answer_etag(request, etag);
}

/* The first argument's; NULL: answered. One in deletion is shown, too. */
static struct snapshot *find(struct request *request)
{
	struct snapshot *snapshot = NULL;
	int64_t id;

	if (parse_number(text_of(request->argument[0]), 0, INT64_MAX, &id, NULL) == 0)
		snapshot = snapshot_find(request->sim, id);
	if (!snapshot)
		answer_error(request, 404, "snapshot_not_found_error", "No such snapshot: %s",
			     request->argument[0]);
	return snapshot;
}

static void run_get(struct request *request)
{
	struct snapshot *snapshot = find(request);

	if (snapshot)
		answer_snapshot(request, snapshot);
}

static void run_get_status(struct request *request)
{
	struct snapshot *snapshot = find(request);

	if (snapshot)
		answer_json(request, 200, status_json(request->sim, snapshot));
}

/* ---- all ---- */

static void answer_list(struct request *request,
			json_t *(*show)(const struct sim *sim, const struct snapshot *snapshot))
{
	struct sim *sim = request->sim;
	const char *filter = url_parameter(&request->url, "filter");
	struct snapshot *snapshot;
	bool kept, deleted;

	if (!filter && switch_value(&sim->switches, SWITCH_SNAPSHOT_FILTER) == USUAL_SIDE)
		filter = "all";
	kept = filter && strcmp(filter, "only_in_delete") != 0;
	deleted = filter && strcmp(filter, "exclude_in_delete") != 0;
	if (!filter || (kept && deleted && strcmp(filter, "all") != 0)) {
		answer_error(request, 400, "invalid_request_error",
			     "filter: expected all, exclude_in_delete or only_in_delete");
		return;
	}
	snapshots_settle(sim);
	json_t *entries = json_array();
	list_for_each (snapshot, &sim->snapshots->list, link)
		if (snapshot->gone_at_ms ? deleted : kept)
			json_array_append_new(entries, show(sim, snapshot));
	answer_json(request, 200, json_pack("{s:o}", "entries", entries));
}

static void run_list(struct request *request)
{
	answer_list(request, snapshot_json);
}

static void run_list_status(struct request *request)
{
	answer_list(request, status_json);
}

/* ---- changes ---- */

/* null and "" mean never; absent leaves *out alone. -1: answered. */
static int member_expiration(struct request *request, const json_t *body, int64_t *out)
{
	const json_t *value = json_object_get(body, "expiration");
	const char *text = "";
	int64_t ns;

	if (member_string(request, body, "expiration", OPTIONAL, &text) < 0)
		return -1;
	if (!value)
		return 0;
	if (!*text) {
		*out = TREE_TIME_NONE;
		return 0;
	}
	if (!nanotime_parse(text, &ns)) {
		answer_error(request, 400, "decode_error", "expiration: not a time: %s", text);
		return -1;
	}
	if (ns / 1000000 <= clock_now_ms()) {
		answer_error(request, 400, "invalid_request_error", "expiration: %s is over", text);
		return -1;
	}
	*out = ns;
	return 0;
}

static int check_name(struct request *request, const char *name)
{
	if (*name && strlen(name) <= TREE_NAME_MAX && !strchr(name, '/'))
		return 0;
	answer_error(request, 400, "invalid_request_error", "Not a name for a snapshot: %s", name);
	return -1;
}

static void run_take(struct request *request)
{
	AUTO(json_decref) json_t *body = request_object(request);
	const char *suffix = "OnDemand", *source = "2";
	struct sim *sim = request->sim;
	int64_t expires_ns = TREE_TIME_NONE;
	struct node *directory;

	if (!body || member_string(request, body, "name_suffix", OPTIONAL, &suffix) < 0 ||
	    member_string(request, body, "source_file_id", OPTIONAL, &source) < 0 ||
	    member_expiration(request, body, &expires_ns) < 0 || check_name(request, suffix) < 0)
		return;
	directory = file_find_ref(request, source);
	if (!directory)
		return;
	if (tree_type(directory) != TREE_DIRECTORY) {
		answer_error(request, 400, "fs_not_a_directory_error", "Not a directory");
		return;
	}
	snapshots_settle(sim);
	if (sim->snapshots->count >= (size_t)switch_value(&sim->switches, SWITCH_SNAPSHOT_LIMIT)) {
		answer_error(request, 400, "invalid_request_error",
			     "There are as many snapshots as there may be: %zu",
			     sim->snapshots->count);
		return;
	}
	uint64_t id = tree_id(directory);
	AUTO(json_decref) json_t *shown = file_json(sim, directory, NULL, false);
	const char *path = json_string_value(json_object_get(shown, "path"));
	answer_snapshot(request, snapshot_take(sim, suffix, id, path, expires_ns));
}

static void change(struct request *request, enum presence presence)
{
	AUTO(json_decref) json_t *body = request_object(request);
	struct snapshot *snapshot = body ? find(request) : NULL;
	AUTO(free) char *etag = snapshot ? snapshot_etag(snapshot) : NULL;
	const char *name = NULL;
	int64_t expires_ns;

	if (!snapshot)
		return;
	expires_ns = snapshot->expires_ns;
	if (presence == NEEDED && !json_object_get(body, "expiration")) {
		answer_error(request, 400, "decode_error", "Missing member: expiration");
		return;
	}
	if (member_string(request, body, "name", presence, &name) < 0 ||
	    (name && check_name(request, name) < 0) ||
	    member_expiration(request, body, &expires_ns) < 0 ||
	    !request_if_match(request, etag, "the snapshot"))
		return;
	if (snapshot->gone_at_ms) {
		answer_error(request, 404, "snapshot_not_found_error",
			     "The snapshot is being deleted");
		return;
	}
	if (name) {
		free(snapshot->name);
		snapshot->name = str_copy(name);
	}
	snapshot->expires_ns = expires_ns;
	snapshot->version++;
	answer_snapshot(request, snapshot);
}

static void run_patch(struct request *request)
{
	change(request, OPTIONAL);
}

static void run_put(struct request *request)
{
	change(request, NEEDED);
}

static void run_delete(struct request *request)
{
	struct snapshot *snapshot = find(request);
	AUTO(free) char *etag = snapshot ? snapshot_etag(snapshot) : NULL;

	if (!snapshot || !request_if_match(request, etag, "the snapshot"))
		return;
	snapshot_delete(request->sim, snapshot);
	answer_empty(request, 202);
}

/* ---- differences ---- */

/* The two snapshots of the path, newer first. False: answered. */
static bool find_pair(struct request *request, struct snapshot **newer, struct snapshot **older)
{
	*newer = snapshot_named(request, request->argument[0]);
	*older = *newer ? snapshot_named(request, request->argument[1]) : NULL;
	if (!*older)
		return false;
	if ((*newer)->id < (*older)->id) {
		answer_error(request, 400, "invalid_request_error", "Snapshot %s is older than %s",
			     request->argument[0], request->argument[1]);
		return false;
	}
	if ((*newer)->source == (*older)->source)
		return true;
	answer_error(request, 400, "invalid_request_error",
		     "The snapshots are of different directories");
	return false;
}

static json_t *difference_json(const struct tree_difference *difference)
{
	static const char *const ops[] = {
		[TREE_DIFF_CREATE] = "CREATE",
		[TREE_DIFF_MODIFY] = "MODIFY",
		[TREE_DIFF_DELETE] = "DELETE",
	};
	AUTO(free) char *path = render_clean(text_of(difference->path));

	return json_pack("{s:s, s:s}", "op", ops[difference->op], "path", path);
}

static void run_diff(struct request *request)
{
	int64_t most = switch_value(&request->sim->switches, SWITCH_DIFF_PAGE_LIMIT);
	struct snapshot *newer, *older;
	int64_t limit, after;

	if (!find_pair(request, &newer, &older) ||
	    request_number(request, "limit", most, &limit) < 0 ||
	    request_number(request, "after", 0, &after) < 0)
		return;
	limit = MAX(1, MIN(limit, most));
	const struct tree_diff *diff = snapshots_diff(request->sim, older, newer);
	size_t end = MIN(diff->count, (size_t)after + limit);
	json_t *entries = json_array();
	for (size_t i = after; i < end; i++)
		json_array_append_new(entries, difference_json(&diff->entries[i]));
	AUTO(free)
	char *next = end < diff->count
			     ? str_format("%.*s?limit=%lld&after=%zu", TEXT_ARGS(request->url.path),
					  (long long)limit, end)
			     : NULL;
	json_t *list = json_pack("{s:o}", "entries", entries);
	answer_paging(request, list, next);
	answer_json(request, 200, list);
}

static bool is_file(struct request *request, const struct node *node)
{
	if (tree_type(node) == TREE_FILE)
		return true;
	answer_error(request, 400,
		     tree_type(node) == TREE_SYMLINK ? "fs_file_is_symlink_error"
						     : "fs_not_a_file_error",
		     "Only a file's data can be compared");
	return false;
}

/* Which bytes differ is not kept: either none, or all that there are. */
static void run_file_diff(struct request *request)
{
	struct snapshot *newer, *older;
	struct tree_stat new_stat, old_stat;
	struct node *node;

	if (!find_pair(request, &newer, &older))
		return;
	node = file_find_then(request, older, request->argument[2]);
	if (!node || !is_file(request, node) || !file_allow(request, node, RIGHT_READ))
		return;
	tree_stat(request->sim->tree, node, &old_stat);
	node = file_find_then(request, newer, request->argument[2]);
	if (!node || !is_file(request, node) || !file_allow(request, node, RIGHT_READ))
		return;
	tree_stat(request->sim->tree, node, &new_stat);
	json_t *list = json_pack("{s:[]}", "entries");
	if (new_stat.id != old_stat.id || new_stat.data_revision != old_stat.data_revision) {
		AUTO(free) char *size = str_format("%" PRIu64, new_stat.size);

		json_array_append_new(json_object_get(list, "entries"),
				      json_pack("{s:s, s:s, s:s}", "type", "FILE_REGION_DATA",
						"offset", "0", "size", size));
	}
	answer_paging(request, list, NULL);
	answer_json(request, 200, list);
}

const struct route routes_snapshots[] = {
	{ "GET", "/v3/snapshots/", run_list, 0, PRIVILEGE(SNAPSHOT_READ) },
	{ "POST", "/v3/snapshots/", run_take, ROUTE_CHANGES, PRIVILEGE(SNAPSHOT_WRITE) },
	{ "GET", "/v3/snapshots/status/", run_list_status, 0, PRIVILEGE(SNAPSHOT_READ) },
	{ "GET", "/v3/snapshots/status/{}", run_get_status, 0, PRIVILEGE(SNAPSHOT_READ) },
	{ "GET", "/v3/snapshots/{}", run_get, 0, PRIVILEGE(SNAPSHOT_READ) },
	{ "PATCH", "/v3/snapshots/{}", run_patch, ROUTE_CHANGES, PRIVILEGE(SNAPSHOT_WRITE) },
	{ "PUT", "/v3/snapshots/{}", run_put, ROUTE_CHANGES, PRIVILEGE(SNAPSHOT_WRITE) },
	{ "DELETE", "/v3/snapshots/{}", run_delete, ROUTE_CHANGES, PRIVILEGE(SNAPSHOT_WRITE) },
	{ "GET", "/v2/snapshots/{}/changes-since/{}", run_diff, 0,
	  PRIVILEGE(SNAPSHOT_DIFFERENCE_READ) },
	{ "GET", "/v2/snapshots/{}/changes-since/{}/files/{}", run_file_diff, 0,
	  PRIVILEGE(SNAPSHOT_DIFFERENCE_READ) },
	{ NULL },
};
