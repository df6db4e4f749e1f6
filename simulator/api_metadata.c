/* api_metadata: user-defined metadata, also called tags (section 10). */
#include <openssl/evp.h>

#include "simulator/files.h"
#include "simulator/route.h"

static const size_t tag_max = 400 << 10;

/* "generic" or "s3" of the path, as bodies write it; NULL: answered. */
static const char *parse_kind(struct request *request)
{
	if (strcmp(request->argument[1], "generic") == 0)
		return "GENERIC";
	if (strcmp(request->argument[1], "s3") == 0)
		return "S3";
	answer_error(request, 404, "http_not_found_error", "No such type of metadata: %s",
		     request->argument[1]);
	return NULL;
}

/* ---- values: Base64 in a string, or an array of numbers ---- */

static json_t *value_numbers(const char *base64)
{
	size_t size = strlen(base64);
	unsigned char *bytes = mem_new(size + 3);
	int decoded = EVP_DecodeBlock(bytes, (const unsigned char *)base64, size);
	json_t *numbers = json_array();

	for (size_t i = size; i && base64[i - 1] == '='; i--)
		decoded--;
	for (int i = 0; i < decoded; i++)
		json_array_append_new(numbers, json_integer(bytes[i]));
	free(bytes);
	return numbers;
}

static json_t *value_json(const struct request *request, const char *base64)
{
	if (switch_value(&request->sim->switches, SWITCH_METADATA_VALUE) == USUAL_SIDE)
		return json_string(base64);
	return value_numbers(base64);
}

static char *numbers_to_base64(const json_t *numbers)
{
	size_t size = json_array_size(numbers);
	unsigned char *bytes = mem_new(size + 1);
	char *base64 = mem_new(4 * size / 3 + 8);
	json_t *number;
	size_t index;

	json_array_foreach(numbers, index, number) bytes[index] = json_integer_value(number);
	EVP_EncodeBlock((unsigned char *)base64, bytes, size);
	free(bytes);
	return base64;
}

static bool is_base64(const char *text)
{
	size_t size = strlen(text);
	size_t plain = strspn(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
				    "0123456789+/");

	return size % 4 == 0 && size - plain <= 2 && strspn(text + plain, "=") == size - plain;
}

/* The value of a body in Base64, for free(); NULL: answered. */
static char *parse_value(struct request *request, const json_t *body)
{
	const json_t *value = json_object_get(body, "value");
	AUTO(free)
	char *text = json_is_array(value) ? numbers_to_base64(value)
					  : str_copy(json_string_value(value));

	if (!text || !is_base64(text)) {
		answer_error(request, 400, "decode_error", "value: expected a Base64 string");
		return NULL;
	}
	if (!*text) {
		answer_error(request, 400, "fs_user_metadata_empty_insertion_error",
			     "The value is empty");
		return NULL;
	}
	if (strlen(text) / 4 * 3 + strlen(request->argument[2]) > tag_max) {
		answer_error(request, 400, "fs_user_metadata_too_large",
			     "Key and value are too large");
		return NULL;
	}
	return TAKE(text);
}

/* ---- listing ---- */

static json_t *list_tags(struct request *request, struct node *node, const char *kind,
			 int64_t limit, int64_t *after)
{
	json_t *entries = json_array();
	struct tree_tag tag;
	bool more = false;
	size_t index = *after;

	for (; tree_tag_at(node, index, &tag); index++) {
		if (kind && strcmp(kind, tag.kind) != 0)
			continue;
		if ((int64_t)json_array_size(entries) == limit) {
			more = true;
			break;
		}
		json_array_append_new(entries,
				      json_pack("{s:s, s:s, s:o}", "type", tag.kind, "key", tag.key,
						"value", value_json(request, tag.value)));
	}
	*after = more ? (int64_t)index : 0;
	return entries;
}

