#include "qumulo/snapshots.h"

#include "base/clock.h"
#include "qumulo/call.h"

struct snapshots_request {
	snapshots_done *done;
	void *ctx;
	/* For an action: */
	snapshot_done *told;
	void *told_ctx;
	char *suffix;     /* that is looked for; NULL: whatever comes */
	bool has_body;    /* an answer without one is none */
	bool is_harmless; /* to ask again, if it is not known what came of it */
};

/* ---- What answers say ---- */

static int read_snapshot(struct snapshot *out, const json_t *object, struct error *err)
{
	const json_t *id = json_object_get(object, "id");
	const char *name = json_string_value(json_object_get(object, "name"));
	const char *source = json_string_value(json_object_get(object, "source_file_id"));
	const char *time = json_string_value(json_object_get(object, "timestamp"));
	int64_t taken_ns;

	if (!json_is_integer(id) || json_integer_value(id) < 0)
		return error_set(err, "a snapshot without a number");
	if (!time || !clock_parse_ns(time, &taken_ns))
		return error_set(err, "a snapshot without a time");
	*out = (struct snapshot){ json_integer_value(id), str_copy(name ? name : ""),
				  str_copy(source ? source : ""), taken_ns,
				  json_is_true(json_object_get(object, "in_delete")) };
	return 0;
}

int snapshots_parse(struct snapshot **out, size_t *out_count, const json_t *body, struct error *err)
{
	const json_t *list = json_object_get(body, "entries");
	size_t count = json_is_array(list) ? json_array_size(list) : 1;
	struct snapshot *snapshots = mem_array(MAX(count, 1), sizeof(*snapshots));

	for (size_t i = 0; i < count; i++) {
		const json_t *object = json_is_array(list) ? json_array_get(list, i) : body;

		if (read_snapshot(&snapshots[i], object, err) < 0) {
			snapshots_free(snapshots, i);
			return -1;
		}
	}
	*out = snapshots;
	*out_count = count;
	return 0;
}

void snapshots_free(struct snapshot *snapshots, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		free(snapshots[i].name);
		free(snapshots[i].source_file_id);
	}
	free(snapshots);
}

bool snapshot_has_suffix(const struct snapshot *snapshot, const char *suffix)
{
	size_t number = strspn(snapshot->name, "0123456789");

	return number && snapshot->name[number] == '_' &&
	       strcmp(snapshot->name + number + 1, suffix) == 0;
}

/* ---- Asking ---- */

static void answered(void *ctx, const struct qumulo_answer *answer)
{
	struct snapshots_request *request = ctx;
	struct qumulo_answer told = *answer;
	struct snapshot *snapshots = NULL;
	size_t count = 0;
	AUTO_ERROR err = { 0 };

	if (answer->result != FILE_OK || !request->has_body)
		return request->done(request->ctx, answer, NULL, 0);
	if (snapshots_parse(&snapshots, &count, answer->body, &err) < 0) {
		error_prefix(&err, "HTTP %d, but not an answer of a cluster", answer->status);
		told.result = request->is_harmless ? FILE_LATER : FILE_AMBIGUOUS;
		told.why = error_text(&err);
	}
	request->done(request->ctx, &told, snapshots, count);
	snapshots_free(snapshots, count);
}

static void request_free(void *ctx)
{
	struct snapshots_request *request = ctx;

	free(request->suffix);
	free(request);
}

/* Takes body. */
static struct qumulo_call *ask(struct qumulo *qumulo, const char *method, const char *path,
			       json_t *body, snapshots_done *done, void *ctx)
{
	struct snapshots_request *request = NEW(struct snapshots_request);
	struct qumulo_call *call;

	*request = (struct snapshots_request){ .done = done,
					       .ctx = ctx,
					       .has_body = strcmp(method, "DELETE") != 0,
					       .is_harmless = strcmp(method, "POST") != 0 };
	call = call_start(qumulo, method, path, NULL, body, NULL, answered, request_free, request);
	json_decref(body);
	return call;
}

struct qumulo_call *snapshots_create(struct qumulo *qumulo, const char *suffix,
				     const char *source_file_id, int64_t expires_ms,
				     snapshots_done *done, void *ctx)
{
	AUTO(free) char *expiration = clock_format(expires_ms);

	return ask(qumulo, "POST", "/v3/snapshots/",
		   json_pack("{s:s, s:s, s:s}", "name_suffix", suffix, "source_file_id",
			     source_file_id, "expiration", expiration),
		   done, ctx);
}

struct qumulo_call *snapshots_list(struct qumulo *qumulo, snapshots_done *done, void *ctx)
{
	return ask(qumulo, "GET", "/v3/snapshots/?filter=exclude_in_delete", NULL, done, ctx);
}

static char *path_of(int64_t id)
{
	return str_format("/v3/snapshots/%lld", (long long)id);
}

struct qumulo_call *snapshots_get(struct qumulo *qumulo, int64_t id, snapshots_done *done,
				  void *ctx)
{
	AUTO(free) char *path = path_of(id);

	return ask(qumulo, "GET", path, NULL, done, ctx);
}

struct qumulo_call *snapshots_prolong(struct qumulo *qumulo, int64_t id, int64_t expires_ms,
				      snapshots_done *done, void *ctx)
{
	AUTO(free) char *path = path_of(id);
	AUTO(free) char *expiration = clock_format(expires_ms);

	return ask(qumulo, "PATCH", path, json_pack("{s:s}", "expiration", expiration), done, ctx);
}

struct qumulo_call *snapshots_delete(struct qumulo *qumulo, int64_t id, snapshots_done *done,
				     void *ctx)
{
	AUTO(free) char *path = path_of(id);

	return ask(qumulo, "DELETE", path, NULL, done, ctx);
}

/* ---- For actions ---- */

static void tell(void *ctx, const struct qumulo_answer *answer, const struct snapshot *snapshots,
		 size_t count)
{
	const struct snapshots_request *request = ctx;
	struct snapshot_reply reply = { answer->result, answer->why ? answer->why : "",
					answer->retry_after_ms, -1, "" };
	bool is_search = request->suffix && answer->result == FILE_OK;

	if (is_search) {
		reply.result = FILE_GONE;
		reply.why = "there is no such snapshot";
	}
	for (size_t i = 0; i < count; i++) {
		if (is_search && !snapshot_has_suffix(&snapshots[i], request->suffix))
			continue;
		reply.result = answer->result;
		reply.id = snapshots[i].id;
		reply.name = snapshots[i].name;
	}
	request->told(request->told_ctx, &reply);
}

static struct qumulo_call *for_action(struct qumulo_call *call, const char *suffix,
				      snapshot_done *done, void *ctx)
{
	struct snapshots_request *request = call->ctx;

	request->ctx = request;
	request->told = done;
	request->told_ctx = ctx;
	request->suffix = str_copy(suffix);
	return call;
}

struct qumulo_call *snapshots_take(struct qumulo *qumulo, const char *directory, const char *suffix,
				   int64_t expires_ms, snapshot_done *done, void *ctx)
{
	return for_action(snapshots_create(qumulo, suffix, directory, expires_ms, tell, NULL), NULL,
			  done, ctx);
}

struct qumulo_call *snapshots_find(struct qumulo *qumulo, const char *suffix, snapshot_done *done,
				   void *ctx)
{
	return for_action(snapshots_list(qumulo, tell, NULL), suffix, done, ctx);
}

struct qumulo_call *snapshots_drop(struct qumulo *qumulo, int64_t id, snapshot_done *done,
				   void *ctx)
{
	return for_action(snapshots_delete(qumulo, id, tell, NULL), NULL, done, ctx);
}
