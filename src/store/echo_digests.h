/*
 * echo_digests: a quick answer to whether an event may be an echo at all. While actions run, most
 * events are still somebody else's; asking the ledger about each of them would be two questions to
 * a server over a network.
 *
 * What was read stays true for events whose records were in the log before it was read: their
 * expectations were stored before their requests went out. Who reads records of a later time reads
 * the digests anew.
 */
#ifndef STORE_ECHO_DIGESTS_H
#define STORE_ECHO_DIGESTS_H

#include "store/store.h"

struct echo_digests;
struct echo_digests *echo_digests_new(void);
void echo_digests_free(struct echo_digests *digests);
AUTO_DEFINE(struct echo_digests *, echo_digests_free)

/* Reads what is committed. 1: all of it; 0: there are more than max, and none are known. */
MUST_CHECK int echo_digests_read(struct echo_digests *digests, struct store *store, size_t max,
				 struct error *err);
/* False: it certainly is no echo, of what was read. True: echo_match knows. */
bool echo_digests_may_have(const struct echo_digests *digests, const struct event *event);

#endif
