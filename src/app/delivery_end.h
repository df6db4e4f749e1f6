/*
 * delivery_end: how a step or a job ends, for delivery: done, failed, tried again later; what is
 * stored about that, and said. After each of these the delivery waits to be written.
 */
#ifndef APP_DELIVERY_END_H
#define APP_DELIVERY_END_H

#include "app/delivery.h"

/* The line that is logged once it is stored. */
void delivery_say(struct delivery *delivery, enum log_level level, const char *format, ...)
	PRINTF_LIKE(3, 4);
/* Where the event was, although a step may have moved the file since. */
struct text delivery_place(const struct delivery *delivery);
bool delivery_is_ending(const struct delivery *delivery); /* only to be written down */
void delivery_write_soon(struct delivery *delivery, enum delivery_write write);

/* Ends the job; outcome is a sentence, and given away. */
void delivery_end(struct delivery *delivery, enum delivery_write write, char *outcome);
void delivery_end_dead(struct delivery *delivery, const char *why);
/* The job has no more steps. */
void delivery_end_of_steps(struct delivery *delivery);
/*
 * The step under way failed for good, and on_error says what that means. outcome and said are for
 * the job's log; why is a sentence that begins with the module, and given away.
 */
void delivery_fail_step(struct delivery *delivery, const char *outcome, const char *said,
			unsigned attempts, char *why);

/* That is no attempt at the step. */
void delivery_retry_at(struct delivery *delivery, int64_t due_ms, const char *why);
void delivery_wait_for_cluster(struct delivery *delivery, const struct file_reply *reply);
/* The attempt failed; it may work later. not_before_ms: 0, or what was asked for. */
void delivery_attempt_again(struct delivery *delivery, const char *why, int64_t not_before_ms);

#endif
