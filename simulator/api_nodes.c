/* api_nodes: the nodes of the cluster, one for each address (section 6), and what befalls them. */
#include "simulator/hub.h"
#include "simulator/listener.h"
#include "simulator/route.h"
#include "simulator/server.h"

static int node_count(const struct sim *sim)
{
	struct listener *listener;
	int count = 0;

	list_for_each (listener, server_listeners(sim->server), link)
		count++;
	return count;
}

/* ---- what the API tells ---- */

static void run_nodes(struct request *request)
{
	json_t *nodes = json_array();
	struct listener *listener;

	list_for_each (listener, server_listeners(request->sim->server), link) {
		AUTO(free) char *name = str_format("simulator-%d", listener->number);
		AUTO(free) char *serial = str_format("%04d", listener->number);
		AUTO(free) char *mac = str_format("02:00:00:00:00:%02x", listener->number & 255);

		json_array_append_new(nodes,
				      json_pack("{s:i, s:s, s:s, s:s, s:s, s:s, s:s, s:s}", "id",
						listener->number, "node_status",
						listener->is_down ? "offline" : "online",
						"node_name", name, "uuid", request->sim->cluster_id,
						"label", name, "model_number", "CN-SIM",
						"serial_number", serial, "mac_address", mac));
	}
	answer_json(request, 200, nodes);
}

static void run_floating(struct request *request)
{
	struct list *listeners = server_listeners(request->sim->server);
	json_t *nodes = json_array();
	struct listener *node, *listener;

	list_for_each (node, listeners, link) {
		json_t *addresses = json_array();

		list_for_each (listener, listeners, link) {
			const char *port = strrchr(listener->address, ':');

			if (listener->node == node->number)
				json_array_append_new(
					addresses,
					json_stringn(listener->address, port - listener->address));
		}
		json_array_append_new(nodes, json_pack("{s:i, s:o}", "id", node->number,
						       "floating_addresses", addresses));
	}
	answer_json(request, 200, nodes);
}

static void run_upgrade_status(struct request *request)
{
	const struct sim *sim = request->sim;
	int total = sim->upgrade.total;

	answer_json(request, 200,
		    json_pack("{s:s, s:i, s:{}, s:n}", "state",
			      total ? "UPGRADE_STATE_REBOOTING" : "UPGRADE_STATE_IDLE", "progress",
			      total ? 100 * sim->upgrade.done / total : 0, "settings",
			      "error_info"));
}

static void run_reboot_status(struct request *request)
{
	const struct sim *sim = request->sim;
	struct listener *listener;
	bool any = sim->upgrade.total > 0;

	list_for_each (listener, server_listeners(sim->server), link)
		any |= listener->is_down;
	answer_json(request, 200,
		    json_pack("{s:s, s:b, s:b, s:i, s:i, s:s}", "state",
			      any ? "REBOOT_IN_PROGRESS" : "REBOOT_IDLE", "rolling",
			      (int)(sim->upgrade.total && sim->upgrade.rolling),
			      "upgrade_initiated", (int)(sim->upgrade.total > 0),
			      "total_node_count", node_count(sim), "rebooted_node_count",
			      sim->upgrade.done, "error_message", ""));
}

/* ---- what a test asks for ---- */

static void run_addresses(struct request *request)
{
	json_t *addresses = json_array();
	struct listener *listener;

	list_for_each (listener, server_listeners(request->sim->server), link)
		json_array_append_new(
			addresses, json_pack("{s:s, s:i, s:b, s:I}", "address", listener->address,
					     "node", listener->node, "up", (int)!listener->is_down,
					     "connections", (json_int_t)listener->wire_count));
	answer_json(request, 200, addresses);
}

/* False: answered. *out: NULL where no address is named, which means all of them. */
static bool find_address(struct request *request, const json_t *body, struct listener **out)
{
	const char *address = NULL;
	struct listener *listener;

	*out = NULL;
	if (member_string(request, body, "address", OPTIONAL, &address) < 0)
		return false;
	if (!address)
		return true;
	list_for_each (listener, server_listeners(request->sim->server), link) {
		*out = listener;
		if (strcmp(listener->address, address) == 0)
			return true;
	}
	answer_error(request, 404, "http_not_found_error", "There is no address %s", address);
	return false;
}

/* How many streams there are through it, or through all for NULL. */
static int stream_count(const struct sim *sim, const struct listener *listener)
{
	struct stream *stream;
	int count = 0;

	list_for_each (stream, &sim->hub->streams, link)
		count += !listener || stream->wire->listener == listener;
	return count;
}

/* Down, and its connections with it: but for the one that the order came through. */
static void reboot(struct request *request, struct listener *only, int64_t down_ms)
{
	struct listener *listener;

	list_for_each (listener, server_listeners(request->sim->server), link)
		if (!only || only == listener)
			listener_down(listener, down_ms, request->wire);
}

