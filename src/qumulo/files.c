#include "qumulo/files.h"

#include <ctype.h>
#include <errno.h>

#include "qumulo/call.h"

#define PAGE 1000

struct file_request {
	struct qumulo_call *call;
	file_done *done;
	void *ctx;
	bool changes_something;
	char *name; /* files_find: what is looked for */
};

static void request_free(void *ctx)
{
	struct file_request *request = ctx;

	free(request->name);
	free(request);
}

static const char *text_member(const json_t *object, const char *name)
{
	return json_string_value(json_object_get(object, name));
}

static char *text_copy_of(const json_t *object, const char *name)
{
	const char *text = text_member(object, name);

	return str_copy(text ? text : "");
}

/* A directory's path ends with a slash. */
static char *path_copy(const char *path)
{
	size_t size = strlen(path);

	while (size > 1 && path[size - 1] == '/')
		size--;
	return str_copy_n(path, size);
}

static enum file_type type_of(const char *name)
{
	if (!strcmp(name, "FS_FILE_TYPE_FILE"))
		return FILE_REGULAR;
	if (!strcmp(name, "FS_FILE_TYPE_DIRECTORY"))
		return FILE_DIRECTORY;
	if (!strcmp(name, "FS_FILE_TYPE_SYMLINK"))
		return FILE_SYMLINK;
	return FILE_OTHER;
}

static bool is_digits(const char *text)
{
	if (!*text)
		return false;
	for (; *text; text++)
		if (!isdigit((unsigned char)*text))
			return false;
	return true;
}

/* Only there where it was asked for. */
static void lock_parse(struct file_info *out, const json_t *attributes)
{
	const json_t *lock = json_object_get(attributes, "lock");
	const char *retention = text_member(lock, "retention_period");

	out->has_lock = json_is_object(lock);
	out->legal_hold = json_is_true(json_object_get(lock, "legal_hold"));
	out->retention = retention && *retention ? str_copy(retention) : NULL;
}

int files_parse(struct file_info *out, json_t *attributes, const char *etag, struct error *err)
{
	const json_t *owner = json_object_get(attributes, "owner_details");
	const json_t *group = json_object_get(attributes, "group_details");
	const char *id = text_member(attributes, "id");
	const char *path = text_member(attributes, "path");
	const char *type = text_member(attributes, "type");
	const char *size = text_member(attributes, "size");
	const char *mode = text_member(attributes, "mode");

	if (!id)
		id = text_member(attributes, "file_number");
	if (!id || !is_digits(id))
		return error_set(err, "attributes without a file id");
	if (!path || path[0] != '/')
		return error_set(err, "attributes of %s without an absolute path", id);
	*out = (struct file_info){
		.id = str_copy(id),
		.path = path_copy(path),
		.type = type_of(type ? type : ""),
		.size = size ? strtoll(size, NULL, 10) : 0,
		.mode = mode ? (unsigned)strtoul(mode, NULL, 8) & 07777 : 0,
		.owner = text_copy_of(attributes, "owner"),
		.group = text_copy_of(attributes, "group"),
		.owner_type = text_copy_of(owner, "id_type"),
		.owner_value = text_copy_of(owner, "id_value"),
		.group_type = text_copy_of(group, "id_type"),
		.group_value = text_copy_of(group, "id_value"),
		.modification_time = text_copy_of(attributes, "modification_time"),
		.change_time = text_copy_of(attributes, "change_time"),
		.creation_time = text_copy_of(attributes, "creation_time"),
		.num_links = (int)json_integer_value(json_object_get(attributes, "num_links")),
		.etag = str_copy(etag),
	};
	lock_parse(out, attributes);
	return 0;
}

static void request_reply(const struct file_request *request, const struct qumulo_answer *answer,
			  const struct file_info *info)
{
	request->done(request->ctx, &(struct file_reply){
					    .result = answer->result,
					    .why = answer->why,
					    .error_class = answer->error_class,
					    .status = answer->status,
					    .retry_after_ms = answer->retry_after_ms,
					    .info = info,
				    });
}

/*
 * A success that is not told as the API tells it, by something that stands before the cluster
 * perhaps: whether anything happened is not known.
 */
static void request_reply_strange(const struct file_request *request,
				  const struct qumulo_answer *answer, const char *problem)
{
	struct qumulo_answer strange = *answer;
	AUTO(free)
	char *why =
		str_format("HTTP %d, but not an answer of a cluster: %s", answer->status, problem);

	strange.result = request->changes_something ? FILE_AMBIGUOUS : FILE_LATER;
	strange.why = why;
	request_reply(request, &strange, NULL);
}

