/* address: where a cluster is reached, as a person writes it. */
#ifndef APP_ADDRESS_H
#define APP_ADDRESS_H

#include "app/settings.h"

/*
 * "host", "host:port", "[2001:db8::1]:port", "https://host:port", "https://host/api"; "http://" for
 * loopback addresses only. Fills *out (address_clear frees it), or -1 with a sentence.
 */
MUST_CHECK int address_parse(struct address *out, struct text text, struct error *err);
void address_clear(struct address *address);

#endif
