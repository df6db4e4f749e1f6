/*
 * condition: the tree of a rule's conditions, and the one evaluator. It answers in Kleene's three
 * values, so that it serves matching as well as the loop check, which knows an event only partly.
 */
#ifndef RULE_CONDITION_H
#define RULE_CONDITION_H

#include "base/arena.h"
#include "event/file.h"
#include "rule/pattern.h"
#include "rule/regex.h"
#include "rule/region.h"
#include "rule/rule.h"
#include "rule/scan.h"
#include "rule/time_span.h"

#define CONDITION_HEIGHT_MAX 64
#define CONDITION_SIZE_MAX 100000 /* evaluated nodes and values of one rule */

enum condition_kind {
	CONDITION_ALL, /* the first three have children */
	CONDITION_ANY,
	CONDITION_NOT,
	CONDITION_EVENT,
	CONDITION_DIRECTORY,
	CONDITION_PATH, /* one of the patterns matches the path */
	CONDITION_NAME, /* or the last component */
	CONDITION_REGEX,
	CONDITION_DEPTH,
	CONDITION_STREAM,
	CONDITION_WATCH,
	CONDITION_ORIGIN,
	CONDITION_TIME,
	CONDITION_TYPE, /* from here on: of the file, see condition_file.h */
	CONDITION_SIZE,
	CONDITION_OWNER,
	CONDITION_GROUP,
	CONDITION_MODE,
	CONDITION_AGE,
	CONDITION_MODIFIED,
	CONDITION_LINKS,
	CONDITION_TAG, /* the last */
};
#define CONDITION_KINDS (CONDITION_TAG + 1)

/* All bits of all, one of any (0: whatever), none of none. */
struct mode_test {
	unsigned all, any, none;
};

/* A key of user metadata, and what its value must match. */
struct tag_test {
	char *key;
	struct pattern_list values;
	bool is_any;     /* it need only be there */
	bool is_another; /* an alternative to those before it; else it must be true with them */
};

/* Numbers from least to most, both included. */
struct range {
	int64_t least, most;
};

struct condition_regex {
	struct regex *regex;
	uint32_t word; /* that the set's scan finds where it may match, or SCAN_NONE */
};

/* What the file says of a condition: for people, and while it is parsed. */
struct condition_source {
	const char *key; /* "old_extension"; static */
	struct place place;
	char *values; /* each ended by a NUL */
	size_t values_size;
	unsigned height; /* 1 for one without children */
	size_t size;     /* what evaluating it costs at most, children included */
	struct condition *made_before;
	struct condition *packed; /* where the condition lies since condition_pool_pack() */
};

/* Hours and days, and the zones that they are of. */
struct condition_times {
	struct time_span *spans;
	size_t span_count;
	struct zone **zones;
	size_t zone_count;
};

/*
 * Conditions are shared: a named one stands in the trees of all rules that name it. There are
 * hundreds of thousands in a large set, and an event asks for a few of them, which no cache has: so
 * they are small, have no more than what an event asks for, and lie rule by rule.
 */
struct condition {
	enum condition_kind kind;
	bool is_old; /* asks about the path before a rename */
	bool ignores_case;
	bool takes_none; /* of streams: the file's own content too */
	union {
		event_kinds kinds;
		unsigned origins; /* bit n for enum origin n */
		unsigned types;   /* bit n for enum file_type n */
	};
	union {
		struct { /* all, any, not */
			const struct condition **children;
			size_t child_count;
		};
		struct {
			struct text *directories;
			size_t directory_count;
		};
		struct pattern_list patterns; /* of a path, a name, a stream, a watch */
		struct {
			struct condition_regex *regexes;
			size_t regex_count;
		};
		struct { /* of a depth, a size, an age in milliseconds .. */
			struct range *ranges;
			size_t range_count;
		};
		struct {
			struct mode_test *modes;
			size_t mode_count;
		};
		struct {
			struct tag_test *tags;
			size_t tag_count;
		};
		struct condition_times *times;
	};
	struct condition_source *source;
};

/* How many .children it has: only these three kinds have any. */
static inline size_t condition_child_count(const struct condition *condition)
{
	return condition->kind <= CONDITION_NOT ? condition->child_count : 0;
}

/* Owns conditions, whoever refers to them. */
struct condition_pool {
	struct condition *last;
	struct arena arena; /* of those that are packed */
};

struct condition *condition_new(struct condition_pool *pool, enum condition_kind kind,
				const char *key, struct place place);
void condition_add_child(struct condition *parent, const struct condition *child);
/* A slash at the end is dropped; folded if the condition ignores case. */
void condition_add_directory(struct condition *condition, struct text directory);
/* What the file says, beside what was made of it. */
void condition_add_value(struct condition *condition, struct text value);
void condition_add_regex(struct condition *condition,
			 struct condition_regex regex); /* takes over */
void condition_add_range(struct condition *condition, struct range range);
void condition_add_mode(struct condition *condition, struct mode_test test);
/* The key is copied; the values are the caller's to add. */
struct tag_test *condition_add_tag(struct condition *condition, struct text key, bool is_another);
void condition_add_span(struct condition *condition, struct time_span span);
void condition_add_zone(struct condition *condition, struct zone *zone); /* takes it over */
/*
 * Lays the conditions of each root side by side, in the order in which they are asked, and lets
 * roots point there. Conditions of the pool that are no root's stay where they are; nothing is
 * added to one afterwards, and nobody else may have a pointer to one that was there before.
 */
void condition_pool_pack(struct condition_pool *pool, const struct condition **roots, size_t count);
void condition_pool_clear(struct condition_pool *pool);

/* A path as far as it is known. */
struct subject_path {
	struct text text; /* empty: not known, and region says what is */
	struct text folded;
	const struct region *region; /* NULL with an empty text: there is no such path */
};

struct subject {
	event_kinds kinds;
	bool is_partial; /* kinds are those that it may be, not those that it is */
	struct subject_path path, old_path;
	/* What else is known; NULL: nothing. Of its paths and kinds the members above tell. */
	const struct event *event;
	struct text folded_stream;
	const struct file_facts *file; /* NULL: not known */
	struct regex_memory *regexes;  /* NULL: what an expression says is not known */
};

/* Whether it is true for a file depends on what only the cluster knows of that. */
static inline bool condition_asks_cluster(const struct condition *condition)
{
	return condition->kind >= CONDITION_TYPE;
}

int64_t condition_depth(struct text path); /* components: /a/b has two */
enum truth condition_test(const struct condition *condition, const struct subject *subject);

#endif
