/* sign: proves to the other side that a message is ours. */
#ifndef IO_SIGN_H
#define IO_SIGN_H

#include "base/text.h"

/*
 * HMAC-SHA256 of the message in Base64, for free(). A key "whsec_" is followed by its bytes in
 * Base64, as Standard Webhooks writes them (standardwebhooks.com); any other key is its own bytes.
 */
char *sign_message(struct text key, struct text message);

#endif
