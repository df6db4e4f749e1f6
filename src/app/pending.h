/*
 * pending: events that wait until the cluster has said what a rule asks about their files.
 *
 * They are in SPACE_PENDING, so that a crash loses none; the first few hundred are in memory, too,
 * and asked for: many at a time, but one request for all events of a file that wait. The stream
 * goes on meanwhile. Lives in the filter's thread; a store that several processes share has one
 * filter at work.
 */
#ifndef APP_PENDING_H
#define APP_PENDING_H

#include <jansson.h>
#include <uv.h>

#include "action/cluster.h"
#include "app/settings.h"
#include "rule/rule.h"
#include "store/store.h"

struct pending;

/* An event and what its rules wait for. */
struct pending_event {
	struct event *event;
	bool is_echo;
	bool is_settled; /* its file was quiet already */
	json_t *rules;   /* names, in order */
};

struct pending_host {
	uv_loop_t *loop;
	const struct settings *settings;
	const struct cluster *const *clusters; /* one per settings->watches */
	void (*answered)(void *ctx);           /* there is something for pending_judge */
	/* Whether the file's user metadata must be asked for, too. */
	bool (*wants_tags)(void *judge, const struct pending_event *waiting,
			   const struct file_facts *file);
	void *judge;
	void *ctx;
};

struct pending *pending_new(void);
/* Cancels what is asked. In its loop. */
void pending_free(struct pending *pending);
AUTO_DEFINE(struct pending *, pending_free)
/* Without a host nothing is asked. */
void pending_open(struct pending *pending, const struct pending_host *host);
void pending_close(struct pending *pending); /* the host goes; fine without one */

/* The rules of a watch: their names of owners and groups will be asked for. */
void pending_use(struct pending *pending, size_t watch, const struct rule_set *set);

/* At the start and after a transaction failed. */
MUST_CHECK int pending_load(struct pending *pending, struct store *store, struct error *err);
MUST_CHECK int pending_put(struct pending *pending, struct store_txn *txn,
			   const struct pending_event *waiting, struct error *err);
/* Last before the commit, and after one that went well. */
MUST_CHECK int pending_save(struct pending *pending, struct store_txn *txn, struct error *err);
void pending_committed(struct pending *pending);

/* Whether pending_judge has something to do. */
bool pending_has_answers(const struct pending *pending);
/* file: what the cluster said; without info if the file is gone or may not be looked at. */
typedef int pending_judge_one(void *ctx, const struct pending_event *waiting,
			      const struct file_facts *file, struct error *err);
/* Takes events that were answered out of the store and has them judged, at most max; answers how
 * many. */
MUST_CHECK int64_t pending_judge(struct pending *pending, struct store_txn *txn, size_t max,
				 pending_judge_one *judge, void *ctx, struct error *err);
/* Does what the timer does. For tests, which move the clock by hand. */
void pending_tick(struct pending *pending);

#endif
