/* settings_variable: CN_MONITOR_<SECTION>_<KEY> and CN_MONITOR_<SECTION>_<NAME>_<KEY>. */
#ifndef APP_SETTINGS_VARIABLE_H
#define APP_SETTINGS_VARIABLE_H

#include "app/settings_table.h"

/* CN_MONITOR_CLUSTER_ARCHIVE_TOKEN: type CLUSTER, name ARCHIVE, key TOKEN. */
struct settings_variable {
	char *whole;      /* the variable's name */
	int type;         /* SECTION_... */
	struct text name; /* empty: the section without a name */
	const struct config_key *key;
	struct text value; /* the environment's own */
};

struct settings_variables {
	struct settings_variable *items;
	size_t count;
};

/* In order of names; those that nobody knows become warnings. */
struct settings_variables *settings_variables_read(struct problems *problems);
void settings_variables_free(struct settings_variables *variables);

#endif
