/* settings_check: what no key can say alone: whether the settings fit together. */
#ifndef APP_SETTINGS_CHECK_H
#define APP_SETTINGS_CHECK_H

#include "app/settings_table.h"

/* Where a value comes from, for messages and for who wins. */
struct settings_origin {
	struct place place;
	bool is_set;
	bool is_from_environment;
};

/* One section as it was read: [CLUSTER archive]. */
struct settings_instance {
	int type; /* SECTION_... */
	char *name;
	struct place place;
	void *config;                    /* what the offsets of its keys count from */
	struct settings_origin *origins; /* one per key of its table */
};

struct settings_source {
	struct settings *settings;
	struct settings_instance *instances;
	size_t count;
	char *folder;   /* of the file: what relative paths in it are relative to */
	unsigned mode;  /* the file's permissions */
	bool is_patchy; /* a section was not understood: what is missing may be in there */
	struct problems *problems;
};

struct settings_origin *settings_origin(const struct settings_instance *instance, const char *key);
/* The place of a key, or of its section where the key is not given. */
struct place settings_place(const struct settings_instance *instance, const char *key);
bool settings_is_set(const struct settings_instance *instance, const char *key);
/* What the file names is relative to the file; what the environment names, to where we are. */
void settings_make_absolute(struct settings_source *source,
			    const struct settings_instance *instance, const char *key, char **path);
void settings_check_readable(struct settings_source *source,
			     const struct settings_instance *instance, const char *key,
			     const char *path);
/* The value of key has a secret in it (what), which better, "TOKEN_FILE", would keep: then nobody
 * else may read the file. */
void settings_check_mode(struct settings_source *source, const struct settings_instance *instance,
			 const char *key, const char *what, const char *better);

/* [STORE], in settings_store.c. */
void settings_check_store(struct settings_source *source, const struct settings_instance *instance);
/* Completes (paths, addresses, fingerprints, who belongs to whom) and checks everything. */
void settings_check(struct settings_source *source);

#endif
