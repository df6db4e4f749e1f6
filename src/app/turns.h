/*
 * turns: how many runs of one action may be under way at once, where a step says `concurrency`.
 *
 * Whoever finds all places taken is told when to come again: each a little later than the one
 * before, by as long as the runs take, so that a storm of jobs does not ask all the time.
 */
#ifndef APP_TURNS_H
#define APP_TURNS_H

#include "base/base.h"

struct turns;

struct turns *turns_new(void);
void turns_free(struct turns *turns);
/* Takes a place of the action, of which there are `most`; false: none is free, come at
 * *out_again_ms. */
bool turns_take(struct turns *turns, const void *action, int64_t most, int64_t now_ms,
		int64_t *out_again_ms);
/* The place is free again, after so long. */
void turns_end(struct turns *turns, const void *action, int64_t took_ms, int64_t now_ms);

#endif
