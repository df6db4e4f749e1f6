/*
 * acl: access control lists, between their two forms in the API, and to and from a mode.
 *
 * The form that is kept is that of /v1: {"control", "posix_special_permissions", "aces": [{"type",
 * "flags", "trustee", "trustee_details", "rights"}]}, where a trustee is an auth_id.
 */
#ifndef SIMULATOR_ACL_H
#define SIMULATOR_ACL_H

#include "simulator/files.h"

/* A body of either version, checked, in the form that is kept; NULL: 400 was answered. */
json_t *acl_parse(struct request *request, const json_t *body);
/* What a mode amounts to. */
json_t *acl_of_mode(const struct tree_stat *stat);
/* The mode that an ACL amounts to. */
unsigned acl_mode(const json_t *acl, const struct tree_stat *stat);
/* The form of /v2: trustees are identities. */
json_t *acl_v2(const json_t *acl, struct request *request);

#endif
