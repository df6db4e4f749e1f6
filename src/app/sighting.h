/* sighting: whether the log holds somebody else's event like a given one. */
#ifndef APP_SIGHTING_H
#define APP_SIGHTING_H

#include "event/decode.h"
#include "store/store.h"

/*
 * Looks through the records after after_seq up to until_seq, which are judged and labelled, for an
 * event of the same watch, type and file id as wanted that is not labelled an echo. 1: there is
 * one; 0: there is none.
 */
MUST_CHECK int sighting_find(struct store_txn *txn, struct store *store, struct decoder *decoder,
			     const struct event *wanted, uint64_t after_seq, uint64_t until_seq,
			     struct error *err);

#endif
