/*
 * key: tables that say what a configuration may hold. Parsing, defaults, messages and the manual
 * all come from them: a section of cn_monitor.conf, the options of an action module.
 */
#ifndef CONFIG_KEY_H
#define CONFIG_KEY_H

#include "config/node.h"

enum key_type {
	KEY_TEXT,     /* char *                     */
	KEY_SECRET,   /* char *, never shown        */
	KEY_TEMPLATE, /* char *, text with {fields} */
	KEY_PATH,     /* char *, a local file       */
	KEY_TIME,     /* int64_t, milliseconds      */
	KEY_SIZE,     /* int64_t, bytes             */
	KEY_NUMBER,   /* int64_t                    */
	KEY_BOOL,     /* bool                       */
	KEY_CHOICE,   /* int: index into choices    */
	KEY_JSON,     /* char *: a text, list or mapping of YAML, as JSON */
	KEY_LIST, /* struct key_list; one value is a list of one; in an INI file, comma separated */
};

struct key_list {
	char **items;
	size_t count;
};

struct config_key {
	const char *name; /* "timeout" in YAML, "RETENTION" in INI (found whatever its case) */
	enum key_type type;
	size_t offset;              /* of the member in the config struct */
	const char *standard;       /* the default as it would be written; NULL: none */
	const char *help;           /* one sentence */
	const char *const *choices; /* KEY_CHOICE: names, ended by NULL */
	bool is_required;
	bool is_template; /* a KEY_LIST whose items are templates */
	/* KEY_TEXT: what else must be true of it; -1 with a sentence that goes on after the name.
	 */
	int (*check)(const char *text, struct error *err);
	int64_t least, most; /* KEY_NUMBER, KEY_TIME, KEY_SIZE; both 0: any that is not negative */
};

/* Checks a template's text; answers NULL or a sentence about what is wrong (for free()). */
typedef char *key_check_template(void *ctx, struct text text);

/* Fills config (zeroed, config_size bytes) with the defaults. Tables end with a name of NULL. */
void key_defaults(const struct config_key *keys, void *config);
/*
 * Reads a mapping into config: unknown keys ("did you mean"), wrong types and values, missing
 * required keys go to problems. A scalar (where short_key is a KEY_LIST: or a list) stands for a
 * mapping with only short_key, if that is given. NULL for node: nothing was written at all.
 */
void key_read(const struct config_key *keys, const char *short_key, const struct node *node,
	      void *config, key_check_template *check, void *ctx, struct problems *problems);
/* Sets one key from text, as an INI file or the environment writes it; -1 with a sentence. */
MUST_CHECK int key_set(const struct config_key *key, struct text value, void *config,
		       struct error *err);
void key_clear(const struct config_key *keys, void *config); /* frees what the members own */
/* Reports a key that is not in the table, with the one that was probably meant or all there are. */
void key_tell_unknown(const struct config_key *keys, struct text name, struct place place,
		      struct problems *problems);
const struct config_key *key_find(const struct config_key *keys, struct text name);

#endif
