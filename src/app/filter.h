/*
 * filter: the filter role: takes records in order, pairs renames, recognises echoes, evaluates
 * rules, and stores jobs and its cursor in one transaction.
 */
#ifndef APP_FILTER_H
#define APP_FILTER_H

#include "action/cluster.h"
#include "app/settings.h"
#include "rule/rule.h"
#include "store/store.h"

struct filter;

/* One rule set per watch, in the order of settings->watches; the caller keeps its own share. */
MUST_CHECK int filter_open(struct filter **out, uv_loop_t *loop, const struct settings *settings,
			   struct store *store, struct rule_set *const *sets, struct error *err);
void filter_close(struct filter *filter); /* in its loop */
/* In its loop: what rules ask about files is asked of these from now on, one per settings->watches,
 * until it is closed. Before that the events wait. */
void filter_ask(struct filter *filter, const struct cluster *const *clusters);

/*
 * From any thread: hands a new set over; the filter swaps between two records and writes down the
 * sequence number with the digest. It takes set over. swapped is called in the filter's thread: the
 * records after after_seq are judged by the new set.
 */
void filter_offer(struct filter *filter, size_t watch, struct rule_set *set,
		  void (*swapped)(void *ctx, uint64_t after_seq), void *ctx);

/* From any thread: looks at store and clock at once instead of when it thinks it must. */
void filter_wake(struct filter *filter);

/*
 * Called in the filter's thread when a record says that its stream cannot be trusted any more: it
 * cannot be decoded, the cluster reported an error in it, or the watched directory was removed.
 * heard_ms: when that record came; the filter may be far behind.
 */
void filter_on_trouble(struct filter *filter,
		       void (*trouble)(void *ctx, size_t watch, int64_t heard_ms,
				       const char *reason),
		       void *ctx);

struct filter_status {   /* safe from any thread */
	uint64_t cursor; /* the last record that is judged */
	uint64_t events, matches, echoes, jobs;
	int64_t delay_ms;   /* from receipt to judgement, of the last record */
	char trouble[256];  /* "" or what keeps it from going on */
	char tripped[1024]; /* "" or the rules that a limit made a dry run, perhaps cut off */
};
void filter_get_status(struct filter *filter, struct filter_status *out);

#endif
