/* api_control: /sim/...: what a test asks of the simulator itself. No token is needed. */
#include "simulator/auth.h"
#include "simulator/faults.h"
#include "simulator/hub.h"
#include "simulator/journal.h"
#include "simulator/route.h"
#include "simulator/server.h"
#include "simulator/snapshots.h"

static void refuse(struct request *request, const struct error *err)
{
	answer_error(request, 400, "invalid_request_error", "%s", error_text(err));
}

static void run_status(struct request *request)
{
	const struct sim *sim = request->sim;
	json_t *status = hub_json(sim->hub);

	snapshots_settle(request->sim);
	json_object_set(status, "requests", sim->journal->requests);
	json_object_set(status, "answers", sim->journal->answers);
	json_object_set(status, "changes", sim->journal->changes);
	json_object_set_new(status, "change_count", json_integer(sim->journal->change_count));
	json_object_set_new(status, "fault_hits", json_integer(sim->faults->hits));
	json_object_set_new(status, "connections", json_integer(server_connections(sim->server)));
	json_object_set_new(status, "objects", json_integer(tree_node_count(sim->tree)));
	json_object_set_new(status, "snapshots", json_integer(sim->snapshots->count));
	json_object_set_new(status, "snapshot_records",
			    json_integer(tree_snapshot_records(sim->tree)));
	answer_json(request, 200, status);
}

static void run_forget(struct request *request)
{
	journal_forget(request->sim->journal);
	answer_json(request, 200, json_object());
}

static void run_get_switches(struct request *request)
{
	answer_json(request, 200, switches_json(&request->sim->switches));
}

/* Changes all of the switches in the body or none. */
static void run_put_switches(struct request *request)
{
	AUTO(json_decref) json_t *body = request_object(request);
	struct sim *sim = request->sim;
	struct switches next;
	const char *name;
	json_t *value;
	AUTO_ERROR err = { 0 };
	bool failed = false;

	if (!body)
		return;
	switches_init(&next);
	for (int id = 0; id < SWITCH_COUNT; id++)
		failed |= switches_put(&next, text_of(switch_name(id)),
				       text_of(sim->switches.text[id]), &err) < 0;
	json_object_foreach(body, name, value)
	{
		AUTO(free)
		char *text = json_is_string(value) ? str_copy(json_string_value(value))
						   : json_dumps(value, JSON_ENCODE_ANY);

		failed = failed || switches_put(&next, text_of(name), text_of(text), &err) < 0;
	}
	if (failed) {
		switches_clear(&next);
		refuse(request, &err);
		return;
	}
	switches_clear(&sim->switches);
	sim->switches = next;
	sim_apply_switches(sim);
	run_get_switches(request);
}

static void run_get_faults(struct request *request)
{
	answer_json(request, 200, faults_json(request->sim->faults));
}

static void run_add_fault(struct request *request)
{
	AUTO(json_decref) json_t *body = request_object(request);
	AUTO_ERROR err = { 0 };

	if (!body)
		return;
	int64_t number = faults_add(request->sim->faults, body, &err);
	if (number < 0)
		refuse(request, &err);
	else
		answer_json(request, 200, json_pack("{s:I}", "number", (json_int_t)number));
}

static void run_remove_faults(struct request *request)
{
	int count = faults_remove_all(request->sim->faults);

	answer_json(request, 200, json_pack("{s:i}", "removed", count));
}

static void run_streams(struct request *request)
{
	AUTO(json_decref) json_t *body = request_object(request);
	const char *action, *path = NULL, *text = NULL;
	AUTO_ERROR err = { 0 };

	if (!body || member_string(request, body, "do", NEEDED, &action) < 0 ||
	    member_string(request, body, "path", OPTIONAL, &path) < 0 ||
	    member_string(request, body, "text", OPTIONAL, &text) < 0)
		return;
	int count = hub_fault(request->sim->hub, action, path, text, &err);
	if (count < 0)
		refuse(request, &err);
	else
		answer_json(request, 200, json_pack("{s:i}", "streams", count));
}

static void run_emit(struct request *request)
{
	AUTO(json_decref) json_t *body = request_object(request);
	AUTO(emit_drop) struct emit *emit = NULL;
	AUTO_ERROR err = { 0 };

	if (!body)
		return;
	if (emit_parse(&emit, body, &err) < 0) {
		refuse(request, &err);
		return;
	}
	size_t count = hub_emit(request->sim->hub, emit);
	if (!count)
		answer_error(request, 409, "invalid_request_error",
			     "No notify stream is open that could carry the events");
	else
		answer_json(request, 200,
			    json_pack("{s:I, s:I}", "number", (json_int_t)emit->number, "streams",
				      (json_int_t)count));
}

static void run_end_sessions(struct request *request)
{
	int count = auth_end_sessions(request->sim->auth);

	answer_json(request, 200, json_pack("{s:i}", "ended", count));
}

/* {"rights": "PRIVILEGE_...,..."} or a role: at once, for open sessions too. */
static void run_user(struct request *request)
{
	AUTO(json_decref) json_t *body = request_object(request);
	AUTO(json_decref) json_t *roles = json_array();
	struct user *user = auth_find_user(request->sim->auth, request->argument[0]);
	const char *rights;
	privilege_set privileges;
	AUTO_ERROR err = { 0 };

	if (!body || member_string(request, body, "rights", NEEDED, &rights) < 0)
		return;
	if (!user) {
		answer_error(request, 404, "http_not_found_error", "There is no user '%s'",
			     request->argument[0]);
		return;
	}
	if (privilege_parse(text_of(rights), &privileges, roles, &err) < 0) {
		refuse(request, &err);
		return;
	}
	user->privileges = privileges;
	json_decref(user->roles);
	user->roles = TAKE(roles);
	answer_json(request, 200, json_pack("{s:o}", "privileges", privilege_names(privileges)));
}

static void run_rescan(struct request *request)
{
	tree_rescan(request->sim->tree);
	answer_json(request, 200, json_object());
}

const struct route routes_control[] = {
	{ "GET", "/sim/status", run_status, ROUTE_CONTROL },
	{ "DELETE", "/sim/status", run_forget, ROUTE_CONTROL },
	{ "GET", "/sim/switches", run_get_switches, ROUTE_CONTROL },
	{ "PUT", "/sim/switches", run_put_switches, ROUTE_CONTROL },
	{ "GET", "/sim/faults", run_get_faults, ROUTE_CONTROL },
	{ "POST", "/sim/faults", run_add_fault, ROUTE_CONTROL },
	{ "DELETE", "/sim/faults", run_remove_faults, ROUTE_CONTROL },
	{ "POST", "/sim/streams", run_streams, ROUTE_CONTROL },
	{ "POST", "/sim/emit", run_emit, ROUTE_CONTROL },
	{ "DELETE", "/sim/sessions", run_end_sessions, ROUTE_CONTROL },
	{ "PUT", "/sim/users/{}", run_user, ROUTE_CONTROL },
	{ "POST", "/sim/rescan", run_rescan, ROUTE_CONTROL },
	{ NULL },
};
