/*
 * job: one rule firing on one file, as filter writes it and act reads it. The body is JSON:
 *
 *	{"rule": "quarantine-media", "rules": "<digest of the rule set>", "watch": "main",
 *	 "mode": "enforce" | "dry_run", "event": {event_to_json},
 *	 "steps": [{"module": "quarantine", "name": "..", "options": {..}}],
 *	 "step": 0,                     the step under way
 *	 "path": "/home/joe/a.jpg",     where the file is, if the event does not say it any more
 *	 "first_path": "/home/joe/b.jpg", where it was when it happened, if event was moved since
 *	 "stopped": "stopped: ..",       why it is not to be done
 *	 "waits": 0,                    pauses in a row that are no attempts
 *	 "memory": {..},                what that step must remember over a crash
 *	 "undo": [{"step": 0, "module": "rename", "options": {..}, "what": "move it back to ..",
 *		   "path": "..", "change_time": ".."}],   how the done steps are taken back, and
 *		what the file was like after each
 *	 "undoes": {"job": 12, ..},     app/undo.h: this job takes back what that one did
 *	 "results": {"quarantine": {"path": ".."}},   of the steps that are done, by module
 *		also "threshold": {"count": 50, "files": "/a\n/b", "list": [{"path": .., "file_id":
 *..}]} and "throttle": {"suppressed": 12}, from the filter "log": [{"step": 0, "module":
 *"quarantine", "outcome": "done", "why": "..", "attempts": 1, "time": ".."}]}
 */
#ifndef APP_JOB_H
#define APP_JOB_H

#include <jansson.h>

#include "rule/rule.h"

/* The body of a new job; for free(). */
char *job_body_new(const struct rule *rule, const char *rules_digest, const struct event *event);
/* The same with another mode, and with results that no step had: what the rule counted. stopped:
 * why it is only a dead letter; NULL: it is to be done. */
char *job_body_new_with(const struct rule *rule, const char *rules_digest,
			const struct event *event, enum rule_mode mode, json_t *results,
			const char *stopped);

/* A body, read by act; everything points into json but event. */
struct job_body {
	json_t *json;
	const char *rule;
	const char *watch;
	bool is_dry_run;
	struct event *event;
	unsigned step;
	size_t step_count;
	json_t *memory;
	json_t *results;
};

MUST_CHECK int job_body_read(struct job_body *out, const char *text, struct error *err);
void job_body_clear(struct job_body *body);
/* Why the job is not to be done, for free(); NULL: it is. Asked once: whoever tries it again means
 * it. */
char *job_body_take_stop(struct job_body *body);
char *job_body_text(const struct job_body *body); /* for free() */

/* The step under way. options: JSON, for free(). */
const char *job_body_module(const struct job_body *body);
char *job_body_options(const struct job_body *body);
/* How it went; the same step's older entry is replaced. */
void job_body_note(struct job_body *body, const char *outcome, const char *why, unsigned attempts,
		   int64_t now_ms);
/* The step is done: keeps its result (borrowed; without "undo", which has a place of its own) and
 * goes on to the next. */
void job_body_next_step(struct job_body *body, json_t *result);
/* Whether the step under way is only to be planned. */
bool job_body_is_step_dry_run(const struct job_body *body);
int64_t job_body_attempts(const struct job_body *body, int64_t standard); /* of the step */
int64_t job_body_back_off(const struct job_body *body, int64_t standard); /* likewise, ms */
int64_t job_body_concurrency(const struct job_body *body);                /* 0: any number */
enum step_on_error job_body_on_error(const struct job_body *body);        /* of the step */
/*
 * The step failed for good, and steps follow that: they are the rest of the job now, and see
 * {error.module} and {error.why}. Then it ends with the failure; to be tried again, it goes back to
 * the step that failed.
 */
void job_body_fail(struct job_body *body, const char *why, unsigned attempts);
const char *job_body_failure(const struct job_body *body); /* NULL: none */
unsigned job_body_back_to_failure(struct job_body *body);  /* answers the attempts that it had */
/* What was noted, as one sentence: "quarantine: moved to /q/a; email: sent to ..". For free(). */
char *job_body_summary(const struct job_body *body);

/* Where the file was when it was last seen. */
const char *job_body_path(const struct job_body *body);
void job_body_set_path(struct job_body *body, const char *path);
/* Where it was when it happened; NULL: where the event says. */
const char *job_body_first_path(const struct job_body *body);
/* The file was moved by another job or somebody else: the event is from now on one at the new path.
 */
void job_body_move_event(struct job_body *body, const char *path);
/* Whether the step under way remembers this text: a path where it was going, for instance. */
bool job_body_remembers(const struct job_body *body, const char *text);
unsigned job_body_count_wait(struct job_body *body); /* one more; answers how many in a row */
void job_body_end_waits(struct job_body *body);

#endif
