/* repair_close: which gaps wait for a repair, and what is written down when
 * they are closed. */
#ifndef APP_REPAIR_CLOSE_H
#define APP_REPAIR_CLOSE_H

#include "app/repair_state.h"
#include "app/settings.h"

struct repair_gaps { /* that are over and wait */
	size_t count;
	int64_t from_ms, until_ms; /* of the first and the last */
	uint64_t last;             /* the highest number */
};

/* Gaps with a number above `after`. */
MUST_CHECK int repair_gaps_find(struct repair_gaps *out, struct store *store, const char *watch,
				uint64_t after, struct error *err);
/* The highest number of one that is over; 0: there is none. */
MUST_CHECK int repair_gaps_last(struct store *store, const char *watch, uint64_t *out,
				struct error *err);

/* Each in one transaction with the state, whose members about the repair under
 * way they set. */
MUST_CHECK int repair_close_begin(struct store *store, const char *watch,
				  const struct repair_state *state, struct list *first,
				  struct error *err);
MUST_CHECK int repair_close_repaired(struct store *store, const char *watch,
				     struct repair_state *state, bool may_repeat,
				     struct error *err);
MUST_CHECK int repair_close_unrepaired(struct store *store, const char *watch,
				       struct repair_state *state, const char *why,
				       struct error *err);
/* Begins with what is inside of a directory that was moved in, which does not wait any more. */
MUST_CHECK int repair_close_begin_inside(struct store *store, const char *watch,
					 const struct repair_state *state,
					 const struct repair_task *first, const char *key,
					 struct error *err);
/* Drops the tasks that are left of one that cannot go on. */
MUST_CHECK int repair_close_clear(struct store *store, const char *watch,
				  const struct repair_state *state, struct error *err);

/* From any process. The beginning of the oldest gap that is open or waits;
 * INT64_MAX: none does. */
MUST_CHECK int repair_waits_since(struct store *store, const struct settings *settings,
				  int64_t *out_ms, struct error *err);
/* What is known of how a gap was closed, for people: new reference. */
json_t *repair_gap_json(struct store *store, const struct settings *settings,
			const struct gap *gap);

#endif
