/* tally_part: what tally's files know of each other: tally.c, and tally_loop.c for what sets itself
 * off. */
#ifndef APP_TALLY_PART_H
#define APP_TALLY_PART_H

#include "app/key_part.h"
#include "app/tally.h"
#include "app/tally_window.h"

/* The window of a key, as it is in this transaction, and until its end. */
MUST_CHECK int tally_window(struct tally *tally, struct store_txn *txn, struct text key,
			    struct window **out, struct error *err);
/* Of a rule and the group that an event is in; what counts in it at now_ms. */
MUST_CHECK int tally_rule_window(struct tally *tally, struct store_txn *txn, char kind,
				 const struct rule *rule, const struct rule_window *settings,
				 const struct event *event, int64_t now_ms, struct window **out,
				 struct error *err);
/* For the log, once the transaction is committed; a '!' in front makes it an error. */
void tally_say(struct tally *tally, const char *format, ...) PRINTF_LIKE(2, 3);
void tally_count_stop(struct tally *tally);

#endif
