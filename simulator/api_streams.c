/* api_streams: alternate data streams (section 13). */
#include "base/parse.h"
#include "simulator/data.h"
#include "simulator/route.h"

json_t *stream_json(const struct tree_stream *stream)
{
	AUTO(free) char *id = str_format("%llu", (unsigned long long)stream->id);
	AUTO(free) char *size = str_format("%llu", (unsigned long long)stream->size);
	AUTO(free)
	char *blocks = str_format("%llu", (unsigned long long)(stream->size + 4095) / 4096);
	AUTO(free) char *revision = str_format("%llu", (unsigned long long)stream->data_revision);

	return json_pack("{s:s, s:s, s:s, s:s, s:s}", "name", stream->name, "id", id, "size", size,
			 "datablocks", blocks, "data_revision", revision);
}

bool stream_find(struct request *request, struct node *node, struct tree_stream *out)
{
	int64_t id;

	if (parse_number(text_of(request->argument[1]), 1, INT64_MAX, &id, NULL) == 0 &&
	    tree_stream_find(node, id, out))
		return true;
	answer_error(request, 404, "fs_no_such_entry_error", "No such stream: %s",
		     request->argument[1]);
	return false;
}

static void answer_stream(struct request *request, struct node *node, uint64_t id)
{
	AUTO(free) char *etag = file_etag(request->sim, node);
	struct tree_stream stream;

	if (!tree_stream_find(node, id, &stream))
		abort(); /* it has just been made or changed */
	answer_json(request, 200, stream_json(&stream));
	answer_etag(request, etag);
}

static void run_list(struct request *request)
{
	struct node *node = file_find_read(request);
	struct tree_stream stream;

	if (!node || !file_allow(request, node, RIGHT_READ_ATTR))
		return;
	json_t *list = json_array();
	for (size_t i = 0; tree_stream_at(node, i, &stream); i++)
		json_array_append_new(list, stream_json(&stream));
	AUTO(free) char *etag = file_etag(request->sim, node);
	answer_json(request, 200, list);
	answer_etag(request, etag);
}

static void run_add(struct request *request)
{
	AUTO(json_decref) json_t *body = request_object(request);
	struct node *node = body ? file_find(request) : NULL;
	const char *name;
	uint64_t id;
	AUTO_ERROR err = { 0 };

	if (!node || member_string(request, body, "stream_name", NEEDED, &name) < 0 ||
	    !file_allow(request, node, RIGHT_MODIFY) || !file_if_match(request, node))
		return;
	enum tree_result result =
		tree_stream_add(request->sim->tree, node, text_of(name), &id, &err);
	if (result != TREE_OK)
		answer_tree_error(request, result, &err);
	else
		answer_stream(request, node, id);
}

static void run_remove(struct request *request)
{
	struct node *node = file_find(request);
	struct tree_stream stream;
	AUTO_ERROR err = { 0 };

	if (!node || !stream_find(request, node, &stream) ||
	    !file_allow(request, node, RIGHT_MODIFY) || !file_if_match(request, node))
		return;
	enum tree_result result = tree_stream_remove(request->sim->tree, node, stream.id, &err);
	if (result != TREE_OK)
		answer_tree_error(request, result, &err);
	else
		answer_file_done(request, node);
}

static void run_rename(struct request *request)
{
	AUTO(json_decref) json_t *body = request_object(request);
	struct node *node = body ? file_find(request) : NULL;
	struct tree_stream stream;
	const char *name;
	AUTO_ERROR err = { 0 };

	if (!node || member_string(request, body, "stream_name", NEEDED, &name) < 0 ||
	    !stream_find(request, node, &stream) || !file_allow(request, node, RIGHT_MODIFY) ||
	    !file_if_match(request, node))
		return;
	enum tree_result result =
		tree_stream_rename(request->sim->tree, node, stream.id, text_of(name), &err);
	if (result != TREE_OK)
		answer_tree_error(request, result, &err);
	else
		answer_stream(request, node, stream.id);
}

static void run_get_attributes(struct request *request)
{
	struct node *node = file_find_read(request);
	struct tree_stream stream;

	if (node && stream_find(request, node, &stream) &&
	    file_allow(request, node, RIGHT_READ_ATTR))
		answer_stream(request, node, stream.id);
}

static void run_patch_attributes(struct request *request)
{
	AUTO(json_decref) json_t *body = request_object(request);
	struct node *node = body ? file_find(request) : NULL;
	struct tree_stream stream;
	int64_t size = -1;
	AUTO_ERROR err = { 0 };

	if (!node || !stream_find(request, node, &stream) ||
	    member_size(request, body, "size", &size) < 0 ||
	    !file_allow(request, node, RIGHT_MODIFY) || !file_if_match(request, node))
		return;
	enum tree_result result =
		size < 0 ? TREE_OK : tree_truncate(request->sim->tree, node, stream.id, size, &err);
	if (result != TREE_OK)
		answer_tree_error(request, result, &err);
	else
		answer_stream(request, node, stream.id);
}

static void run_get_data(struct request *request)
{
	struct node *node = file_find_read(request);
	struct tree_stream stream;

	if (node && stream_find(request, node, &stream))
		data_get(request, node, stream.id);
}

static void run_put_data(struct request *request)
{
	struct node *node = file_find(request);
	struct tree_stream stream;

	if (node && stream_find(request, node, &stream))
		data_write(request, node, stream.id, true);
}

static void run_patch_data(struct request *request)
{
	struct node *node = file_find(request);
	struct tree_stream stream;

	if (node && stream_find(request, node, &stream))
		data_write(request, node, stream.id, false);
}

static void run_copy_chunk(struct request *request)
{
	struct node *node = file_find(request);
	struct tree_stream stream;

	if (node && stream_find(request, node, &stream))
		data_copy_chunk(request, node, stream.id);
}

static void run_punch_hole(struct request *request)
{
	struct node *node = file_find(request);
	struct tree_stream stream;

	if (node && stream_find(request, node, &stream))
		data_punch_hole(request, node, stream.id);
}

const struct route routes_streams[] = {
	{ "GET", "/v1/files/{}/streams/", run_list },
	{ "POST", "/v1/files/{}/streams/", run_add, ROUTE_CHANGES },
	{ "DELETE", "/v1/files/{}/streams/{}", run_remove, ROUTE_CHANGES },
	{ "POST", "/v1/files/{}/streams/{}/rename", run_rename, ROUTE_CHANGES },
	{ "GET", "/v1/files/{}/streams/{}/attributes", run_get_attributes },
	{ "PATCH", "/v1/files/{}/streams/{}/attributes", run_patch_attributes, ROUTE_CHANGES },
	{ "GET", "/v1/files/{}/streams/{}/data", run_get_data },
	{ "PUT", "/v1/files/{}/streams/{}/data", run_put_data, ROUTE_CHANGES },
	{ "PATCH", "/v1/files/{}/streams/{}/data", run_patch_data, ROUTE_CHANGES },
	{ "POST", "/v1/files/{}/streams/{}/copy-chunk", run_copy_chunk, ROUTE_CHANGES },
	{ "POST", "/v1/files/{}/streams/{}/punch-hole", run_punch_hole, ROUTE_CHANGES },
	{ NULL },
};