static void attributes_done(void *ctx, const struct qumulo_answer *answer)
{
	struct file_request *request = ctx;
	struct file_info info;
	AUTO_ERROR err = { 0 };

	if (answer->result != FILE_OK)
		return request_reply(request, answer, NULL);
	if (files_parse(&info, answer->body, answer->etag, &err) < 0)
		return request_reply_strange(request, answer, error_text(&err));
	request_reply(request, answer, &info);
	file_info_clear(&info);
}

static struct file_request *request_new(bool changes_something, file_done *done, void *ctx)
{
	struct file_request *request = NEW(struct file_request);

	request->changes_something = changes_something;
	request->done = done;
	request->ctx = ctx;
	return request;
}

struct qumulo_call *files_get(struct qumulo *qumulo, const char *ref, file_done *done, void *ctx)
{
	AUTO(free) char *escaped = qumulo_ref(ref);
	AUTO(free) char *path = str_format("/v1/files/%s/info/attributes", escaped);

	return call_start(qumulo, "GET", path, NULL, NULL, NULL, attributes_done, request_free,
			  request_new(false, done, ctx));
}

struct qumulo_call *files_get_lock(struct qumulo *qumulo, const char *id, file_done *done,
				   void *ctx)
{
	AUTO(free) char *ref = qumulo_ref(id);
	AUTO(free)
	char *path = str_format("/v1/files/%s/info/attributes?retrieve-file-lock=true", ref);

	return call_start(qumulo, "GET", path, NULL, NULL, NULL, attributes_done, request_free,
			  request_new(false, done, ctx));
}

/* Takes body; NULL: something in it was not UTF-8, and JSON cannot carry it. */
static struct qumulo_call *change_start(struct qumulo *qumulo, const char *method, const char *path,
					const char *if_match, json_t *body, file_done *done,
					void *ctx)
{
	struct file_request *request = request_new(true, done, ctx);
	struct qumulo_call *call;

	if (!body)
		return call_refuse(
			qumulo,
			"the name is not UTF-8, so that the cluster's API cannot be told "
			"of it",
			attributes_done, request_free, request);
	call = call_start(qumulo, method, path, if_match, body, NULL, attributes_done, request_free,
			  request);
	json_decref(body);
	return call;
}

static char *entries_path(const char *directory)
{
	AUTO(free) char *ref = qumulo_ref(directory);

	return str_format("/v1/files/%s/entries/", ref);
}

struct qumulo_call *files_move(struct qumulo *qumulo, const char *source_path,
			       const char *directory, const char *name, bool replace,
			       file_done *done, void *ctx)
{
	AUTO(free) char *path = entries_path(directory);

	return change_start(qumulo, "POST", path, NULL,
			    json_pack("{s:s, s:s, s:s, s:b}", "action", "RENAME", "name", name,
				      "old_path", source_path, "clobber", replace),
			    done, ctx);
}

struct qumulo_call *files_make_directory(struct qumulo *qumulo, const char *directory,
					 const char *name, file_done *done, void *ctx)
{
	AUTO(free) char *path = entries_path(directory);

	return change_start(qumulo, "POST", path, NULL,
			    json_pack("{s:s, s:s}", "action", "CREATE_DIRECTORY", "name", name),
			    done, ctx);
}

struct qumulo_call *files_make_file(struct qumulo *qumulo, const char *directory, const char *name,
				    file_done *done, void *ctx)
{
	AUTO(free) char *path = entries_path(directory);

	return change_start(qumulo, "POST", path, NULL,
			    json_pack("{s:s, s:s}", "action", "CREATE_FILE", "name", name), done,
			    ctx);
}

static char *attributes_path(const char *id)
{
	AUTO(free) char *ref = qumulo_ref(id);

	return str_format("/v1/files/%s/info/attributes", ref);
}

struct qumulo_call *files_touch(struct qumulo *qumulo, const char *id, const char *time,
				file_done *done, void *ctx)
{
	AUTO(free) char *path = attributes_path(id);

	return change_start(qumulo, "PATCH", path, NULL,
			    json_pack("{s:s}", "modification_time", time), done, ctx);
}

