#include "qumulo/tags.h"

#include <openssl/evp.h>

#include "qumulo/call.h"

#define PAGE 1000
#define BYTES_MAX ((size_t)16 << 20) /* of all values */

struct tag_request {
	struct qumulo_call *call;
	file_done *done;
	void *ctx;
	char *key; /* NULL: all */
	struct file_tags tags;
	size_t bytes;
};

static void request_free(void *ctx)
{
	struct tag_request *request = ctx;

	file_tags_clear(&request->tags);
	free(request->key);
	free(request);
}

static struct tag_request *request_new(file_done *done, void *ctx)
{
	struct tag_request *request = NEW(struct tag_request);

	request->done = done;
	request->ctx = ctx;
	return request;
}

static void request_reply(const struct tag_request *request, const struct qumulo_answer *answer,
			  const struct file_tags *tags)
{
	request->done(request->ctx, &(struct file_reply){
					    .result = answer->result,
					    .why = answer->why,
					    .error_class = answer->error_class,
					    .status = answer->status,
					    .retry_after_ms = answer->retry_after_ms,
					    .tags = tags,
				    });
}

static void request_fail(const struct tag_request *request, const struct qumulo_answer *answer,
			 enum file_result result, const char *why)
{
	struct qumulo_answer failed = *answer;

	failed.result = result;
	failed.why = why;
	request_reply(request, &failed, NULL);
}

/* ---- Values ---- */

/* The library's own check lets white space pass, and counts what is filled up. */
static char *value_of_base64(const char *text, size_t *out_size)
{
	size_t size = strlen(text);
	size_t plain = strspn(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
				    "0123456789+/");
	char *bytes;

	if (size % 4 || size > INT32_MAX || size - plain > 2 ||
	    strspn(text + plain, "=") != size - plain)
		return NULL;
	bytes = mem_new(size / 4 * 3 + 1);
	EVP_DecodeBlock((unsigned char *)bytes, (const unsigned char *)text, (int)size);
	*out_size = size / 4 * 3 - (size - plain);
	bytes[*out_size] = 0;
	return bytes;
}

static char *value_of_numbers(const json_t *numbers, size_t *out_size)
{
	char *bytes = mem_new(json_array_size(numbers) + 1);
	json_t *number;
	size_t i;

	json_array_foreach(numbers, i, number)
	{
		json_int_t byte = json_integer_value(number);

		if (!json_is_integer(number) || byte < 0 || byte > 255) {
			free(bytes);
			return NULL;
		}
		bytes[i] = (char)byte;
	}
	*out_size = json_array_size(numbers);
	bytes[*out_size] = 0;
	return bytes;
}

char *tags_value(const json_t *value, size_t *out_size)
{
	if (json_is_string(value))
		return value_of_base64(json_string_value(value), out_size);
	return json_is_array(value) ? value_of_numbers(value, out_size) : NULL;
}

static json_t *value_json(struct text value)
{
	AUTO(free) char *base64 = mem_new(value.size / 3 * 4 + 8);

	EVP_EncodeBlock((unsigned char *)base64, (const unsigned char *)value.data,
			(int)value.size);
	return json_string(base64);
}

/* ---- Reading ---- */

static bool add(struct tag_request *request, const char *key, const json_t *value)
{
	size_t size = 0;
	AUTO(free) char *bytes = tags_value(value, &size);

	if (!key || !bytes)
		return false;
	request->bytes += size;
	file_tags_add(&request->tags, key, (struct text){ bytes, size });
	return true;
}

/* 404 may mean the key or the file: the class says which, and what it does not say is the key. */
static void one_done(void *ctx, const struct qumulo_answer *answer)
{
	struct tag_request *request = ctx;
	struct qumulo_answer told = *answer;

	if (answer->result == FILE_GONE && strncmp(answer->error_class, "fs_no_such_", 11) != 0) {
		told.result = FILE_OK;
		told.why = NULL;
		return request_reply(request, &told, &request->tags);
	}
	if (answer->result != FILE_OK)
		return request_reply(request, answer, NULL);
	if (!add(request, request->key, json_object_get(answer->body, "value")))
		return request_fail(request, answer, FILE_LATER,
				    "the answer is not one of a cluster: no value of user "
				    "metadata");
	request->tags.etag = str_copy(answer->etag);
	request_reply(request, answer, &request->tags);
}

static void page_done(void *ctx, const struct qumulo_answer *answer)
{
	struct tag_request *request = ctx;
	const json_t *entries = json_object_get(answer->body, "entries");
	const char *next =
		json_string_value(json_object_get(json_object_get(answer->body, "paging"), "next"));
	json_t *entry;
	size_t i;

	if (answer->result != FILE_OK)
		return request_reply(request, answer, NULL);
	if (!json_is_array(entries))
		return request_fail(request, answer, FILE_LATER,
				    "the answer is not one of a cluster: no list of user metadata");
	json_array_foreach(entries, i, entry)
	{
		const char *key = json_string_value(json_object_get(entry, "key"));

		if (!add(request, key, json_object_get(entry, "value")))
			return request_fail(request, answer, FILE_LATER,
					    "the answer is not one of a cluster: user metadata "
					    "without key or value");
	}
	if (next && strncmp(next, "/api/", 5) == 0)
		next += 4; /* the address has it already */
	if (!next || strncmp(next, "/v1/files/", 10) != 0)
		return request_reply(request, answer, &request->tags);
	if (request->tags.count >= TAGS_MAX || request->bytes >= BYTES_MAX)
		return request_fail(request, answer, FILE_REFUSED,
				    "the file has more user metadata than can be looked at");
	call_repeat(request->call, next);
}

static char *tag_path(const char *id, const char *key)
{
	AUTO(free) char *ref = qumulo_ref(id);
	AUTO(free) char *escaped = http_escape(text_of(key));

	return str_format("/v1/files/%s/user-metadata/generic/%s", ref, escaped);
}

struct qumulo_call *tags_get(struct qumulo *qumulo, const char *id, const char *key,
			     file_done *done, void *ctx)
{
	struct tag_request *request = request_new(done, ctx);
	AUTO(free) char *path = tag_path(id, key ? key : "");
	AUTO(free) char *all = str_format("%s?limit=%d", path, PAGE);

	if (key)
		request->key = str_copy(key);
	request->call = call_start(qumulo, "GET", key ? path : all, NULL, NULL, NULL,
				   key ? one_done : page_done, request_free, request);
	return request->call;
}

/* ---- Changing ---- */

static void set_done(void *ctx, const struct qumulo_answer *answer)
{
	request_reply(ctx, answer, NULL);
}

struct qumulo_call *tags_set(struct qumulo *qumulo, const char *id, const struct tag_change *change,
			     file_done *done, void *ctx)
{
	static const char *const methods[] = {
		[TAG_ADD] = "POST", [TAG_REPLACE] = "PUT", [TAG_REMOVE] = "DELETE"
	};
	AUTO(free) char *path = tag_path(id, change->key);
	bool has_value = change->how != TAG_REMOVE;
	json_t *body = has_value ? json_pack("{s:o}", "value", value_json(change->value)) : NULL;
	struct qumulo_call *call = call_start(qumulo, methods[change->how], path,
					      change->how == TAG_ADD ? NULL : change->etag, body,
					      NULL, set_done, request_free, request_new(done, ctx));

	json_decref(body);
	return call;
}
