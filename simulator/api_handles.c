/* api_handles: which files SMB clients have open (section 14.2), and /sim/handles, where tests open
 * and close them. */
#include "simulator/handles.h"

#include "simulator/files.h"
#include "simulator/route.h"

void handles_clear(struct handles *handles)
{
	free(handles->items);
	*handles = (struct handles){ .last_number = handles->last_number };
}

void handles_drop_dead(struct sim *sim)
{
	struct handles *handles = &sim->handles;
	size_t kept = 0;

	tree_sync(sim->tree);
	for (size_t i = 0; i < handles->count; i++)
		if (tree_node(sim->tree, handles->items[i].file))
			handles->items[kept++] = handles->items[i];
	handles->count = kept;
}

bool handles_allow_move(struct request *request, const struct node *node)
{
	const struct handles *handles = &request->sim->handles;

	for (size_t i = 0; node && i < handles->count; i++) {
		if (handles->items[i].file != tree_id(node) || !handles->items[i].is_exclusive)
			continue;
		answer_error(request, 409, "fs_sharing_violation_error",
			     "An SMB client has the file open");
		return false;
	}
	return true;
}

/* ---- The cluster's side ---- */

static json_t *access_mask(const struct handle *handle)
{
	json_t *mask =
		json_pack("[s, s]", "MS_ACCESS_FILE_READ_DATA", "MS_ACCESS_FILE_READ_ATTRIBUTES");

	if (handle->writes)
		json_array_append_new(mask, json_string("MS_ACCESS_FILE_WRITE_DATA"));
	if (handle->appends)
		json_array_append_new(mask, json_string("MS_ACCESS_FILE_APPEND_DATA"));
	return mask;
}

static json_t *handle_json(struct sim *sim, const struct handle *handle, bool with_path)
{
	char id[TREE_ID_TEXT_SIZE];
	AUTO(free) char *location = str_format("1.%llu", (unsigned long long)handle->number);
	AUTO(json_decref)
	json_t *file =
		with_path ? file_json(sim, tree_node(sim->tree, handle->file), NULL, false) : NULL;
	const char *path = json_string_value(json_object_get(file, "path"));

	tree_id_format(sim->tree, handle->file, id);
	return json_pack("{s:s, s:{s:s, s:i, s:i, s:o, s:s, s:s}}", "file_number", id,
			 "handle_info", "location", location, "version", 1, "num_byte_range_locks",
			 0, "access_mask", access_mask(handle), "owner", "500", "path",
			 path ? path : "");
}

static void run_list(struct request *request)
{
	struct sim *sim = request->sim;
	const char *wanted = url_parameter(&request->url, "file_number");
	int64_t limit, after, most = switch_value(&sim->switches, SWITCH_PAGE_LIMIT);
	bool with_paths;
	uint64_t file = 0;
	AUTO(free) char *next = NULL;

	if (request_number(request, "limit", 1000, &limit) < 0 ||
	    request_number(request, "after", 0, &after) < 0 ||
	    request_flag(request, "resolve_paths", &with_paths) < 0)
		return;
	handles_drop_dead(sim);
	json_t *list = json_array();
	limit = MAX(MIN(limit, most), 1);
	if (!wanted || tree_id_parse(sim->tree, text_of(wanted), &file)) {
		for (size_t i = 0; i < sim->handles.count && !next; i++) {
			const struct handle *handle = &sim->handles.items[i];

			if ((wanted && handle->file != file) || (int64_t)handle->number <= after)
				continue;
			if ((int64_t)json_array_size(list) == limit)
				next = str_format("%.*s?limit=%lld&after=%lld%s%s%s",
						  TEXT_ARGS(request->url.path), (long long)limit,
						  (long long)after, wanted ? "&file_number=" : "",
						  wanted ? wanted : "",
						  with_paths ? "&resolve_paths=true" : "");
			else
				json_array_append_new(list, handle_json(sim, handle, with_paths));
			if (!next)
				after = (int64_t)handle->number;
		}
	}
	json_t *answer = json_pack("{s:o}", "file_handles", list);
	answer_paging(request, answer, next);
	answer_json(request, 200, answer);
}

