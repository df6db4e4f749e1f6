/* api_data: reading, writing and copying data (section 9). */
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/parse.h"
#include "simulator/data.h"
#include "simulator/route.h"
#include "simulator/settings.h"
#include "simulator/snapshots.h"

/* ---- reading ---- */

static void answer_symlink(struct request *request, struct node *node, int64_t offset,
			   int64_t length)
{
	AUTO(free) char *text = tree_symlink_text(request->sim->tree, node);
	int64_t size;

	if (!text) {
		AUTO_ERROR err = { 0 };

		error_set(&err, "the link is gone");
		answer_tree_error(request, TREE_NOT_KEPT, &err);
		return;
	}
	size = strlen(text);
	offset = MIN(offset, size);
	answer_bytes(request, "application/octet-stream", text + offset,
		     MIN(length, size - offset));
}

static void answer_descriptor(struct request *request, int fd, int64_t offset, int64_t length)
{
	struct stat info = { 0 };

	if (fstat(fd, &info) < 0)
		info.st_size = 0;
	offset = MIN(offset, info.st_size);
	length = MIN(length, info.st_size - offset);
	answer_empty(request, 200);
	if (length) {
		MHD_destroy_response(request->response);
		request->response = MHD_create_response_from_fd_at_offset64(length, fd, offset);
	} else {
		close(fd);
	}
	answer_header(request, "Content-Type", "application/octet-stream");
}

static void note_read(struct request *request, struct node *node)
{
	int64_t granularity_ms = settings_atime_granularity_ms();
	struct tree_stat stat;

	tree_stat(request->sim->tree, node, &stat);
	if (granularity_ms >= 0 && clock_now_ms() - stat.access_ns / 1000000 >= granularity_ms)
		tree_touch_access(request->sim->tree, node);
}

void data_get(struct request *request, struct node *node, uint64_t stream)
{
	int64_t offset, length;
	enum tree_result result;
	AUTO_ERROR err = { 0 };

	if (request_number(request, "offset", 0, &offset) < 0 ||
	    request_number(request, "length", INT64_MAX, &length) < 0 ||
	    !file_allow(request, node, RIGHT_READ))
		return;
	AUTO(free) char *etag = file_etag(request->sim, node);
	if (tree_type(node) == TREE_SYMLINK && stream == TREE_STREAM_DEFAULT) {
		answer_symlink(request, node, offset, length);
	} else {
		int fd = tree_data_open(request->sim->tree, node, stream, &result, &err);

		if (fd < 0) {
			answer_tree_error(request, result, &err);
			return;
		}
		answer_descriptor(request, fd, offset, length);
	}
	answer_etag(request, etag);
	if (!url_parameter(&request->url, "snapshot"))
		note_read(request, node);
}

/* ---- writing ---- */

void data_write(struct request *request, struct node *node, uint64_t stream, bool replace)
{
	struct text body = request->body ? buf_text(request->body) : TEXT("");
	const char *type = request_header(request, "Content-Type");
	int64_t offset = 0;
	AUTO_ERROR err = { 0 };

	if (!replace && request_number(request, "offset", 0, &offset) < 0)
		return;
	if (type && strncmp(type, "application/octet-stream", 24) != 0) {
		answer_error(request, 400, "invalid_request_error",
			     "Content-Type: expected application/octet-stream");
		return;
	}
	if (!file_allow(request, node, RIGHT_MODIFY) || !file_if_match(request, node))
		return;
	enum tree_result result =
		tree_write(request->sim->tree, node, stream, offset, body, replace, &err);
	if (result != TREE_OK)
		answer_tree_error(request, result, &err);
	else
		answer_file(request, node, NULL, false);
}

void data_punch_hole(struct request *request, struct node *node, uint64_t stream)
{
	AUTO(json_decref) json_t *body = request_object(request);
	int64_t offset = -1, size = -1;
	AUTO_ERROR err = { 0 };

	if (!body || member_size(request, body, "offset", &offset) < 0 ||
	    member_size(request, body, "size", &size) < 0)
		return;
	if (offset < 0 || size < 0) {
		answer_error(request, 400, "decode_error", "Missing member: offset or size");
		return;
	}
	if (!file_allow(request, node, RIGHT_MODIFY) || !file_if_match(request, node))
		return;
	enum tree_result result =
		tree_punch_hole(request->sim->tree, node, stream, offset, size, &err);
	if (result != TREE_OK)
		answer_tree_error(request, result, &err);
	else
		answer_file_done(request, node);
}

/* ---- server-side copy ---- */

struct copy {
	struct node *source;
	uint64_t source_stream;
	int64_t source_offset, target_offset, length;
};

static struct node *copy_find_node(struct request *request, const json_t *body, const char *ref)
{
	const json_t *number = json_object_get(body, "source_snapshot");
	const struct snapshot *snapshot;

	if (!number || json_is_null(number))
		return file_find_ref(request, ref);
	AUTO(free) char *text = json_dumps(number, JSON_ENCODE_ANY);
	snapshot = snapshot_named(request, text);
	return snapshot ? file_find_then(request, snapshot, ref) : NULL;
}

