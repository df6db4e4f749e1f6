#include "qumulo/handles.h"

#include "qumulo/call.h"

#define PATH "/v1/smb/files/"
#define PAGE 1000

struct handles_request {
	struct qumulo_call *call;
	file_done *done;
	void *ctx;
	size_t pages; /* that may be asked for yet */
	struct open_files open;
};

static void request_free(void *ctx)
{
	struct handles_request *request = ctx;

	for (size_t i = 0; i < request->open.count; i++)
		free(request->open.ids[i]);
	free(request->open.ids);
	free(request);
}

/* What cannot be read is taken for the worse. */
static bool may_write(const json_t *handle)
{
	const json_t *mask = json_object_get(json_object_get(handle, "handle_info"), "access_mask");
	json_t *name;
	size_t i;

	if (!json_is_array(mask))
		return true;
	json_array_foreach(mask, i, name)
	{
		const char *text = json_string_value(name);

		if (!text || strstr(text, "WRITE_DATA") || strstr(text, "APPEND_DATA") ||
		    strstr(text, "GENERIC_WRITE") || strstr(text, "GENERIC_ALL"))
			return true;
	}
	return false;
}

static void add(struct handles_request *request, const json_t *handle)
{
	const char *id = json_string_value(json_object_get(handle, "file_number"));
	struct open_files *open = &request->open;

	if (!id || !may_write(handle))
		return;
	open->ids = mem_grow(open->ids, open->count + 1, sizeof(*open->ids));
	open->ids[open->count++] = str_copy(id);
}

static void page_done(void *ctx, const struct qumulo_answer *answer)
{
	struct handles_request *request = ctx;
	const json_t *handles = json_object_get(answer->body, "file_handles");
	const char *next =
		json_string_value(json_object_get(json_object_get(answer->body, "paging"), "next"));
	struct file_reply reply = { .result = answer->result,
				    .why = answer->why,
				    .error_class = answer->error_class,
				    .status = answer->status,
				    .retry_after_ms = answer->retry_after_ms };
	json_t *handle;
	size_t i;

	if (answer->result == FILE_OK && !json_is_array(handles)) {
		reply.result = FILE_LATER;
		reply.why = "the answer is not one of a cluster: no list of open files";
	}
	if (reply.result != FILE_OK) {
		request->done(request->ctx, &reply);
		return;
	}
	json_array_foreach(handles, i, handle) add(request, handle);
	if (next && strncmp(next, "/api/", 5) == 0)
		next += 4; /* the address has it already */
	request->open.is_whole = !next || strncmp(next, PATH, strlen(PATH)) != 0;
	if (!request->open.is_whole && --request->pages) {
		call_repeat(request->call, next);
		return;
	}
	reply.open = &request->open;
	request->done(request->ctx, &reply);
}

struct qumulo_call *handles_get(struct qumulo *qumulo, const char *id, size_t pages,
				file_done *done, void *ctx)
{
	struct handles_request *request = NEW(struct handles_request);
	AUTO(free)
	char *path = id ? str_format(PATH "?limit=%d&file_number=%s", PAGE, id)
			: str_format(PATH "?limit=%d", PAGE);

	request->done = done;
	request->ctx = ctx;
	request->pages = MAX(pages, (size_t)1);
	request->call =
		call_start(qumulo, "GET", path, NULL, NULL, NULL, page_done, request_free, request);
	return request->call;
}
