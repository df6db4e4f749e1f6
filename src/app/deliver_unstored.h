/*
 * deliver_unstored: jobs that are done past the store, because they tell that it takes nothing: in
 * memory only, gone with the process, in no history.
 */
#ifndef APP_DELIVER_UNSTORED_H
#define APP_DELIVER_UNSTORED_H

#include "app/delivery.h"

/* From any thread. body: as of a job in the store; copied. Of very many the oldest is dropped. */
void deliver_put_unstored(struct deliver *deliver, const char *body);

/* For deliver.c, in its loop: begins those that are due. */
void deliver_begin_unstored(struct deliver *deliver);
/* Of the deliveries that are to be written, handles those that no store knows. */
void deliver_end_unstored(struct deliver *deliver);
/* In how many milliseconds the next is due; -1: none waits. */
int64_t deliver_unstored_due(struct deliver *deliver);
void deliver_forget_unstored(struct deliver *deliver);
static inline bool delivery_is_unstored(const struct delivery *delivery)
{
	return delivery->job.id == 0;
}

#endif