/* False: answered. */
static bool copy_find_source(struct request *request, const json_t *body, struct copy *copy)
{
	const char *id = NULL, *path = NULL, *stream = NULL, *etag = NULL;
	struct tree_stream found;
	uint64_t number;

	if (member_string(request, body, "source_id", OPTIONAL, &id) < 0 ||
	    member_string(request, body, "source_path", OPTIONAL, &path) < 0 ||
	    member_string(request, body, "source_stream_id", OPTIONAL, &stream) < 0 ||
	    member_string(request, body, "source_etag", OPTIONAL, &etag) < 0)
		return false;
	if (!id == !path) {
		answer_error(request, 400, "invalid_request_error",
			     "Expected exactly one of source_id and source_path");
		return false;
	}
	copy->source = copy_find_node(request, body, id ? id : path);
	if (!copy->source)
		return false;
	AUTO(free) char *own_etag = file_etag(request->sim, copy->source);
	if (etag && *etag && strcmp(etag, own_etag) != 0) {
		answer_error(request, 412, "fs_tag_mismatch_error", "The source has changed");
		return false;
	}
	number = stream ? strtoull(stream, NULL, 10) : TREE_STREAM_DEFAULT;
	copy->source_stream = number;
	if (number == TREE_STREAM_DEFAULT || tree_stream_find(copy->source, number, &found))
		return true;
	answer_error(request, 404, "fs_no_such_entry_error", "No such stream: %s", stream);
	return false;
}

/* Reads at most one chunk; the rest of the source, in bytes, or -1: answered. */
static int64_t copy_read(struct request *request, const struct copy *copy, struct buf *chunk)
{
	enum tree_result result;
	AUTO_ERROR err = { 0 };
	struct stat info = { 0 };
	int fd = tree_data_open(request->sim->tree, copy->source, copy->source_stream, &result,
				&err);

	if (fd < 0) {
		answer_tree_error(request, result, &err);
		return -1;
	}
	if (fstat(fd, &info) < 0)
		info.st_size = 0;
	int64_t rest = MAX(0, MIN(copy->length, info.st_size - copy->source_offset));
	/* A cluster copies as much as it likes, and a client must ask for the rest. */
	int64_t size = MIN(rest, switch_value(&request->sim->switches, SWITCH_COPY_PIECE));
	if (!buf_reserve(chunk, size + 1))
		abort();
	while ((int64_t)chunk->size < size) {
		ssize_t got = pread(fd, chunk->data + chunk->size, size - chunk->size,
				    copy->source_offset + chunk->size);

		if (got <= 0)
			break;
		chunk->size += got;
	}
	close(fd);
	return rest - chunk->size;
}

static void answer_continuation(struct request *request, const json_t *body,
				const struct copy *copy, int64_t done, int64_t rest)
{
	json_t *next = json_copy((json_t *)body);
	const struct {
		const char *name;
		int64_t value;
	} members[] = {
		{ "source_offset", copy->source_offset + done },
		{ "target_offset", copy->target_offset + done },
		{ "length", rest },
	};

	for (size_t i = 0; i < ARRAY_SIZE(members); i++) {
		AUTO(free) char *text = str_format("%lld", (long long)members[i].value);

		json_object_set_new(next, members[i].name, json_string(text));
	}
	answer_json(request, 200, next);
}

void data_copy_chunk(struct request *request, struct node *node, uint64_t stream)
{
	AUTO(json_decref) json_t *body = request_object(request);
	AUTO(buf_free) struct buf *chunk = buf_new(SIZE_MAX / 2);
	struct copy copy = { .length = INT64_MAX };
	AUTO_ERROR err = { 0 };

	if (!body || member_size(request, body, "source_offset", &copy.source_offset) < 0 ||
	    member_size(request, body, "target_offset", &copy.target_offset) < 0 ||
	    member_size(request, body, "length", &copy.length) < 0 ||
	    !copy_find_source(request, body, &copy) ||
	    !file_allow(request, copy.source, RIGHT_READ) ||
	    !file_allow(request, node, RIGHT_MODIFY) || !file_if_match(request, node))
		return;
	uint64_t id = tree_id(node);
	int64_t rest = copy_read(request, &copy, chunk);
	if (rest < 0)
		return;
	enum tree_result result = tree_write(request->sim->tree, node, stream, copy.target_offset,
					     buf_text(chunk), false, &err);
	if (result != TREE_OK) {
		answer_tree_error(request, result, &err);
		return;
	}
	if (rest)
		answer_continuation(request, body, &copy, chunk->size, rest);
	else
		answer_empty(request, 200);
	AUTO(free) char *etag = file_etag(request->sim, tree_node(request->sim->tree, id));
	answer_etag(request, etag);
}

/* ---- the file's own data ---- */

static void run_get(struct request *request)
{
	struct node *node = file_find_read(request);

	if (node)
		data_get(request, node, TREE_STREAM_DEFAULT);
}

static void run_put(struct request *request)
{
	struct node *node = file_find(request);

	if (node)
		data_write(request, node, TREE_STREAM_DEFAULT, true);
}

static void run_patch(struct request *request)
{
	struct node *node = file_find(request);

	if (node)
		data_write(request, node, TREE_STREAM_DEFAULT, false);
}

static void run_copy_chunk(struct request *request)
{
	struct node *node = file_find(request);

	if (node)
		data_copy_chunk(request, node, TREE_STREAM_DEFAULT);
}

static void run_punch_hole(struct request *request)
{
	struct node *node = file_find(request);

	if (node)
		data_punch_hole(request, node, TREE_STREAM_DEFAULT);
}

const struct route routes_data[] = {
	{ "GET", "/v1/files/{}/data", run_get },
	{ "PUT", "/v1/files/{}/data", run_put, ROUTE_CHANGES },
	{ "PATCH", "/v1/files/{}/data", run_patch, ROUTE_CHANGES },
	{ "POST", "/v1/files/{}/copy-chunk", run_copy_chunk, ROUTE_CHANGES },
	{ "POST", "/v1/files/{}/punch-hole", run_punch_hole, ROUTE_CHANGES },
	{ NULL },
};
