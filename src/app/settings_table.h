/* settings_table: what cn_monitor.conf may hold: each section with its keys. */
#ifndef APP_SETTINGS_TABLE_H
#define APP_SETTINGS_TABLE_H

#include "app/settings.h"

struct settings_section {
	const char *name;          /* "CLUSTER" */
	const char *standard_name; /* what [CLUSTER] is called; NULL: there is one without name */
	const char *help;
	const struct config_key *keys; /* offsets from the cluster, the watch or the settings */
};

enum {
	SECTION_CLUSTER,
	SECTION_WATCH,
	SECTION_STORE,
	SECTION_EMAIL,
	SECTION_ADMIN,
	SECTION_LOG,
	SECTION_ACT,
	SECTION_COUNT
};

extern const struct settings_section settings_sections[SECTION_COUNT];

/* -1: there is none of this name, whatever its case. */
int settings_section_find(struct text name);
/* How a key is called in the environment: CLUSTER_ADDRESS of [CLUSTER] does not say CLUSTER twice.
 */
const char *settings_variable_key(const struct settings_section *section,
				  const struct config_key *key);
/* Whether a value of this key may be shown to people. */
bool settings_may_show(struct text section, struct text key, struct text value);

#endif
