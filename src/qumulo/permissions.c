#include "qumulo/permissions.h"

#include "qumulo/call.h"
#include "qumulo/files.h"

#define PAGE 1000

struct permissions_request {
	file_done *done;
	void *ctx;
};

static struct permissions_request *request_new(file_done *done, void *ctx)
{
	struct permissions_request *request = NEW(struct permissions_request);

	request->done = done;
	request->ctx = ctx;
	return request;
}

static struct file_reply reply_of(const struct qumulo_answer *answer)
{
	return (struct file_reply){
		.result = answer->result,
		.why = answer->why,
		.error_class = answer->error_class,
		.status = answer->status,
		.retry_after_ms = answer->retry_after_ms,
	};
}

static void tell_strange(const struct permissions_request *request,
			 const struct qumulo_answer *answer, const char *problem)
{
	struct file_reply reply = reply_of(answer);
	AUTO(free)
	char *why =
		str_format("HTTP %d, but not an answer of a cluster: %s", answer->status, problem);

	reply.result = FILE_LATER;
	reply.why = why;
	request->done(request->ctx, &reply);
}

/* ---- Access control lists ---- */

static void acl_told(void *ctx, const struct qumulo_answer *answer)
{
	const struct permissions_request *request = ctx;
	const json_t *acl = json_object_get(answer->body, "acl");
	struct file_reply reply = reply_of(answer);
	AUTO(free) char *text = NULL;

	if (answer->result == FILE_OK) {
		if (!json_is_array(json_object_get(acl, "aces"))) {
			tell_strange(request, answer, "no access control list");
			return;
		}
		text = json_dumps(acl, JSON_COMPACT);
		reply.acl = text;
		reply.etag = answer->etag;
	}
	request->done(request->ctx, &reply);
}

static char *acl_path(const char *id)
{
	AUTO(free) char *ref = qumulo_ref(id);

	return str_format("/v1/files/%s/info/acl", ref);
}

struct qumulo_call *permissions_get_acl(struct qumulo *qumulo, const char *id, file_done *done,
					void *ctx)
{
	AUTO(free) char *path = acl_path(id);

	return call_start(qumulo, "GET", path, NULL, NULL, NULL, acl_told, free,
			  request_new(done, ctx));
}

static void acl_was_set(void *ctx, const struct qumulo_answer *answer)
{
	const struct permissions_request *request = ctx;
	struct file_reply reply = reply_of(answer);

	request->done(request->ctx, &reply);
}

struct qumulo_call *permissions_set_acl(struct qumulo *qumulo, const char *id, const char *etag,
					const char *acl, file_done *done, void *ctx)
{
	AUTO(free) char *path = acl_path(id);
	json_t *body = json_loads(acl, 0, NULL);
	struct qumulo_call *call = call_start(qumulo, "PUT", path, etag, body, NULL, acl_was_set,
					      free, request_new(done, ctx));

	json_decref(body);
	return call;
}

/* ---- Listing ---- */

struct infos {
	struct file_info *items;
	size_t count;
};

static void infos_clear(struct infos *infos)
{
	for (size_t i = 0; i < infos->count; i++)
		file_info_clear(&infos->items[i]);
	free(infos->items);
}

static int infos_parse(struct infos *out, const json_t *files, struct error *err)
{
	json_t *file;
	size_t i;

	if (!json_is_array(files))
		return error_set(err, "no list of entries");
	out->items = mem_array(json_array_size(files), sizeof(*out->items));
	json_array_foreach(files, i, file)
	{
		if (files_parse(&out->items[i], file, NULL, err) < 0)
			return -1;
		out->count++;
	}
	return 0;
}

static void listed(void *ctx, const struct qumulo_answer *answer)
{
	const struct permissions_request *request = ctx;
	const char *next =
		json_string_value(json_object_get(json_object_get(answer->body, "paging"), "next"));
	__attribute__((cleanup(infos_clear))) struct infos infos = { 0 };
	struct file_reply reply = reply_of(answer);
	AUTO_ERROR err = { 0 };

	if (answer->result == FILE_OK) {
		if (infos_parse(&infos, json_object_get(answer->body, "files"), &err) < 0) {
			tell_strange(request, answer, error_text(&err));
			return;
		}
		if (next && strncmp(next, "/api/", 5) == 0)
			next += 4; /* the address has it already */
		reply.infos = infos.items;
		reply.info_count = infos.count;
		reply.next = next && strncmp(next, "/v1/files/", 10) == 0 ? next : NULL;
	}
	request->done(request->ctx, &reply);
}

struct qumulo_call *permissions_list(struct qumulo *qumulo, const char *directory, const char *next,
				     file_done *done, void *ctx)
{
	AUTO(free) char *ref = qumulo_ref(directory);
	AUTO(free)
	char *path =
		next ? str_copy(next) : str_format("/v1/files/%s/entries/?limit=%d", ref, PAGE);

	return call_start(qumulo, "GET", path, NULL, NULL, NULL, listed, free,
			  request_new(done, ctx));
}
