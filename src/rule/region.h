/*
 * region: where events lie, as far as is known: the access predicates of the index, and what the
 * loop check knows about events that have not happened yet.
 */
#ifndef RULE_REGION_H
#define RULE_REGION_H

#include "rule/pattern.h"
#include "rule/rule.h"
#include "rule/scan.h"

#define REGION_PRODUCT_MAX 64 /* regions that an AND of two lists may become */
#define REGION_SUM_MAX 4096   /* and an OR */

struct condition;

struct region {
	event_kinds kinds;          /* an event is of one of these */
	struct text directory;      /* and below it, at any depth; empty: anywhere */
	bool is_direct;             /* and right in that directory */
	const struct pattern *name; /* and its last component matches; NULL: any */
	bool is_folded;             /* all of this about the folded path */
	/* What an index can still ask where directory and name say nothing: */
	const struct pattern *pattern;
	uint32_t word; /* that a scan finds, or SCAN_NONE */
};

/* Alternatives; nothing that is true lies outside. Borrows from the condition. */
struct region_list {
	struct region *items;
	size_t count;
};

/* The regions outside of which condition cannot be true. */
void region_list_of(struct region_list *out, const struct condition *condition);
void region_list_clear(struct region_list *list);

/* How much an index gains from the region: 0 is nothing. */
unsigned region_rank(const struct region *region);
/* The end of a name that an index can look up: from a dot on; empty if there is none. */
struct text region_name_ending(const struct pattern *name);

enum truth region_is_below(const struct region *region, struct text directory, bool fold);
enum truth region_matches_path(const struct region *region, const struct pattern *pattern);
enum truth region_matches_name(const struct region *region, const struct pattern *pattern);
/* Whether what matches known matches asked: both of paths, or both of names. */
enum truth region_relate(const struct pattern *known, const struct pattern *asked);

#endif
