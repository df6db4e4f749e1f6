/*
 * reload_all: one reading of the rules in every process of the monitor, with what came of it in
 * each. A process that is alone just reads.
 */
#ifndef APP_RELOAD_ALL_H
#define APP_RELOAD_ALL_H

#include "app/members.h"
#include "app/reload.h"

struct reload_all;

/* name: of this process among the members. All of them outlive it. */
struct reload_all *reload_all_open(uv_loop_t *loop, struct reload *reload, struct members *members,
				   const char *name);
void reload_all_close(struct reload_all *all); /* who still waits is answered */

/*
 * Asks every process. done comes once, later: whether all of them have the rules in order, a report
 * of one or more lines, and an array of {member, ok, report}, borrowed, where a report of null says
 * that nothing was heard of that process.
 */
void reload_all_ask(struct reload_all *all,
		    void (*done)(void *ctx, bool is_ok, const char *report, json_t *outcomes),
		    void *ctx);
/* A message of the members; those of others' are passed over. */
void reload_all_heard(struct reload_all *all, json_t *message);

#endif