static bool change_add_identity(json_t *body, const char *auth_id_member,
				const char *details_member, const char *type, const char *value)
{
	if (!value)
		return true;
	if (!type || strcmp(type, "auth_id") == 0)
		return json_object_set_new(body, auth_id_member, json_string(value)) == 0;
	return json_object_set_new(body, details_member,
				   json_pack("{s:s, s:s}", "id_type", type, "id_value", value)) ==
	       0;
}

struct qumulo_call *files_change(struct qumulo *qumulo, const char *id, const char *etag,
				 const struct file_change *change, file_done *done, void *ctx)
{
	AUTO(free) char *path = attributes_path(id);
	json_t *body = json_object();
	bool is_sayable = (!change->mode ||
			   json_object_set_new(body, "mode", json_string(change->mode)) == 0) &&
			  change_add_identity(body, "owner", "owner_details", change->owner_type,
					      change->owner_value) &&
			  change_add_identity(body, "group", "group_details", change->group_type,
					      change->group_value);

	if (!is_sayable) {
		json_decref(body);
		body = NULL;
	}
	return change_start(qumulo, "PATCH", path, etag, body, done, ctx);
}

struct qumulo_call *files_lock(struct qumulo *qumulo, const char *id, const char *etag,
			       const struct file_lock *lock, file_done *done, void *ctx)
{
	AUTO(free) char *ref = qumulo_ref(id);
	AUTO(free) char *path = str_format("/v1/files/%s/file-lock", ref);
	json_t *body = json_object();

	if (lock->retention)
		json_object_set_new(body, "retention_period", json_string(lock->retention));
	if (lock->legal_hold >= 0)
		json_object_set_new(body, "legal_hold", json_boolean(lock->legal_hold));
	return change_start(qumulo, "PATCH", path, etag, body, done, ctx);
}

static void remove_done(void *ctx, const struct qumulo_answer *answer)
{
	request_reply(ctx, answer, NULL);
}

struct qumulo_call *files_remove(struct qumulo *qumulo, const char *id, file_done *done, void *ctx)
{
	AUTO(free) char *ref = qumulo_ref(id);
	AUTO(free) char *path = str_format("/v1/files/%s", ref);

	return call_start(qumulo, "DELETE", path, NULL, NULL, NULL, remove_done, request_free,
			  request_new(true, done, ctx));
}

/* The entry of a page that has the name, byte for byte: a pattern matches without regard to case.
 */
static json_t *page_find(const json_t *page, const char *name)
{
	json_t *entry;
	size_t i;

	json_array_foreach(json_object_get(page, "files"), i, entry)
	{
		const char *found = text_member(entry, "name");

		if (found && strcmp(found, name) == 0)
			return entry;
	}
	return NULL;
}

static void page_done(void *ctx, const struct qumulo_answer *answer)
{
	struct file_request *request = ctx;
	const char *next = text_member(json_object_get(answer->body, "paging"), "next");
	struct qumulo_answer told = *answer;
	json_t *entry;

	if (answer->result != FILE_OK)
		return request_reply(request, answer, NULL);
	if (!json_is_array(json_object_get(answer->body, "files")))
		return request_reply_strange(request, answer, "no list of entries");
	entry = page_find(answer->body, request->name);
	if (entry) {
		/* The page's ETag, if it has one, is not the file's. */
		told.body = entry;
		told.etag = NULL;
		return attributes_done(request, &told);
	}
	if (next && strncmp(next, "/api/", 5) == 0)
		next += 4; /* the address has it already */
	if (next && strncmp(next, "/v1/files/", 10) == 0)
		return call_repeat(request->call, next);
	told.result = FILE_GONE;
	told.why = "the directory has no entry of this name";
	request_reply(request, &told, NULL);
}

struct qumulo_call *files_find(struct qumulo *qumulo, const char *directory, const char *name,
			       file_done *done, void *ctx)
{
	struct file_request *request = request_new(false, done, ctx);
	AUTO(free) char *escaped = http_escape(text_of(name));
	AUTO(free) char *entries = entries_path(directory);
	/* These are wildcards of SMB, too, but not such that match themselves. */
	bool is_pattern = !strpbrk(name, "<>\"");
	AUTO(free)
	char *path = str_format("%s?limit=%d%s%s", entries, PAGE, is_pattern ? "&smb-pattern=" : "",
				is_pattern ? escaped : "");

	request->name = str_copy(name);
	request->call =
		call_start(qumulo, "GET", path, NULL, NULL, NULL, page_done, request_free, request);
	return request->call;
}