static void answer_list(struct request *request, const char *kind)
{
	struct node *node = file_find_read(request);
	int64_t limit, after;

	if (!node || request_number(request, "limit", 1000, &limit) < 0 ||
	    request_number(request, "after", 0, &after) < 0 ||
	    !file_allow(request, node, RIGHT_READ_EA))
		return;
	limit = MAX(limit, 1);
	json_t *list = json_pack("{s:o}", "entries", list_tags(request, node, kind, limit, &after));
	const char *snapshot = url_parameter(&request->url, "snapshot");
	AUTO(free)
	char *next =
		after ? str_format("%.*s?limit=%lld&after=%lld%s%s", TEXT_ARGS(request->url.path),
				   (long long)limit, (long long)after, snapshot ? "&snapshot=" : "",
				   snapshot ? snapshot : "")
		      : NULL;
	answer_paging(request, list, next);
	answer_json(request, 200, list);
}

static void run_list(struct request *request)
{
	answer_list(request, NULL);
}

static void run_list_kind(struct request *request)
{
	const char *kind = parse_kind(request);

	if (kind)
		answer_list(request, kind);
}

/* ---- one tag ---- */

static void run_get(struct request *request)
{
	const char *kind = parse_kind(request);
	struct node *node = kind ? file_find_read(request) : NULL;

	if (!node || !file_allow(request, node, RIGHT_READ_EA))
		return;
	const char *value = tree_tag_get(node, kind, text_of(request->argument[2]));
	AUTO(free) char *etag = file_etag(request->sim, node);
	if (!value) {
		answer_error(request, 404, "fs_user_metadata_key_not_found", "No such key: %s",
			     request->argument[2]);
		return;
	}
	answer_json(request, 200, json_pack("{s:o}", "value", value_json(request, value)));
	answer_etag(request, etag);
}

static void set_tag(struct request *request, enum tree_tag_mode mode)
{
	AUTO(json_decref) json_t *body = request_object(request);
	const char *kind = body ? parse_kind(request) : NULL;
	struct node *node = kind ? file_find(request) : NULL;
	AUTO(free) char *value = node ? parse_value(request, body) : NULL;
	AUTO_ERROR err = { 0 };

	if (!value || !file_allow(request, node, RIGHT_WRITE_EA) || !file_if_match(request, node))
		return;
	enum tree_result result = tree_tag_set(request->sim->tree, node, kind,
					       text_of(request->argument[2]), value, mode, &err);
	if (result == TREE_EXISTS)
		answer_error(request, 409, "fs_user_metadata_key_already_exists",
			     "The key is there already: %s", request->argument[2]);
	else if (result != TREE_OK)
		answer_tree_error(request, result, &err);
	else
		answer_file_done(request, node);
}

static void run_add(struct request *request)
{
	set_tag(request, TREE_TAG_ADD);
}

static void run_put(struct request *request)
{
	set_tag(request, TREE_TAG_PUT);
}

static void run_delete(struct request *request)
{
	const char *kind = parse_kind(request);
	struct node *node = kind ? file_find(request) : NULL;
	AUTO_ERROR err = { 0 };

	if (!node || !file_allow(request, node, RIGHT_WRITE_EA) || !file_if_match(request, node))
		return;
	enum tree_result result = tree_tag_remove(request->sim->tree, node, kind,
						  text_of(request->argument[2]), &err);
	if (result != TREE_OK)
		answer_tree_error(request, result, &err);
	else
		answer_file_done(request, node);
}

const struct route routes_metadata[] = {
	{ "GET", "/v1/files/{}/user-metadata/", run_list },
	{ "GET", "/v1/files/{}/user-metadata/{}/", run_list_kind },
	{ "GET", "/v1/files/{}/user-metadata/{}/{}", run_get },
	{ "POST", "/v1/files/{}/user-metadata/{}/{}", run_add, ROUTE_CHANGES },
	{ "PUT", "/v1/files/{}/user-metadata/{}/{}", run_put, ROUTE_CHANGES },
	{ "DELETE", "/v1/files/{}/user-metadata/{}/{}", run_delete, ROUTE_CHANGES },
	{ NULL },
};
