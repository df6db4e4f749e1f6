#include "simulator/journal.h"

#include "base/clock.h"
#include "simulator/auth.h"
#include "simulator/route.h"

struct journal *journal_new(void)
{
	struct journal *journal = NEW(struct journal);

	journal_forget(journal);
	return journal;
}

static void journal_clear(struct journal *journal)
{
	json_decref(journal->requests);
	json_decref(journal->answers);
	json_decref(journal->changes);
}

void journal_free(struct journal *journal)
{
	if (journal)
		journal_clear(journal);
	free(journal);
}

void journal_forget(struct journal *journal)
{
	journal_clear(journal);
	journal->requests = json_object();
	journal->answers = json_object();
	journal->changes = json_array();
	journal->change_count = 0;
}

static void count_up(json_t *counters, const char *name)
{
	json_int_t count = json_integer_value(json_object_get(counters, name));

	json_object_set_new(counters, name, json_integer(count + 1));
}

static json_t *body_json(const struct request *request)
{
	static const size_t largest = 64 << 10;
	struct text body = request->body ? buf_text(request->body) : TEXT_NONE;

	if (!body.size || body.size > largest)
		return json_null();
	json_t *json = json_loadb(body.data, body.size, JSON_DECODE_ANY, NULL);
	return json ? json : json_null();
}

void journal_note(struct journal *journal, const struct request *request, unsigned status)
{
	const struct route *route = request->route;
	AUTO(free)
	char *request_name =
		str_format("%s %s", request->method, route ? route->pattern : "(unknown)");
	AUTO(free) char *answer_name = str_format("%u", status);

	count_up(journal->requests, request_name);
	count_up(journal->answers, answer_name);
	if (!route || !(route->flags & ROUTE_CHANGES))
		return;
	if (json_array_size(journal->changes) == JOURNAL_LENGTH)
		json_array_remove(journal->changes, 0);
	AUTO(free) char *time = clock_format(clock_now_ms());
	AUTO(free) char *target = str_copy_n(request->url.path.data, request->url.path.size);
	json_t *arguments = json_array();
	for (int i = 0; i < REQUEST_ARGUMENTS_MAX && request->argument[i]; i++) {
		json_t *argument = json_string(request->argument[i]);

		json_array_append_new(arguments, argument ? argument : json_null());
	}
	json_t *change =
		json_pack("{s:I, s:s, s:s, s:s, s:s, s:o, s:o, s:I, s:s?, s:i}", "number",
			  (json_int_t)++journal->change_count, "time", time, "method",
			  request->method, "route", route->pattern, "target", target, "arguments",
			  arguments, "body", body_json(request), "body_bytes",
			  (json_int_t)(request->body ? request->body->size : 0), "user",
			  request->user ? request->user->name : NULL, "status", (int)status);
	if (change)
		json_array_append_new(journal->changes, change);
}
