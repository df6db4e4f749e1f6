#include "app/repair_moves.h"

#define MOVES_MOST 1000
#define HALVES_MOST 64
#define LONE_HALF_MS 1000 /* when the other half of a move is sure not to come */

struct move {
	char *from, *to;
	uint64_t at; /* where in the log it was told */
};

/* Half of a move. */
struct half {
	char *id;
	char *path; /* NULL: the slot is free */
	bool is_from;
	uint64_t at;
	int64_t time_ms;
	bool is_lone; /* had it another half, that would have been heard */
};

struct moves {
	struct heard_gap gap;
	struct move moves[MOVES_MOST];   /* the oldest goes first */
	size_t count;                    /* also of those that are gone */
	struct half halves[HALVES_MOST]; /* the same */
	size_t half_count;
};

struct moves *moves_new(struct heard_gap gap)
{
	struct moves *moves = NEW(struct moves);

	moves->gap = gap;
	return moves;
}

static void half_clear(struct half *half)
{
	free(TAKE(half->id));
	free(TAKE(half->path));
}

void moves_free(struct moves *moves)
{
	if (!moves)
		return;
	for (size_t i = 0; i < MIN(moves->count, MOVES_MOST); i++) {
		free(moves->moves[i].from);
		free(moves->moves[i].to);
	}
	for (size_t i = 0; i < HALVES_MOST; i++)
		half_clear(&moves->halves[i]);
	free(moves);
}

void moves_add(struct moves *moves, const char *from, const char *to, uint64_t at)
{
	struct move *move = &moves->moves[moves->count++ % MOVES_MOST];

	free(move->from);
	free(move->to);
	*move = (struct move){ str_copy(from), str_copy(to), at };
}

bool moves_are_known(const struct moves *moves)
{
	return moves->count;
}

static bool is_other_half(const struct half *half, const struct event *event, int64_t time_ms)
{
	/* What came in and moves on, or out, later has no other half here. */
	return half->path && text_is(event->file_id, half->id) &&
	       half->is_from != (event->type == CHILD_DIR_MOVED_FROM) &&
	       !text_is(event->path, half->path) && time_ms - half->time_ms <= OTHER_HALF_MS;
}

void moves_hear(struct moves *moves, const struct event *event, uint64_t at, int64_t time_ms,
		bool is_live)
{
	bool is_from = event->type == CHILD_DIR_MOVED_FROM;
	bool is_lone = is_live && (time_ms + LONE_HALF_MS < moves->gap.from_ms ||
				   time_ms > moves->gap.until_ms);
	struct half *half;

	if (!is_from && event->type != CHILD_DIR_MOVED_TO)
		return;

	AUTO(free) char *path = text_copy(event->path);

	for (size_t i = 0; i < HALVES_MOST; i++) {
		half = &moves->halves[i];
		if (!is_other_half(half, event, time_ms))
			continue;
		moves_add(moves, is_from ? path : half->path, is_from ? half->path : path, at);
		return half_clear(half);
	}
	half = &moves->halves[moves->half_count++ % HALVES_MOST];
	half_clear(half);
	*half = (struct half){
		text_copy(event->file_id), TAKE(path), is_from, at, time_ms, is_lone
	};
}

char *moves_carry(const struct moves *moves, const char *path, uint64_t since,
		  void (*passed)(void *ctx, const char *path), void *ctx)
{
	size_t first = moves->count - MIN(moves->count, MOVES_MOST);
	char *whole = str_copy(path);

	if (passed)
		passed(ctx, whole);
	for (size_t i = first; i < moves->count; i++) {
		const struct move *move = &moves->moves[i % MOVES_MOST];
		char *old = whole;

		if (move->at <= since || !path_is_below(text_of(old), text_of(move->from)))
			continue;
		whole = str_format("%s%s", move->to, old + strlen(move->from));
		free(old);
		if (passed)
			passed(ctx, whole);
	}
	return whole;
}

bool moves_took_out(const struct moves *moves, struct text path, uint64_t since)
{
	AUTO(free) char *told = text_copy(path);
	AUTO(free) char *carried = moves_carry(moves, told, since, NULL, NULL);

	for (size_t i = 0; i < HALVES_MOST; i++) {
		const struct half *half = &moves->halves[i];

		if (half->path && half->is_from && half->is_lone && half->at > since &&
		    path_is_below(text_of(carried), text_of(half->path)))
			return true;
	}
	return false;
}
