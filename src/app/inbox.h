/*
 * inbox: events that act hands to the filter to be judged, although no record of the log holds
 * them.
 *
 * The cluster may have merged a user's change with ours into one event, which was taken for our
 * echo. When act finds traces of that (design, 9.3), it puts here the event that the user should
 * have caused. The filter takes items in order of their numbers, once it has judged the log up to
 * until_seq. It leaves out an item if a foreign event of the same file id and type came in a record
 * after after_seq: then the user's change was seen after all. The event itself has the seq 0.
 */
#ifndef APP_INBOX_H
#define APP_INBOX_H

#include "store/store.h"

struct inbox_item {
	uint64_t number;     /* of the item; ignored by inbox_put */
	uint64_t after_seq;  /* the log's last record before our request went out */
	uint64_t until_seq;  /* the log's last record when the item was put */
	struct event *event; /* free() by the reader */
};

MUST_CHECK int inbox_put(struct store_txn *txn, const struct inbox_item *item, struct error *err);
/* The first item with a number > after. 1: *out is filled; 0: there is none. */
MUST_CHECK int inbox_next(struct store_txn *txn, uint64_t after, struct inbox_item *out,
			  struct error *err);
MUST_CHECK int inbox_remove(struct store_txn *txn, uint64_t number, struct error *err);
/* Outside of a transaction: whether anything waits. 1, 0, -1. */
MUST_CHECK int inbox_has_any(struct store *store, struct error *err);

#endif
