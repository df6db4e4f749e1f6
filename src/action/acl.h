/*
 * acl: access control lists as a person writes them, for the cluster (API facts, 12).
 *
 * Three forms: the name of a preset; a list of entries, {allow: media, rights: read}; or what the
 * cluster itself tells ({"control": [..], "aces": [..]}), taken as it is.
 */
#ifndef ACTION_ACL_H
#define ACTION_ACL_H

#include <jansson.h>

#include "config/problem.h"
#include "event/file.h"

/* json: of the option. What is wrong goes to problems. */
void acl_check(const char *json, struct place place, struct problems *problems);
/*
 * What file shall have, in the form of /v1/files/{ref}/info/acl; current: what it has. json was
 * checked. A new reference.
 */
json_t *acl_wanted(const char *json, const json_t *current, const struct file_info *file);
/* Whether both give the same people the same rights, in the same order. */
bool acl_is_same(const json_t *one, const json_t *other);
/* "read_only", "3 entries": for sentences. For free(). */
char *acl_describe(const char *json);

#endif
