/* files: what every handler for a file needs: finding it, rights, ETags, its JSON. */
#ifndef SIMULATOR_FILES_H
#define SIMULATOR_FILES_H

#include "simulator/privilege.h"
#include "simulator/request.h"
#include "simulator/tree.h"

/* The ACL's rights (section 23), as bits. */
enum right {
	RIGHT_READ = 1 << 0,
	RIGHT_READ_EA = 1 << 1,
	RIGHT_READ_ATTR = 1 << 2,
	RIGHT_READ_ACL = 1 << 3,
	RIGHT_WRITE_EA = 1 << 4,
	RIGHT_WRITE_ATTR = 1 << 5,
	RIGHT_WRITE_ACL = 1 << 6,
	RIGHT_CHANGE_OWNER = 1 << 7,
	RIGHT_WRITE_GROUP = 1 << 8,
	RIGHT_DELETE = 1 << 9,
	RIGHT_EXECUTE = 1 << 10,
	RIGHT_MODIFY = 1 << 11,
	RIGHT_EXTEND = 1 << 12,
	RIGHT_ADD_FILE = 1 << 13,
	RIGHT_ADD_SUBDIR = 1 << 14,
	RIGHT_DELETE_CHILD = 1 << 15,
	RIGHT_SYNCHRONIZE = 1 << 16,
	RIGHT_ALL = (1 << 17) - 1
};
/* "READ" and so on; 0: no such right. */
unsigned right_parse(const char *name);
const char *right_name(unsigned right); /* one bit */

/* What the user may do with node by its ACL or mode, traversal of its ancestors included. */
unsigned file_rights(const struct request *request, struct node *node);
/* False: 403 was answered. All of the rights in the set are needed. */
bool file_allow(struct request *request, struct node *node, unsigned rights);
void answer_missing_privilege(struct request *request, privilege_set any_of);

/* The object that the first argument of the path names, by id or path. NULL: 404 was answered. */
struct node *file_find(struct request *request);
/* For reading: the same, as it was in the snapshot that ?snapshot= names. */
struct node *file_find_read(struct request *request);
struct snapshot;
struct node *file_find_then(struct request *request, const struct snapshot *snapshot,
			    const char *ref);
/* Any reference, as file_find. */
struct node *file_find_ref(struct request *request, const char *ref);
/*
 * The directory and the name of an entry given by absolute path (or by id, where an object's first
 * path is meant). False: answered.
 */
bool file_find_entry(struct request *request, const char *ref, struct node **out_directory,
		     char **out_name);

/* False: 412 was answered. */
bool file_if_match(struct request *request, struct node *node);
char *file_etag(struct sim *sim, struct node *node); /* for free() */

/* 7.1; path NULL: the object's first one. */
json_t *file_json(struct sim *sim, struct node *node, const char *path, bool with_lock);
void answer_file(struct request *request, struct node *node, const char *path, bool with_lock);
/* 200, empty, with the file's ETag. */
void answer_file_done(struct request *request, struct node *node);
void answer_tree_error(struct request *request, enum tree_result result, const struct error *err);

/* Who: {"id_type":..., "id_value":...} or an auth_id. -1: 400 was answered. */
int identity_by_details(struct request *request, const json_t *details, struct tree_identity *out);
int identity_by_auth_id(struct request *request, const char *auth_id, bool is_group,
			struct tree_identity *out);

#endif
