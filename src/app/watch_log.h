/*
 * watch_log: what a watch hears on its way into the log: appended at once, made durable in groups,
 * kept in order while the store takes nothing.
 */
#ifndef APP_WATCH_LOG_H
#define APP_WATCH_LOG_H

#include <uv.h>

#include "app/settings.h"
#include "store/store.h"

struct watch_log;

/* full: the store takes nothing more (stop reading), and why, or does again. Texts must outlive it.
 */
struct watch_log *watch_log_new(uv_loop_t *loop, struct store *store, const char *watch,
				const char *who, enum commit_mode commit,
				void (*full)(void *ctx, bool is_full, const char *why), void *ctx);
void watch_log_close(struct watch_log *log); /* commits */
AUTO_DEFINE(struct watch_log *, watch_log_close)

/* Never refuses: what the store does not take waits in memory, and full was called. time_ms: of
 * receipt. */
void watch_log_add(struct watch_log *log, struct text payload, int64_t time_ms);
/* Commits now. Whether everything that was added is durable. */
bool watch_log_flush(struct watch_log *log);
bool watch_log_is_full(const struct watch_log *log);
uint64_t watch_log_last_seq(const struct watch_log *log); /* of this run; 0: none */

#endif
