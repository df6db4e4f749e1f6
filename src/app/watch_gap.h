/*
 * watch_gap: the gap of a watch, at most one of which is open, and the note until when everything
 * was heard, from which the next run knows where its gap begins.
 */
#ifndef APP_WATCH_GAP_H
#define APP_WATCH_GAP_H

#include "store/store.h"

struct watch_gap;

/* Texts must outlive it. */
struct watch_gap *watch_gap_new(struct store *store, const char *watch, const char *who);
void watch_gap_free(struct watch_gap *gap);
AUTO_DEFINE(struct watch_gap *, watch_gap_free)

/* At the start: an earlier run has heard this watch, and nobody has since. */
MUST_CHECK int watch_gap_resume(struct watch_gap *gap, struct error *err);
/* Events may be missing since then. An open gap only grows, if it began later. */
void watch_gap_open(struct watch_gap *gap, int64_t from_ms, uint64_t after_seq, const char *reason);
/* One that is over: it was found only afterwards. */
void watch_gap_add(struct watch_gap *gap, int64_t from_ms, int64_t until_ms, const char *reason);
/* What was found out since about the reason of the open gap; false: none is open. */
bool watch_gap_explain(struct watch_gap *gap, const char *more);
void watch_gap_close(struct watch_gap *gap); /* the stream is up again; says so in the log */
/* Everything up to here was heard and is durable. */
void watch_gap_note_alive(struct watch_gap *gap, int64_t time_ms);
/* From any process: until when everything that this watch heard is in the log; 0: it never was
 * heard.
 */
MUST_CHECK int watch_gap_heard_until(struct store *store, const char *watch, int64_t *out_ms,
				     struct error *err);
/* Tries again what the store has refused; from time to time. */
void watch_gap_retry(struct watch_gap *gap);

#endif
