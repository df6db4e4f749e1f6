/* api_cluster: version, cluster, state (section 6). */
#include <sys/statvfs.h>

#include "simulator/route.h"

static void run_version(struct request *request)
{
	answer_json(request, 200,
		    json_pack("{s:s, s:s, s:s, s:s}", "revision_id", request->sim->revision,
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
	{ "GET", "/v1/file-system", run_file_system, 0, PRIVILEGE(FS_ATTRIBUTES_READ) },
	{ NULL },
};
