/* admin_part: what the files of admin share. */
#ifndef APP_ADMIN_PART_H
#define APP_ADMIN_PART_H

#include <jansson.h>
#include <uv.h>

#include "app/settings.h"
#include "base/buf.h"
#include "base/list.h"
#include "io/http_server.h"
#include "store/store.h"

/*
 * One question whose answer the store may let wait: a worker thread answers it, so that the main
 * loop goes on meanwhile. Besides what is here it sees only what threads may share.
 */
struct admin_question {
	const struct settings *settings;
	struct store *store;
	void (*answer)(struct admin_question *question); /* in the worker */
	json_t *query;                                   /* the arguments, by name */
	json_t *known; /* what the main loop knew about it; NULL: nothing */
	/* The answer: */
	int status;
	json_t *body;
	struct buf *text; /* instead of a body */

	/* admin.c's own */
	struct list link;
	uv_work_t work;
	struct admin *admin;
	struct http_exchange *exchange;
};

/* Give body away. Exactly one of them answers. */
void admin_reply(struct admin_question *question, json_t *body);
void admin_refuse(struct admin_question *question, int status, const char *why);

const char *admin_text(const struct admin_question *question, const char *name); /* NULL: absent */
/* A number of the query; standard if it is absent or none. */
uint64_t admin_number(const struct admin_question *question, const char *name, uint64_t standard);

/* Which jobs are asked for. */
struct admin_wanted {
	const char *rule, *path; /* NULL: any; path: how it begins */
	int64_t since_ms;
};
struct admin_wanted admin_wanted_of(const struct admin_question *question);
bool admin_is_wanted(const struct admin_wanted *wanted, const json_t *body);
/* A job's body, read; an empty object if it cannot be. A new reference. */
json_t *admin_job_body(const struct job *job);
/* Of the history; a person who looks for one path among millions of jobs is told how far it went,
 * because the store must not be read for minutes. */
#define ADMIN_LOOKED_AT_MOST 200000

void admin_status(struct admin_question *question);
void admin_tail(struct admin_question *question);
void admin_metrics(struct admin_question *question);
void admin_jobs(struct admin_question *question);
void admin_dead_retry(struct admin_question *question);
void admin_dead_drop(struct admin_question *question);
void admin_undo(struct admin_question *question);
void admin_approve(struct admin_question *question);
void admin_scan(struct admin_question *question);
void admin_scans(struct admin_question *question);
void admin_scan_stop(struct admin_question *question);

#endif
