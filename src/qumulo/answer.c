/* answer: what a status and an error body mean (API facts, 5). */
#include "qumulo/call.h"

#define DESCRIPTION_MAX 400

static const struct {
	int status;
	const char *error_class;
	enum file_result result;
} refined[] = {
	{ 409, "fs_sharing_violation_error", FILE_BUSY },
	{ 409, "fs_opened_file_stale_error", FILE_BUSY },
	{ 409, "fs_file_dirent_id_stale_error", FILE_BUSY },
	{ 409, "fs_file_too_many_links_error", FILE_REFUSED },
};

enum file_result answer_result(int status, const char *error_class, bool is_get)
{
	for (size_t i = 0; i < ARRAY_SIZE(refined); i++)
		if (refined[i].status == status && strcmp(refined[i].error_class, error_class) == 0)
			return refined[i].result;
	switch (status) {
	case 401:
	case 403:
		return FILE_DENIED;
	case 404:
		return FILE_GONE;
	case 408: /* the request did not arrive whole */
	case 429:
		return FILE_LATER;
	case 409:
		return FILE_EXISTS;
	case 412:
		return FILE_CHANGED;
	case 502:
	case 504: /* something between us and the cluster has lost the answer */
		return is_get ? FILE_LATER : FILE_AMBIGUOUS;
	}
	if (status >= 200 && status < 300)
		return FILE_OK;
	return status >= 500 ? FILE_LATER : FILE_REFUSED;
}

static const char *text_member(const json_t *body, const char *name)
{
	const char *text = json_string_value(json_object_get(body, name));

	return text ? text : "";
}

char *answer_explain(int status, const json_t *body)
{
	const char *error_class = text_member(body, "error_class");
	const char *description = text_member(body, "description");

	if (status >= 300 && status < 400)
		return str_format("HTTP %d, a redirection: is this the port of the REST API?",
				  status);
	return str_format("HTTP %d%s%s%s%.*s", status, *error_class ? " " : "", error_class,
			  *description ? ": " : "", DESCRIPTION_MAX, description);
}