/* {"down_ms": 1000, "address": ...} */
static void run_reboot(struct request *request)
{
	AUTO(json_decref) json_t *body = request_object(request);
	struct listener *listener;
	int64_t down_ms = 1000;

	if (!body || member_size(request, body, "down_ms", &down_ms) < 0 ||
	    !find_address(request, body, &listener))
		return;
	int count = stream_count(request->sim, listener);
	reboot(request, listener, down_ms);
	answer_json(request, 200, json_pack("{s:i}", "streams", count));
}

/* {"address": ...}: back before its time. */
static void run_up(struct request *request)
{
	AUTO(json_decref) json_t *body = request_object(request);
	struct listener *only, *listener;
	int count = 0;

	if (!body || !find_address(request, body, &only))
		return;
	list_for_each (listener, server_listeners(request->sim->server), link) {
		if ((only && only != listener) || !listener->is_down)
			continue;
		listener_up(listener);
		count++;
	}
	answer_json(request, 200, json_pack("{s:i}", "addresses", count));
}

/* {"address": ...}: it is another node's from now on. */
static void run_move(struct request *request)
{
	AUTO(json_decref) json_t *body = request_object(request);
	struct sim *sim = request->sim;
	struct listener *only, *listener;

	if (!body || !find_address(request, body, &only))
		return;
	int count = stream_count(sim, only);
	list_for_each (listener, server_listeners(sim->server), link) {
		if (only && only != listener)
			continue;
		listener->node = listener->node % node_count(sim) + 1;
		listener_cut(listener, request->wire);
	}
	answer_json(request, 200, json_pack("{s:i}", "streams", count));
}

/* ---- upgrades ---- */

static void upgrade_next(struct listener *listener)
{
	struct sim *sim = listener->sim;
	struct list *next = listener->link.next;

	sim->upgrade.done++;
	if (sim->upgrade.rolling && next != server_listeners(sim->server)) {
		listener = list_entry(next, struct listener, link);
		listener->on_back = upgrade_next;
		listener_down(listener, sim->upgrade.down_ms, NULL);
		return;
	}
	if (sim->upgrade.done < sim->upgrade.total)
		return;
	if (sim->upgrade.revision) {
		free(sim->revision);
		sim->revision = TAKE(sim->upgrade.revision);
	}
	sim->upgrade.total = sim->upgrade.done = 0;
}

/* {"down_ms": 1000, "rolling": false, "revision_id": "Qumulo Core 8.0.1"} */
static void run_upgrade(struct request *request)
{
	AUTO(json_decref) json_t *body = request_object(request);
	struct sim *sim = request->sim;
	struct list *listeners = server_listeners(sim->server);
	const char *revision = NULL;
	int64_t down_ms = 1000;
	bool rolling = false;
	struct listener *listener;

	if (!body || member_size(request, body, "down_ms", &down_ms) < 0 ||
	    member_bool(request, body, "rolling", OPTIONAL, &rolling) < 0 ||
	    member_string(request, body, "revision_id", OPTIONAL, &revision) < 0)
		return;
	if (sim->upgrade.total) {
		answer_error(request, 409, "invalid_request_error", "An upgrade is under way");
		return;
	}
	sim->upgrade.total = node_count(sim);
	sim->upgrade.rolling = rolling;
	sim->upgrade.down_ms = down_ms;
	sim->upgrade.revision = str_copy(revision);
	list_for_each (listener, listeners, link) {
		if (rolling && listener->link.prev != listeners)
			break;
		listener->on_back = upgrade_next;
		listener_down(listener, down_ms, request->wire);
	}
	answer_json(request, 200, json_pack("{s:i}", "nodes", sim->upgrade.total));
}

const struct route routes_nodes[] = {
	{ "GET", "/v1/cluster/nodes/", run_nodes, 0, PRIVILEGE(CLUSTER_READ) },
	{ "GET", "/v1/network/floating-ip-allocation", run_floating, 0,
	  PRIVILEGE(NETWORK_IP_ALLOCATION_READ) },
	{ "GET", "/v3/upgrade/status", run_upgrade_status, 0, PRIVILEGE(UPGRADE_READ) },
	{ "GET", "/v1/shutdown/reboot/status", run_reboot_status, 0, PRIVILEGE(REBOOT_READ) },
	{ "GET", "/sim/addresses", run_addresses, ROUTE_CONTROL },
	{ "POST", "/sim/reboot", run_reboot, ROUTE_CONTROL },
	{ "POST", "/sim/up", run_up, ROUTE_CONTROL },
	{ "POST", "/sim/move", run_move, ROUTE_CONTROL },
	{ "POST", "/sim/upgrade", run_upgrade, ROUTE_CONTROL },
	{ NULL },
};
