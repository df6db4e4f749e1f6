#include "simulator/faults.h"

#include "base/clock.h"
#include "simulator/route.h"

struct faults *faults_new(void)
{
	struct faults *faults = NEW(struct faults);

	list_init(&faults->faults);
	return faults;
}

void fault_free(struct fault *fault)
{
	if (!fault)
		return;
	list_remove(&fault->link);
	free(fault->method);
	free(fault->path);
	free(fault->error_class);
	free(fault->retry_after);
	free(fault);
}
AUTO_DEFINE(struct fault *, fault_free)

int faults_remove_all(struct faults *faults)
{
	struct fault *fault;
	int count = 0;

	list_for_each (fault, &faults->faults, link) {
		fault_free(fault);
		count++;
	}
	return count;
}

void faults_free(struct faults *faults)
{
	if (faults)
		faults_remove_all(faults);
	free(faults);
}

static int one_of(const char *value, const char *const *names, const char *what, struct error *err)
{
	for (int i = 0; names[i]; i++) {
		if (strcmp(names[i], value) == 0)
			return i;
	}
	return error_set(err, "%s: '%s' is not known", what, value);
}

static int fault_check(const struct fault *fault, struct error *err)
{
	if (fault->status && (fault->status < 400 || fault->status > 599))
		return error_set(err, "status: expected 400 to 599");
	if (!fault->status && !fault->delay_ms && fault->loss == FAULT_ANSWERED)
		return error_set(err, "expected at least one of status, delay_ms, answer");
	if (fault->delay_ms < 0 || fault->skip < 0 || fault->count < -1 || !fault->count)
		return error_set(err, "delay_ms, skip, count: out of range");
	return 0;
}

int64_t faults_add(struct faults *faults, const json_t *description, struct error *err)
{
	static const char *const bodies[] = { "json", "html", "none", NULL };
	static const char *const losses[] = { "given", "lost", "dropped", NULL };
	const char *method = NULL, *path = NULL, *class = "", *body = "json", *loss = "given";
	json_t *retry_after = NULL;
	json_int_t skip = 0, count = 1, status = 0, delay_ms = 0;
	json_error_t where;
	AUTO(fault_free) struct fault *fault = NEW(struct fault);

	list_init(&fault->link);
	if (json_unpack_ex((json_t *)description, &where, JSON_STRICT,
			   "{s?s, s?s, s?I, s?I, s?I, s?s, s?s, s?o, s?I, s?s}", "method", &method,
			   "path", &path, "skip", &skip, "count", &count, "status", &status, "body",
			   &body, "error_class", &class, "retry_after", &retry_after, "delay_ms",
			   &delay_ms, "answer", &loss) < 0)
		return error_set(err, "%s", where.text);
	fault->method = str_copy(method);
	fault->path = str_copy(path);
	fault->skip = skip;
	fault->count = count;
	fault->status = status;
	fault->delay_ms = delay_ms;
	fault->error_class = str_copy(class);
	if (json_is_string(retry_after))
		fault->retry_after = str_copy(json_string_value(retry_after));
	else if (json_is_integer(retry_after))
		fault->retry_after = str_format("%lld", (long long)json_integer_value(retry_after));
	int body_kind = one_of(body, bodies, "body", err);
	int loss_kind = one_of(loss, losses, "answer", err);
	if (body_kind < 0 || loss_kind < 0)
		return -1;
	fault->body = body_kind;
	fault->loss = loss_kind;
	if (fault_check(fault, err) < 0)
		return -1;
	fault->number = ++faults->last_number;
	list_append(&faults->faults, &TAKE(fault)->link);
	return faults->last_number;
}

json_t *faults_json(const struct faults *faults)
{
	json_t *all = json_array();
	struct fault *fault;

	list_for_each (fault, &faults->faults, link) {
		json_array_append_new(
			all, json_pack("{s:I, s:s?, s:s?, s:I, s:I, s:i, s:I}", "number",
				       (json_int_t)fault->number, "method", fault->method, "path",
				       fault->path, "skip", (json_int_t)fault->skip, "count",
				       (json_int_t)fault->count, "status", (int)fault->status,
				       "delay_ms", (json_int_t)fault->delay_ms));
	}
	return all;
}

static bool fault_matches(const struct fault *fault, const struct request *request)
{
	if (fault->method && strcmp(fault->method, request->method) != 0)
		return false;
	if (!fault->path || text_starts_with(request->url.path, text_of(fault->path)))
		return true;
	return request->route &&
	       text_starts_with(text_of(request->route->pattern), text_of(fault->path));
}

static struct fault *fault_copy(const struct fault *fault)
{
	struct fault *copy = mem_copy(fault, sizeof(*fault));

	list_init(&copy->link);
	copy->method = str_copy(fault->method);
	copy->path = str_copy(fault->path);
	copy->error_class = str_copy(fault->error_class);
	copy->retry_after = str_copy(fault->retry_after);
	return copy;
}

struct fault *faults_take(struct faults *faults, const struct request *request)
{
	struct fault *fault;

	list_for_each (fault, &faults->faults, link) {
		if (!fault_matches(fault, request))
			continue;
		if (fault->skip) {
			fault->skip--;
			continue;
		}
		struct fault *taken = fault_copy(fault);
		if (fault->count > 0 && --fault->count == 0)
			fault_free(fault);
		faults->hits++;
		return taken;
	}
	return NULL;
}

void fault_answer(const struct fault *fault, struct request *request)
{
	static const char page[] = "<html><head><title>Service unavailable</title></head>"
				   "<body><h1>Please come back later</h1></body></html>\n";

	if (fault->body == FAULT_JSON) {
		answer_error(request, fault->status, fault->error_class,
			     "A fault that was asked for");
	} else if (fault->body == FAULT_HTML) {
		answer_bytes(request, "text/html", page, sizeof(page) - 1);
		request->status = fault->status;
	} else {
		answer_empty(request, fault->status);
	}
	if (fault->retry_after)
		answer_header(request, "Retry-After", fault->retry_after);
}

bool faults_limit_rate(struct faults *faults, struct request *request)
{
	int64_t limit = switch_value(&request->sim->switches, SWITCH_RATE_LIMIT);
	int64_t second = clock_monotonic_ms() / 1000;

	if (second != faults->second) {
		faults->second = second;
		faults->in_second = 0;
	}
	if (limit < 0 || faults->in_second++ < limit)
		return false;
	answer_error(request, 429, "http_too_many_requests_error", "Too many requests");
	if (switch_value(&request->sim->switches, SWITCH_RETRY_AFTER) == USUAL_SIDE)
		answer_header(request, "Retry-After", "1");
	return true;
}
