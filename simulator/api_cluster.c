/* api_cluster: version, cluster, nodes, state (section 6), as of one small healthy cluster. */
#include <sys/statvfs.h>

#include "simulator/route.h"

static void run_version(struct request *request)
{
	answer_json(request, 200,
		    json_pack("{s:s, s:s, s:s, s:s}", "revision_id", "Qumulo Core 7.2.1",
			      "build_id", "302841.1.24", "flavor", "release", "build_date",
			      "2024-08-21T19:50:58Z"));
}

static void run_cluster_settings(struct request *request)
{
	answer_json(request, 200, json_pack("{s:s}", "cluster_name", request->sim->name));
}

static void run_node_state(struct request *request)
{
	answer_json(request, 200,
		    json_pack("{s:i, s:s, s:s}", "node_id", 1, "state", "ACTIVE", "cluster_id",
			      request->sim->cluster_id));
}

static void run_nodes(struct request *request)
{
	answer_json(request, 200,
		    json_pack("[{s:i, s:s, s:s, s:s, s:s, s:s, s:s, s:s}]", "id", 1, "node_status",
			      "online", "node_name", "simulator-1", "uuid",
			      request->sim->cluster_id, "label", "simulator-1", "model_number",
			      "CN-SIM", "serial_number", "0001", "mac_address",
			      "02:00:00:00:00:01"));
}

static void run_floating(struct request *request)
{
	answer_json(request, 200, json_pack("[{s:i, s:[]}]", "id", 1, "floating_addresses"));
}

static void run_upgrade(struct request *request)
{
	answer_json(request, 200,
		    json_pack("{s:s, s:i, s:{}, s:n}", "state", "UPGRADE_STATE_IDLE", "progress", 0,
			      "settings", "error_info"));
}

static void run_reboot(struct request *request)
{
	answer_json(request, 200,
		    json_pack("{s:s, s:b, s:b, s:i, s:i, s:s}", "state", "REBOOT_IDLE", "rolling",
			      0, "upgrade_initiated", 0, "total_node_count", 1,
			      "rebooted_node_count", 0, "error_message", ""));
}

static void run_file_system(struct request *request)
{
	struct statvfs info = { 0 };

	if (statvfs(request->sim->root, &info) < 0) {
		answer_error(request, 500, "fs_access_error", "The root is gone");
		return;
	}
	AUTO(free)
	char *total = str_format("%llu", (unsigned long long)info.f_blocks * info.f_frsize);
	AUTO(free)
	char *free_size = str_format("%llu", (unsigned long long)info.f_bavail * info.f_frsize);
	answer_json(request, 200,
		    json_pack("{s:i, s:s, s:s, s:s}", "block_size_bytes", 4096, "total_size_bytes",
			      total, "free_size_bytes", free_size, "snapshot_size_bytes", "0"));
}

const struct route routes_cluster[] = {
	{ "GET", "/v1/version", run_version, ROUTE_OPEN },
	{ "GET", "/v1/cluster/settings", run_cluster_settings, 0, PRIVILEGE(CLUSTER_READ) },
	{ "GET", "/v1/node/state", run_node_state, 0, PRIVILEGE(CLUSTER_READ) },
	{ "GET", "/v1/cluster/nodes/", run_nodes, 0, PRIVILEGE(CLUSTER_READ) },
	{ "GET", "/v1/network/floating-ip-allocation", run_floating, 0,
	  PRIVILEGE(NETWORK_IP_ALLOCATION_READ) },
	{ "GET", "/v3/upgrade/status", run_upgrade, 0, PRIVILEGE(UPGRADE_READ) },
	{ "GET", "/v1/shutdown/reboot/status", run_reboot, 0, PRIVILEGE(REBOOT_READ) },
	{ "GET", "/v1/file-system", run_file_system, 0, PRIVILEGE(FS_ATTRIBUTES_READ) },
	{ NULL },
};
