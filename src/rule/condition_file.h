/* condition_file: conditions about what the cluster knows of a file: type, size, owner, group,
 * mode, age, modified, links, tag. For the files of rule/ only. */
#ifndef RULE_CONDITION_FILE_H
#define RULE_CONDITION_FILE_H

#include "rule/condition.h"

/* Unknown as long as the subject's file is. */
enum truth condition_test_file(const struct condition *condition, const struct subject *subject);

/* Whether an owner is meant by a name, and not as uid:1000, gid:100, sid:S-1-.. or auth_id:500. */
bool condition_is_name(const char *value);
/* A value of `type`; false if there is none of this name. */
bool file_type_parse(struct text name, unsigned *out_types);
extern const char *const file_type_names[]; /* by enum file_type, ended by NULL */

/* Milliseconds before the event at which something happened to the file; false: not known. */
bool condition_file_age(const struct condition *condition, const struct subject *subject,
			int64_t *out_ms);

#endif
