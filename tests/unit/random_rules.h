/*
 * random_rules: rule files that nobody would write, with every condition and option that decides
 * which rules are true for an event, and events that often meet them.
 */
#ifndef TESTS_RANDOM_RULES_H
#define TESTS_RANDOM_RULES_H

#include "base/buf.h"
#include "chance.h"
#include "event/file.h"
#include "rule/rule.h"

#define RANDOM_WORDS 10

/* What a rule asks a path for, so that an event may have it. */
enum hint_kind { HINT_DIRECTORY, HINT_PATH, HINT_FILE, HINT_NAME, HINT_EXTENSION, HINT_PIECE };
struct hint {
	enum hint_kind kind;
	char *text;
};

struct random_rule {
	char *text; /* YAML */
	char name[16];
	int64_t priority;
};

struct random_rules {
	struct chance *chance;
	const char *words[RANDOM_WORDS]; /* what its names are made of */
	char *conditions;                /* YAML: those that have a name */
	struct random_rule *rules;
	size_t count;
	struct hint *hints;
	size_t hint_count;
};

void random_rules_init(struct random_rules *rules, struct chance *chance, size_t count);
void random_rules_clear(struct random_rules *rules);
/* The whole file; is_left_out (NULL: none is) says by number which rules do not come into it. */
char *random_rules_text(const struct random_rules *rules, const bool *is_left_out);
const char *random_word(const struct random_rules *rules);
const struct hint *random_hint(const struct random_rules *rules, enum hint_kind kind); /* or NULL */

struct random_event {
	struct event event;
	bool has_file;
	struct file_facts file;
	struct file_info info;
	struct buf *path, *old_path;
};

void random_event_init(struct random_event *out);
void random_event_clear(struct random_event *event);
/* Another one, that may concern the rules. */
void random_event_draw(struct random_event *out, const struct random_rules *rules,
		       struct chance *chance);

#endif
