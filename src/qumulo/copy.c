#include "qumulo/copy.h"

#include <inttypes.h>

#include "base/parse.h"
#include "qumulo/call.h"

struct copy_request {
	file_done *done;
	void *ctx;
	/* What was asked for; its texts are not kept. */
	struct file_piece piece;
};

/* A number, which the API writes as a text; false: it is none. */
static bool number_at(const json_t *object, const char *name, int64_t *out)
{
	const json_t *member = json_object_get(object, name);
	const char *text = json_string_value(member);

	if (json_is_integer(member)) {
		*out = json_integer_value(member);
		return *out >= 0;
	}
	return text && parse_number(text_of(text), 0, INT64_MAX, out, NULL) == 0;
}

/* Whether nothing is left to be copied. */
static bool is_whole(const json_t *answer)
{
	const json_t *length = json_object_get(answer, "length");
	int64_t left;

	if (!json_object_size(answer))
		return !answer || json_is_null(answer) || json_is_object(answer);
	if (json_is_string(length) && !*json_string_value(length))
		return true;
	return number_at(answer, "length", &left) && left == 0;
}

int64_t copy_next_offset(const json_t *answer, const struct file_piece *piece)
{
	int64_t source, target;

	if (is_whole(answer))
		return piece->offset + piece->size;
	if (!number_at(answer, "source_offset", &source) ||
	    !number_at(answer, "target_offset", &target) || source != target ||
	    source <= piece->offset || source > piece->offset + piece->size)
		return -1;
	return source;
}

static void copied(void *ctx, const struct qumulo_answer *answer)
{
	const struct copy_request *request = ctx;
	struct file_reply reply = {
		.result = answer->result,
		.why = answer->why,
		.error_class = answer->error_class,
		.status = answer->status,
		.retry_after_ms = answer->retry_after_ms,
	};

	if (answer->result == FILE_OK) {
		reply.copied_to = copy_next_offset(answer->body, &request->piece);
		if (reply.copied_to < 0) {
			reply.result = FILE_LATER; /* a piece that was copied may be so again */
			reply.why = "the answer to a request to copy does not say how far it got";
		}
	}
	request->done(request->ctx, &reply);
}

struct qumulo_call *copy_piece(struct qumulo *qumulo, const char *id,
			       const struct file_piece *piece, file_done *done, void *ctx)
{
	struct copy_request *request = NEW(struct copy_request);
	struct qumulo_call *call;
	AUTO(free) char *ref = qumulo_ref(id);
	AUTO(free) char *path = str_format("/v1/files/%s/copy-chunk", ref);
	AUTO(free) char *offset = str_format("%" PRId64, piece->offset);
	AUTO(free) char *size = str_format("%" PRId64, piece->size);
	json_t *body = json_pack("{s:s,s:s,s:s,s:s}", "source_id", piece->source_id,
				 "source_offset", offset, "target_offset", offset, "length", size);

	if (piece->source_etag)
		json_object_set_new(body, "source_etag", json_string(piece->source_etag));
	request->done = done;
	request->ctx = ctx;
	request->piece = (struct file_piece){ .offset = piece->offset, .size = piece->size };
	call = call_start(qumulo, "POST", path, NULL, body, NULL, copied, free, request);
	json_decref(body);
	return call;
}
