/* privilege: the names of section 23 of the API facts, as bits, and the roles made of them. */
#ifndef SIMULATOR_PRIVILEGE_H
#define SIMULATOR_PRIVILEGE_H

#include <jansson.h>

#include "base/error.h"
#include "base/text.h"

#define PRIVILEGES(X)                                                                        \
	X(FILE_FULL_ACCESS, "Access all files and directories without checking permissions") \
	X(FILE_READ_ACCESS, "Read all files and directories without checking permissions")   \
	X(FS_SETTINGS_READ, "View file system settings")                                     \
	X(FS_SETTINGS_WRITE, "Change file system settings")                                  \
	X(FS_ATTRIBUTES_READ, "View file system statistics")                                 \
	X(FS_FILE_LOCK_WRITE, "Lock files")                                                  \
	X(FS_LOCK_READ, "View protocol locks")                                               \
	X(FS_LOCK_WRITE, "Release protocol locks")                                           \
	X(FS_DELETE_TREE_READ, "View tree-delete jobs")                                      \
	X(FS_DELETE_TREE_WRITE, "Start and stop tree-delete jobs")                           \
	X(SNAPSHOT_READ, "View snapshots")                                                   \
	X(SNAPSHOT_WRITE, "Create, change and delete snapshots")                             \
	X(SNAPSHOT_DIFFERENCE_READ, "View the changes between snapshots")                    \
	X(SNAPSHOT_LOCK, "Lock snapshots")                                                   \
	X(SNAPSHOT_POLICY_READ, "View snapshot policies")                                    \
	X(SNAPSHOT_POLICY_WRITE, "Change snapshot policies")                                 \
	X(ACCESS_TOKENS_READ, "View access tokens")                                          \
	X(ACCESS_TOKENS_WRITE, "Create, change and delete access tokens")                    \
	X(IDENTITY_READ, "Look up identities")                                               \
	X(LOCAL_USER_READ, "View local users")                                               \
	X(ROLE_READ, "View roles")                                                           \
	X(CLUSTER_READ, "View the cluster's settings and nodes")                             \
	X(NETWORK_READ, "View the network's settings")                                       \
	X(NETWORK_IP_ALLOCATION_READ, "View floating addresses")                             \
	X(UPGRADE_READ, "View the state of upgrades")                                        \
	X(REBOOT_READ, "View the state of reboots")                                          \
	X(AUDIT_READ, "View audit log settings")                                             \
	X(AUDIT_WRITE, "Change audit log settings")                                          \
	X(SMB_FILE_HANDLE_READ, "View open SMB file handles")                                \
	X(SMB_FILE_HANDLE_WRITE, "Close open SMB file handles")                              \
	X(QUOTA_READ, "View quotas")                                                         \
	X(QUOTA_WRITE, "Change quotas")                                                      \
	X(ANALYTICS_READ, "View analytics")                                                  \
	X(METRICS_READ, "View metrics")                                                      \
	X(TENANT_READ, "View tenants")

#define PRIVILEGE_PLACE(name, help) PRIVILEGE_PLACE_##name,
enum { PRIVILEGES(PRIVILEGE_PLACE) PRIVILEGE_COUNT };
#undef PRIVILEGE_PLACE

typedef uint64_t privilege_set;
#define PRIVILEGE(name) ((privilege_set)1 << PRIVILEGE_PLACE_##name)
#define PRIVILEGE_ALL (((privilege_set)1 << PRIVILEGE_COUNT) - 1)

const char *privilege_name(int place); /* "PRIVILEGE_..." */
json_t *privilege_names(privilege_set set);
json_t *privilege_descriptions(void);
/* The first one of the set, for messages. */
const char *privilege_first_name(privilege_set set);

/*
 * A comma-separated list of privileges (with or without PRIVILEGE_), roles, "all" and "none". The
 * roles named are appended to the JSON array `roles`.
 */
MUST_CHECK int privilege_parse(struct text list, privilege_set *out, json_t *roles,
			       struct error *err);

#endif
