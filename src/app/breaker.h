/*
 * breaker: circuit breakers. A server that failed several times in a row is left in peace: its
 * breaker opens, and jobs wait for it without losing attempts. After a pause one of them tries
 * (half open); that closes the breaker, or opens it for a pause twice as long.
 *
 * They live in memory: after a start everybody is tried again. Safe from any thread.
 */
#ifndef APP_BREAKER_H
#define APP_BREAKER_H

#include "base/base.h"

enum breaker_state { BREAKER_CLOSED, BREAKER_OPEN, BREAKER_HALF_OPEN };
const char *breaker_state_name(enum breaker_state state); /* "half-open" */

struct breaker_settings {
	unsigned failures; /* in a row that open it; 0: never */
	int64_t pause_ms, pause_max_ms;
};

struct breakers;

struct breakers *breakers_new(const struct breaker_settings *settings);
void breakers_free(struct breakers *breakers);

/*
 * Whether somebody may try the server now. If not, out_again_ms is when to ask again, and out_why
 * (for free()) what the last failure was.
 */
MUST_CHECK bool breakers_allow(struct breakers *breakers, const char *server, int64_t now_ms,
			       int64_t *out_again_ms, char **out_why);
/* What came of a try. why: of a failure; NULL: the server works. not_before_ms: what it asked for,
 * or 0. */
void breakers_note(struct breakers *breakers, const char *server, const char *why,
		   int64_t not_before_ms, int64_t now_ms);
/* Those that are not closed, with when that began; answers how many. The texts are borrowed. */
size_t breakers_visit(struct breakers *breakers,
		      void (*visit)(void *ctx, const char *server, enum breaker_state state,
				    int64_t since_ms, const char *why),
		      void *ctx);

#endif
