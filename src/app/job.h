/*
 * job: one rule firing on one file, as filter writes it and act reads it. The body is JSON:
 *
 *	{"rule": "quarantine-media", "rules": "<digest of the rule set>", "watch": "main",
 *	 "mode": "enforce" | "dry_run", "event": {event_to_json},
 *	 "steps": [{"module": "quarantine", "name": "..", "options": {..}}],
 *	 "step": 0,                     the step under way
 *	 "memory": {..},                what that step must remember over a crash
 *	 "results": {"quarantine": {"path": ".."}},   of the steps that are done, by module
 *	 "log": [{"step": 0, "outcome": "done", "why": "..", "attempts": 1, "time": ".."}]}
 */
#ifndef APP_JOB_H
#define APP_JOB_H

#include "rule/rule.h"

/* The body of a new job; for free(). */
char *job_body_new(const struct rule *rule, const char *rules_digest, const struct event *event);

#endif