/* Removes the handles for which it is so; answers how many. */
static size_t close_where(struct handles *handles, bool (*is_meant)(const struct handle *, void *),
			  void *ctx)
{
	size_t kept = 0, before = handles->count;

	for (size_t i = 0; i < before; i++)
		if (!is_meant(&handles->items[i], ctx))
			handles->items[kept++] = handles->items[i];
	handles->count = kept;
	return before - kept;
}

static bool has_number(const struct handle *handle, void *ctx)
{
	return handle->number == *(uint64_t *)ctx;
}

static void run_close(struct request *request)
{
	AUTO(json_decref) json_t *body = request_array(request);
	json_t *item;
	size_t i;

	if (!body)
		return;
	json_array_foreach(body, i, item)
	{
		const json_t *info = json_object_get(item, "handle_info");
		const char *location =
			json_string_value(json_object_get(info ? info : item, "location"));
		uint64_t number = location && strncmp(location, "1.", 2) == 0
					  ? strtoull(location + 2, NULL, 10)
					  : 0;

		if (!location) {
			answer_error(request, 400, "decode_error",
				     "Expected handles with location");
			return;
		}
		close_where(&request->sim->handles, has_number, &number);
	}
	answer_empty(request, 200);
}

/* ---- The tests' side ---- */

/* {"path": .., "access": "read" "write" "append", "exclusive": true, "count": 1} */
static void run_open(struct request *request)
{
	AUTO(json_decref) json_t *body = request_object(request);
	struct handles *handles = &request->sim->handles;
	const char *path, *access = "write";
	int64_t count = 1;
	bool is_exclusive = false;

	if (!body || member_string(request, body, "path", NEEDED, &path) < 0 ||
	    member_string(request, body, "access", OPTIONAL, &access) < 0 ||
	    member_bool(request, body, "exclusive", OPTIONAL, &is_exclusive) < 0 ||
	    member_size(request, body, "count", &count) < 0)
		return;
	bool reads = strcmp(access, "read") == 0, writes = strcmp(access, "write") == 0;
	bool appends = strcmp(access, "append") == 0;
	if (!reads && !writes && !appends) {
		answer_error(request, 400, "invalid_request_error",
			     "access '%s': expected read, write or append", access);
		return;
	}
	if (count < 1 || (size_t)count > HANDLES_MAX - handles->count) {
		answer_error(request, 400, "invalid_request_error", "count: too many handles");
		return;
	}
	struct node *node = file_find_ref(request, path);
	if (!node)
		return;
	handles->items =
		mem_grow(handles->items, handles->count + (size_t)count, sizeof(*handles->items));
	for (int64_t i = 0; i < count; i++)
		handles->items[handles->count++] =
			(struct handle){ ++handles->last_number, tree_id(node), writes, appends,
					 is_exclusive };
	answer_json(request, 200, json_pack("{s:I}", "handle", (json_int_t)handles->last_number));
}

static bool is_of_file(const struct handle *handle, void *ctx)
{
	return !*(uint64_t *)ctx || handle->file == *(uint64_t *)ctx;
}

/* All handles, or with ?path= those of one file. */
static void run_close_all(struct request *request)
{
	const char *path = url_parameter(&request->url, "path");
	uint64_t file = 0;

	if (path) {
		struct node *node = file_find_ref(request, path);

		if (!node)
			return;
		file = tree_id(node);
	}
	answer_json(request, 200,
		    json_pack("{s:I}", "closed",
			      (json_int_t)close_where(&request->sim->handles, is_of_file, &file)));
}

const struct route routes_handles[] = {
	{ "GET", "/v1/smb/files/", run_list, 0, PRIVILEGE(SMB_FILE_HANDLE_READ) },
	{ "POST", "/v1/smb/files/close", run_close, ROUTE_CHANGES,
	  PRIVILEGE(SMB_FILE_HANDLE_WRITE) },
	{ "POST", "/sim/handles", run_open, ROUTE_CONTROL },
	{ "DELETE", "/sim/handles", run_close_all, ROUTE_CONTROL },
	{ NULL },
};
