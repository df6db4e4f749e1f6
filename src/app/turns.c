#include "app/turns.h"

#include <uthash.h>

#include "base/mem.h"

#define FIRST_GUESS_MS 200
#define SOONEST_MS 10
#define KEPT_MOST 256
#define LATEST_MS (10 * 60 * 1000)

struct turn {
	UT_hash_handle hh;
	const void *action;
	int64_t running;
	int64_t usual_ms; /* how long a run takes */
	int64_t last_ms;  /* when the last one that was turned away comes again */
};

struct turns {
	struct turn *all;
};

struct turns *turns_new(void)
{
	return NEW(struct turns);
}

static void forget(struct turns *turns, struct turn *turn)
{
	HASH_DEL(turns->all, turn);
	free(turn);
}

void turns_free(struct turns *turns)
{
	struct turn *turn, *next;

	if (!turns)
		return;
	HASH_ITER(hh, turns->all, turn, next)
	{
		forget(turns, turn);
	}
	free(turns);
}

static struct turn *find(struct turns *turns, const void *action)
{
	struct turn *turn;

	HASH_FIND_PTR(turns->all, &action, turn);
	return turn;
}

bool turns_take(struct turns *turns, const void *action, int64_t most, int64_t now_ms,
		int64_t *out_again_ms)
{
	struct turn *turn = find(turns, action);

	if (!turn) {
		turn = NEW(struct turn);
		turn->action = action;
		turn->usual_ms = FIRST_GUESS_MS;
		HASH_ADD_PTR(turns->all, action, turn);
	}
	if (turn->running < most) {
		turn->running++;
		return true;
	}
	/* A little sooner than their turn is likely to be: a place that stands empty costs more
	 * than one who comes once more. A clock that was set back must not send anybody away for
	 * long. */
	if (turn->last_ms > now_ms + LATEST_MS)
		turn->last_ms = now_ms;
	turn->last_ms = MAX(turn->last_ms, now_ms) + MAX(turn->usual_ms * 3 / 4 / most, 1);
	*out_again_ms = MAX(turn->last_ms, now_ms + SOONEST_MS);
	return false;
}

void turns_end(struct turns *turns, const void *action, int64_t took_ms, int64_t now_ms)
{
	struct turn *turn = find(turns, action);

	if (!turn)
		return;
	turn->running--;
	turn->usual_ms = MIN(MAX((turn->usual_ms * 7 + MAX(took_ms, 0)) / 8, 1), LATEST_MS);
	/* How long they take is worth keeping, but not of every action that there ever was. */
	if (!turn->running && turn->last_ms <= now_ms && HASH_COUNT(turns->all) > KEPT_MOST)
		forget(turns, turn);
}
