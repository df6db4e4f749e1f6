/* module: what the action modules share. */
#ifndef ACTION_MODULE_H
#define ACTION_MODULE_H

#include "action/action.h"
#include "base/buf.h"

extern const struct action_type action_log;
extern const struct action_type action_syslog;
extern const struct action_type action_exec;
extern const struct action_type action_quarantine;
extern const struct action_type action_rename;
extern const struct action_type action_permissions;
extern const struct action_type action_lock;
extern const struct action_type action_tag;
extern const struct action_type action_copy;
extern const struct action_type action_delete;
extern const struct action_type action_snapshot;
extern const struct action_type action_email;
extern const struct action_type action_webhook;

/*
 * What happened, for other programs: {"time", "event", "path", "old_path", "file_id", "parent_id",
 * "stream", "rule", "watch", "cluster", "origin", "job"}; what is empty is left out. A new
 * reference.
 */
json_t *module_event(const struct action_run *run);

/* action_finish with ACTION_RETRY, not before retry_after_ms from now (0: the usual back-off). */
void module_retry(struct action_run *run, int64_t retry_after_ms, const char *why, ...)
	PRINTF_LIKE(3, 4);

/* Either, as result says. retry_after_ms: of ACTION_RETRY; why: NULL with ACTION_DONE alone. */
void module_end(struct action_run *run, enum action_result result, int64_t retry_after_ms,
		const char *why);
/* Appends; out's ceiling is beyond memory. */
void module_print(struct buf *out, const char *format, ...) PRINTF_LIKE(2, 3);

/* host->expect of the run. */
void module_expect(struct action_run *run, const struct action_effect *effects, size_t count,
		   action_expected *done, void *ctx);

/* The event that changes of user metadata or of a lock may cause: API facts, 18, speak of none, but
 * do not rule child_extra_attrs_changed out. */
size_t module_metadata_effects(struct event_effect *effects, size_t max);

/* Note something in run->result or run->memory; text may be NULL (nothing is noted). */
/* What the file is like after this step: change_time and permissions, by which somebody else's
 * change in the same moment is found out. */
void module_note_state(struct action_run *run, const struct file_info *info);
void module_note_result(struct action_run *run, const char *key, const char *text);
/*
 * How this step is taken back: a step of `module` with these options (given away), and what that
 * does to the file, as a sentence that goes on after "would" ("move it back to /a").
 */
void module_note_undo(struct action_run *run, const char *module, json_t *options, const char *what,
		      ...) PRINTF_LIKE(4, 5);
void module_remember(struct action_run *run, const char *key, const char *text);
const char *module_memory(const struct action_run *run, const char *key); /* or NULL */

/*
 * Foreign bytes as one line of UTF-8 for a sentence: broken characters become U+FFFD, control
 * characters a space; the first line that is not blank (or the last), at most `most` bytes. For
 * free().
 */
char *module_first_line(struct text text, size_t most);
char *module_last_line(struct text text, size_t most);
/* All of it as UTF-8, broken characters as U+FFFD, cut to at most `most` bytes. For free(). */
char *module_utf8(struct text text, size_t most);
/* How much of text fits into most bytes without cutting a character. */
size_t module_fit(struct text text, size_t most);

/* "Name: value" without line breaks and with a sane name; else what is wrong. For free(). */
char *module_check_header(const char *header);

#endif
