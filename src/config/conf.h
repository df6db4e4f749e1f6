/*
 * conf: a file of [SECTION]s and KEY = value lines, as Python's ConfigParser reads them.
 *
 * Keys and the first word of a section are found whatever their case; a section may have a name:
 * [CLUSTER archive]. "=" and ":" both separate; a value may stand in quotes. Only whole lines are
 * comments (# or ;), so that tokens and passwords may hold any character. A value ends with its
 * line.
 */
#ifndef CONFIG_CONF_H
#define CONFIG_CONF_H

#include "config/key.h"

struct conf_entry {
	struct text key; /* as written */
	struct text value;
	struct place key_place;
	struct place place; /* of the value */
	struct conf_entry *next;
};

struct conf_section {
	struct text kind; /* "CLUSTER", as written */
	struct text name; /* empty: none */
	struct place place;
	struct conf_entry *entries;
	struct conf_section *next;
};

struct conf;

/*
 * What is not a section or an entry, and what is there twice, goes to problems; the rest is kept.
 * may_show says which values excerpts may repeat: all others are secrets, or secrets with a slip of
 * the finger in their key.
 */
struct conf *conf_parse(const char *file, struct text text,
			bool (*may_show)(struct text kind, struct text key, struct text value),
			struct problems *problems);
void conf_free(struct conf *conf);
AUTO_DEFINE(struct conf *, conf_free)
const struct conf_section *conf_sections(const struct conf *conf); /* in order; NULL: none */

#endif
